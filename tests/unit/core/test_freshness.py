"""A series is stale when its newest candle is old and the next one is overdue; never in a healthy system."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.cron import last_tick_before
from kraken_ohlcv.core.freshness import Freshness, NewestEnd, due_end_s, due_s, judge, late_end_s
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, MINUTE_S, step_s
from kraken_ohlcv.core.tiers import GRACE_S, Upkeep

MIDNIGHT = 1_795_392_000  # 2026-11-23T00:00:00Z
LONG_AGO = MIDNIGHT - 400 * DAY_S


def standing(
    last_s: int | None,
    *,
    tier: str = "TIER1",
    minutes: int = 1440,
    settled_s: int | None = None,
    added_s: int = LONG_AGO,
    is_delisted: bool = False,
) -> NewestEnd:
    if settled_s is None and last_s is not None:
        settled_s = last_s + step_s(minutes)
    return NewestEnd(
        Series("XBTUSD", minutes), tier, Upkeep.shipped(tier), last_s, settled_s, added_s, is_delisted
    )


@pytest.mark.parametrize(
    ("tier", "minutes", "close", "due"),
    [
        pytest.param("TIER1", 1440, 0, 2 * HOUR_S + GRACE_S, id="the day's run and half an hour"),
        pytest.param("TIER2", 1440, 0, 3 * HOUR_S + GRACE_S, id="the second tier an hour later"),
        pytest.param(
            "TIER1", 60, 2 * HOUR_S, 26 * HOUR_S + GRACE_S, id="closed at the tick: the next day's run"
        ),
        pytest.param("TIER2", 60, 0, 24 * HOUR_S, id="no schedule covers it: so many hours after the close"),
        pytest.param("TIER3", 1440, 0, 24 * HOUR_S, id="a tier without a schedule"),
    ],
)
def test_a_bucket_is_due_after_the_first_scheduled_run_that_can_bring_it(
    tier: str, minutes: int, close: int, due: int
) -> None:
    assert due_s(Upkeep.shipped(tier), minutes, MIDNIGHT + close, hours=24) == MIDNIGHT + due


@pytest.mark.parametrize(("tier", "minutes"), [("TIER1", 60), ("TIER1", 1440), ("TIER2", 1440)])
@pytest.mark.parametrize("takes_s", [0, GRACE_S], ids=["runs end at once", "runs need all their grace"])
def test_no_minute_of_two_healthy_weeks_raises_an_alarm(tier: str, minutes: int, takes_s: int) -> None:
    cron = Upkeep.shipped(tier).cron(minutes)
    assert cron is not None
    first_tick = last_tick_before(cron, MIDNIGHT - DAY_S)
    for now_s in range(MIDNIGHT, MIDNIGHT + 14 * DAY_S, MINUTE_S):
        run_s = first_tick + (now_s - takes_s - first_tick) // DAY_S * DAY_S
        last_s = floor_s(run_s, minutes) - step_s(minutes)
        # While a run may still use its grace, the check before the due minute must stay silent.
        found = judge(standing(last_s, tier=tier, minutes=minutes), now_s=now_s - (takes_s > 0), hours=24)
        assert found.freshness is Freshness.FRESH, now_s


@pytest.mark.parametrize(
    ("hours_of_day", "expected"),
    [
        pytest.param(2.0, Freshness.FRESH, id="at the tick"),
        pytest.param(2.4, Freshness.FRESH, id="within the grace"),
        pytest.param(2.5, Freshness.STALE, id="as soon as both halves of the rule hold"),
        pytest.param(20.0, Freshness.STALE, id="until it is repaired"),
    ],
)
def test_a_missed_daily_run_is_seen_as_soon_as_the_candle_is_due(
    hours_of_day: float, expected: Freshness
) -> None:
    last_s = MIDNIGHT - 2 * DAY_S  # the candle of the day before yesterday; yesterday's is missing
    found = judge(standing(last_s), now_s=MIDNIGHT + int(hours_of_day * HOUR_S), hours=24)
    assert found.freshness is expected


def test_hours_are_counted_whole_from_the_open_time_and_from_the_due_time() -> None:
    found = judge(standing(MIDNIGHT - 2 * DAY_S), now_s=MIDNIGHT + 5 * HOUR_S + 1800, hours=24)
    assert (found.hours_behind, found.hours_overdue) == (53, 3)


def test_a_long_limit_keeps_an_overdue_series_from_alarming() -> None:
    found = judge(standing(MIDNIGHT - 2 * DAY_S), now_s=MIDNIGHT + 5 * HOUR_S, hours=48)
    assert found.freshness is Freshness.FRESH


def test_a_tail_proven_empty_is_quiet_until_what_follows_is_due() -> None:
    quiet = standing(MIDNIGHT - 5 * DAY_S, settled_s=MIDNIGHT)
    assert judge(quiet, now_s=MIDNIGHT + 20 * HOUR_S, hours=24).freshness is Freshness.QUIET
    assert judge(quiet, now_s=MIDNIGHT + 27 * HOUR_S, hours=24).freshness is Freshness.STALE


def test_a_series_never_loaded_alarms_when_the_first_candle_since_it_was_added_is_due() -> None:
    new = standing(None, added_s=MIDNIGHT - 12 * HOUR_S)
    assert judge(new, now_s=MIDNIGHT + 2 * HOUR_S, hours=24).freshness is Freshness.FRESH
    found = judge(new, now_s=MIDNIGHT + 3 * HOUR_S, hours=24)
    assert (found.freshness, found.hours_behind) == (Freshness.NEVER_LOADED, None)


def test_old_candles_brought_in_for_a_new_asset_are_late_when_the_first_run_after_it_was_due() -> None:
    brought_in = standing(MIDNIGHT - 150 * DAY_S, added_s=MIDNIGHT - 12 * HOUR_S)
    assert judge(brought_in, now_s=MIDNIGHT + 2 * HOUR_S, hours=24).freshness is Freshness.FRESH
    assert judge(brought_in, now_s=MIDNIGHT + 3 * HOUR_S, hours=24).freshness is Freshness.STALE


def test_a_pair_that_left_the_exchange_is_told_apart_whatever_its_candles() -> None:
    gone = standing(MIDNIGHT - 90 * DAY_S, is_delisted=True)
    assert judge(gone, now_s=MIDNIGHT, hours=24).freshness is Freshness.DELISTED


@pytest.mark.parametrize("tier", ["TIER1", "TIER2", "TIER3"])
@pytest.mark.parametrize("minutes", [60, 240, 1440, 10080])
def test_what_is_due_ends_with_the_newest_bucket_whose_time_has_come(tier: str, minutes: int) -> None:
    step = step_s(minutes)
    for now_s in range(MIDNIGHT - 600, MIDNIGHT + 8 * DAY_S, 1800):
        for moment_s in (now_s, now_s + 1, now_s + 599):
            end_s = due_end_s(Upkeep.shipped(tier), minutes, moment_s, hours=24)
            assert end_s % step == 0
            assert (
                due_s(Upkeep.shipped(tier), minutes, end_s, hours=24)
                <= moment_s
                < due_s(Upkeep.shipped(tier), minutes, end_s + step, hours=24)
            )


@pytest.mark.parametrize("minutes", [60, 1440])
def test_a_bucket_is_late_when_it_comes_after_its_time(minutes: int) -> None:
    upkeep, within_s = Upkeep.shipped("TIER1"), HOUR_S
    for close_s in range(MIDNIGHT, MIDNIGHT + 3 * DAY_S, step_s(minutes)):
        last_us = (due_s(upkeep, minutes, close_s, hours=24) + within_s) * 1_000_000
        for moment_us, is_late in ((last_us - 1, False), (last_us, False), (last_us + 1, True)):
            end_s = late_end_s(upkeep, minutes, moment_us, within_s=within_s)
            assert (close_s <= end_s) is is_late
