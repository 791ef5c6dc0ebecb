"""Which gaps the missing buckets of a series make: records kept, joined with a neighbour, or new; pure.

Missing buckets near each other, in one UTC month, with equal status, reason, attempts, next attempt,
acceptance and side of the API window are one gap, unless a missing bucket of another open gap lies between
them. Those of an accepted gap are adjacent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Gap, GapSegment, is_joinable, unchanged_segment
from kraken_ohlcv.detection.snapshot import SeriesClock


@dataclass(slots=True)
class GapChanges:
    """What is to be done with the gap records of a series.

    :ivar closed: gaps without a missing bucket
    :ivar absorbed: gaps that become part of another one, with that one
    :ivar changed: gaps with what becomes of each
    :ivar new: segments without a record, with the gap each was part of, or None
    """

    closed: list[Gap] = field(default_factory=list)
    absorbed: list[tuple[Gap, Gap]] = field(default_factory=list)
    changed: list[tuple[Gap, GapSegment]] = field(default_factory=list)
    new: list[tuple[Gap | None, GapSegment]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether anything is to be done."""
        return bool(self.closed or self.absorbed or self.changed or self.new)


class _Piece(NamedTuple):
    segment: GapSegment
    gap: Gap | None


def regroup(
    gaps: Sequence[Gap], missing: BucketSet, clock: SeriesClock, *, left_alone: Collection[int] = ()
) -> GapChanges:
    """Return what is to be done so that the gaps say what is missing.

    :param gaps: open gaps, ascending, none of them partly outside of what was looked at
    :param missing: missing buckets of the series
    :param left_alone: ids of gaps that another task is filling
    """
    own = {gap.gap_id: [] if gap.gap_id in left_alone else clock.segments(gap, missing) for gap in gaps}
    recorded = BucketSet.of_ranges((gap.range for gap in gaps), step=missing.step)
    pieces = [_Piece(segment, gap) for gap in gaps for segment in own[gap.gap_id]]
    # None of them reaches over a gap; what nothing parts is joined below.
    new = clock.parts(missing - recorded, [gap.start_s for gap in gaps])
    pieces += [_Piece(clock.segment(part, None), None) for part in new]
    # What is left alone parts its neighbours.
    pieces += [_Piece(unchanged_segment(gap), gap) for gap in gaps if gap.gap_id in left_alone]
    pieces.sort(key=lambda piece: piece.segment.start_s)
    changes = GapChanges()
    owners: dict[int, Gap] = {}
    for group in _groups(pieces, clock, left_alone):
        _record(group, owners, changes, left_alone)
    for gap in gaps:
        owner = owners.get(gap.gap_id)
        if owner is None and gap.gap_id not in left_alone:
            changes.closed.append(gap)
        elif owner is not None and owner is not gap:
            changes.absorbed.append((gap, owner))
    return changes


def _groups(pieces: Sequence[_Piece], clock: SeriesClock, left_alone: Collection[int]) -> list[list[_Piece]]:
    groups: list[list[_Piece]] = []
    for piece in pieces:
        if groups and _is_one(groups[-1][-1], piece, clock, left_alone):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _is_one(one: _Piece, other: _Piece, clock: SeriesClock, left_alone: Collection[int]) -> bool:
    if any(piece.gap is not None and piece.gap.gap_id in left_alone for piece in (one, other)):
        return False
    first, second = one.segment, other.segment
    near = is_joinable(
        (first.start_s, first.end_s),
        (second.start_s, second.end_s),
        clock.interval_minutes,
        is_accepted=first.acceptance is not None,
    )
    return near and _kind(one, clock) == _kind(other, clock)


def _kind(piece: _Piece, clock: SeriesClock) -> tuple[Any, ...]:
    segment, gap = piece
    return (
        segment.status,
        segment.unfillable_reason,
        segment.next_attempt_s,
        segment.acceptance,
        0 if gap is None else gap.attempts,
        clock.is_delisted or segment.end_s <= clock.window_start_s,
    )


def _record(
    group: Sequence[_Piece], owners: dict[int, Gap], changes: GapChanges, left_alone: Collection[int]
) -> None:
    """Give a group of pieces its record: the oldest of its own that no other group has, or a new one."""
    gaps = [piece.gap for piece in group if piece.gap is not None]
    if any(gap.gap_id in left_alone for gap in gaps):
        return
    whole = replace(
        group[0].segment,
        end_s=group[-1].segment.end_s,
        missing_candles=sum(piece.segment.missing_candles for piece in group),
    )
    free = [gap for gap in gaps if owners.get(gap.gap_id) is not gap]
    owner = min(free, key=lambda gap: (gap.detected_s, gap.gap_id), default=None)
    if owner is None:
        changes.new.append((gaps[0] if gaps else None, whole))
        return
    for gap in gaps:
        owners.setdefault(gap.gap_id, owner)
    owners[owner.gap_id] = owner
    (said,) = {piece.segment.error_message for piece in group if piece.gap is owner}
    whole = replace(whole, error_message=said)
    if whole != unchanged_segment(owner):
        changes.changed.append((owner, whole))
