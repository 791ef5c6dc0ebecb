"""Brings both stores to the schema this version needs; safe to call at every run."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from kraken_ohlcv.clients.bounded import BoundedConnection
from kraken_ohlcv.clients.errors import QuestDBError, QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import PROVISIONAL
from kraken_ohlcv.core.errors import SurroundingsError
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv.stores.surroundings import (
    check_ledger,
    foreign_table,
    refuse,
    server_findings,
    table_findings,
    why_not_migrated,
)

MIGRATIONS: Final = str(files("kraken_ohlcv.migrations"))

MIGRATION_LOCK: Final = 0x6F686C63
"""Advisory lock held while migrating, so that workers starting together do not race ("ohlc")."""

MIGRATION_TIMEOUT_S: Final = 900.0
"""For a revision's statements together, or for waiting until another process has migrated."""

FORMER_SOURCES: Final = {"archive_rim": PROVISIONAL}
"""Sources by the names that earlier versions stored them under."""


# Alembic also says, at every run, what kind of database it found.
logging.getLogger("alembic.runtime.migration").addFilter(
    lambda record: record.getMessage().startswith("Running")
)


def migrate_ledger(dsn: str) -> None:
    """Bring the ledger's database to the newest migration, one process at a time.

    :param dsn: libpq URI or DSN of the ledger's database
    :raises SurroundingsError: if the server takes no writes, keeps no sessions, or refuses the migration
    :raises psycopg.OperationalError: if the server cannot be reached
    """
    check_ledger(dsn)
    # Connected here, because SQLAlchemy would put its own error around the driver's; it closes it in the end.
    raw = BoundedConnection.connect(dsn, connect_timeout=10)
    raw.patience_s = MIGRATION_TIMEOUT_S
    role = raw.info.user
    engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (CommandError, DBAPIError) as error:
        why = why_not_migrated(error.orig if isinstance(error, DBAPIError) else error, role=role)
        if why is not None:
            raise SurroundingsError(why) from error
        raise
    finally:
        engine.dispose()


def ensure_candle_table(questdb: QuestDBClient) -> None:
    """Create the candle table when it is absent, and refuse one that would lose or hide candles.

    ``CREATE TABLE IF NOT EXISTS`` keeps a different existing table silently, so what is there is judged.
    Sources get today's names, and a table of an earlier version gets column ``stored_at``, empty.

    :raises SurroundingsError: if the table or the server's settings are not right; names the cure
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    refuse(server_findings(questdb))
    try:
        questdb.query(statement("create_ohlcv"))
    except QuestDBUnavailableError:
        raise
    except QuestDBError as error:
        if "view with the requested name" in str(error):
            refuse([foreign_table(questdb, "it is a view")])
        raise
    refuse(table_findings(questdb))
    if not _has_moments(questdb):
        try:
            questdb.query(statement("add_stored_at"))
        except QuestDBUnavailableError:
            raise
        except QuestDBError:
            # IF NOT EXISTS does not hold between two statements at once: another process was quicker.
            questdb.wait_applied(CANDLE_TABLE)
            if not _has_moments(questdb):
                raise
        questdb.wait_applied(CANDLE_TABLE)
    for former, present in FORMER_SOURCES.items():
        if questdb.query(statement("find_former_source"), {"former": former}):
            names = {"former": former, "present": present}
            questdb.query(statement("rename_source"), names)
            questdb.wait_applied(CANDLE_TABLE)


def _has_moments(questdb: QuestDBClient) -> bool:
    return "stored_at" in {name for name, *_ in questdb.query(statement("table_columns"))}
