"""Brings both stores to the schema this version needs; safe to call at every run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from include.ohlcv.candles import PROVISIONAL
from include.ohlcv.names import CANDLE_TABLE
from include.ohlcv.statements import statement

if TYPE_CHECKING:
    from kraken_hooks.questdb import QuestDBHook

MIGRATIONS: Final = Path(__file__).resolve().parents[1] / "migrations"

MIGRATION_LOCK: Final = 0x6F686C63
"""Advisory lock held while migrating, so that workers starting together do not race ("ohlc")."""

CANDLE_COLUMNS: Final = {
    "ts": "TIMESTAMP",
    "ticker": "SYMBOL",
    "interval": "SYMBOL",
    "open": "DOUBLE",
    "high": "DOUBLE",
    "low": "DOUBLE",
    "close": "DOUBLE",
    "vwap": "DOUBLE",
    "volume": "DOUBLE",
    "trades": "LONG",
    "source": "SYMBOL",
}
CANDLE_KEYS: Final = ("ts", "ticker", "interval")

FORMER_SOURCES: Final = {"archive_rim": PROVISIONAL}
"""Sources by the names that earlier versions stored them under."""


def migrate_ledger(dsn: str) -> None:
    """Bring the ledger's database to the newest migration, one process at a time.

    :param dsn: libpq URI or DSN of the ledger's database
    :raises psycopg.OperationalError: if the server cannot be reached
    """
    # Connected here, because SQLAlchemy would put its own error around the driver's; it closes it in the end.
    raw = psycopg.connect(dsn, connect_timeout=10)
    engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def ensure_candle_table(questdb: QuestDBHook) -> None:
    """Create the candle table when it is absent, refuse one of another shape, and give sources today's names.

    :param questdb: hook of the candle store
    :raises TableMismatchError: if a table of that name has other columns or keys
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    questdb.ensure_table(
        statement("questdb", "create_ohlcv"), CANDLE_TABLE, columns=CANDLE_COLUMNS, dedup_keys=CANDLE_KEYS
    )
    for former, present in FORMER_SOURCES.items():
        if questdb.query(statement("questdb", "find_former_source"), {"former": former}):
            names = {"former": former, "present": present}
            questdb.query(statement("questdb", "rename_source"), names)
            questdb.wait_applied(CANDLE_TABLE)
