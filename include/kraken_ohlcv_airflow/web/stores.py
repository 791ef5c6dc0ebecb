"""The two stores as the pages reach them: soon or not at all, with one sentence when they do not answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg.errors import QueryCanceled, UndefinedColumn, UndefinedTable

from kraken_hooks.dsn import ledger_dsn
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.bounded import LATER_S
from kraken_ohlcv.clients.errors import ConnectionFieldError, QuestDBError, QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.settings import LEDGER_CONN_ID, QUESTDB_CONN_ID
from kraken_ohlcv.stores.ledger.session import Connection, connect, is_full
from kraken_ohlcv_airflow.connections import archive_server

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 3
STATEMENT_TIMEOUT_S: Final = 20
"""Nobody waits longer for a page; the connections of a page that was given up are free again."""


class StoreError(OhlcvError):
    """A store cannot serve a page now; the message is a sentence for the reader."""


class NothingYetError(StoreError):
    """The stores are as they are before the first run, which is no failure."""


@contextmanager
def ledger() -> Iterator[Connection]:
    """Give a connection to the ledger.

    :return: context manager; its statements end after :data:`STATEMENT_TIMEOUT_S`
    :raises StoreError: if PostgreSQL does not answer, is not configured or has no tables yet
    """
    with (
        _in_a_sentence(LEDGER_CONN_ID),
        connect(
            ledger_dsn(LEDGER_CONN_ID), timeout_s=CONNECT_TIMEOUT_S, statement_timeout_s=STATEMENT_TIMEOUT_S
        ) as connection,
    ):
        yield connection


@contextmanager
def questdb() -> Iterator[QuestDBClient]:
    """Give a client of the candle store.

    :return: context manager; its statements end after :data:`STATEMENT_TIMEOUT_S`
    :raises StoreError: if QuestDB does not answer, is not configured or has no candle table yet
    """
    with _in_a_sentence(QUESTDB_CONN_ID):
        address = QuestDBHook(
            questdb_conn_id=QUESTDB_CONN_ID, options=f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000}"
        ).address()
        # A little longer than the server gives a statement.
        patience_s = min(address.statement_timeout_s, STATEMENT_TIMEOUT_S + LATER_S)
        libpq = {**address.libpq, "connect_timeout": CONNECT_TIMEOUT_S}
        yield QuestDBClient(replace(address, libpq=libpq, statement_timeout_s=patience_s))


@contextmanager
def _in_a_sentence(conn_id: str) -> Iterator[None]:
    """Turn what a store raises into a sentence for the reader."""
    try:
        yield
    except AirflowNotFoundException as error:
        raise StoreError(f"Airflow has no connection {conn_id}: define it, then reload.") from error
    except (UndefinedTable, UndefinedColumn, psycopg.OperationalError, QuestDBError) as error:
        # Its text may name hosts and users: for the log, not for the page.
        log.warning("%s: %s", conn_id, " ".join(str(error).split()))
        raise (NothingYetError if _is_not_made(error) else StoreError)(_sentence(error)) from error


def _is_not_made(error: Exception) -> bool:
    return isinstance(error, UndefinedTable) or "table does not exist" in str(error)


def _sentence(error: Exception) -> str:  # noqa: PLR0911 (a table)
    match error:
        case UndefinedTable():
            return "The ledger is empty: the first run of any of this package's DAGs creates its tables."
        case UndefinedColumn():
            return (
                "The ledger's tables are older than this page: the next run of any of this package's DAGs"
                " brings them up to date."
            )
        case QueryCanceled():
            return (
                f"The ledger took longer than {STATEMENT_TIMEOUT_S} s: narrow the filter, or try again later."
            )
        case psycopg.OperationalError() if is_full(error):
            return (
                f"The ledger in PostgreSQL has too many clients (connection {LEDGER_CONN_ID}): reload in a"
                " moment. If it persists, raise max_connections, or run fewer tasks at once."
            )
        case psycopg.OperationalError():
            return (
                f"The ledger in PostgreSQL does not answer (connection {LEDGER_CONN_ID}): start the server or"
                " correct the connection, then reload."
            )
        case QuestDBUnavailableError():
            return (
                f"QuestDB does not answer (connection {QUESTDB_CONN_ID}): start the server or correct the"
                " connection, then reload."
            )
        case QuestDBError() if _is_not_made(error):
            return "There is no candle table yet: the first run of any of this package's DAGs creates it."
    return f"QuestDB refused this page's statement (connection {QUESTDB_CONN_ID}): see the api-server's log."


def has_archive() -> bool:
    """Return whether there is an archive that a backfill can fetch from."""
    try:
        archive_server()
    except (AirflowNotFoundException, ConnectionFieldError):
        return False
    return True
