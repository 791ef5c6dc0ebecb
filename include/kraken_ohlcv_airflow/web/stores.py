"""The two stores as the pages reach them: soon or not at all, with one sentence when they do not answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException

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


@contextmanager
def ledger() -> Iterator[Connection]:
    """Give a connection to the ledger.

    :return: context manager; its statements end after :data:`STATEMENT_TIMEOUT_S`
    :raises StoreError: if PostgreSQL does not answer, is not configured or has no tables yet
    """
    try:
        with connect(
            ledger_dsn(LEDGER_CONN_ID), timeout_s=CONNECT_TIMEOUT_S, statement_timeout_s=STATEMENT_TIMEOUT_S
        ) as connection:
            yield connection
    except AirflowNotFoundException as error:
        raise StoreError(_undefined(LEDGER_CONN_ID)) from error
    except psycopg.errors.UndefinedTable as error:
        raise StoreError(
            "The ledger is empty: the first run of any of this package's DAGs creates its tables."
        ) from error
    except psycopg.errors.UndefinedColumn as error:
        raise StoreError(
            "The ledger's tables are older than this page: the next run of any of this package's DAGs"
            " brings them up to date."
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise StoreError(
            f"The ledger took longer than {STATEMENT_TIMEOUT_S} s: narrow the filter, or try again later."
        ) from error
    except psycopg.OperationalError as error:
        # Its text may name hosts and users: for the log, not for the page.
        log.warning("the ledger does not answer: %s", " ".join(str(error).split()))
        if is_full(error):
            raise StoreError(
                f"The ledger in PostgreSQL has too many clients (connection {LEDGER_CONN_ID}): reload in a"
                " moment. If it persists, raise max_connections, or run fewer tasks at once."
            ) from error
        raise StoreError(
            f"The ledger in PostgreSQL does not answer (connection {LEDGER_CONN_ID}): start the server or"
            " correct the connection, then reload."
        ) from error


@contextmanager
def questdb() -> Iterator[QuestDBClient]:
    """Give a client of the candle store.

    :return: context manager; its statements end after :data:`STATEMENT_TIMEOUT_S`
    :raises StoreError: if QuestDB does not answer, is not configured or has no candle table yet
    """
    try:
        address = QuestDBHook(
            questdb_conn_id=QUESTDB_CONN_ID, options=f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000}"
        ).address()
        # A little longer than the server gives a statement.
        patience_s = min(address.statement_timeout_s, STATEMENT_TIMEOUT_S + LATER_S)
        libpq = {**address.libpq, "connect_timeout": CONNECT_TIMEOUT_S}
        yield QuestDBClient(replace(address, libpq=libpq, statement_timeout_s=patience_s))
    except AirflowNotFoundException as error:
        raise StoreError(_undefined(QUESTDB_CONN_ID)) from error
    except QuestDBUnavailableError as error:
        log.warning("QuestDB does not answer: %s", error)
        raise StoreError(
            f"QuestDB does not answer (connection {QUESTDB_CONN_ID}): start the server or correct the"
            " connection, then reload."
        ) from error
    except QuestDBError as error:
        if "table does not exist" in str(error):
            raise StoreError(
                "There is no candle table yet: the first run of any of this package's DAGs creates it."
            ) from error
        log.warning("QuestDB refused a page's statement: %s", error)
        raise StoreError(
            f"QuestDB refused this page's statement (connection {QUESTDB_CONN_ID}): see the api-server's log."
        ) from error


def has_archive() -> bool:
    """Return whether there is an archive that a backfill can fetch from."""
    try:
        archive_server()
    except (AirflowNotFoundException, ConnectionFieldError):
        return False
    return True


def _undefined(conn_id: str) -> str:
    return f"Airflow has no connection {conn_id}: define it, then reload."
