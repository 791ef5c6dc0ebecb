"""What the ledger keeps so that the past can be read: what writes replace and add, and what nobody wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.errors import SurroundingsError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_of
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.stores.ledger.coverage import Coverage, by_month, date_of, of_log
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, fetch, value

LOGGED_ROWS: Final = 10_000
"""Versions that are logged at once."""


def records_began_us(connection: Connection) -> int:
    """Return since when the ledger keeps what the past needs, epoch microseconds.

    :raises SurroundingsError: if the row that says so is gone
    """
    began_us: int | None = value(connection, "read_records_began")
    if began_us is None:
        raise SurroundingsError(
            "table history of the ledger has lost its row, which says since when records are kept: take it "
            "from a backup"
        )
    return began_us


def keep_replaced(
    connection: Connection,
    series: Series,
    replaced: Sequence[tuple[StoredCandle, StoredCandle]],
    *,
    moment_us: int,
) -> None:
    """Keep the versions of candles that a write is about to replace.

    :param replaced: each version as it stands in QuestDB, and the one that comes
    :param moment_us: of the write, epoch microseconds
    """
    step = step_s(series.interval_minutes)
    same: dict[tuple[str, int | None], list[int]] = {}
    others: list[StoredCandle] = []
    for old, new in replaced:
        if old.figures() == new.figures():
            same.setdefault((old.source, old.stored_us), []).append(old.ts_s)
        else:
            others.append(old)
    former = {what: BucketSet.of_points(times, step=step) for what, times in same.items()}
    log_former_sources(connection, series, former, moment_us=moment_us)
    log_replaced(connection, series, others, moment_us=moment_us)


def log_replaced(
    connection: Connection, series: Series, versions: Sequence[StoredCandle], *, moment_us: int
) -> None:
    """Keep versions of candles that a write is about to replace.

    :param versions: as they stand in QuestDB
    :param moment_us: of the write, epoch microseconds
    """
    for start in range(0, len(versions), LOGGED_ROWS):
        part = versions[start : start + LOGGED_ROWS]
        columns = {
            "times_s": [one.ts_s for one in part],
            "opens": [one.open for one in part],
            "highs": [one.high for one in part],
            "lows": [one.low for one in part],
            "closes": [one.close for one in part],
            "vwaps": [one.vwap for one in part],
            "volumes": [one.volume for one in part],
            "trades": [one.trades for one in part],
            "sources": [one.source for one in part],
            "moments_us": [one.stored_us for one in part],
        }
        execute(connection, "log_replaced", series, columns, moment_us=moment_us)


def log_former_sources(
    connection: Connection,
    series: Series,
    former: Mapping[tuple[str, int | None], BucketSet],
    *,
    moment_us: int,
) -> None:
    """Keep what candles were called before a write changes their source and nothing else.

    :param former: buckets by source and by the moment at which they were stored, epoch microseconds, None =
        before records began
    :param moment_us: of the write, epoch microseconds
    """
    each = [
        {**place, "source": source, "stored_us": stored_us}
        for (source, stored_us), buckets in former.items()
        for place in by_month(series, buckets)
    ]
    execute_many(connection, "log_former_source", each, moment_us=moment_us)


def without_withdrawn(connection: Connection, coverage: Coverage, buckets: BucketSet) -> BucketSet:
    """Return buckets without those whose proof was withdrawn since their page was reconciled.

    Of such a bucket the page tells neither that it is missing nor that it is proven empty, and yet no candle
    was in it: a shorter one in its time contradicts the proof.

    :param coverage: with the pages of the buckets, as they were read
    :param buckets: stored as far as the pages tell, see :meth:`Coverage.accounted`
    """
    months = [month for month in months_of(buckets) if coverage.reconciled.get(month) is None]
    if not months:
        return buckets
    named = [date_of(month) for month in months]
    for row in fetch(connection, "read_proof_changes", coverage.series, months=named):
        if row["evidence"] is None:
            buckets -= of_log(row, buckets.step)
    return buckets


def log_unwitnessed(connection: Connection, changes: Mapping[Series, tuple[BucketSet, BucketSet]]) -> None:
    """Note what a detection found otherwise than the pages had it, though no write of ours changed it.

    :param connection: the ledger, inside a transaction of the series
    :param changes: by series: buckets that are stored no longer, and buckets that are stored now
    """
    each = [
        {**place, "kind": kind}
        for series, found in changes.items()
        for kind, buckets in zip(("gone", "come"), found, strict=True)
        for place in by_month(series, buckets)
    ]
    execute_many(connection, "log_unwitnessed", each)


def log_added(connection: Connection, series: Series, buckets: BucketSet) -> None:
    """Keep which buckets of sealed days held no candle before a write.

    :param connection: the ledger, in the session whose write is open: a sealing that this does not see yet
        has an earlier moment, and announced its days before it
    :param buckets: that are about to get a candle; those of days that are not sealed need no record
    """
    until_s: int | None = value(connection, "read_sealed_until")
    if until_s is not None:
        sealed = buckets.within((0, opens_of_day(until_s, series.interval_minutes)[1]))
        execute_many(connection, "log_added", by_month(series, sealed))
