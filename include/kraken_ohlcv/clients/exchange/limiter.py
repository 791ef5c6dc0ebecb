"""The one call slot that all processes of one exchange address share, kept in PostgreSQL.

Why in PostgreSQL: Kraken counts calls per IP, an Airflow pool of one slot does not guarantee one call at a
time (a paused or killed supervisor frees it while its task goes on calling), and a process' own sleep knows
nothing of the others. A session advisory lock lets one caller in at a time and is freed by the server when
its holder dies; the row in ``api_slot`` keeps the distance, also after a caller that was killed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from kraken_ohlcv.clients.bounded import CONNECTING, BoundedConnection, patience
from kraken_ohlcv.clients.errors import RateLimitLockError
from kraken_ohlcv.clients.statements import statement

T = TypeVar("T")
Session: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

log = logging.getLogger(__name__)

LOCK_CLASS: Final = 0x4B52
"""First key of the advisory lock, apart from other users of advisory locks in the database ("KR")."""

LOCK_TIMEOUT_S: Final = 300.0
"""How long a caller stands in line before it gives up."""

MAX_HELD_WAIT_S: Final = 5.0
"""A longer wait is spent outside the lock, or the callers behind would run into their lock timeout."""

LATEST_ARRIVAL_S: Final = 2.0
"""A call may need so long to reach the exchange (name lookup, TLS handshake, a busy machine) without the next
one, on a connection that is open already, coming too close behind it. Reserved on top before the call, and
given back after it as far as the call was faster: so a killed caller leaves the longer distance."""

STATEMENT_TIMEOUT_S: Final = 30.0
"""For statements that wait for nobody; one that waits for the lock has its lock timeout on top."""

# The server's side as the client's: it frees the lock of a host that died.
SESSION_SETTINGS: Final = f"""
SET lock_timeout = '{LOCK_TIMEOUT_S:.0f}s';
SET tcp_keepalives_idle = {CONNECTING["keepalives_idle"]};
SET tcp_keepalives_interval = {CONNECTING["keepalives_interval"]};
SET tcp_keepalives_count = {CONNECTING["keepalives_count"]}"""


class CallSlot:
    """Lets one caller at a time, and no two closer than an interval, make an HTTP call.

    One connection is opened at the first call and kept until :meth:`close`; it must reach the server directly
    or through session pooling (a transaction pooler would lose the session's lock). Not for several threads.
    """

    def __init__(
        self,
        dsn: str,
        *,
        name: str = "kraken",
        min_interval_s: float = 1.0,
        clock_margin_s: float = 0.03,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Store the settings.

        :param dsn: libpq URI or connection string of the database with table ``api_slot``
        :param name: which slot; callers of the same name wait for each other
        :param min_interval_s: seconds between the starts of two calls, > 0
        :param clock_margin_s: added to the interval, since a call needs a moment to reach the exchange, and
            not always the same one; >= 0
        :param sleep: waits so many seconds
        """
        self.min_interval_s = min_interval_s
        self._dsn = dsn
        self._name = name
        self._values = {
            "class": LOCK_CLASS,
            "name": name,
            "interval_s": min_interval_s,
            "margin_s": clock_margin_s,
            "latest_s": LATEST_ARRIVAL_S,
            "longest_s": min_interval_s + clock_margin_s + LATEST_ARRIVAL_S,
        }
        self._sleep = sleep
        self._connection: Session | None = None
        self._pid = os.getpid()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the slot and keep it while the block makes one HTTP call.

        The reservation is committed before the block starts: a caller that is killed in it still leaves its
        distance behind, and its lock is freed with its connection.

        :raises RateLimitLockError: if the slot is not to be had within 300 s, or PostgreSQL cannot be used
        """
        connection, reserved = self._take()
        try:
            yield
        finally:
            self._leave(connection, reserved)

    def push_back(self, seconds: float) -> None:
        """Let nobody call for so many seconds from now; never brings the next call nearer.

        :param seconds: > 0
        :raises RateLimitLockError: if PostgreSQL cannot be used
        """
        self._run(lambda connection: self._execute(connection, "push_slot_back", wait_s=seconds))

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def _take(self) -> tuple[Session, datetime]:
        """Return the connection that holds the lock, and until when the slot is reserved on it."""
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            connection, reserved, wait_s = self._run(self._lock_and_reserve)
            if reserved is not None:
                return connection, reserved
            if time.monotonic() + wait_s > deadline:
                raise RateLimitLockError(
                    f"call slot {self._name}: the exchange asked for a pause; the next call is allowed in "
                    f"{wait_s:.0f} s only; run again then"
                )
            self._sleep(wait_s)

    def _lock_and_reserve(self, connection: Session) -> tuple[Session, datetime | None, float]:
        """Take the lock and reserve; or leave the lock and say how long to wait before the next try."""
        with patience(connection, LOCK_TIMEOUT_S + STATEMENT_TIMEOUT_S):
            self._execute(connection, "lock_slot")
        while True:
            taken = self._execute(connection, "take_slot").fetchone()
            if taken is not None:
                return connection, taken[0], 0.0
            row = self._execute(connection, "slot_wait").fetchone()
            wait_s = max(0.0, row[0]) if row is not None else 0.0
            if wait_s > MAX_HELD_WAIT_S:
                self._execute(connection, "unlock_slot")
                return connection, None, wait_s
            self._sleep(wait_s)

    def _leave(self, connection: Session, reserved: datetime) -> None:
        """Keep the interval from the latest moment the call can have arrived, and free the lock."""
        try:
            self._execute(connection, "settle_slot", reserved=reserved)
            self._execute(connection, "unlock_slot")
        except psycopg.Error as error:
            # The call itself is done, and the reserved distance stands: no reason to fail.
            log.warning("call slot %s: connection lost during the call: %s", self._name, error)
            self.close()
        except BaseException:
            self.close()
            raise

    def _execute(self, connection: Session, name: str, **values: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        found = statement(name)
        return connection.execute(found.text, found.values((self._values,), values))

    def _run(self, work: Callable[[Session], T]) -> T:
        """Do something on the kept connection, once more on a new one if the kept one turns out dead."""
        is_kept = self._connection is not None and self._pid == os.getpid()
        try:
            return work(self._connect())
        except psycopg.errors.LockNotAvailable:
            raise RateLimitLockError(
                f"call slot {self._name}: other processes held it for {LOCK_TIMEOUT_S:.0f} s; "
                f"look for a task that hangs in a call to the exchange"
            ) from None
        except psycopg.OperationalError as error:
            self.close()
            if is_kept:
                return self._run(work)
            raise RateLimitLockError(
                f"call slot {self._name}: PostgreSQL is out of reach: {error}"
            ) from error
        except psycopg.Error as error:
            self.close()
            raise RateLimitLockError(f"call slot {self._name}: {error}") from error
        except BaseException:
            # Interrupted while waiting: whatever is locked is freed with the connection.
            self.close()
            raise

    def _connect(self) -> Session:
        if self._pid != os.getpid():
            # A fork: the connection is the parent's, who still talks over it. Never used, never closed here.
            self._connection, self._pid = None, os.getpid()
        if self._connection is None:
            connection = BoundedConnection.connect(make_conninfo(self._dsn, **CONNECTING), autocommit=True)
            connection.patience_s = STATEMENT_TIMEOUT_S
            self._connection = connection
            connection.execute(SESSION_SETTINGS)
        return self._connection
