"""Client of QuestDB over PGWire; what its server does otherwise than PostgreSQL is dealt with here only.

* No connection is kept: the server closes idle ones, has 64, and after an error a connection is only good to
  be closed (a failed statement loses rows of its transaction without an error; ``rollback()`` may raise).
* A committed write is readable later: :meth:`QuestDBClient.write_batch` waits by polling. The server's own
  ``wait_wal_table()`` is not used: it ignores timeouts and blocks one of its network workers.
* A suspended table accepts writes and does not apply them: that is an error here.
* Every SQL error has the same class and code: only the message tells cases apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from kraken_ohlcv.clients.bounded import BoundedConnection, StatementTimeoutError
from kraken_ohlcv.clients.errors import (
    NotAppliedInTimeError,
    QuestDBError,
    QuestDBRefusedError,
    QuestDBUnavailableError,
    TableSuspendedError,
)
from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.values import adapt, check_rows, check_statement

if TYPE_CHECKING:
    import polars as pl

    from kraken_ohlcv.clients.questdb.ilp import PreparedFrame

FIRST_POLL_S: Final = 0.005
LONGEST_POLL_S: Final = 0.1

WAL_STATE: Final = """
SELECT suspended, writerTxn, sequencerTxn, errorTag, errorMessage FROM wal_tables() WHERE name = %(table)s"""
"""No row for a table that does not exist or has no WAL."""


class QuestDBClient:
    """Reads and writes QuestDB.

    A statement that is not answered within the address's ``statement_timeout_s`` is given up, also when the
    server stands still and cannot end it by itself. Aware times go in and come out; naive ones are refused.

    :ivar address: the server, and how long it may take
    """

    def __init__(self, address: QuestDBAddress) -> None:
        self.address = address

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a new connection to QuestDB, which the caller closes and never rolls back.

        :raises QuestDBUnavailableError: if the server cannot be reached
        :raises QuestDBError: if it refuses the login
        """
        address = self.address
        arguments: dict[str, Any] = {
            **address.libpq,
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "password": address.password,
            "dbname": address.database,
        }
        with self._typed_errors():
            connection = BoundedConnection.connect(**arguments)
        connection.patience_s = address.statement_timeout_s
        adapt(connection)
        return connection

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one statement, run on a connection of its own.

        :param sql: statement; ``%(name)s`` marks a parameter, ``%%`` a percent sign if there are parameters
        :param parameters: by name; aware times, numbers, texts, None
        :param binary: take values in binary, twice as fast; for results without times, which come naive
        :return: times are aware UTC; empty for a statement without result
        :raises ValueError: if a parameter is a naive time
        :raises TypeError: if a parameter is a list or tuple
        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBError: if it refuses the statement
        """
        check_statement(sql, parameters)
        with self._connected(autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), parameters, binary=binary)
            return cursor.fetchall() if cursor.description is not None else []

    def query_each(self, *statements: str, applied: str | None = None) -> list[list[tuple[Any, ...]]]:
        """Return the rows of statements that have a result, run one after the other on one connection.

        :param statements: without parameters
        :param applied: name of a table for which :meth:`wait_applied` waits first, or None
        :return: rows of each, as of :meth:`query`
        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBError: if it refuses a statement, or for what :meth:`wait_applied` raises
        """
        with self._connected(autocommit=True) as connection:
            if applied is not None:
                self._wait_applied(connection, applied)
            return [connection.execute(sql.encode()).fetchall() for sql in statements]

    def write_batch(self, table: str, sql: str, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> None:
        """Write all rows in one transaction, or none, and wait until they are readable.

        Deduplication of the table makes it safe to write the same rows again after any error.

        :param table: that ``sql`` inserts into; its name as stored
        :param sql: INSERT of one row
        :param rows: parameters for ``sql``, by name or position; empty = nothing happens
        :raises ValueError: if a row has no time, a naive one, or a number that is NaN or infinite
        :raises TableSuspendedError: if the server accepted the rows but does not apply them
        :raises NotAppliedInTimeError: if they are not readable within ``apply_timeout_s``
        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBError: if it refuses the rows
        """
        check_rows(table, rows)
        if not rows:
            return
        with self._connected(autocommit=False) as connection:
            with connection.cursor() as cursor:
                cursor.executemany(sql, rows)
            connection.commit()
            connection.autocommit = True
            self._wait_applied(connection, table)

    def wait_applied(self, table: str) -> None:
        """Wait until everything committed to a table so far is readable.

        :param table: its name as stored
        :raises TableSuspendedError: if the server does not apply writes to it
        :raises NotAppliedInTimeError: if that takes longer than ``apply_timeout_s``
        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBError: if there is no such table with a WAL
        """
        with self._connected(autocommit=True) as connection:
            self._wait_applied(connection, table)

    def send_frame(self, table: str, frame: pl.DataFrame, *, symbols: Mapping[str, str], at: str) -> None:
        """Send rows over ILP/HTTP as one transaction; :mod:`kraken_ohlcv.clients.questdb.ilp` says how.

        :param table: an existing table
        :param frame: at most 100,000 rows
        :param symbols: SYMBOL columns that have the same value in every row
        :param at: column with the time, epoch seconds UTC
        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
        :raises QuestDBError: if it refuses the rows
        """
        self.send(self.prepare_frame(table, frame, symbols=symbols, at=at))

    def prepare_frame(
        self, table: str, frame: pl.DataFrame, *, symbols: Mapping[str, str], at: str
    ) -> PreparedFrame:
        """Encode rows for :meth:`send`, as :meth:`send_frame` does: nothing is sent.

        :return: what is to be sent
        :raises QuestDBUnavailableError: if the server cannot be reached
        :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
        """
        from kraken_ohlcv.clients.questdb.ilp import prepare_frame  # noqa: PLC0415 (the client is slow to import)

        return prepare_frame(self.address, table, frame, symbols=symbols, at=at)

    def send(self, prepared: PreparedFrame) -> None:
        """Send encoded rows as one transaction, once.

        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
        :raises QuestDBError: if it refuses the rows
        """
        prepared.send()

    def check_bulk(self) -> None:
        """Refuse a server that would take no rows over ILP/HTTP; nothing is written.

        :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
        :raises QuestDBUnavailableError: if the server cannot be reached
        """
        from kraken_ohlcv.clients.questdb.ilp import check_bulk  # noqa: PLC0415 (the client is slow to import)

        check_bulk(self.address)

    @contextmanager
    def _connected(self, *, autocommit: bool) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Give a new connection; it is closed after, never rolled back: uncommitted rows are discarded."""
        connection = self.connect()
        try:
            with self._typed_errors():
                connection.autocommit = autocommit
                yield connection
        finally:
            connection.close()

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        where = f"{self.address.host}:{self.address.port}"
        try:
            yield
        except StatementTimeoutError as error:
            raise QuestDBUnavailableError(
                f"QuestDB at {where} has not answered a statement for {error.waited_s:g} s: check whether "
                f"it hangs (its log, disk and load); if statements need more time, raise "
                f"statement_timeout_s in the extra of connection {self.address.name}"
            ) from error
        except psycopg.OperationalError as error:
            if "invalid username/password" in str(error):
                raise QuestDBRefusedError(
                    f"QuestDB at {where} refuses login {self.address.user!r} of connection "
                    f"{self.address.name}: correct login and password (QuestDB's pg.user and pg.password)"
                ) from error
            raise QuestDBUnavailableError(
                f"QuestDB at {where} is out of reach or dropped the connection: {_line(error)}"
            ) from error
        except psycopg.Error as error:
            raise QuestDBError(f"QuestDB at {where}: {_line(error)}") from error

    def _wait_applied(self, connection: psycopg.Connection[tuple[Any, ...]], table: str) -> None:
        timeout_s = self.address.apply_timeout_s
        deadline = time.monotonic() + timeout_s
        target: int | None = None
        poll_s = FIRST_POLL_S
        while True:
            state = connection.execute(WAL_STATE, {"table": table}).fetchone()
            if state is None:
                raise QuestDBError(f"QuestDB has no table {table} with a WAL")
            is_suspended, applied, committed, tag, message = state
            # The first look right after the commit: our transaction is at or before this number.
            target = committed if target is None else target
            if is_suspended:
                raise TableSuspendedError(
                    f"table {table} is suspended: QuestDB accepts writes but does not apply them "
                    f"({tag or 'no error tag'}: {message or 'no message'}); "
                    f"fix the cause, often a full disk, then run ALTER TABLE {table} RESUME WAL"
                )
            if applied >= target:
                return
            if time.monotonic() > deadline:
                raise NotAppliedInTimeError(
                    f"table {table}: the write is committed but not readable after {timeout_s:g} s "
                    f"(transaction {applied} of {target}); see QuestDB's log"
                )
            time.sleep(poll_s)
            poll_s = min(2 * poll_s, LONGEST_POLL_S)


def _line(error: psycopg.Error) -> str:
    """Return the server's message without its line breaks."""
    return " ".join(str(error).split())
