"""What the ledger is to say once the candles have been looked at."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Gap, GapSegment, GapStatus, UnfillableReason, check_move, unchanged_segment
from kraken_ohlcv.detection.snapshot import SeriesSnapshot
from kraken_ohlcv.stores.ledger.proofs import ProvenRange
from tests.unit.builders import HOUR, book, buckets, gap, quick, range_sets

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.series_state import SeriesState

BACKFILLING, DETECTED = GapStatus.BACKFILLING, GapStatus.DETECTED
FAILED, UNFILLABLE = GapStatus.FAILED, GapStatus.UNFILLABLE
OUTSIDE_API_WINDOW, PAIR_DELISTED = UnfillableReason.OUTSIDE_API_WINDOW, UnfillableReason.PAIR_DELISTED
NOBODY_HAS_IT = UnfillableReason.NOBODY_HAS_IT

NOW = 800 * HOUR
LATER = 999 * HOUR


def hours(*positions: tuple[int, int]) -> list[Range]:
    return [(first * HOUR, end * HOUR) for first, end in positions]


def seen(*missing: tuple[int, int], edge: int = 0, is_delisted: bool = False) -> SeriesSnapshot:
    return SeriesSnapshot(
        unstored=hours(*missing), window_start_s=edge * HOUR, is_delisted=is_delisted, start_s=0, now_s=NOW
    )


def proven(start: int, end: int) -> ProvenRange:
    return ProvenRange(start_s=start * HOUR, end_s=end * HOUR, evidence=Evidence.OHLC)


def told(segments: list[GapSegment]) -> list[tuple[int, int, GapStatus, UnfillableReason | None]]:
    return [(p.start_s // HOUR, p.end_s // HOUR, p.status, p.unfillable_reason) for p in segments]


NEW = [
    pytest.param(seen(), [], id="nothing missing, nothing told"),
    pytest.param(seen((5, 9)), [(5, 9, DETECTED, None)], id="a hole inside the window"),
    pytest.param(seen((5, 9), edge=5), [(5, 9, DETECTED, None)], id="a hole that begins at the edge"),
    pytest.param(
        seen((5, 9), edge=9), [(5, 9, UNFILLABLE, OUTSIDE_API_WINDOW)], id="a hole that ends at the edge"
    ),
    pytest.param(
        seen((5, 9), edge=7),
        [(5, 7, UNFILLABLE, OUTSIDE_API_WINDOW), (7, 9, DETECTED, None)],
        id="a hole across the edge is split",
    ),
    pytest.param(
        seen((5, 9), edge=3, is_delisted=True), [(5, 9, UNFILLABLE, PAIR_DELISTED)], id="the pair is gone"
    ),
    pytest.param(
        seen((1, 2), (5, 6), (8, 9), edge=4),
        [(1, 2, UNFILLABLE, OUTSIDE_API_WINDOW), (5, 6, DETECTED, None), (8, 9, DETECTED, None)],
        id="several holes",
    ),
]


@pytest.mark.parametrize(("view", "expected"), NEW)
def test_what_the_ledger_lacks_is_told(
    view: SeriesSnapshot, expected: list[tuple[int, int, GapStatus, UnfillableReason | None]]
) -> None:
    empty = book()
    assert told(view.unrecorded(empty, view.missing(empty))) == expected


def test_what_is_proven_empty_is_not_missing() -> None:
    known = book(proven=[proven(2, 4), proven(8, 20)])
    assert seen((0, 3), (5, 9)).missing(known) == hours((0, 2), (5, 8))


def test_what_a_gap_already_tells_is_not_told_again() -> None:
    known = book([gap(5 * HOUR, 7 * HOUR)])
    view = seen((4, 9))
    assert told(view.unrecorded(known, view.missing(known))) == [
        (4, 5, DETECTED, None),
        (7, 9, DETECTED, None),
    ]


REDRAWN = [
    pytest.param(gap(2 * HOUR, 8 * HOUR), seen((2, 8)), [(2, 8, DETECTED, None)], id="all still missing"),
    pytest.param(gap(2 * HOUR, 8 * HOUR), seen((0, 2), (8, 9)), [], id="all stored since"),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR), seen((4, 12)), [(4, 8, DETECTED, None)], id="its older part stored since"
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR),
        seen((2, 4), (6, 8)),
        [(2, 4, DETECTED, None), (6, 8, DETECTED, None)],
        id="its middle stored since",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=FAILED, next_attempt_s=LATER),
        seen((2, 8), edge=5),
        [(2, 5, UNFILLABLE, OUTSIDE_API_WINDOW), (5, 8, FAILED, None)],
        id="the edge has moved into it",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR),
        seen((2, 8), edge=8),
        [(2, 8, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="the edge has moved over it",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=BACKFILLING),
        seen((2, 8)),
        [(2, 8, DETECTED, None)],
        id="left by a dead task: taken back",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=FAILED),
        seen((2, 8), is_delisted=True),
        [(2, 8, UNFILLABLE, PAIR_DELISTED)],
        id="the pair has gone",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=PAIR_DELISTED),
        seen((2, 8)),
        [(2, 8, DETECTED, None)],
        id="the pair is back",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=PAIR_DELISTED),
        seen((2, 8), edge=8),
        [(2, 8, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="the pair is back, too late",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE),
        seen((2, 8), is_delisted=True, edge=9),
        [(2, 8, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="past the edge before its pair went",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=NOBODY_HAS_IT),
        seen((2, 8), edge=9),
        [(2, 8, UNFILLABLE, NOBODY_HAS_IT)],
        id="final",
    ),
    pytest.param(
        gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE),
        seen((2, 4), edge=9),
        [(2, 4, UNFILLABLE, OUTSIDE_API_WINDOW)],
        id="an unfillable gap shrinks too",
    ),
]


@pytest.mark.parametrize(("one", "view", "expected"), REDRAWN)
def test_an_open_gap_becomes_what_its_candles_say(
    one: Gap, view: SeriesSnapshot, expected: list[tuple[int, int, GapStatus, UnfillableReason | None]]
) -> None:
    segments = view.changes_to(one, view.missing(book([one])))
    assert told(segments) == expected
    for segment in segments:
        check_move(one.status, segment.status)


def test_a_gap_that_waits_keeps_its_time_and_its_message() -> None:
    waiting = gap(2 * HOUR, 8 * HOUR, status=FAILED, next_attempt_s=LATER, error="EService:Busy")
    (segment,) = seen((2, 5)).changes_to(waiting, hours((2, 5)))
    assert segment == unchanged_segment(waiting, (2 * HOUR, 5 * HOUR))
    assert (segment.next_attempt_s, segment.error_message) == (LATER, "EService:Busy")


TOLD = [
    pytest.param(seen(), book(), True, id="complete, and no gap"),
    pytest.param(seen((2, 8)), book(), False, id="a hole without a gap"),
    pytest.param(seen((2, 8)), book([gap(2 * HOUR, 8 * HOUR)]), True, id="a hole and its gap"),
    pytest.param(seen((2, 8)), book(proven=[proven(2, 8)]), True, id="a hole proven empty"),
    pytest.param(seen(), book([gap(2 * HOUR, 8 * HOUR)]), False, id="a gap without a hole"),
    pytest.param(seen((2, 9)), book([gap(2 * HOUR, 8 * HOUR)]), False, id="the hole has grown"),
    pytest.param(seen((2, 7)), book([gap(2 * HOUR, 8 * HOUR)]), False, id="the hole has shrunk"),
    pytest.param(
        seen((2, 8), edge=3), book([gap(2 * HOUR, 8 * HOUR)]), False, id="the edge has moved into the gap"
    ),
    pytest.param(
        seen((2, 8)),
        book([gap(2 * HOUR, 5 * HOUR), gap(5 * HOUR, 8 * HOUR)]),
        True,
        id="one hole told by two gaps",
    ),
    pytest.param(
        seen((2, 8)),
        book([gap(2 * HOUR, 8 * HOUR, status=BACKFILLING)]),
        False,
        id="a gap left by a dead task",
    ),
]


@pytest.mark.parametrize(("view", "known", "expected"), TOLD)
def test_reconciling_is_needed_only_when_the_ledger_says_something_else(
    view: SeriesSnapshot, known: SeriesState, expected: bool
) -> None:
    assert view.matches(known) is expected


def apply(view: SeriesSnapshot, known: SeriesState) -> tuple[list[Gap], list[GapSegment]]:
    """Return the gaps that reconciling leaves, and their segments, as the ledger would keep them."""
    missing = view.missing(known)
    segments = [segment for one in known.gaps for segment in view.changes_to(one, missing)] + view.unrecorded(
        known, missing
    )
    segments.sort(key=lambda segment: segment.start_s)
    return [
        gap(
            segment.start_s,
            segment.end_s,
            status=segment.status,
            reason=segment.unfillable_reason,
            next_attempt_s=segment.next_attempt_s,
            error=segment.error_message,
        )
        for segment in segments
    ], segments


STATES = st.sampled_from([
    (DETECTED, None),
    (DETECTED, None),
    (BACKFILLING, None),
    (FAILED, None),
    (UNFILLABLE, OUTSIDE_API_WINDOW),
    (UNFILLABLE, PAIR_DELISTED),
    (UNFILLABLE, NOBODY_HAS_IT),
])


@st.composite
def ledgers(draw: st.DrawFn) -> SeriesState:
    """Give a ledger of gaps that do not overlap and ranges proven empty."""
    borders = sorted(draw(st.sets(st.integers(0, 40), max_size=10)))
    extents = [extent for extent in pairwise(borders) if draw(st.booleans())]
    gaps = []
    for start, end in extents:
        status, reason = draw(STATES)
        gaps.append(gap(start * HOUR, end * HOUR, status=status, reason=reason))
    empty = ranges.union(draw(range_sets(high=40)))
    return book(gaps, [proven(start, end) for start, end in empty])


@quick
@given(known=ledgers(), unstored=range_sets(high=40), edge=st.integers(-1, 41), is_delisted=st.booleans())
def test_after_reconciling_the_open_gaps_are_exactly_what_is_missing_and_a_second_time_changes_nothing(
    known: SeriesState, unstored: list[Range], edge: int, is_delisted: bool
) -> None:
    view = SeriesSnapshot(
        unstored=ranges.union(hours(*unstored)),
        window_start_s=edge * HOUR,
        is_delisted=is_delisted,
        start_s=0,
        now_s=NOW,
    )
    missing = buckets(hours(*unstored), step=HOUR) - buckets((p.range for p in known.proven), step=HOUR)
    for one in known.gaps:
        segments = view.changes_to(one, view.missing(known))
        assert buckets(((p.start_s, p.end_s) for p in segments), step=HOUR) == missing & buckets(
            [one.range], step=HOUR
        )
        for segment in segments:
            check_move(one.status, segment.status)
        if not segments:
            check_move(one.status, GapStatus.FILLED)
    gaps, segments = apply(view, known)
    assert all(before.end_s <= after.start_s for before, after in pairwise(segments))
    assert buckets(((p.start_s, p.end_s) for p in segments), step=HOUR) == missing
    for segment in segments:
        is_unfillable = segment.status is UNFILLABLE
        assert is_unfillable or segment.start_s >= view.window_start_s
        assert is_unfillable or not is_delisted
        assert segment.status is not BACKFILLING
    assert view.matches(book(gaps, known.proven))


@quick
@given(known=ledgers(), unstored=range_sets(high=40), edge=st.integers(-1, 41))
def test_new_gaps_never_cross_the_edge(known: SeriesState, unstored: list[Range], edge: int) -> None:
    view = SeriesSnapshot(
        unstored=ranges.union(hours(*unstored)),
        window_start_s=edge * HOUR,
        is_delisted=False,
        start_s=0,
        now_s=NOW,
    )
    for segment in view.unrecorded(known, view.missing(known)):
        assert not segment.start_s < view.window_start_s < segment.end_s
        assert segment.status is (UNFILLABLE if segment.end_s <= view.window_start_s else DETECTED)


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
    standing = gap(2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=reason)
    for edge in range(10):
        assert seen((2, 8), edge=edge, is_delisted=is_delisted).matches(book([standing]))


def test_a_gap_of_a_gone_pair_keeps_what_kraken_said() -> None:
    standing = gap(
        2 * HOUR, 8 * HOUR, status=UNFILLABLE, reason=PAIR_DELISTED, error="EQuery:Unknown asset pair"
    )
    assert seen((2, 8), is_delisted=True).matches(book([standing]))
