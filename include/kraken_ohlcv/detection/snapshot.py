"""What a series is missing: what its candles say at a moment, compared with its ledger; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import (
    FilledFrom,
    Gap,
    GapSegment,
    GapStatus,
    Series,
    UnfillableReason,
    unchanged_segment,
)
from kraken_ohlcv.core.grid import api_window_start_s, closed_range
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.series_state import SeriesState
from kraken_ohlcv.stores.scan import Scan

PAIR_DELISTED: Final = UnfillableReason.PAIR_DELISTED


@dataclass(frozen=True, slots=True)
class SeriesSnapshot:
    """What the candles of a series say at a moment.

    :ivar unstored: expected buckets without a stored candle, range set
    :ivar window_start_s: the API edge, epoch seconds UTC
    :ivar start_s: first open time expected, epoch seconds UTC; nothing traded before
    :ivar is_delisted: whether the pair has left the exchange
    :ivar now_s: the exchange's time, epoch seconds UTC
    :ivar end_s: end of the expected buckets, epoch seconds UTC; proofs are judged by the candles before it
    """

    unstored: list[Range]
    window_start_s: int
    start_s: int
    is_delisted: bool
    now_s: int
    end_s: int = 0

    def missing(self, state: SeriesState) -> list[Range]:
        """Return what is neither stored nor proven empty.

        :param state: ledger of the series
        :return: normal range set
        """
        return ranges.subtract(self.unstored, [proven.range for proven in state.proven])

    def contradicted(self, state: SeriesState) -> list[Range]:
        """Return what is proven empty, not by trades, where a candle is stored all the same.

        :param state: ledger of the series
        :return: normal range set
        """
        weak = [proven.range for proven in state.proven if proven.is_refutable]
        return ranges.subtract(ranges.intersect(weak, [(self.start_s, self.end_s)]), self.unstored)

    def segment(self, part: Range, gap: Gap | None) -> GapSegment:
        """Return the state a missing part is to have, a part that does not cross the edge.

        :param part: epoch seconds UTC
        :param gap: the open gap it belongs to, or None when it is new
        :return: the segment
        """
        if self.is_delisted:
            reason = PAIR_DELISTED
        elif part[1] <= self.window_start_s:
            reason = UnfillableReason.OUTSIDE_API_WINDOW
        elif gap is None or gap.status in {GapStatus.BACKFILLING, GapStatus.UNFILLABLE}:
            return GapSegment(*part, status=GapStatus.DETECTED)
        else:
            return unchanged_segment(gap, part)
        return GapSegment(*part, status=GapStatus.UNFILLABLE, unfillable_reason=reason)

    def changes_to(self, gap: Gap, missing: list[Range]) -> list[GapSegment]:
        """Return what becomes of an open gap.

        :param missing: what the series misses
        :return: its segments, none when every bucket of it is accounted for
        """
        parts = ranges.intersect([gap.range], missing)
        if gap.status is GapStatus.UNFILLABLE and not self._is_back(gap):
            # What waits for another source goes on waiting, whole: the edge may pass through it.
            return [unchanged_segment(gap, part) for part in parts]
        return [self.segment(part, gap) for part in self._cut(parts)]

    def _is_back(self, gap: Gap) -> bool:
        # AssetPairs may go on listing a pair that the other calls refuse, so this backs off.
        return (
            gap.unfillable_reason is PAIR_DELISTED
            and not self.is_delisted
            and (gap.next_attempt_s is None or gap.next_attempt_s <= self.now_s)
        )

    def _cut(self, parts: list[Range]) -> list[Range]:
        # The edge of a pair that is gone parts nothing: no side of it is within reach.
        return parts if self.is_delisted else ranges.cut_at(parts, [self.window_start_s])

    def unrecorded(self, state: SeriesState, missing: list[Range]) -> list[GapSegment]:
        """Return the gaps that the ledger does not have.

        :param state: ledger of the series
        :param missing: what the series misses
        :return: new gaps
        """
        new = ranges.subtract(missing, [gap.range for gap in state.gaps])
        return [self.segment(part, None) for part in self._cut(new)]

    def matches(self, state: SeriesState) -> bool:
        """Return whether the ledger already says what the candles say.

        :param state: ledger of the series
        :return: True when reconciling would change nothing
        """
        missing = self.missing(state)
        return (
            not self.contradicted(state)
            and not self.unrecorded(state, missing)
            and all(
                self.changes_to(gap, missing) == [unchanged_segment(gap, gap.range)] for gap in state.gaps
            )
        )

    def filled_from(self, gap: Gap, state: SeriesState) -> FilledFrom:
        """Return where the last buckets of a closed gap came from.

        :param state: ledger of the series
        """
        empty = [*(proven.range for proven in state.proven), (gap.start_s, self.start_s)]
        return FilledFrom.OBSERVED if ranges.subtract([gap.range], empty) else FilledFrom.EMPTY


def missing_ranges(scan: Scan, series: Series, *, expected: Range) -> list[Range]:
    """Return where a series has no candles: at the head, inside, at the tail, or all of it.

    :param scan: what the candle table says
    :param expected: all closed buckets from the series' start, epoch seconds UTC, on the grid
    :return: normal range set
    """
    span = scan.spans.get(series)
    if span is None:
        lacking = [expected]
    else:
        stored_end = span.last_s + step_s(series.interval_minutes)
        lacking = [(expected[0], span.first_s), *scan.holes.get(series, []), (stored_end, expected[1])]
    return ranges.intersect(lacking, [expected])


def snapshot(scan: Scan, state: SeriesState, *, delisted_s: int | None, now_s: int) -> SeriesSnapshot:
    """Return what a scan says of a series: the one rule for what a series is missing.

    :param scan: what the candle table says
    :param state: ledger of the series
    :param delisted_s: when its pair left the exchange, epoch seconds UTC, or None
    """
    series = state.series
    expected = closed_range(state.start_s, min(now_s, delisted_s or now_s), series.interval_minutes)
    return SeriesSnapshot(
        unstored=missing_ranges(scan, series, expected=expected),
        window_start_s=api_window_start_s(now_s, series.interval_minutes),
        start_s=state.start_s,
        is_delisted=delisted_s is not None,
        now_s=now_s,
        end_s=expected[1],
    )
