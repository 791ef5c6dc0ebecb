"""Which ranges are walked through, in which order, and for how many calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import GapStatus, UnfillableReason
from kraken_ohlcv.sources.trades.estimate import (
    BUNCHING,
    UNKNOWN_TRADES_A_DAY,
    WEEK_S,
    TradeCounts,
    days_unknown,
    expected_calls,
    expected_trades,
)
from kraken_ohlcv.sources.trades.plan import chosen, in_order, stretches
from tests.unit.builders import DAILY, DAY, HOUR, HOURLY, NOW, at, gap, quick

WEEK = at("2026-06-04")  # a Thursday: Kraken's weeks begin there
BUSY = TradeCounts({WEEK + n * DAY: 40_000 for n in range(-30, 60)})
THIN = TradeCounts({WEEK + n * DAY: 24 for n in range(-30, 60)})


def test_whole_days_are_counted_as_stored() -> None:
    counts = TradeCounts({WEEK: 100, WEEK + DAY: 250, WEEK + 2 * DAY: 7})
    assert expected_trades((WEEK, WEEK + 2 * DAY), counts) == 350


def test_part_of_a_day_may_hold_more_than_its_share_but_not_more_than_the_day() -> None:
    counts = TradeCounts({WEEK: 2400})
    assert expected_trades((WEEK, WEEK + HOUR), counts) == 100 * BUNCHING
    assert expected_trades((WEEK, WEEK + 20 * HOUR), counts) == 2400


def test_an_unknown_day_takes_its_share_of_what_its_week_has_left() -> None:
    counts = TradeCounts({WEEK: 100, WEEK + DAY: 300}, {WEEK: 1400})
    assert expected_trades((WEEK + 2 * DAY, WEEK + 3 * DAY), counts) == 200


def test_an_unknown_day_of_an_unknown_week_is_taken_for_the_busier_of_its_neighbours() -> None:
    counts = TradeCounts({WEEK: 100, WEEK + 20 * DAY: 300})
    assert expected_trades((WEEK + 10 * DAY, WEEK + 11 * DAY), counts) == 300
    assert expected_trades((WEEK, WEEK + DAY), TradeCounts()) == UNKNOWN_TRADES_A_DAY


def test_a_weekly_count_is_wanted_only_of_unknown_days_before_the_daily_window() -> None:
    counts = TradeCounts({WEEK + 8 * DAY: 5}, {WEEK: 70})
    assert WEEK % WEEK_S == 0
    assert not days_unknown((WEEK, WEEK + 7 * DAY), counts, before_s=NOW)
    assert days_unknown((WEEK, WEEK + 8 * DAY), counts, before_s=NOW)
    assert not days_unknown((WEEK + 8 * DAY, WEEK + 9 * DAY), counts, before_s=NOW)
    assert not days_unknown((WEEK + 9 * DAY, WEEK + 10 * DAY), counts, before_s=WEEK)


@pytest.mark.parametrize(
    ("counts", "length", "calls"),
    [
        pytest.param(THIN, 7 * DAY, 1, id="a thin week"),
        pytest.param(BUSY, DAY, 41, id="a busy day"),
        pytest.param(
            BUSY, HOUR, 4, id="a busy hour, twice its share of the day, and what such a guess varies"
        ),
    ],
)
def test_a_range_takes_a_call_per_thousand_trades(counts: TradeCounts, length: int, calls: int) -> None:
    assert expected_calls((WEEK, WEEK + length), counts) == calls


def test_neighbours_of_a_thin_pair_are_walked_as_one_those_of_a_busy_pair_are_not() -> None:
    wanted = [(WEEK, WEEK + HOUR), (WEEK + 2 * DAY, WEEK + 2 * DAY + HOUR)]
    assert stretches(wanted, THIN) == [(WEEK, WEEK + 2 * DAY + HOUR)]
    assert stretches(wanted, BUSY) == wanted


@quick
@given(
    wanted=st.lists(
        st.tuples(st.integers(0, 500), st.integers(1, 30)).map(
            lambda p: (WEEK + p[0] * HOUR, WEEK + (p[0] + p[1]) * HOUR)
        ),
        max_size=12,
    ),
    a_day=st.integers(0, 5000),
)
def test_walks_cover_all_that_is_wanted_and_never_cost_more_than_one_by_one(
    wanted: list[tuple[int, int]], a_day: int
) -> None:
    counts = TradeCounts({WEEK + n * DAY: a_day for n in range(-5, 40)})
    walked = stretches(wanted, counts)
    assert ranges.subtract(wanted, walked) == []
    assert walked == ranges.union(walked)
    one_by_one = sum(expected_calls(part, counts) for part in ranges.union(wanted))
    assert sum(expected_calls(part, counts) for part in walked) <= one_by_one


TIERS = {"XBTUSD": "TIER1", "DAIUSD": "TIER1", "UNIUSD": "TIER2"}
WANTED = {
    "UNIUSD": [(WEEK, WEEK + DAY)],
    "XBTUSD": [(WEEK, WEEK + DAY)],
    "DAIUSD": [(WEEK, WEEK + DAY), (WEEK + 9 * DAY, WEEK + 10 * DAY)],
}
COUNTS = {"XBTUSD": BUSY, "DAIUSD": THIN, "UNIUSD": THIN}


def test_a_higher_tier_goes_first_and_in_a_tier_the_thin_pair() -> None:
    jobs = in_order(WANTED, COUNTS, tiers=TIERS)
    assert [job.ticker for job in jobs] == ["DAIUSD", "DAIUSD", "XBTUSD", "UNIUSD"]
    assert [job.range for job in jobs if job.ticker == "DAIUSD"] == WANTED["DAIUSD"]


def test_gaps_forgotten_first_are_chosen_first() -> None:
    old_hour = gap(NOW - 800 * DAY, NOW - 799 * DAY, status=GapStatus.UNFILLABLE)
    young_hour = gap(NOW - 90 * DAY, NOW - 89 * DAY, status=GapStatus.UNFILLABLE)
    old_day = gap(NOW - 800 * DAY, NOW - 799 * DAY, series=DAILY, status=GapStatus.UNFILLABLE)
    assert chosen([old_day, young_hour, old_hour], limit=None) == [old_hour, old_day, young_hour]
    assert chosen([old_day, young_hour, old_hour], limit=2) == [old_hour, old_day]
    assert chosen([old_hour], limit=-3) == []


@pytest.mark.parametrize(
    ("status", "reason", "next_attempt_s", "is_waiting"),
    [
        pytest.param(
            GapStatus.UNFILLABLE, UnfillableReason.OUTSIDE_API_WINDOW, None, True, id="past the edge"
        ),
        pytest.param(GapStatus.UNFILLABLE, UnfillableReason.NOT_PUBLISHED, None, True, id="not published"),
        pytest.param(GapStatus.UNFILLABLE, UnfillableReason.PAIR_DELISTED, None, False, id="pair gone"),
        pytest.param(GapStatus.UNFILLABLE, UnfillableReason.NOBODY_HAS_IT, None, False, id="nobody has it"),
        pytest.param(
            GapStatus.UNFILLABLE, UnfillableReason.OUTSIDE_API_WINDOW, NOW + 1, False, id="its time comes"
        ),
        pytest.param(
            GapStatus.UNFILLABLE, UnfillableReason.OUTSIDE_API_WINDOW, NOW, True, id="its time has come"
        ),
        pytest.param(GapStatus.DETECTED, None, None, False, id="within reach of the OHLC call"),
        pytest.param(GapStatus.FAILED, None, NOW - 1, False, id="failed within reach"),
    ],
)
def test_only_gaps_that_no_ohlc_call_serves_wait_for_trades(
    status: GapStatus, reason: UnfillableReason | None, next_attempt_s: int | None, is_waiting: bool
) -> None:
    one = gap(0, HOUR, series=HOURLY, status=status, reason=reason, next_attempt_s=next_attempt_s)
    assert one.waits_for_trades(NOW, retry_failed=False) is is_waiting
