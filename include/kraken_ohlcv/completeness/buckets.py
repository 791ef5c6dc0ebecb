"""What the buckets of a series are: stored, proven empty, missing or not due yet; pure, a bit per bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.freshness import due_end_s
from kraken_ohlcv.core.grid import api_window_start_s, ceil_s, closed_range, floor_s, series_start_s
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.coverage import Emptiness

EXPIRING_S: Final = DAY_S
"""A missing candle whose expiry (:func:`kraken_ohlcv.core.grid.expiry_s`) is nearer than this, seconds."""

WORD_BITS: Final = 64

Numbers: TypeAlias = NDArray[np.int64]


class Grid(NamedTuple):
    """The buckets that a series is to have.

    :ivar start_s: first open time expected, epoch seconds UTC
    :ivar closed_s: end of the newest closed bucket, epoch seconds UTC
    :ivar due_s: end of the newest bucket that is due, epoch seconds UTC
    :ivar is_delisted: whether the pair has left the exchange
    """

    start_s: int
    closed_s: int
    due_s: int
    is_delisted: bool

    def due_days(self, interval_minutes: int) -> range:
        """Return the UTC days with buckets, all of which are due: those that can be sealed.

        :return: first second of each, epoch seconds UTC
        """
        step = step_s(interval_minutes)
        start_s, end_s = ceil_s(self.start_s, interval_minutes), min(self.closed_s, self.due_s)
        if start_s >= end_s:
            return range(0)
        last_s = day_of(end_s - step, step)
        is_over = self.is_delisted and end_s == self.closed_s
        if not is_over and day_of(end_s, step) == last_s:
            last_s -= DAY_S
        # Of buckets longer than a day each belongs to a day of its own.
        return range(day_of(start_s, step), last_s + 1, max(step, DAY_S))


def grid_of(
    asset: Asset,
    interval_minutes: int,
    *,
    known_s: int | None,
    span: Range | None,
    now_s: int,
) -> Grid:
    """Return the grid of a series as the next backfill would see it.

    :param asset: the asset
    :param known_s: start in the ledger, epoch seconds UTC, or None when the series was never processed
    :param span: open times of the oldest and newest stored candle, epoch seconds UTC, or None when nothing is
        stored
    :return: the grid; empty for a series never loaded whose pair is gone, which is nobody's gap; that of a
        pair which the catalogue does not expect ends with its newest candle
    """
    oldest_s = None if span is None else span[0]
    start_s = series_start_s(
        known_s=known_s,
        oldest_s=oldest_s,
        first_trade_s=asset.first_trade_s,
        now_s=now_s,
        interval_minutes=interval_minutes,
    )
    is_delisted = asset.delisted_s is not None or not asset.is_listed
    if is_delisted and span is None and (known_s is None or not asset.is_listed):
        return Grid(start_s, start_s, start_s, is_delisted)
    end_s = min(now_s, asset.delisted_s or now_s)
    if not asset.is_listed and span is not None:
        end_s = min(end_s, span[1] + step_s(interval_minutes))
    _, closed_s = closed_range(start_s, end_s, interval_minutes)
    due_s = due_end_s(asset.upkeep, interval_minutes, now_s)
    return Grid(start_s, closed_s, due_s, is_delisted)


class Reach(NamedTuple):
    """Where a missing bucket is what; the ranges adjoin, and what is empty has its start as its end.

    :ivar unfillable: due and out of the API's reach: beyond the window, or of a pair that is gone
    :ivar expiring: due and inside the API window for a day at most
    :ivar fillable: due and inside the API window for longer
    :ivar pending: not due yet: not counted against anything
    """

    unfillable: Range
    expiring: Range
    fillable: Range
    pending: Range

    @property
    def saveable(self) -> Range:
        """Return where the API still has what is missing and due."""
        return self.expiring[0], self.fillable[1]

    @property
    def due(self) -> Range:
        """Return where what is missing counts as missing."""
        return self.unfillable[0], self.fillable[1]


def reach_of(grid: Grid, interval_minutes: int, *, now_s: int) -> Reach:
    """Return what a missing bucket of a series is, which its open time alone decides.

    :param grid: the buckets that the series is to have
    :return: ranges that together are the grid
    """
    step = step_s(interval_minutes)
    window_s = api_window_start_s(now_s, interval_minutes)
    # Behind the newest open time whose expiry lies at most so far ahead.
    safe_s = floor_s(now_s + EXPIRING_S, interval_minutes) + step - API_WINDOW_BUCKETS * step
    due_s = min(max(grid.start_s, grid.due_s), grid.closed_s)
    if grid.is_delisted:
        window_s = safe_s = due_s
    first, second = (min(max(grid.start_s, moment_s), due_s) for moment_s in (window_s, safe_s))
    return Reach((grid.start_s, first), (first, second), (second, due_s), (due_s, grid.closed_s))


@dataclass(frozen=True, slots=True)
class SeriesBuckets:
    """What the buckets of a series are; each one looked at is in exactly one of three sets.

    :ivar row: the series
    :ivar grid: the buckets it is to have
    :ivar span: open times of the oldest and newest stored candle over all time, or None without a candle
    :ivar off_grid: candles off the grid in the range looked at, counted nowhere else
    :ivar looked_at: part of the grid that is looked at, epoch seconds UTC
    :ivar stored: a candle stands in QuestDB, whatever the ledger says
    :ivar empty: not stored, and proven empty
    :ivar missing: neither, due or not
    :ivar disputed: stored where trades prove that nothing traded
    :ivar restated: stored, and the exchange gave other values
    """

    row: SeriesRow
    grid: Grid
    span: Range | None
    off_grid: int
    looked_at: Range
    stored: BucketSet
    empty: Emptiness
    missing: BucketSet
    disputed: BucketSet
    restated: BucketSet

    @property
    def undisputed(self) -> BucketSet:
        """Return the buckets whose candle no proof from trades disputes."""
        return self.stored - self.disputed

    @property
    def verified(self) -> BucketSet:
        """Return the buckets that are stored undisputed or proven empty; counted by ``verified_of``."""
        return self.undisputed | self.empty.all

    @property
    def complete_until_s(self) -> int | None:
        """Return up to where every bucket looked at is stored or proven empty, epoch seconds UTC.

        :return: None when not even the first one is
        """
        start_s, end_s = self.looked_at
        until_s = end_s if self.missing.start_s is None else self.missing.start_s
        return until_s if until_s > start_s else None

    @classmethod
    def of(
        cls,
        row: SeriesRow,
        grid: Grid,
        span: Range | None,
        covered: Range,
        *,
        stored: BucketSet,
        empty: Emptiness,
        restated: BucketSet,
        off_grid: int,
    ) -> Self:
        """Return what the buckets are, by what is stored and what is proven, wherever that lies.

        :param covered: only buckets that open in this half-open range, on the grid, epoch seconds UTC
        """
        step = stored.step
        # A start off the grid is that of a candle off the grid, which counts nowhere.
        first, last = -(-max(grid.start_s, covered[0]) // step), min(grid.closed_s, covered[1]) // step
        last = max(first, last)
        looked_at = (first * step, last * step)
        here = stored.within(looked_at)
        proven = empty.within(looked_at)
        expected = BucketSet.all_in(looked_at, step=step)
        return cls(
            row=row,
            grid=grid,
            span=span,
            off_grid=off_grid,
            looked_at=looked_at,
            stored=here,
            empty=Emptiness(step, {evidence: one - here for evidence, one in proven.by.items()}),
            missing=expected - here - proven.all,
            disputed=here & proven.by[Evidence.TRADES],
            restated=here & restated,
        )


class Counter:
    """Counts the buckets of a set between many borders at once."""

    def __init__(self, buckets: BucketSet) -> None:
        """Count once.

        :param buckets: the set
        """
        self._first, self._n_places = buckets.first, buckets.bits.bit_length()
        self._is_solid = len(buckets) == self._n_places
        if self._is_solid:
            return
        # A word more than needed, so that behind the last bucket is a place like any other.
        n_words = self._n_places // WORD_BITS + 1
        self._words = np.frombuffer(buckets.bits.to_bytes(n_words * WORD_BITS // 8, "little"), dtype="<u8")
        self._before = np.zeros(n_words, dtype=np.int64)
        np.cumsum(np.bitwise_count(self._words[:-1]), out=self._before[1:])

    def between(self, first: Numbers, last: Numbers) -> Numbers:
        """Return how many buckets of the set lie in each of some stretches.

        :param first: number of the first bucket of each, counted from the epoch
        :param last: number behind the last one; a stretch that ends before it begins is empty
        """
        below = self._below(np.concatenate([first, last]))
        found: Numbers = np.maximum(below[len(first) :] - below[: len(first)], 0)
        return found

    def _below(self, numbers: Numbers) -> Numbers:
        at: Numbers = np.clip(numbers - self._first, 0, self._n_places)
        if self._is_solid:
            return at
        word = at // WORD_BITS
        lower = (np.uint64(1) << (at % WORD_BITS).astype(np.uint64)) - np.uint64(1)
        found: Numbers = self._before[word] + np.bitwise_count(self._words[word] & lower)
        return found
