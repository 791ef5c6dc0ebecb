"""The gap: its states, and what is derived from its position."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from kraken_ohlcv.core.gap import (
    OUTCOME_OF,
    Acceptance,
    Gap,
    GapPart,
    GapStatus,
    IllegalMoveError,
    Outcome,
    Series,
    UnfillableReason,
    candles_from_today,
    check_move,
    overflow_candles,
    required_csv_file,
    unchanged_segment,
)
from tests.unit.builders import DAY, HOUR, HOURLY, NOON, NOW, gap

DETECTED = GapStatus.DETECTED
BACKFILLING = GapStatus.BACKFILLING
FILLED = GapStatus.FILLED
FAILED = GapStatus.FAILED
UNFILLABLE = GapStatus.UNFILLABLE

ALLOWED = {
    (DETECTED, BACKFILLING),
    (DETECTED, FILLED),
    (DETECTED, UNFILLABLE),
    (BACKFILLING, DETECTED),
    (BACKFILLING, FILLED),
    (BACKFILLING, FAILED),
    (BACKFILLING, UNFILLABLE),
    (FAILED, BACKFILLING),
    (FAILED, FILLED),
    (FAILED, UNFILLABLE),
    (UNFILLABLE, BACKFILLING),
    (UNFILLABLE, DETECTED),
    (UNFILLABLE, FILLED),
}
MOVES = list(product(GapStatus, GapStatus))


@pytest.mark.parametrize(
    ("old", "new"),
    [pytest.param(*move, id=f"{move[0]} to {move[1]}") for move in MOVES if move in ALLOWED],
)
def test_the_state_machine_allows(old: GapStatus, new: GapStatus) -> None:
    check_move(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(old, new, id=f"{old} to {new}")
        for old, new in MOVES
        if old != new and (old, new) not in ALLOWED
    ],
)
def test_the_state_machine_forbids(old: GapStatus, new: GapStatus) -> None:
    with pytest.raises(IllegalMoveError, match=f"cannot go from {old} to {new}"):
        check_move(old, new)


@pytest.mark.parametrize("status", list(GapStatus))
def test_staying_in_a_state_is_no_move(status: GapStatus) -> None:
    check_move(status, status)


def test_a_state_at_the_end_of_a_run_means_one_outcome() -> None:
    assert {
        DETECTED: Outcome.DEFERRED,
        BACKFILLING: Outcome.FAILED,
        FAILED: Outcome.FAILED,
        FILLED: Outcome.FILLED,
        UNFILLABLE: Outcome.UNFILLABLE,
    } == OUTCOME_OF


ELIGIBILITY = [
    pytest.param(gap(0, HOUR), True, True, id="new"),
    pytest.param(
        gap(0, HOUR, next_attempt_s=NOW), True, True, id="seen empty once, its time has come this second"
    ),
    pytest.param(
        gap(0, HOUR, next_attempt_s=NOW + 1), False, False, id="seen empty once, waiting: not even on request"
    ),
    pytest.param(gap(0, HOUR, status=FAILED, next_attempt_s=NOW), True, True, id="failed, its time has come"),
    pytest.param(
        gap(0, HOUR, status=FAILED, next_attempt_s=NOW + 1), False, True, id="failed and waiting: on request"
    ),
    pytest.param(gap(0, HOUR, status=FAILED), False, True, id="failed for good: on request"),
    pytest.param(gap(0, HOUR, status=UNFILLABLE), False, False, id="unfillable: never"),
    pytest.param(gap(0, HOUR, status=BACKFILLING), True, True, id="left by a dead task"),
]


@pytest.mark.parametrize(("one", "by_itself", "on_request"), ELIGIBILITY)
def test_a_run_may_try_a_gap(one: Gap, by_itself: bool, on_request: bool) -> None:
    assert one.is_eligible(NOW, retry_failed=False) is by_itself
    assert one.is_eligible(NOW, retry_failed=True) is on_request
    accepted = replace(one, acceptance=Acceptance("ada", NOW, "lost"))
    assert not accepted.is_eligible(NOW, retry_failed=False)
    assert not accepted.is_eligible(NOW, retry_failed=True)


@pytest.mark.parametrize("retry_failed", [False, True])
def test_only_a_gap_that_nobody_accepted_waits_for_trades(retry_failed: bool) -> None:
    one = gap(NOON - HOUR, NOON, status=UNFILLABLE)
    assert one.waits_for_trades(NOW, retry_failed=retry_failed)
    accepted = replace(one, acceptance=Acceptance("ada", NOW, "lost"))
    assert not accepted.waits_for_trades(NOW, retry_failed=retry_failed)


@pytest.mark.parametrize(
    ("start", "detected", "minutes", "from_today", "overflow"),
    [
        pytest.param(NOON - HOUR, NOW, 60, 1, 0, id="the newest closed bucket"),
        pytest.param(NOON - HOUR, NOON, 60, 1, 0, id="detected the second it closed"),
        pytest.param(NOON - 720 * HOUR, NOW, 60, 720, 0, id="the first grid point inside the window"),
        pytest.param(NOON - 721 * HOUR, NOW, 60, 721, 1, id="one bucket beyond the edge"),
        pytest.param(NOON - 1000 * HOUR, NOW, 60, 1000, 280, id="far beyond the edge"),
        pytest.param(0, 721 * 7 * DAY + 5, 10080, 721, 1, id="weeks since the epoch"),
        pytest.param(0, 15 * DAY - 1, 21600, 0, 0, id="the first fifteen days still run"),
    ],
)
def test_the_position_of_a_gap_is_counted_in_buckets(
    start: int, detected: int, minutes: int, from_today: int, overflow: int
) -> None:
    assert candles_from_today(start, detected, minutes) == from_today
    assert overflow_candles(start, detected, minutes) == overflow


@pytest.mark.parametrize(
    ("series", "file"),
    [
        pytest.param(HOURLY, "XBTUSD_60.csv", id="Kraken's own name, not BTCUSD"),
        pytest.param(Series("1INCHUSD", 1440), "1INCHUSD_1440.csv", id="a name that begins with a digit"),
    ],
)
def test_the_archive_file_is_named_after_altname_and_minutes(series: Series, file: str) -> None:
    assert required_csv_file(series) == file


def test_a_series_reads_as_ticker_and_minutes() -> None:
    assert str(HOURLY) == "XBTUSD 60"


def test_an_unchanged_piece_keeps_all_but_the_range() -> None:
    one = gap(
        0,
        9 * HOUR,
        status=UNFILLABLE,
        reason=UnfillableReason.NOT_PUBLISHED,
        next_attempt_s=NOW,
        error="the quarter is not out yet",
    )
    segment = unchanged_segment(one, GapPart(HOUR, 3 * HOUR, 2))
    assert (segment.start_s, segment.end_s, segment.missing_candles) == (HOUR, 3 * HOUR, 2)
    assert segment.status is UNFILLABLE
    assert segment.unfillable_reason is UnfillableReason.NOT_PUBLISHED
    assert segment.next_attempt_s == NOW
    assert segment.error_message == "the quarter is not out yet"
