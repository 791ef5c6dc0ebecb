"""How the series of an asset are kept: due times, intervals and hours follow the plan."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.freshness import due_end_s, due_s
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.core.tiers import GRACE_S, SHIPPED, TierPlan, Upkeep, all_wanted, is_judged, tier_hours
from tests.unit.builders import at

SUNDAY = at("2026-11-29T00:00:00")
WEEKLY = TierPlan(schedule="0 5 * * 0", hours=200)
FIVE = TierPlan(intervals=(5, 60, 1440), schedule="0 2 */2 * *")

DUE = [
    pytest.param(WEEKLY, 1440, "2026-11-23T00:00", "2026-11-29T05:30", id="weekly: the Sunday after"),
    pytest.param(WEEKLY, 1440, "2026-11-29T05:00", "2026-12-06T05:30", id="closed at the tick: a week later"),
    pytest.param(FIVE, 5, "2026-11-26T12:00", "2026-11-27T02:30", id="five minutes every two days"),
    pytest.param(FIVE, 5, "2026-11-29T12:00", "2026-12-01T02:30", id="over the end of the month"),
    pytest.param(
        TierPlan(hours=48), 1440, "2026-11-26T00:00", "2026-11-28T00:00", id="hours without a schedule"
    ),
    pytest.param(WEEKLY, 60, "2026-11-23T00:00", "2026-12-01T08:00", id="an interval that no run keeps"),
]


@pytest.mark.parametrize(("plan", "minutes", "close", "due"), DUE)
def test_a_bucket_is_due_when_the_plan_says(plan: TierPlan, minutes: int, close: str, due: str) -> None:
    upkeep = Upkeep(plan, plan.intervals)
    close_s, due_at = at(f"{close}:00"), at(f"{due}:00")
    assert due_s(upkeep, minutes, close_s, hours=plan.hours) == due_at
    assert due_end_s(upkeep, minutes, due_at) >= close_s // (minutes * 60) * (minutes * 60)
    assert due_end_s(upkeep, minutes, due_at - 1) < close_s


@pytest.mark.parametrize(
    ("n_calls", "pace_s", "grace"),
    [
        pytest.param(40, 1.0, GRACE_S, id="as shipped: half an hour"),
        pytest.param(1200, 1.0, GRACE_S, id="1,200 calls still fit"),
        pytest.param(4200, 1.0, 6300, id="1,400 pairs at three intervals: one and a half times 70 minutes"),
        pytest.param(4200, 0.25, GRACE_S, id="four calls per second"),
        pytest.param(4200, 2.0, 12600, id="a slow limiter"),
    ],
)
def test_a_run_has_half_an_hour_or_one_and_a_half_times_what_its_calls_take(
    n_calls: int, pace_s: float, grace: int
) -> None:
    upkeep = Upkeep(SHIPPED["TIER1"], (60, 1440), n_calls, pace_s)
    assert upkeep.grace_s(60) == grace
    assert due_s(upkeep, 1440, SUNDAY, hours=24) == SUNDAY + 2 * HOUR_S + grace


def test_calls_for_trades_count_where_they_bring_candles_in_every_run() -> None:
    minutes = TierPlan(intervals=(1, 60), schedule="0 2 * * *", trades_call_budget=3000)
    upkeep = Upkeep(minutes, minutes.intervals, 40)
    assert (upkeep.grace_s(60), upkeep.grace_s(1)) == (GRACE_S, 4560)


def test_an_assets_own_intervals_count_where_a_run_asks_for_those_of_its_tier() -> None:
    own = Upkeep(SHIPPED["TIER1"], (1, 240))
    assert own.wanted([1440, 60]) == (1, 240)
    assert own.wanted([60]) == (60,)
    assert Upkeep.shipped("TIER1").wanted([60, 1440]) == (60, 1440)
    assert all_wanted([own, Upkeep.shipped("TIER1"), own], [60, 1440]) == [1, 60, 240, 1440]
    assert (own.cron(240), own.cron(1440)) == ("0 2 * * *", None)


def test_a_check_judges_what_is_kept_by_the_hours_of_the_tier_unless_it_names_others() -> None:
    own, plain = Upkeep(SHIPPED["TIER1"], (1, 240)), Upkeep.shipped("TIER1")
    assert (is_judged(own, 1440), is_judged(plain, 1440), is_judged(own, 240)) == (False, True, True)
    assert is_judged(Upkeep.shipped("TIER2"), 60)
    assert not is_judged(Upkeep(TierPlan(intervals=(5,)), (5,)), 1440)
    assert (tier_hours(WEEKLY, 24), tier_hours(WEEKLY, 48), tier_hours(SHIPPED["TIER1"], 24)) == (200, 48, 24)
    assert SHIPPED["TIER1"].hours * HOUR_S == DAY_S
