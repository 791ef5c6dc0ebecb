"""What the gap records are to say once it is known what is missing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import (
    Acceptance,
    Gap,
    GapSegment,
    GapStatus,
    UnfillableReason,
    check_move,
    is_joinable,
    parts_of,
    reach_of,
)
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.detection.regroup import GapChanges, regroup
from kraken_ohlcv.detection.snapshot import SeriesClock
from tests.unit.builders import HOUR, at, gap, quick

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BACKFILLING, DETECTED = GapStatus.BACKFILLING, GapStatus.DETECTED
FAILED, UNFILLABLE = GapStatus.FAILED, GapStatus.UNFILLABLE
OUTSIDE_API_WINDOW, PAIR_DELISTED = UnfillableReason.OUTSIDE_API_WINDOW, UnfillableReason.PAIR_DELISTED
NOBODY_HAS_IT = UnfillableReason.NOBODY_HAS_IT

NOW = 800 * HOUR
LATER = 999 * HOUR

Told = tuple[int, int, int, GapStatus, UnfillableReason | None]


def hours(*positions: tuple[int, int]) -> BucketSet:
    return BucketSet.of_ranges([(first * HOUR, end * HOUR) for first, end in positions], step=HOUR)


def clock(*, edge: int = 0, is_delisted: bool = False) -> SeriesClock:
    return SeriesClock(
        interval_minutes=60,
        start_s=0,
        end_s=NOW,
        window_start_s=edge * HOUR,
        is_delisted=is_delisted,
        now_s=NOW,
    )


def said(segments: Iterable[GapSegment]) -> list[Told]:
    return [
        (one.start_s // HOUR, one.end_s // HOUR, one.missing_candles, one.status, one.unfillable_reason)
        for one in segments
    ]


def left(gaps: Sequence[Gap], changes: GapChanges) -> list[Gap]:
    """Return the open gaps that the changes leave, ascending."""
    gone = {one.gap_id for one in changes.closed} | {one.gap_id for one, _ in changes.absorbed}
    redrawn = {one.gap_id: segment for one, segment in changes.changed}
    kept = [
        one if one.gap_id not in redrawn else as_gap(redrawn[one.gap_id], one)
        for one in gaps
        if one.gap_id not in gone
    ]
    new = [as_gap(segment, parent) for parent, segment in changes.new]
    return sorted([*kept, *new], key=lambda one: one.start_s)


def as_gap(segment: GapSegment, record: Gap | None) -> Gap:
    made = gap(
        segment.start_s,
        segment.end_s,
        missing=segment.missing_candles,
        status=segment.status,
        reason=segment.unfillable_reason,
        next_attempt_s=segment.next_attempt_s,
        error=segment.error_message,
        attempts=0 if record is None else record.attempts,
        acceptance=segment.acceptance,
    )
    return made if record is None else replace(made, detected_s=record.detected_s)


NEW = [
    pytest.param(hours(), clock(), [], id="nothing missing, no gap"),
    pytest.param(hours((5, 9)), clock(), [(5, 9, 4, DETECTED, None)], id="a hole inside the window"),
    pytest.param(
        hours((5, 9)), clock(edge=5), [(5, 9, 4, DETECTED, None)], id="a hole that begins at the edge"
    ),
    pytest.param(
        hours((5, 9)),
        clock(edge=9),
        [(5, 9, 4, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="a hole that ends at the edge",
    ),
    pytest.param(
        hours((5, 9)),
        clock(edge=7),
        [(5, 7, 2, UNFILLABLE, OUTSIDE_API_WINDOW), (7, 9, 2, DETECTED, None)],
        id="a hole across the edge is split",
    ),
    pytest.param(
        hours((5, 9)),
        clock(edge=3, is_delisted=True),
        [(5, 9, 4, UNFILLABLE, PAIR_DELISTED)],
        id="the pair is gone",
    ),
    pytest.param(
        hours((1, 2), (5, 6), (8, 9)),
        clock(edge=4),
        [(1, 2, 1, UNFILLABLE, OUTSIDE_API_WINDOW), (5, 9, 2, DETECTED, None)],
        id="holes near each other are one gap, on one side of the edge",
    ),
    pytest.param(
        hours((0, 1), (24, 25)), clock(), [(0, 25, 2, DETECTED, None)], id="24 buckets apart: one gap"
    ),
    pytest.param(
        hours((0, 1), (25, 26)),
        clock(),
        [(0, 1, 1, DETECTED, None), (25, 26, 1, DETECTED, None)],
        id="25 buckets apart: two",
    ),
    pytest.param(
        hours((743, 745)),
        clock(),
        [(743, 744, 1, DETECTED, None), (744, 745, 1, DETECTED, None)],
        id="across the end of January 1970: two",
    ),
]


@pytest.mark.parametrize(("missing", "view", "expected"), NEW)
def test_what_no_gap_holds_becomes_a_new_one(
    missing: BucketSet, view: SeriesClock, expected: list[Told]
) -> None:
    changes = regroup([], missing, view)
    assert said(segment for _, segment in changes.new) == expected
    assert changes == GapChanges(new=changes.new)


REDRAWN = [
    pytest.param(
        gap(2 * HOUR, 8 * HOUR), hours((2, 8)), clock(), [(2, 8, 6, DETECTED, None)], id="all still missing"
    ),
    pytest.param(gap(2 * HOUR, 8 * HOUR), hours(), clock(), [], id="all stored since"),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR),
        hours((4, 8)),
        clock(),
        [(4, 8, 4, DETECTED, None)],
        id="its older part stored since",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR),
        hours((2, 4), (6, 8)),
        clock(),
        [(2, 8, 4, DETECTED, None)],
        id="its middle stored since",
    ),
    pytest.param(
        gap(2 * HOUR, 60 * HOUR),
        hours((2, 4), (40, 60)),
        clock(),
        [(2, 4, 2, DETECTED, None), (40, 60, 20, DETECTED, None)],
        id="its long middle stored since: split",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR), hours((2, 12)), clock(), [(2, 12, 10, DETECTED, None)], id="it has grown"
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, attempts=1),
        hours((2, 12)),
        clock(),
        [(2, 8, 6, DETECTED, None), (8, 12, 4, DETECTED, None)],
        id="more is missing beside one that was tried",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=FAILED, next_attempt_s=LATER),
        hours((2, 8)),
        clock(edge=5),
        [(2, 5, 3, UNFILLABLE, OUTSIDE_API_WINDOW), (5, 8, 3, FAILED, None)],
        id="the edge has moved into it",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR),
        hours((2, 8)),
        clock(edge=8),
        [(2, 8, 6, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="the edge has moved over it",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=BACKFILLING),
        hours((2, 8)),
        clock(),
        [(2, 8, 6, DETECTED, None)],
        id="left by a dead task: taken back",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=FAILED),
        hours((2, 8)),
        clock(is_delisted=True),
        [(2, 8, 6, UNFILLABLE, PAIR_DELISTED)],
        id="the pair has gone",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=PAIR_DELISTED),
        hours((2, 8)),
        clock(),
        [(2, 8, 6, DETECTED, None)],
        id="the pair is back",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=PAIR_DELISTED),
        hours((2, 8)),
        clock(edge=8),
        [(2, 8, 6, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="the pair is back, too late",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE),
        hours((2, 8)),
        clock(is_delisted=True, edge=9),
        [(2, 8, 6, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="past the edge before its pair went",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=NOBODY_HAS_IT),
        hours((2, 8)),
        clock(edge=9),
        [(2, 8, 6, UNFILLABLE, NOBODY_HAS_IT)],
        id="final",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE),
        hours((2, 4)),
        clock(edge=9),
        [(2, 4, 2, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="an unfillable gap shrinks too",
    ),
    pytest.param(
        gap(740 * HOUR, 750 * HOUR),
        hours((740, 750)),
        clock(),
        [(740, 744, 4, DETECTED, None), (744, 750, 6, DETECTED, None)],
        id="one of an earlier version, across a month's end, is split",
    ),
]


@pytest.mark.parametrize(("one", "missing", "view", "expected"), REDRAWN)
def test_an_open_gap_becomes_what_its_candles_say(
    one: Gap, missing: BucketSet, view: SeriesClock, expected: list[Told]
) -> None:
    changes = regroup([one], missing, view)
    found = left([one], changes)
    assert [
        (each.start_s // HOUR, each.end_s // HOUR, each.missing_candles, each.status, each.unfillable_reason)
        for each in found
    ] == expected
    for each in found:
        check_move(one.status, each.status)


def test_a_gap_that_waits_keeps_its_time_and_its_message() -> None:
    waiting = gap(2 * HOUR, 8 * HOUR, status=FAILED, next_attempt_s=LATER, error="EService:Busy")
    ((_, segment),) = regroup([waiting], hours((2, 5)), clock()).changed
    assert (segment.end_s, segment.missing_candles) == (5 * HOUR, 3)
    assert (segment.next_attempt_s, segment.error_message) == (LATER, "EService:Busy")


def test_neighbours_that_wait_for_the_same_become_one_and_the_older_record_stays() -> None:
    older, newer = gap(2 * HOUR, 5 * HOUR), gap(9 * HOUR, 12 * HOUR)
    older = replace(older, detected_s=NOW - HOUR)
    changes = regroup([older, newer], hours((2, 5), (9, 12)), clock())
    assert changes.absorbed == [(newer, older)]
    ((record, segment),) = changes.changed
    assert record == older
    assert said([segment]) == [(2, 12, 6, DETECTED, None)]
    assert not changes.new
    assert not changes.closed


def test_a_part_that_passes_the_edge_goes_to_the_gap_beyond_it() -> None:
    beyond = gap(2 * HOUR, 5 * HOUR, status=UNFILLABLE)
    within = gap(6 * HOUR, 12 * HOUR)
    changes = regroup([beyond, within], hours((2, 5), (6, 12)), clock(edge=8))
    assert said(segment for _, segment in changes.changed) == [
        (2, 8, 5, UNFILLABLE, OUTSIDE_API_WINDOW),
        (8, 12, 4, DETECTED, None),
    ]
    assert [record for record, _ in changes.changed] == [beyond, within]
    assert not changes.new
    assert not changes.closed
    assert not changes.absorbed


def test_another_gap_between_two_keeps_them_apart() -> None:
    gaps = [
        gap(2 * HOUR, 5 * HOUR),
        gap(5 * HOUR, 6 * HOUR, attempts=1),
        gap(6 * HOUR, 8 * HOUR),
    ]
    assert not regroup(gaps, hours((2, 8)), clock())


def test_a_gap_that_another_task_is_filling_is_left_to_it_and_parts_its_neighbours() -> None:
    filling = gap(5 * HOUR, 8 * HOUR, status=BACKFILLING, attempts=1)
    changes = regroup([filling], hours((2, 4), (5, 6), (9, 10)), clock(), left_alone={filling.gap_id})
    assert said(segment for _, segment in changes.new) == [
        (2, 4, 2, DETECTED, None),
        (9, 10, 1, DETECTED, None),
    ]
    assert not changes.changed
    assert not changes.closed
    assert not changes.absorbed


SAME = [
    pytest.param([], hours(), clock(), True, id="complete, and no gap"),
    pytest.param([], hours((2, 8)), clock(), False, id="a hole without a gap"),
    pytest.param([gap(2 * HOUR, 8 * HOUR)], hours((2, 8)), clock(), True, id="a hole and its gap"),
    pytest.param(
        [gap(2 * HOUR, 8 * HOUR, missing=4)], hours((2, 4), (6, 8)), clock(), True, id="holes and their gap"
    ),
    pytest.param(
        [gap(2 * HOUR, 8 * HOUR, missing=5)], hours((2, 4), (6, 8)), clock(), False, id="another number"
    ),
    pytest.param([gap(2 * HOUR, 8 * HOUR)], hours(), clock(), False, id="a gap without a hole"),
    pytest.param([gap(2 * HOUR, 8 * HOUR)], hours((2, 9)), clock(), False, id="the hole has grown"),
    pytest.param([gap(2 * HOUR, 8 * HOUR)], hours((2, 7)), clock(), False, id="the hole has shrunk"),
    pytest.param(
        [gap(2 * HOUR, 8 * HOUR)], hours((2, 8)), clock(edge=3), False, id="the edge has moved into the gap"
    ),
    pytest.param(
        [gap(2 * HOUR, 8 * HOUR, status=BACKFILLING)],
        hours((2, 8)),
        clock(),
        False,
        id="a gap left by a dead task",
    ),
]


@pytest.mark.parametrize(("gaps", "missing", "view", "expected"), SAME)
def test_nothing_is_written_when_the_gaps_say_what_is_missing(
    gaps: list[Gap], missing: BucketSet, view: SeriesClock, expected: bool
) -> None:
    assert (not regroup(gaps, missing, view)) is expected


@pytest.mark.parametrize(
    ("reason", "is_delisted"),
    [
        pytest.param(PAIR_DELISTED, True, id="of a pair that is gone"),
        pytest.param(OUTSIDE_API_WINDOW, False, id="of which Kraken's answer began later than the window"),
        pytest.param(NOBODY_HAS_IT, False, id="that nobody has"),
    ],
)
def test_the_moving_edge_leaves_an_unfillable_gap_in_one_piece(
    reason: UnfillableReason, is_delisted: bool
) -> None:
    outstanding = gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=reason, error="EQuery:Unknown asset pair")
    for edge in range(10):
        view = clock(edge=edge, is_delisted=is_delisted)
        assert not regroup([outstanding], hours((2, 8)), view)
        assert view.is_settled(outstanding)


STATES = st.sampled_from([
    (DETECTED, None, 0),
    (DETECTED, None, 0),
    (DETECTED, None, 1),
    (BACKFILLING, None, 1),
    (FAILED, None, 1),
    (FAILED, None, 2),
    (UNFILLABLE, OUTSIDE_API_WINDOW, 0),
    (UNFILLABLE, OUTSIDE_API_WINDOW, 1),
    (UNFILLABLE, PAIR_DELISTED, 0),
    (UNFILLABLE, NOBODY_HAS_IT, 1),
])
ACCEPTANCES = st.sampled_from([
    None,
    None,
    Acceptance("ada", 1, "lost"),
    Acceptance("ada", 2, "lost"),
    Acceptance("bob", 1, "lost"),
])
FIRST, LAST = 700, 800
"""Hours of the model; January 1970 ends at hour 744."""


@st.composite
def ledgers(draw: st.DrawFn) -> list[Gap]:
    """Give gaps that do not overlap."""
    borders = sorted(draw(st.sets(st.integers(FIRST, LAST), max_size=12)))
    gaps = []
    for start, end in pairwise(borders):
        if draw(st.booleans()):
            status, reason, attempts = draw(STATES)
            acceptance = None if status is BACKFILLING else draw(ACCEPTANCES)
            gaps.append(
                gap(
                    start * HOUR,
                    end * HOUR,
                    status=status,
                    reason=reason,
                    attempts=attempts,
                    acceptance=acceptance,
                )
            )
    return gaps


def accepted_of(gaps: Iterable[Gap]) -> dict[Acceptance, BucketSet]:
    """Return the buckets that each decision is about."""
    found: dict[Acceptance, BucketSet] = {}
    for one in gaps:
        if one.acceptance is not None:
            buckets = BucketSet.of_ranges([one.range], step=HOUR)
            found[one.acceptance] = found.get(one.acceptance, BucketSet(HOUR)) | buckets
    return found


@quick
@given(
    gaps=ledgers(),
    missing=st.sets(st.integers(FIRST, LAST - 1)),
    edge=st.integers(FIRST - 1, LAST + 1),
    is_delisted=st.booleans(),
    filled_now=st.booleans(),
)
def test_afterwards_the_open_gaps_hold_exactly_what_is_missing_and_a_second_time_changes_nothing(
    gaps: list[Gap], missing: set[int], edge: int, is_delisted: bool, filled_now: bool
) -> None:
    view = clock(edge=edge, is_delisted=is_delisted)
    buckets = BucketSet.of_points((hour * HOUR for hour in missing), step=HOUR)
    under_way = {one.gap_id for one in gaps if filled_now and one.status is BACKFILLING}
    changes = regroup(gaps, buckets, view, left_alone=under_way)

    after = left(gaps, changes)
    assert all(before.end_s <= later.start_s for before, later in pairwise(after))
    judged = [one for one in after if one.gap_id not in under_way]
    of_others = BucketSet.of_ranges([one.range for one in gaps if one.gap_id in under_way], step=HOUR)
    held = BucketSet(HOUR)
    for one in judged:
        inside = (buckets - of_others).within(one.range)
        assert len(inside) == one.missing_candles > 0
        assert inside.start_s == one.start_s
        assert inside.end_s == one.end_s
        assert month_of(one.start_s) == month_of(one.end_s - 1)
        assert not held & inside
        held |= inside
    assert held == buckets - of_others
    moved = [(one, segment.status) for one, segment in changes.changed]
    moved += [(parent, segment.status) for parent, segment in changes.new if parent is not None]
    for record, status in moved:
        check_move(record.status, status)
    for one in judged:
        assert one.status is not BACKFILLING
        assert one.status is UNFILLABLE or one.start_s >= view.window_start_s
        assert one.status is UNFILLABLE or not is_delisted
    for one, later in pairwise(after):
        if under_way.isdisjoint({one.gap_id, later.gap_id}):
            state, other = (
                (each.status, each.unfillable_reason, each.next_attempt_s, each.attempts, each.acceptance)
                for each in (one, later)
            )
            sides = {each.end_s <= view.window_start_s for each in (one, later)}
            is_near = is_joinable(one.range, later.range, 60, is_accepted=one.acceptance is not None)
            assert not is_near or state != other or (len(sides) == 2 and not is_delisted)
    # Only what was accepted is, and all of it that is still missing; no other bucket lies in its records.
    before = accepted_of(gaps)
    assert accepted_of(after) == {
        decision: those & buckets for decision, those in before.items() if those & buckets
    }
    assert {one.gap_id for one in gaps} >= {one.gap_id for one, _ in changes.absorbed}
    assert not regroup(after, buckets, view, left_alone=under_way & {one.gap_id for one in after})


@pytest.mark.parametrize(
    ("interval", "reach"),
    [(1, 24), (5, 24), (15, 24), (30, 24), (60, 24), (240, 6), (1440, 1), (10080, 1), (21600, 1)],
)
def test_a_gap_reaches_24_buckets_and_a_day_at_most(interval: int, reach: int) -> None:
    assert reach_of(interval) == reach


@quick
@given(
    interval=st.sampled_from(INTERVALS),
    numbers=st.sets(st.integers(0, 120)),
    border=st.integers(0, 120),
)
def test_the_parts_of_what_is_missing_are_those_of_a_recount(
    interval: int, numbers: set[int], border: int
) -> None:
    step = step_s(interval)
    first = at("2026-10-01") // step
    opens = sorted((first + number) * step for number in numbers)
    border_s = (first + border) * step
    groups: list[list[int]] = []
    for open_s in opens:
        if (
            groups
            and open_s - groups[-1][-1] <= min(24 * step, max(step, 86400))
            and month_of(open_s) == month_of(groups[-1][-1])
            and (open_s < border_s) == (groups[-1][-1] < border_s)
        ):
            groups[-1].append(open_s)
        else:
            groups.append([open_s])
    found = parts_of(BucketSet.of_points(opens, step=step), [border_s])
    assert found == [(group[0], group[-1] + step, len(group)) for group in groups]
