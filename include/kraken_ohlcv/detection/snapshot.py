"""What a series is missing: what its candles say at a moment, compared with its ledger; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import (
    FilledFrom,
    Gap,
    GapPart,
    GapSegment,
    GapStatus,
    UnfillableReason,
    parts_of,
    unchanged_segment,
)
from kraken_ohlcv.core.grid import api_window_start_s, closed_range
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.detection.look import Looked
from kraken_ohlcv.stores.ledger.coverage import Coverage
from kraken_ohlcv.stores.ledger.series_state import SeriesState

PAIR_DELISTED: Final = UnfillableReason.PAIR_DELISTED


@dataclass(frozen=True, slots=True)
class SeriesClock:
    """The grid of a series at a moment, and the edge of what the API serves.

    :ivar interval_minutes: candle length, minutes
    :ivar start_s: first open time expected, epoch seconds UTC; nothing traded before
    :ivar end_s: end of the expected buckets, epoch seconds UTC
    :ivar window_start_s: the API edge, epoch seconds UTC
    :ivar is_delisted: whether the pair has left the exchange
    :ivar now_s: the exchange's time, epoch seconds UTC
    """

    interval_minutes: int
    start_s: int
    end_s: int
    window_start_s: int
    is_delisted: bool
    now_s: int

    @classmethod
    def of(cls, state: SeriesState, *, delisted_s: int | None, now_s: int) -> SeriesClock:
        """Return the grid of a series.

        :param delisted_s: when its pair left the exchange, epoch seconds UTC, or None
        """
        interval = state.series.interval_minutes
        start_s, end_s = closed_range(state.start_s, min(now_s, delisted_s or now_s), interval)
        edge_s = api_window_start_s(now_s, interval)
        return cls(interval, start_s, end_s, edge_s, delisted_s is not None, now_s)

    def segment(self, part: GapPart, gap: Gap | None) -> GapSegment:
        """Return the state a missing part is to have, a part that does not cross the edge.

        :param gap: the open gap it belongs to, or None when it is new
        """
        acceptance = None if gap is None else gap.acceptance
        if self.is_delisted:
            reason = PAIR_DELISTED
        elif part.end_s <= self.window_start_s:
            reason = UnfillableReason.OUTSIDE_API_WINDOW
        elif gap is None or gap.status in {GapStatus.BACKFILLING, GapStatus.UNFILLABLE}:
            return GapSegment(*part, status=GapStatus.DETECTED, acceptance=acceptance)
        else:
            return unchanged_segment(gap, part)
        return GapSegment(
            *part,
            status=GapStatus.UNFILLABLE,
            unfillable_reason=reason,
            acceptance=acceptance,
        )

    def parts(self, missing: BucketSet, borders: Iterable[int] = ()) -> list[GapPart]:
        """Return missing buckets as gaps hold them, none of them across the edge or another border."""
        return parts_of(missing, [*borders, *self._edge])

    @property
    def _edge(self) -> list[int]:
        # The edge of a pair that is gone parts nothing: no side of it is within reach.
        return [] if self.is_delisted else [self.window_start_s]

    def is_kept(self, gap: Gap) -> bool:
        """Return whether a gap keeps its state whatever side of the edge it lies on."""
        # What waits for another source goes on waiting, whole: the edge may pass through it.
        return gap.status is GapStatus.UNFILLABLE and not self._is_back(gap)

    def _is_back(self, gap: Gap) -> bool:
        # AssetPairs may go on listing a pair that the other calls refuse, so this backs off.
        return (
            gap.unfillable_reason is PAIR_DELISTED
            and not self.is_delisted
            and (gap.next_attempt_s is None or gap.next_attempt_s <= self.now_s)
        )

    def segments(self, gap: Gap, missing: BucketSet) -> list[GapSegment]:
        """Return what becomes of an open gap.

        :param missing: what the series misses
        :return: its segments, none when every bucket of it is accounted for
        """
        if self.is_kept(gap):
            return [unchanged_segment(gap, part) for part in gap.parts(missing)]
        return [self.segment(part, gap) for part in gap.parts(missing, self._edge)]

    def is_settled(self, gap: Gap) -> bool:
        """Return whether a gap stays as it is, unless its candles change.

        A gap of an earlier version may lie in several months, and is parted.
        """
        is_whole = (
            len(months_in([gap.range])) == 1 and gap.end_s <= self.end_s and gap.start_s >= self.start_s
        )
        if self.is_kept(gap):
            return is_whole
        is_parted = gap.start_s < self.window_start_s < gap.end_s and not self.is_delisted
        part = GapPart(*gap.range, gap.missing_candles)
        return is_whole and not is_parted and self.segment(part, gap) == unchanged_segment(gap)


@dataclass(frozen=True, slots=True)
class SeriesSnapshot:
    """What the candles of a series say at a moment, in the months that were looked at.

    :ivar clock: its grid
    :ivar looked: pages and candles of these months
    """

    clock: SeriesClock
    looked: Looked

    @property
    def expected(self) -> BucketSet:
        """Return the buckets of the grid in these months."""
        start_s, end_s = self.clock.start_s, self.clock.end_s
        parts = [(max(month[0], start_s), min(month[1], end_s)) for month in self.looked.coverage.months]
        return BucketSet.opening_in(parts, step=self.looked.stored.step)

    def unwitnessed(self, until_s: int | None) -> tuple[BucketSet, BucketSet]:
        """Return what is otherwise than the pages have it, as far as they account for the grid.

        Asked for before :meth:`corrected`. Candles that a task stored, and died before it could say so, come
        unwitnessed, too: they carry their moment.

        :param until_s: up to where the grid is accounted for, epoch seconds UTC; None = nowhere
        :return: buckets that the pages call stored and that are not, and those that they do not and that are
        """
        coverage, stored = self.looked.coverage, self.looked.stored
        grid = (self.clock.start_s, until_s or 0)
        return coverage.accounted(grid) - stored, stored.within(grid) & coverage.without_candle

    def corrected(self) -> Coverage:
        """Return the pages as they are to be, without proofs that a candle contradicts; trades' proofs stay.

        :return: the pages that were looked at, changed in place
        """
        coverage, stored = self.looked.coverage, self.looked.stored
        coverage.withdraw(stored)
        coverage.missing = self.expected - stored - coverage.empty.all
        coverage.disputed = stored & coverage.empty.by[Evidence.TRADES]
        for month in coverage.months:
            count = self.looked.read.get(month)
            if count is not None:
                coverage.reconciled[month] = count
            elif coverage.reconciled.get(month) is None:
                coverage.reconciled[month] = 0
        return coverage

    def filled_from(self, gap: Gap, coverage: Coverage) -> FilledFrom:
        """Return where the last buckets of a closed gap came from.

        :param coverage: the pages as they are to be
        """
        held = coverage.before[0].within(gap.range) or BucketSet.of_ranges(
            [gap.range], step=coverage.missing.step
        )
        since_start = held.within((self.clock.start_s, gap.end_s))
        return FilledFrom.OBSERVED if since_start - coverage.empty.all else FilledFrom.EMPTY


def touched_months(state: SeriesState, clock: SeriesClock, unread: list[Range]) -> list[Range]:
    """Return the months of a series that are to be looked at.

    :param unread: months whose candles are not those of their pages
    :return: these, those in which the grid has grown, and those of gaps that change their state; ascending
    """
    grown = (clock.start_s if state.until_s is None else state.until_s, clock.end_s)
    shrunk = (clock.end_s, grown[0])
    moving = [gap.range for gap in state.gaps if not clock.is_settled(gap)]
    found = {*unread, *months_in([part for part in (grown, shrunk, *moving) if part[0] < part[1]])}
    # A gap is judged whole.
    for gap in state.gaps:
        months = months_in([gap.range])
        if len(months) > 1 and not found.isdisjoint(months):
            found.update(months)
    return sorted(found)
