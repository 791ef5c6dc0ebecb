"""Moments of writes: one clock, the ledger's, for candles in QuestDB and for proofs in PostgreSQL.

A write is open from its moment until it is applied; ``pg_locks`` shows the open ones, and a process that
dies closes its own. No two writes have the same moment, and a later one has a later moment, whatever the
clock does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kraken_ohlcv.stores.ledger.session import Connection, value


@contextmanager
def open_write(connection: Connection) -> Iterator[int]:
    """Hold a write open; what the ledger records of it meanwhile, in any transaction, has its moment.

    What it replaces counts as replaced when the block ends without an error: its candles were read back.

    :param connection: the ledger, in autocommit, without an open write
    :return: context manager of the moment, epoch microseconds
    :raises psycopg.errors.RaiseException: if the session has an open write already
    """
    moment_us: int = value(connection, "begin_session_write")
    is_read_back = False
    try:
        yield moment_us
        is_read_back = True
    finally:
        if not connection.closed:
            value(connection, "end_session_write", is_read_back=is_read_back)


def settled_us(connection: Connection, *, is_kept: bool = False) -> int:
    """Return the newest moment that no open write can change: now, or just before the oldest open write.

    :param connection: the ledger on its primary server; a read-only login suffices, unless it is kept
    :param is_kept: whether no later write may get a moment up to now, even if the server's clock is set back
    :return: epoch microseconds
    :raises psycopg.errors.RaiseException: on a replica, which does not show open writes
    """
    found: int = value(connection, "read_settled", is_kept=is_kept)
    return found
