"""Holes that somebody decides to leave as they are: accepted, and taken back.

No run tries what is accepted, and nobody is alerted; it stays missing in every figure. A candle that comes by
anyway fills it. Only the buckets that were missing when somebody decided are accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.errors import BadRequestError, SeriesBusyError
from kraken_ohlcv.core.gap import Acceptance, Gap, GapSegment, GapStatus, Series, parts_of, unchanged_segment
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.coverage import Coverage, read_months, save
from kraken_ohlcv.stores.ledger.gaps import NO_RUN, split_gap
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, locked_state, read_states
from kraken_ohlcv.stores.ledger.session import Connection, being_filled, execute, value

MAX_STRETCHES: Final = 10_000
"""Gap records that one decision may make: each stretch of accepted buckets has its own."""

ACCEPTED: Final = "accepted"
TAKEN_BACK: Final = "taken_back"


class Decided(NamedTuple):
    """What a decision has changed.

    :ivar candles: buckets that it is about, >= 0; 0 = it was so before
    :ivar start_s: open time of the first, epoch seconds UTC, or None of none
    :ivar end_s: end of the last, epoch seconds UTC, or None of none
    """

    candles: int
    start_s: int | None
    end_s: int | None


NOTHING: Final = Decided(0, None, None)


def accept_gap(
    connection: Connection,
    series: Series,
    span: Range,
    *,
    by: str,
    reason: str,
    run: RunKey | None = None,
    now_s: int,
) -> Decided:
    """Decide that what is missing of a series in a range stays missing.

    What is accepted already keeps its decision. A run decides once.

    :param span: half-open, epoch seconds UTC; of the buckets that open in it, those that are missing now
    :param by: who decides
    :param reason: why, not empty
    :param run: the run that was asked for it, or None
    :param now_s: when, epoch seconds UTC
    :return: what has become accepted
    :raises BadRequestError: if nothing is missing there, or too much
    :raises SeriesBusyError: if a run is filling a gap there right now
    """
    _insist_on_known(connection, series)
    with locked_state(connection, series) as state:
        if _was_decided(connection, run, series, ACCEPTED):
            return NOTHING
        gaps, coverage = _in_range(connection, state, span)
        missing = _chosen(gaps, coverage, span)
        if not missing:
            raise BadRequestError(
                f"nothing is missing of {series} from {iso(span[0])} to {iso(span[1])}, so that nothing"
                " can be accepted there: see the page Gaps for what is missing"
            )
        open_gaps = [gap for gap in gaps if gap.acceptance is None]
        if any(gap.status is GapStatus.BACKFILLING for gap in open_gaps) and being_filled(
            connection, [state.series_id]
        ):
            raise SeriesBusyError(
                f"a run is filling a gap of {series} from {iso(span[0])} to {iso(span[1])} right now:"
                " accept what is missing when it has ended"
            )
        chosen = _chosen(open_gaps, coverage, span)
        if len(chosen.ranges(MAX_STRETCHES + 1)) > MAX_STRETCHES:
            raise BadRequestError(
                f"what is missing of {series} from {iso(span[0])} to {iso(span[1])} lies in more than"
                f" {MAX_STRETCHES:,} stretches: accept it in several smaller ranges"
            )
        acceptance = Acceptance(by, now_s, reason)
        for gap in open_gaps:
            own = coverage.missing.within(gap.range)
            accepted = [
                _accepted(unchanged_segment(gap, part), acceptance)
                for part in parts_of(own & chosen, is_accepted=True)
            ]
            rest = [unchanged_segment(gap, part) for part in parts_of(own - chosen, span)]
            _split(connection, gap, [*accepted, *rest])
        _record(connection, state, ACCEPTED, chosen, acceptance, run)
    return Decided(len(chosen), chosen.start_s, chosen.end_s)


def take_back_gap(
    connection: Connection,
    series: Series,
    span: Range,
    *,
    by: str,
    reason: str,
    run: RunKey | None = None,
    only: Acceptance | None = None,
    now_s: int,
) -> Decided:
    """Take back that what is missing of a series in a range stays missing: the next run tries it.

    A run decides once.

    :param span: half-open, epoch seconds UTC; of the buckets that open in it, those that are accepted
    :param by: who decides
    :param reason: why, not empty
    :param run: the run that was asked for it, or None
    :param only: the decision that is taken back; None = all
    :param now_s: when, epoch seconds UTC
    :return: what is accepted no longer
    :raises BadRequestError: if nothing is accepted there
    """
    _insist_on_known(connection, series)
    with locked_state(connection, series) as state:
        if _was_decided(connection, run, series, TAKEN_BACK):
            return NOTHING
        gaps, coverage = _in_range(connection, state, span)
        gaps = [
            gap for gap in gaps if gap.acceptance is not None and (only is None or gap.acceptance == only)
        ]
        chosen = _chosen(gaps, coverage, span)
        if not chosen:
            raise BadRequestError(
                f"nothing is accepted of {series} from {iso(span[0])} to {iso(span[1])}, so that nothing"
                " can be taken back there: see the page Gaps, status Accepted"
            )
        for gap in gaps:
            own = coverage.missing.within(gap.range)
            freed = [_freed(gap, unchanged_segment(gap, part)) for part in parts_of(own & chosen)]
            _split(
                connection, gap, [*freed, *(unchanged_segment(gap, part) for part in gap.parts(own - chosen))]
            )
        # The next detection makes one gap of it and its neighbours.
        coverage.read_again(chosen)
        save(connection, [coverage], run=run, now_s=now_s)
        _record(connection, state, TAKEN_BACK, chosen, Acceptance(by, now_s, reason), run)
    return Decided(len(chosen), chosen.start_s, chosen.end_s)


def _insist_on_known(connection: Connection, series: Series) -> None:
    if series not in read_states(connection, [series.ticker], [series.interval_minutes]):
        raise BadRequestError(
            f"{series} was never processed, so that nothing is known to be missing of it: check ticker and"
            " interval, or run a backfill for them first"
        )


def _in_range(connection: Connection, state: SeriesState, span: Range) -> tuple[list[Gap], Coverage]:
    gaps = [gap for gap in state.gaps if gap.start_s < span[1] and span[0] < gap.end_s]
    return gaps, read_months(connection, state.series, [gap.range for gap in gaps])


def _chosen(gaps: Sequence[Gap], coverage: Coverage, span: Range) -> BucketSet:
    found = BucketSet(coverage.missing.step)
    for gap in gaps:
        found |= coverage.missing.within(gap.range).within(span)
    return found


def _accepted(segment: GapSegment, acceptance: Acceptance) -> GapSegment:
    # Its task has died: nobody holds the fill lock.
    is_left = segment.status is GapStatus.BACKFILLING
    status = GapStatus.DETECTED if is_left else segment.status
    return replace(segment, status=status, acceptance=acceptance)


def _freed(gap: Gap, segment: GapSegment) -> GapSegment:
    """Return a segment that the next run tries, whatever it waited for before."""
    # FAILED without a time waits for a request; one in the past is due at once.
    due_s = gap.detected_s if segment.status is GapStatus.FAILED else None
    return replace(segment, acceptance=None, next_attempt_s=due_s)


def _split(connection: Connection, gap: Gap, segments: Sequence[GapSegment]) -> None:
    ordered = sorted(segments, key=lambda one: one.start_s)
    # What is whole after all, the next detection closes.
    if ordered and ordered != [unchanged_segment(gap)]:
        split_gap(connection, None, gap, ordered, is_claimed=False)


def _record(
    connection: Connection,
    state: SeriesState,
    decision: str,
    chosen: BucketSet,
    acceptance: Acceptance,
    run: RunKey | None,
) -> None:
    if not chosen:
        return
    stretches = chosen.ranges()
    execute(
        connection,
        "record_decision",
        state.series,
        run or NO_RUN,
        decision=decision,
        starts_s=[start_s for start_s, _ in stretches],
        ends_s=[end_s for _, end_s in stretches],
        decided_by=acceptance.by,
        now_s=acceptance.at_s,
        reason=acceptance.reason,
    )
    bump_revision(connection, state.series_id)


def _was_decided(connection: Connection, run: RunKey | None, series: Series, decision: str) -> bool:
    """Return whether a run has decided before: a second try, or a cleared run, does not decide again."""
    if run is None:
        return False
    return bool(value(connection, "count_decisions_of_run", run, series, decision=decision))
