"""Connections to the ledger, statements by name, and the two locks of a series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg.rows import dict_row, kwargs_row, scalar_row
from psycopg.types.json import JsonbDumper

from kraken_ohlcv.clients.bounded import LATER_S, BoundedConnection, patience
from kraken_ohlcv.clients.statements import statement
from kraken_ohlcv.core.gap import Series

Row: TypeAlias = dict[str, Any]
Connection: TypeAlias = psycopg.Connection[Row]
Shape = TypeVar("Shape")

FILL_LOCK: Final = 0x4F48
"""Class of the session lock that a fill holds on a series until its last status."""
LEDGER_LOCK: Final = 0x4F49
"""Class of the transaction lock under which the ledger of a series changes."""

FILL_LOCK_TIMEOUT_S: Final = 900
"""How long a fill waits for another one on the same series; one OHLC call with retries takes far less."""


FULL: Final = ("too many clients", "too many connections", "remaining connection slots are reserved")
"""PostgreSQL's words for SQLSTATE 53300."""

STATEMENT_TIMEOUT_S: Final = 300.0
"""How long a statement may take by default; the longest of a cleanup or report takes seconds."""


@contextmanager
def connect(
    dsn: str, *, timeout_s: int = 10, statement_timeout_s: float = STATEMENT_TIMEOUT_S
) -> Iterator[Connection]:
    """Open a connection in autocommit; transactions are opened where they are needed.

    :param dsn: libpq URI or DSN of the ledger's database
    :param timeout_s: how long to wait for the server, seconds, >= 2
    :param statement_timeout_s: how long a statement may take, waiting for locks included, seconds, > 0; a
        little later the client gives up by itself, should the server stand still
    :return: context manager of the connection, rows as dicts; closing frees its session locks
    :raises psycopg.OperationalError: if the server cannot be reached in time
    """
    connection = BoundedConnection.connect(
        dsn,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=timeout_s,
        keepalives_idle=30,
        application_name="ohlcv",
    )
    connection.adapters.register_dumper(dict, JsonbDumper)
    with connection:
        connection.patience_s = statement_timeout_s + LATER_S
        # Not as a startup option, which poolers refuse.
        connection.execute(f"SET statement_timeout = {round(statement_timeout_s * 1000)}")
        yield connection


def is_full(error: psycopg.OperationalError) -> bool:
    """Return whether a server has refused a connection because it has too many of them.

    :param error: what ended the attempt; before a session there is no SQLSTATE, only PostgreSQL's words
    """
    said = str(error)
    return error.sqlstate == "53300" or any(words in said for words in FULL)


def rows(
    connection: Connection, name: str, shape: Callable[..., Shape], /, *given: object, **values: Any
) -> list[Shape]:
    """Run a statement of ``include/sql/ledger`` and return its rows.

    :param name: what the statement is called
    :param shape: makes one out of the columns of a row, by name
    :param given: objects and mappings that hold values of its parameters among others
    :param values: other parameters by name
    """
    found = statement(name)
    with connection.cursor(row_factory=kwargs_row(shape)) as cursor:
        return cursor.execute(found.text, found.values(given, values)).fetchall()


def one(
    connection: Connection, name: str, shape: Callable[..., Shape], /, *given: object, **values: Any
) -> Shape:
    """Run a statement that always has a row, as :func:`rows` does, and return this row."""
    (found,) = rows(connection, name, shape, *given, **values)
    return found


def first(
    connection: Connection, name: str, shape: Callable[..., Shape], /, *given: object, **values: Any
) -> Shape | None:
    """Run a statement as :func:`rows` does, and return its first row, or None if there is none."""
    return next(iter(rows(connection, name, shape, *given, **values)), None)


def column(connection: Connection, name: str, /, *given: object, **values: Any) -> list[Any]:
    """Run a statement and return the first column of its rows; parameters as in :func:`rows`."""
    found = statement(name)
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(found.text, found.values(given, values)).fetchall()


def value(connection: Connection, name: str, /, *given: object, **values: Any) -> Any:
    """Run a statement and return the first column of its first row, or None if there is no row."""
    return next(iter(column(connection, name, *given, **values)), None)


def fetch(connection: Connection, name: str, /, *given: object, **values: Any) -> list[Row]:
    """Run a statement and return its rows by column name; parameters as in :func:`rows`."""
    return rows(connection, name, dict, *given, **values)


def execute(connection: Connection, name: str, /, *given: object, **values: Any) -> int:
    """Run a statement and return the number of rows written; parameters as in :func:`rows`."""
    found = statement(name)
    return connection.execute(found.text, found.values(given, values)).rowcount


def execute_many(
    connection: Connection, name: str, each: Iterable[object], /, *given: object, **values: Any
) -> None:
    """Run a statement once for each of some objects; other parameters as in :func:`rows`."""
    found = statement(name)
    with connection.cursor() as cursor:
        cursor.executemany(found.text, [found.values((single, *given), values) for single in each])


def by_series(shape: Callable[..., Shape]) -> Callable[..., tuple[Series, Shape]]:
    """Return a shape for :func:`rows` that gives the series of a row, and the shape of its other columns."""
    return lambda ticker, interval_minutes, **row: (Series(ticker, interval_minutes), shape(**row))


@contextmanager
def series_transaction(connection: Connection, series_id: int) -> Iterator[int]:
    """Open a transaction that alone may change the ledger of a series.

    :param series_id: primary key of the series
    :return: context manager of the series' revision under the lock
    """
    with connection.transaction():
        execute(connection, "lock_series", lock_class=LEDGER_LOCK, series_id=series_id)
        # A statement of its own: its snapshot must be younger than the lock.
        yield _revisions(connection, [series_id])[series_id]


@contextmanager
def free_series_transaction(connection: Connection, series_ids: Sequence[int]) -> Iterator[dict[int, int]]:
    """Open a transaction that alone may change the ledgers of those series that nobody else is changing.

    It never waits for a lock while it holds others, so it cannot deadlock, in whatever order they come.

    :param series_ids: primary keys of the series
    :return: context manager of the revisions under the lock, by primary key; a series that is busy is absent
    """
    with connection.transaction():
        yield _revisions(connection, _try_locks(connection, LEDGER_LOCK, series_ids))


def _revisions(connection: Connection, series_ids: Sequence[int]) -> dict[int, int]:
    found = fetch(connection, "read_revisions", series_ids=series_ids)
    return {row["series_id"]: row["revision"] for row in found}


def _try_locks(connection: Connection, lock_class: int, series_ids: Sequence[int]) -> list[int]:
    return column(connection, "try_lock_series", lock_class=lock_class, series_ids=series_ids)


@contextmanager
def fill_lock(connection: Connection, series_id: int) -> Iterator[None]:
    """Hold the session lock that says "this series is being filled".

    :param connection: the ledger, in autocommit
    :param series_id: primary key of the series
    :return: context manager
    :raises psycopg.errors.LockNotAvailable: if another fill holds it longer than 15 minutes
    """
    with patience(connection, FILL_LOCK_TIMEOUT_S + LATER_S), connection.transaction():
        # For this transaction only; the lock is the session's, and outlives it.
        connection.execute(f"SET LOCAL lock_timeout = '{FILL_LOCK_TIMEOUT_S}s'")
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (FILL_LOCK, series_id))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", (FILL_LOCK, series_id))


def being_filled(connection: Connection, series_ids: Sequence[int]) -> set[int]:
    """Return the series whose fill lock another session holds.

    :param connection: the ledger, inside a transaction
    :param series_ids: primary keys of the series
    :return: primary keys; nobody can begin to fill one of the others before the transaction ends
    """
    return set(series_ids).difference(_try_locks(connection, FILL_LOCK, series_ids))
