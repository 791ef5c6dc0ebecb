"""What was counted of the candle table: per partition, and of each series by month."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.coverage import date_of
from kraken_ohlcv.stores.ledger.session import Connection, by_series, execute, execute_many, fetch, rows
from kraken_ohlcv.stores.partitions import Key, MonthCount, Partition

COUNT_LOCK: Final = 0x4F4A
"""Class of the transaction lock under which partitions are counted."""

Counts = Mapping[Key, MonthCount]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of a series.

    :ivar first_s: open time of the oldest candle, epoch seconds UTC, or None without a candle
    :ivar last_s: open time of the newest candle, epoch seconds UTC, or None
    :ivar n_candles: stored candles, >= 0
    :ivar off_grid_us: how far the worst candle lies off the grid, microseconds; 0 = all are on it
    :ivar unread: candles by month, of the months whose open times are to be read
    """

    first_s: int | None = None
    last_s: int | None = None
    n_candles: int = 0
    off_grid_us: int = 0
    unread: Mapping[Range, int] = field(default_factory=dict)

    @property
    def span(self) -> Range | None:
        """Return the open times of the oldest and newest candle, or None without a candle."""
        return None if self.first_s is None or self.last_s is None else (self.first_s, self.last_s)


@contextmanager
def counting(connection: Connection) -> Iterator[None]:
    """Open a transaction in which nobody else counts."""
    with connection.transaction():
        execute(connection, "lock_counts", lock_class=COUNT_LOCK)
        yield


def partitions_seen(connection: Connection) -> tuple[dict[Range, Partition], int]:
    """Return what the partitions held when they were last counted, and the newest transaction then, or 0."""
    seen = fetch(connection, "read_partitions_seen")
    found = {
        month_of(row["month_s"]): Partition(row["n_rows"], row["first_us"], row["last_us"]) for row in seen
    }
    return found, max((row["writer_txn"] for row in seen), default=0)


def see_partitions(
    connection: Connection,
    partitions: Mapping[Range, Partition],
    *,
    gone: Collection[Range],
    writer_txn: int,
) -> None:
    """Remember what partitions held.

    :param partitions: those that were counted
    :param gone: months that have none any more
    :param writer_txn: number of the last transaction that was applied before
    """
    each = [{"month": date_of(month), **one._asdict()} for month, one in sorted(partitions.items())]
    execute_many(connection, "see_partition", each, writer_txn=writer_txn)
    if gone:
        execute(connection, "forget_partitions", months=[date_of(month) for month in gone])


def candles_by_month(connection: Connection) -> dict[Range, int]:
    """Return how many candles of all known series each month held when it was last counted."""
    return {month_of(row["month_s"]): row["n_candles"] for row in fetch(connection, "count_by_month")}


def write_counts(connection: Connection, counts: Counts, months: Iterable[Range] = ()) -> None:
    """Write what was counted of known series.

    :param counts: by series and month; of series that are not known nothing is written
    :param months: those in which a series that is not in the counts has no candle
    """
    each, gone = list(counts.items()), [date_of(month) for month in months]
    if not each and not gone:
        return
    named: dict[str, Any] = {
        "tickers": [series.ticker for (series, _), _ in each],
        "intervals": [series.interval_minutes for (series, _), _ in each],
        "months": [date_of(month) for (_, month), _ in each],
    }
    execute(
        connection,
        "write_counts",
        named,
        counts=[one.n_candles for _, one in each],
        firsts_s=[one.first_s for _, one in each],
        lasts_s=[one.last_s for _, one in each],
        off_grids_us=[one.off_grid_us for _, one in each],
    )
    execute(connection, "clear_counts", named, counted=gone)


def read_counts(connection: Connection, months: Sequence[Range]) -> dict[Key, MonthCount]:
    """Return what was counted of all series with candles in some months."""

    def shape(month_s: int, **row: int) -> tuple[Range, MonthCount]:
        return month_of(month_s), MonthCount(**row)

    found = rows(connection, "read_counts", by_series(shape), months=[date_of(month) for month in months])
    return {(series, month): one for series, (month, one) in found}


def read_counted(
    connection: Connection,
    tickers: Sequence[str],
    intervals: Sequence[int],
    *,
    is_full: bool = False,
    fresh: Counts | None = None,
    months: Sequence[Range] = (),
) -> dict[Series, Counted]:
    """Return what was counted of many series.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param is_full: whether all months with candles are to be read
    :param fresh: what was counted since and is not written, by series and month
    :param months: the months that it is about, whole
    :return: by series; one that has no page and no candle is absent
    """

    def shape(unread_s: list[int], counts: list[int], **row: Any) -> Counted:
        return Counted(**row, unread=dict(zip(map(month_of, unread_s), counts, strict=True)))

    asked = {"tickers": list(tickers), "intervals": list(intervals)}
    but = [date_of(month) for month in months]
    found = dict(rows(connection, "read_counted", by_series(shape), asked, is_full=is_full, but=but))
    if not months:
        return found
    reconciled = {
        (Series(row["ticker"], row["interval_minutes"]), month_of(row["month_s"])): row["reconciled"]
        for row in fetch(connection, "read_reconciled", asked, months=but)
    }
    wanted = {Series(ticker, interval) for ticker in tickers for interval in intervals}
    new = {key: one for key, one in (fresh or {}).items() if key[0] in wanted}
    for series, one in counted_of(new).items():
        # What is as it was is not to be read again.
        unread = {
            month: n for month, n in one.unread.items() if is_full or reconciled.get((series, month)) != n
        }
        found[series] = _together(found.get(series, Counted()), replace(one, unread=unread))
    for (series, month), n in reconciled.items():
        if n != 0 and (series, month) not in new:
            old = found.get(series, Counted())
            found[series] = replace(old, unread={**old.unread, month: 0})
    return found


def _together(one: Counted, other: Counted) -> Counted:
    spans = [span for span in (one.span, other.span) if span is not None]
    return Counted(
        first_s=min((first_s for first_s, _ in spans), default=None),
        last_s=max((last_s for _, last_s in spans), default=None),
        n_candles=one.n_candles + other.n_candles,
        off_grid_us=max(one.off_grid_us, other.off_grid_us),
        unread={**one.unread, **other.unread},
    )


def counted_of(counts: Counts) -> dict[Series, Counted]:
    """Return the same of series that the ledger does not know yet; all their months are to be read.

    :param counts: by series and month
    """
    found: dict[Series, list[tuple[Range, MonthCount]]] = {}
    for (series, month), one in counts.items():
        found.setdefault(series, []).append((month, one))
    return {
        series: Counted(
            first_s=min(one.first_s for _, one in those),
            last_s=max(one.last_s for _, one in those),
            n_candles=sum(one.n_candles for _, one in those),
            off_grid_us=max(one.off_grid_us for _, one in those),
            unread={month: one.n_candles for month, one in those},
        )
        for series, those in found.items()
    }
