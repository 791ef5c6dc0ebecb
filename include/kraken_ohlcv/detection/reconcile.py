"""Makes the ledgers of series say what their candles say, each all or nothing; a no-op when they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapSegment, GapStatus, UnfillableReason, unchanged_segment
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.gaps import close_gap, insert_gaps, split_gap
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, read_state
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    being_filled,
    free_series_transaction,
    series_transaction,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.run import RunKey

PAIR_DELISTED = UnfillableReason.PAIR_DELISTED

SERIES_AT_ONCE: Final = 200
"""Series of one transaction: tens of milliseconds, and few of the 6,400 locks PostgreSQL has room for."""


@dataclass(frozen=True, slots=True)
class View:
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

    def redrawn(self, gap: Gap, missing: list[Range]) -> list[GapSegment]:
        """Return what becomes of an open gap.

        :param gap: the gap
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

    def untold(self, state: SeriesState, missing: list[Range]) -> list[GapSegment]:
        """Return the gaps that the ledger does not have yet.

        :param state: ledger of the series
        :param missing: what the series misses
        :return: new gaps
        """
        new = ranges.subtract(missing, [gap.range for gap in state.gaps])
        return [self.segment(part, None) for part in self._cut(new)]

    def is_told_by(self, state: SeriesState) -> bool:
        """Return whether the ledger already says what the candles say.

        :param state: ledger of the series
        :return: True when reconciling would change nothing
        """
        missing = self.missing(state)
        return (
            not self.contradicted(state)
            and not self.untold(state, missing)
            and all(self.redrawn(gap, missing) == [unchanged_segment(gap, gap.range)] for gap in state.gaps)
        )


def _filled_from(gap: Gap, state: SeriesState, view: View) -> FilledFrom:
    empty = [*(proven.range for proven in state.proven), (gap.start_s, view.start_s)]
    is_all_empty = not ranges.subtract([gap.range], empty)
    return FilledFrom.EMPTY if is_all_empty else FilledFrom.OBSERVED


def reconcile(
    connection: Connection,
    run: RunKey,
    seen: Sequence[tuple[SeriesState, View]],
    look: Callable[[SeriesState], View],
    *,
    now_s: int,
) -> None:
    """Bring the ledgers of series up to their candles.

    Proofs that a stored candle contradicts are withdrawn. New gaps are inserted; open ones are trimmed, split
    at the API edge, closed, or taken back from a task that died. A gap that another task is filling right now
    is left to it. A ledger that nobody has changed since it was read, as nearly all, is written together with
    others; the rest one by one.

    :param connection: the ledger
    :param run: the run; it takes up what it inserts, splits off or closes
    :param seen: of each series its ledger, as read before the candles were, and what the candles said
    :param look: reads the candles of a series again; called when its ledger has changed since
    :param now_s: the exchange's time, epoch seconds UTC
    """
    untold = [(state, view) for state, view in seen if not view.is_told_by(state)]
    for start in range(0, len(untold), SERIES_AT_ONCE):
        batch = untold[start : start + SERIES_AT_ONCE]
        done = _tell_unchanged(connection, run, batch, now_s=now_s)
        for state, view in batch:
            if state.series_id not in done:
                _tell(connection, run, state, look, view=view, now_s=now_s)


def _tell_unchanged(
    connection: Connection, run: RunKey, batch: Sequence[tuple[SeriesState, View]], *, now_s: int
) -> set[int]:
    """Write what is new of the series that nobody changes or has changed; return their primary keys."""
    with free_series_transaction(connection, [state.series_id for state, _ in batch]) as revisions:
        unchanged = [
            (state, view) for state, view in batch if revisions.get(state.series_id) == state.revision
        ]
        taken = being_filled(connection, [state.series_id for state, _ in unchanged])
        _write(connection, run, unchanged, taken, now_s=now_s)
    return {state.series_id for state, _ in unchanged}


def _tell(
    connection: Connection,
    run: RunKey,
    state: SeriesState,
    look: Callable[[SeriesState], View],
    *,
    view: View,
    now_s: int,
) -> None:
    """Write what is new of one series, after those who change it now."""
    with series_transaction(connection, state.series_id) as revision:
        if revision != state.revision:
            # A fill has settled in between; the candles read before it prove nothing any more.
            state = read_state(connection, state.series)
            view = look(state)
            if view.is_told_by(state):
                return
        taken = being_filled(connection, [state.series_id])
        _write(connection, run, [(state, view)], taken, now_s=now_s)


def _write(
    connection: Connection,
    run: RunKey,
    seen: Sequence[tuple[SeriesState, View]],
    taken: Container[int],
    *,
    now_s: int,
) -> None:
    new: list[tuple[Series, GapSegment]] = []
    for state, view in seen:
        proofs.withdraw(connection, state.series, view.contradicted(state))
    # Nothing is read any more: the statements follow each other without waiting for answers.
    with connection.pipeline():
        for state, view in seen:
            missing = view.missing(state)
            _redraw(
                connection,
                run,
                state,
                view,
                missing,
                is_taken=state.series_id in taken,
                now_s=now_s,
            )
            new += [(state.series, segment) for segment in view.untold(state, missing)]
        insert_gaps(connection, run, new, now_s=now_s)
        bump_revision(connection, *(state.series_id for state, _ in seen))


def _redraw(
    connection: Connection,
    run: RunKey,
    state: SeriesState,
    view: View,
    missing: list[Range],
    *,
    is_taken: bool,
    now_s: int,
) -> None:
    for gap in state.gaps:
        if gap.status is GapStatus.BACKFILLING and is_taken:
            continue
        segments = view.redrawn(gap, missing)
        if not segments:
            close_gap(connection, run, gap, filled_from=_filled_from(gap, state, view), now_s=now_s)
        elif segments != [unchanged_segment(gap, gap.range)]:
            became_unfillable = (
                gap.status is not GapStatus.UNFILLABLE and segments[0].status is GapStatus.UNFILLABLE
            )
            split_gap(connection, run, gap, segments, take_up=became_unfillable)
