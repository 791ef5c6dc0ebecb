"""Whether one of the two stores is an older copy than the other."""

from __future__ import annotations

from collections.abc import Iterator

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.seals.finding import Finding, FindingKind
from kraken_ohlcv.stores.ledger.counts import partitions_seen
from kraken_ohlcv.stores.ledger.session import Connection, value
from kraken_ohlcv.stores.partitions import read_partitions
from kraken_ohlcv.stores.queries import MICROSECONDS, statement


def check_copies(questdb: QuestDBClient, connection: Connection) -> Iterator[Finding]:
    """Return whether a store was restored from a copy that is older than the other store.

    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    _, counted_txn = partitions_seen(connection)
    _, writer_txn = read_partitions(questdb)
    if writer_txn < counted_txn:
        yield Finding(
            kind=FindingKind.CANDLES_OLDER,
            sealed=f"transaction {counted_txn:,} was counted",
            stands=f"transaction {writer_txn:,}",
        )
    questdb.wait_applied(CANDLE_TABLE)
    # QuestDB first: the ledger knows the moment of a write before it is made.
    ((newest_us,),) = questdb.query(statement("newest_stored"))
    if newest_us is None:
        return
    known_us = newest_moment_us(connection)
    if newest_us <= known_us:
        return
    rows = questdb.query(statement("stored_after"), {"after_us": known_us})
    if rows:
        ticker, interval, ts_s, stored_us = rows[0]
        series = Series(ticker, int(interval))
        yield Finding(
            kind=FindingKind.LEDGER_OLDER,
            series=series,
            day_s=day_of(ts_s, step_s(series.interval_minutes)),
            ts_s=ts_s,
            stands=f"{counted(len(rows), 'candle')}, this one of {iso(stored_us / MICROSECONDS)}, after "
            f"{iso(known_us / MICROSECONDS)}",
        )


def sees_moments(connection: Connection) -> bool:
    """Return whether a login may read the newest moment of a write, and not only the ledger's clock."""
    return bool(value(connection, "may_read_moments"))


def newest_moment_us(connection: Connection) -> int:
    """Return the newest moment that the ledger can have given to a write, epoch microseconds.

    That is the ledger's clock for a login that may not read the sequence of moments.
    """
    name = "read_newest_moment" if sees_moments(connection) else "read_clock"
    found: int = value(connection, name)
    return found
