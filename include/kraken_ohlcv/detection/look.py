"""What is stored of series, as it is now: from the ledger's pages where these still hold, else from QuestDB.

QuestDB is asked for its partitions first. Only months that hold something else than when they were last
counted are counted, and open times are read only where the candles are not as many as when the page was
reconciled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.counts import (
    Counted,
    Counts,
    candles_by_month,
    counted_of,
    counting,
    partitions_seen,
    read_counted,
    read_counts,
    see_partitions,
    write_counts,
)
from kraken_ohlcv.stores.ledger.coverage import Coverage, read_pages
from kraken_ohlcv.stores.ledger.series_state import every_series
from kraken_ohlcv.stores.ledger.session import Connection, by_series, rows
from kraken_ohlcv.stores.partitions import (
    Key,
    MonthCount,
    Partition,
    count_briefly,
    count_candles,
    read_partitions,
    stretches_of,
)
from kraken_ohlcv.stores.stored_buckets import read_open_times


@dataclass(frozen=True, slots=True)
class Looked:
    """What some months of a series hold now.

    :ivar coverage: the ledger's pages as they are; what is missing on them may have been stored since
    :ivar stored: buckets with a candle
    :ivar read: candles by month, of the months whose open times were read; on and off the grid
    :ivar off_grid: candles off the grid in these months
    """

    coverage: Coverage
    stored: BucketSet
    read: Mapping[Range, int]
    off_grid: int


class Look:
    """A look at many series that writes nothing.

    :ivar counted: what was counted, by series; one without a page and without a candle is absent
    :ivar grids: start, and up to where the grid is accounted for, or None, by series; epoch seconds UTC; one
        that was never processed is absent
    :ivar read_back: buckets with a candle, by series, as somebody has just read them: where QuestDB counts as
        many in a month, they are not read again
    """

    def __init__(
        self,
        connection: Connection,
        questdb: QuestDBClient,
        counted: dict[Series, Counted],
        grids: dict[Series, tuple[int, int | None]],
        read_back: Mapping[Series, BucketSet] | None = None,
    ) -> None:
        self._connection = connection
        self._questdb = questdb
        self.counted = counted
        self.grids = grids
        self.read_back = read_back or {}

    @classmethod
    def at(
        cls, connection: Connection, questdb: QuestDBClient, tickers: Sequence[str], intervals: Sequence[int]
    ) -> Self:
        """Look at the series of some tickers and intervals: at what can be read now.

        :param tickers: Kraken's altnames
        :param intervals: candle lengths, minutes
        :return: the look
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        # The ledger first: what is stored meanwhile then counts as stored.
        seen, last_txn = partitions_seen(connection)
        partitions, writer_txn = read_partitions(questdb)
        changes = _changes(partitions, writer_txn, seen, last_txn)
        changed = sorted(changes.grown + changes.others)
        fresh: dict[Key, MonthCount] = {}
        for months in stretches_of(changed):
            fresh |= count_candles(questdb, months, intervals, tickers=tickers)
        grids = _grids(connection, tickers, intervals)
        new = {Series(ticker, one) for ticker in tickers for one in intervals} - grids.keys()
        rest = {key: one for key, one in fresh.items() if key[0] in new}
        rest |= _counts_of_new(connection, questdb, partitions, set(changed), new)
        counted = read_counted(connection, tickers, intervals, fresh=fresh, months=[*changed, *changes.gone])
        return cls(connection, questdb, counted | counted_of(rest), grids)

    def read(
        self, wanted: Mapping[Series, Sequence[Range]], *, is_afresh: bool = False
    ) -> dict[Series, Looked]:
        """Return what months of series hold.

        :param wanted: months by series, ascending
        :param is_afresh: whether all open times are to be read, whatever was counted
        :return: by series
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        coverages = read_pages(self._connection, wanted)
        known = {series: self._from_pages(one) for series, one in coverages.items()}
        unread = {
            series: months
            for series, coverage in coverages.items()
            if (months := list(coverage.months) if is_afresh else self._unread(coverage, known[series]))
        }
        known_read = {
            series: [] if is_afresh else self._just_read(series, months) for series, months in unread.items()
        }
        read, off_grid = read_open_times(
            self._questdb,
            {
                series: [one for one in months if one not in known_read[series]]
                for series, months in unread.items()
            },
        )
        found = {}
        for series, coverage in coverages.items():
            months = unread.get(series, [])
            stored = known[series]
            if months:
                pages = BucketSet.opening_in(months, step=stored.step)
                stored = (stored - pages) | read[series]
            if known_read.get(series):
                pages = BucketSet.opening_in(known_read[series], step=stored.step)
                stored |= self.read_back[series] & pages
            found[series] = Looked(
                coverage=coverage,
                stored=stored,
                read={month: len(stored.within(month)) for month in months},
                off_grid=off_grid.get(series, 0),
            )
        return found

    def _just_read(self, series: Series, months: Iterable[Range]) -> list[Range]:
        """Return the months in which QuestDB counts as many candles as were just read."""
        if series not in self.read_back:
            return []
        counts, buckets = self.counted.get(series, Counted()).unread, self.read_back[series]
        return [month for month in months if counts.get(month) == len(buckets.within(month))]

    def _from_pages(self, coverage: Coverage) -> BucketSet:
        """Return what is stored as the pages say."""
        step = step_s(coverage.series.interval_minutes)
        start_s, until_s = self.grids.get(coverage.series, (0, None))
        if until_s is None:
            return BucketSet(step)
        parts = [
            (max(month[0], start_s), min(month[1], until_s))
            for month in coverage.months
            if coverage.reconciled.get(month) is not None
        ]
        grid = BucketSet.opening_in(parts, step=step)
        return (grid - coverage.missing - coverage.empty.all) | (grid & coverage.disputed)

    def _unread(self, coverage: Coverage, known: BucketSet) -> list[Range]:
        """Return the months whose open times are to be read: those whose figures do not add up."""
        counted = self.counted.get(coverage.series, Counted())
        return [
            month
            for month in coverage.months
            if counted.unread.get(month, 0)
            or (counted.unread.get(month) == 0 and coverage.reconciled.get(month))
            or len(known.within(month)) != (coverage.reconciled.get(month) or 0)
        ]


class _Changes(NamedTuple):
    """What is otherwise than when it was last counted; months, ascending.

    :ivar grown: new ones, and those with a newer candle, as most of their series have one
    :ivar others: all other ones that hold something else
    :ivar gone: those that are there no longer
    """

    grown: list[Range]
    others: list[Range]
    gone: list[Range]


def refresh(
    connection: Connection,
    questdb: QuestDBClient,
    tickers: Sequence[str],
    intervals: Sequence[int],
    *,
    is_full: bool,
) -> Counts:
    """Count what has changed since it was last counted, of all series, and write it.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param is_full: whether everything is to be counted
    :return: what was counted of those series of the tickers and intervals that the ledger does not know
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    with counting(connection):
        known = {series for _, series in every_series(connection)}
        new = {Series(ticker, one) for ticker in tickers for one in intervals} - known
        seen, last_txn = partitions_seen(connection)
        partitions, writer_txn = read_partitions(questdb, is_applied=True)
        changes = _changes(partitions, writer_txn, seen, last_txn)
        if is_full:
            changes = _Changes(sorted(partitions), [], changes.gone)
        every = sorted({*intervals, *(series.interval_minutes for series in known)})
        found: dict[Key, MonthCount] = {}

        def keep(counts: Counts, months: Sequence[Range]) -> None:
            write_counts(
                connection, {key: one for key, one in counts.items() if key[0] in known}, months=months
            )
            found.update({key: one for key, one in counts.items() if key[0] in new})

        for months in stretches_of(changes.grown):
            keep(count_candles(questdb, months, every), months)
        for months in stretches_of(changes.others):
            keep(_recounted(connection, questdb, months, every, known | new), months)
        write_counts(connection, {}, months=changes.gone)
        changed = {*changes.grown, *changes.others}
        see_partitions(
            connection,
            {month: partitions[month] for month in changed},
            gone=changes.gone,
            writer_txn=writer_txn,
        )
        return found | _counts_of_new(connection, questdb, partitions, changed, new)


def _recounted(
    connection: Connection,
    questdb: QuestDBClient,
    months: Sequence[Range],
    intervals: Sequence[int],
    wanted: Collection[Series],
) -> Counts:
    """Count months in which few series have changed: only these are counted in full.

    A series with as many candles as before, the newest one the same, counts as unchanged, see
    :class:`Partition`.
    """
    before = read_counts(connection, months)
    now = count_briefly(questdb, months, intervals)
    same = {key: before[key] for key, one in now.items() if key in before and before[key].brief == one}
    changed = [series for series, month in now.keys() - same.keys() if series in wanted]
    if not changed:
        return same
    lengths = sorted({series.interval_minutes for series in changed})
    tickers = sorted({series.ticker for series in changed})
    return same | count_candles(questdb, months, lengths, tickers=tickers)


def _counts_of_new(
    connection: Connection,
    questdb: QuestDBClient,
    partitions: Mapping[Range, Partition],
    counted: set[Range],
    new: Collection[Series],
) -> dict[Key, MonthCount]:
    """Count the candles of new series in those of the months not counted for all that hold any of them."""
    found: dict[Key, MonthCount] = {}
    if not new:
        return found
    tickers = sorted({series.ticker for series in new})
    intervals = sorted({series.interval_minutes for series in new})
    known = candles_by_month(connection)
    with_others = [
        month
        for month, one in sorted(partitions.items())
        if month not in counted and one.n_rows != known.get(month, 0)
    ]
    for months in stretches_of(with_others):
        found |= count_candles(questdb, months, intervals, tickers=tickers)
    return {key: one for key, one in found.items() if key[0] in new}


def _changes(
    partitions: Mapping[Range, Partition], writer_txn: int, seen: Mapping[Range, Partition], last_txn: int
) -> _Changes:
    # A table with fewer transactions than before is another one, or a restored copy.
    before = seen if writer_txn >= last_txn else {}
    changed = sorted(month for month, one in partitions.items() if before.get(month) != one)
    grown = [
        month for month in changed if month not in before or _is_longer(partitions[month], before[month])
    ]
    others = [month for month in changed if month not in grown]
    return _Changes(grown, others, sorted(seen.keys() - partitions.keys()))


def _is_longer(one: Partition, before: Partition) -> bool:
    return one.last_us > before.last_us


def _grids(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int]
) -> dict[Series, tuple[int, int | None]]:
    shape = by_series(lambda start_s, until_s, **_: (start_s, until_s))
    return dict(rows(connection, "read_series", shape, tickers=list(tickers), intervals=list(intervals)))
