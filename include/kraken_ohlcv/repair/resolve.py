"""Decides what becomes of a gap after an answer has been stored; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kraken_ohlcv.core.backoff import next_attempt_s
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Sighting, SourceResult, confirmable_s
from kraken_ohlcv.core.gap import (
    Gap,
    GapPart,
    GapSegment,
    GapStatus,
    UnfillableReason,
    is_joinable,
    parts_of,
    unchanged_segment,
)
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.repair.context import FillAttempt


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a series once a result is stored and its proofs are recorded.

    :ivar result: what the source says
    :ivar attempt: what it was asked for
    :ivar sightings: first sightings of the series before this result
    :ivar reach_s: buckets before this are beyond what the API serves, epoch seconds UTC
    :ivar now_s: the exchange's time, epoch seconds UTC
    :ivar waiting: buckets seen empty once in a busy series
    :ivar contested: buckets seen empty, inside which shorter candles are stored
    """

    result: SourceResult
    attempt: FillAttempt
    sightings: Sequence[Sighting]
    reach_s: int
    now_s: int
    waiting: BucketSet
    contested: BucketSet


def failed_segment(
    gap: Gap, part: GapPart, *, error: str, is_permanent: bool, now_s: int, cron: str | None
) -> GapSegment:
    """Return a part of a gap that was tried in vain.

    :param gap: the gap, its attempt counted
    :param part: what is still missing of it
    :param error: one sentence
    :param is_permanent: whether the same request would fail again; then only a person brings it back
    :param cron: schedule that repairs the series, or None
    :return: the segment in FAILED
    """
    later = next_attempt_s(
        attempt_s=now_s,
        attempts=max(1, gap.attempts),
        expires_s=expiry_s(part.start_s, gap.series.interval_minutes),
        cron=cron,
    )
    return GapSegment(
        *part,
        status=GapStatus.FAILED,
        next_attempt_s=None if is_permanent else later,
        error_message=error,
    )


def resolve_gap(gap: Gap, left: BucketSet, findings: Findings, *, is_attempted: bool) -> list[GapSegment]:
    """Return what becomes of an open gap.

    :param left: what is still missing of it
    :param findings: what is known now
    :param is_attempted: whether this fill tried it; one that it did not try keeps its state and only shrinks
    :return: its segments, ascending; none when every bucket is accounted for
    """
    if not is_attempted:
        return [unchanged_segment(gap, part) for part in gap.parts(left)]
    borders = [*findings.result.covered, *(findings.attempt.asked or ())]
    if findings.attempt.rest is None:
        step = step_s(gap.series.interval_minutes)
        alone = [one.ts_s for one in findings.result.odd if one.ts_s is not None]
        apart = (*findings.waiting.ranges(), *findings.contested.ranges(), *((at, at + step) for at in alone))
        borders += [findings.reach_s, *(border for part in apart for border in part)]
    return _joined(gap, [_tried(gap, part, findings) for part in parts_of(left, borders)])


def _joined(gap: Gap, segments: Iterable[GapSegment]) -> list[GapSegment]:
    """Return the segments with those that lie near each other and wait for the same made one again."""
    interval = gap.series.interval_minutes
    joined: list[GapSegment] = []
    for segment in segments:
        before = joined[-1] if joined else None
        whole = before and replace(
            segment,
            start_s=before.start_s,
            missing_candles=before.missing_candles + segment.missing_candles,
        )
        if (
            before
            and whole
            and whole == replace(before, end_s=whole.end_s, missing_candles=whole.missing_candles)
            and is_joinable((before.start_s, before.end_s), (segment.start_s, segment.end_s), interval)
        ):
            joined[-1] = whole
        else:
            joined.append(segment)
    return joined


def _tried(gap: Gap, part: GapPart, findings: Findings) -> GapSegment:
    if findings.attempt.rest is not None:
        return findings.attempt.rest(gap, part)
    if part.end_s <= findings.reach_s:
        return GapSegment(
            *part, status=GapStatus.UNFILLABLE, unfillable_reason=UnfillableReason.OUTSIDE_API_WINDOW
        )
    if findings.waiting.within(part.range):
        return GapSegment(
            *part,
            status=GapStatus.DETECTED,
            next_attempt_s=confirmable_s(part.range, findings.sightings, now_s=findings.now_s),
        )
    error, is_failure = _why_open(part.range, findings)
    if findings.attempt.hands_on:
        # Not tried in vain yet: the trades of these buckets come next.
        return GapSegment(*part, status=GapStatus.DETECTED, error_message=error)
    segment = failed_segment(
        gap, part, error=error, is_permanent=False, now_s=findings.now_s, cron=findings.attempt.cron
    )
    return segment if is_failure else replace(segment, status=GapStatus.DETECTED)


def _why_open(part: Range, findings: Findings) -> tuple[str, bool]:
    """Return why an answer leaves a part open, and whether the run has failed there.

    An answer that reaches over a part and has no row there that can be used is no failure of the run: the row
    is named, the bucket waits.
    """
    start, end = findings.result.covered
    absent = f"is missing {iso(part[0])} to {iso(part[1])}"
    if findings.contested.within(part):
        error = "says that nothing traded, while shorter candles are stored there, and"
        return f"Kraken's answer {error} {absent}", True
    if not (start <= part[0] and part[1] <= end):
        extent = f"covers {iso(start)} to {iso(end)}" if start < end else "contains no closed candle"
        if findings.attempt.is_trading:
            return f"Kraken's answer {extent} but {absent}", True
        return f"Kraken's answer {extent} but {absent}: the pair is not online", False
    of_part = [
        one.what for one in findings.result.odd if one.ts_s is not None and part[0] <= one.ts_s < part[1]
    ]
    unplaced = [one.what for one in findings.result.odd if one.ts_s is None]
    if of_part:
        error = f"cannot be used here: {of_part[0]}"
    elif unplaced:
        error = f"has no row here, and one without a usable time: {unplaced[0]}"
    else:
        error = "has no row here, which proves nothing: only trades can tell whether any traded"
    return f"Kraken's answer {error}", False
