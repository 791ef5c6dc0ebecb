"""Connections on which no statement waits for ever, whatever the server does.

A server that is stopped, swaps, or hangs keeps its connections: the kernel answers keepalives in its name,
and a server's own ``statement_timeout`` needs a server that runs. So the client gives up by itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import Row

CONNECTING: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Seconds; a server that vanished is noticed after 30 + 3 * 10."""

LATER_S: Final = 5.0
"""A server that can still end a statement by itself has so much longer than it was given."""


class StatementTimeoutError(psycopg.OperationalError):
    """The server has not answered a statement; the connection is closed.

    :ivar waited_s: how long the client has waited, seconds
    """

    def __init__(self, waited_s: float) -> None:
        """Store how long the client has waited.

        :param waited_s: seconds
        """
        super().__init__(f"a statement was not answered for {waited_s:g} s")
        self.waited_s = waited_s


class BoundedConnection(psycopg.Connection[Row]):
    """A connection that is closed when a statement on it is not answered in time.

    :ivar patience_s: how long a statement may take, seconds; None = for ever
    """

    patience_s: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Wait for the server as psycopg does, but not for ever.

        :raises StatementTimeoutError: if it does not answer in time
        """
        if self.patience_s is None or len(args) > 1 or kwargs.get("timeout") is not None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(gen, *args, **{**kwargs, "timeout": self.patience_s})
        except psycopg.errors._WaitTimeout as error:  # to be converted, says psycopg
            self.pgconn.finish()  # what the server may still answer is for a statement that was given up
            raise StatementTimeoutError(self.patience_s) from error


@contextmanager
def patience(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Wait longer, or shorter, for the statements of a block.

    :param connection: one that is not bounded waits for ever anyway
    :param seconds: > 0
    """
    if not isinstance(connection, BoundedConnection):
        yield
        return
    before, connection.patience_s = connection.patience_s, seconds
    try:
        yield
    finally:
        connection.patience_s = before
