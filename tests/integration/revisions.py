"""Older revisions of the ledger's schema."""

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from kraken_ohlcv.stores.schema import MIGRATIONS


def go_to(uri: str, revision: str) -> None:
    """Take a ledger back to an older revision, or by "-1" to the one before."""
    engine = create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()
