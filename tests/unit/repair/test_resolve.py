"""What becomes of a gap after an answer has been stored."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Sighting, SourceResult
from kraken_ohlcv.core.gap import GapPart, GapStatus, UnfillableReason, check_move, unchanged_segment
from kraken_ohlcv.repair.context import FillAttempt
from kraken_ohlcv.repair.resolve import Findings, failed_segment, resolve_gap
from tests.unit.builders import HOUR, NOON, NOW, at, bucket_set, buckets, gap, quick, range_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.core.gap import Gap, GapSegment
    from kraken_ohlcv.core.ranges import Range

START = NOON - 20 * HOUR
BACKFILLING, DETECTED = GapStatus.BACKFILLING, GapStatus.DETECTED
FAILED, UNFILLABLE = GapStatus.FAILED, GapStatus.UNFILLABLE


def hours(*positions: tuple[int, int]) -> list[Range]:
    """Return ranges of hours counted from START."""
    return [(START + first * HOUR, START + end * HOUR) for first, end in positions]


def found(**known: Any) -> Findings:
    covered = known.pop("covered", (START - 100 * HOUR, NOON))
    facts: dict[str, Any] = {
        "result": SourceResult(
            covered=covered,
            traded={},
            empty=BucketSet(HOUR),
            is_busy=False,
            window_start_s=covered[0],
            step=HOUR,
        ),
        "attempt": FillAttempt(tried=None),
        "sightings": [],
        "reach_s": START - 100 * HOUR,
        "now_s": NOW,
    }
    for name in ("waiting", "contested"):
        facts[name] = bucket_set(known.pop(name, []), step=HOUR)
    return Findings(**(facts | known))


def resolved(
    one: Gap, *, settled: Sequence[Range] = (), is_attempted: bool = True, **known: Any
) -> list[GapSegment]:
    """Return what becomes of a gap, of which all that is not settled is still missing."""
    left = bucket_set([one.range], step=HOUR) - bucket_set(settled, step=HOUR)
    return resolve_gap(one, left, found(**known), is_attempted=is_attempted)


TRIED = gap(START, START + 10 * HOUR, status=BACKFILLING, attempts=1)
WHOLE = GapPart(*TRIED.range, TRIED.missing_candles)

BECOMES = [
    pytest.param({"settled": hours((0, 10))}, [], id="every bucket stored: nothing is left"),
    pytest.param({"settled": hours((0, 3), (3, 10))}, [], id="stored and proven empty: nothing is left"),
    pytest.param({"settled": hours((-5, 20))}, [], id="more settled than the gap: nothing is left"),
    pytest.param(
        {"settled": hours((0, 4))}, [(4, 10, DETECTED)], id="no row for the newer part: it stays open"
    ),
    pytest.param(
        {"settled": hours((4, 10))}, [(0, 4, DETECTED)], id="no row for the older part: it stays open"
    ),
    pytest.param(
        {"settled": hours((3, 6))}, [(0, 10, DETECTED)], id="a stored middle leaves one gap around it"
    ),
    pytest.param({"reach_s": START + 10 * HOUR}, [(0, 10, UNFILLABLE)], id="wholly beyond the reach"),
    pytest.param(
        {"reach_s": START + 2 * HOUR}, [(0, 2, UNFILLABLE), (2, 10, DETECTED)], id="the reach cuts it"
    ),
    pytest.param(
        {"reach_s": START + 2 * HOUR, "settled": hours((2, 10))},
        [(0, 2, UNFILLABLE)],
        id="the reachable part is saved",
    ),
    pytest.param(
        {"reach_s": START}, [(0, 10, DETECTED)], id="the first grid point inside the reach is no loss"
    ),
    pytest.param(
        {"settled": hours((0, 4), (6, 10)), "waiting": hours((4, 6))},
        [(4, 6, DETECTED)],
        id="seen empty once: waits",
    ),
    pytest.param(
        {"settled": hours((0, 2)), "waiting": hours((4, 6))},
        [(2, 4, DETECTED), (4, 6, DETECTED), (6, 10, DETECTED)],
        id="open on both sides of what waits",
    ),
    pytest.param(
        {"waiting": hours((-3, 1), (9, 15))},
        [(0, 1, DETECTED), (1, 9, DETECTED), (9, 10, DETECTED)],
        id="what waits sticks out",
    ),
    pytest.param(
        {"covered": hours((-100, 4))[0], "settled": hours((0, 4))},
        [(4, 10, FAILED)],
        id="the answer ends before the newer part: it failed",
    ),
    pytest.param(
        {"covered": hours((4, 100))[0], "settled": hours((4, 10))},
        [(0, 4, FAILED)],
        id="the answer begins after the older part: it failed",
    ),
    pytest.param(
        {"covered": hours((3, 6))[0], "settled": hours((3, 6))},
        [(0, 3, FAILED), (6, 10, FAILED)],
        id="the answer reaches over the middle only: failed on both sides",
    ),
]


@pytest.mark.parametrize(("known", "expected"), BECOMES)
def test_a_tried_gap_becomes(known: dict[str, Any], expected: list[tuple[int, int, GapStatus]]) -> None:
    segments = resolved(TRIED, **known)
    assert [((p.start_s - START) // HOUR, (p.end_s - START) // HOUR, p.status) for p in segments] == expected


def test_what_lies_beyond_the_reach_says_why() -> None:
    (segment,) = resolved(TRIED, reach_s=NOON)
    assert segment.unfillable_reason is UnfillableReason.OUTSIDE_API_WINDOW
    assert segment.next_attempt_s is None


def test_what_was_seen_empty_once_comes_back_half_an_hour_after_the_first_sight() -> None:
    (segment,) = resolved(TRIED, waiting=hours((0, 10)))
    assert segment.next_attempt_s == NOW + 1800
    earlier = Sighting(START, START + 10 * HOUR, NOW - 600)
    (segment,) = resolved(TRIED, waiting=hours((0, 10)), sightings=[earlier])
    assert segment.next_attempt_s == NOW + 1200
    assert segment.error_message is None


def test_what_an_answer_lacks_fails_with_a_sentence_and_a_time() -> None:
    (segment,) = resolved(TRIED, settled=hours((0, 9)), covered=hours((0, 9))[0])
    assert segment.error_message == (
        "Kraken's answer covers 2026-11-22T16:00:00 to 2026-11-23T01:00:00 "
        "but is missing 2026-11-23T01:00:00 to 2026-11-23T02:00:00"
    )
    assert segment.next_attempt_s == NOON + HOUR


def test_an_answer_without_a_closed_candle_is_said_to_be_one() -> None:
    (segment,) = resolved(TRIED, covered=(0, 0))
    assert segment.error_message is not None
    assert segment.error_message.startswith(
        "Kraken's answer contains no closed candle but is missing 2026-11-22T16:00:00"
    )


@pytest.mark.parametrize("status", [DETECTED, FAILED, UNFILLABLE])
def test_a_gap_that_was_not_tried_only_shrinks(status: GapStatus) -> None:
    one = gap(START, START + 10 * HOUR, status=status, next_attempt_s=NOW + HOUR, error="as before")
    known = {"waiting": hours((3, 4)), "reach_s": START + 8 * HOUR, "is_attempted": False}
    part = GapPart(START + 2 * HOUR, START + 10 * HOUR, 7)
    assert resolved(one, settled=hours((0, 2), (5, 6)), **known) == [unchanged_segment(one, part)]
    assert resolved(one, settled=hours((0, 10)), is_attempted=False) == []


def test_what_is_left_of_a_gap_far_apart_or_in_two_months_is_several_gaps() -> None:
    one = gap(at("2026-10-29"), at("2026-11-02"), status=BACKFILLING, attempts=1)
    settled = [
        (at("2026-10-29T01:00"), at("2026-10-30T01:00")),
        (at("2026-10-30T02:00"), at("2026-10-31T03:00")),
    ]
    left = [
        GapPart(at("2026-10-29"), at("2026-10-29T01:00"), 1),
        GapPart(at("2026-10-30T01:00"), at("2026-10-30T02:00"), 1),
        GapPart(at("2026-10-31T03:00"), at("2026-11-01"), 21),
        GapPart(at("2026-11-01"), at("2026-11-02"), 24),
    ]
    for is_attempted in (False, True):
        segments = resolved(
            one, settled=settled, reach_s=0, covered=(at("2026-10-01"), NOON), is_attempted=is_attempted
        )
        assert [GapPart(s.start_s, s.end_s, s.missing_candles) for s in segments] == left


def test_what_waits_for_the_same_is_one_gap_on_both_sides_of_what_is_stored() -> None:
    settled = hours((1, 4), (5, 9))
    (segment,) = resolved(TRIED, settled=settled, waiting=hours((0, 1), (4, 5), (9, 10)))
    assert (segment.missing_candles, segment.next_attempt_s) == (3, NOW + 1800)
    earlier = [Sighting(START + 4 * HOUR, START + 5 * HOUR, NOW - 600)]
    apart = resolved(TRIED, settled=settled, waiting=hours((0, 1), (4, 5), (9, 10)), sightings=earlier)
    assert [one.next_attempt_s for one in apart] == [NOW + 1800, NOW + 1200, NOW + 1800]


@quick
@given(
    settled=range_sets(high=40, step=HOUR),
    waiting=range_sets(high=40, step=HOUR),
    reach=st.integers(-2, 42).map(lambda n: n * HOUR),
    extent=st.tuples(st.integers(0, 19), st.integers(20, 40)),
)
def test_the_pieces_of_a_tried_gap_are_exactly_what_is_missing_each_in_its_state(
    settled: list[Range], waiting: list[Range], reach: int, extent: tuple[int, int]
) -> None:
    one = gap(extent[0] * HOUR, extent[1] * HOUR, status=BACKFILLING, attempts=2)
    waits = buckets(waiting, step=HOUR) - buckets([(-9 * HOUR, reach)], step=HOUR)
    waiting = [(bucket, bucket + HOUR) for bucket in waits]
    missing = buckets([one.range], step=HOUR) - buckets(settled, step=HOUR)
    segments = resolved(one, settled=settled, waiting=waiting, reach_s=reach)
    assert all(before.end_s <= after.start_s for before, after in pairwise(segments))
    state = {}
    for segment in segments:
        inside = missing & buckets([(segment.start_s, segment.end_s)], step=HOUR)
        assert {segment.start_s, segment.end_s - HOUR} <= inside
        assert segment.missing_candles == len(inside)
        state |= dict.fromkeys(inside, segment.status)
    assert set(state) == missing
    for bucket, status in state.items():
        if bucket < reach:
            assert status is UNFILLABLE
        else:
            assert status is (DETECTED if bucket in waits else FAILED)
    for segment in segments:
        check_move(one.status, segment.status)
        assert not segment.start_s < reach < segment.end_s


def test_a_permanent_failure_returns_on_request_only() -> None:
    segment = failed_segment(
        TRIED, WHOLE, error="EGeneral:Permission denied", is_permanent=True, now_s=NOW, cron="0 2 * * *"
    )
    assert (segment.status, segment.next_attempt_s) == (FAILED, None)
    assert segment.error_message == "EGeneral:Permission denied"


@pytest.mark.parametrize(
    ("attempts", "wait_hours"),
    [
        pytest.param(0, 1, id="an attempt that was never counted is the first"),
        pytest.param(1, 1, id="first"),
        pytest.param(2, 24, id="second"),
        pytest.param(3, 168, id="third"),
    ],
)
def test_a_passing_failure_returns_by_back_off(attempts: int, wait_hours: int) -> None:
    one = gap(START, START + HOUR, status=BACKFILLING, attempts=attempts)
    segment = failed_segment(
        one,
        GapPart(*one.range, one.missing_candles),
        error="EService:Busy",
        is_permanent=False,
        now_s=NOW,
        cron=None,
    )
    assert segment.next_attempt_s == NOON + wait_hours * HOUR


def test_a_failed_remainder_expires_by_its_own_oldest_candle() -> None:
    almost_lost = NOON - 718 * HOUR
    one = gap(almost_lost, NOON, status=BACKFILLING, attempts=3)
    whole = failed_segment(
        one, GapPart(*one.range, one.missing_candles), error="x", is_permanent=False, now_s=NOW, cron=None
    )
    newer = failed_segment(
        one, GapPart(NOON - HOUR, NOON, 1), error="x", is_permanent=False, now_s=NOW, cron=None
    )
    assert whole.next_attempt_s == NOON + 2 * HOUR
    assert newer.next_attempt_s == NOON + 168 * HOUR
