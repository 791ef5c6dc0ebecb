"""A rebuild from trades keeps to its call budget, whatever fails, and goes on in the next run."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect, execute
from tests.integration.in_step import gaps_of
from tests.integration.trades_world import (
    BOTH,
    DAY,
    HOURLY,
    assert_sums_hold,
    assert_true,
    past,
    store_history,
    true_trades,
)
from tests.patience import wait_for

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World


def misjudge(world: World, ticker: str, part: Range) -> None:
    """Let the plan believe that a pair hardly traded in the days around a range."""
    daily = Series(ticker, 1440)
    days = (part[0] // DAY * DAY - DAY, part[1] // DAY * DAY + 2 * DAY)
    few = [replace(candle, trades=3) for candle in world.truth(daily, days).values()]
    write_candles(world.questdb, daily, few, days)


def test_a_spent_budget_leaves_the_rest_open_and_the_next_run_goes_on_there(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    calls_needed = -(-true_trades(world, "XBTUSD", hole) // 1000) + 2
    left: list[str] = []

    for _ in range(calls_needed):
        summary = world.run(trades_call_budget=2, **BOTH)
        assert_sums_hold(summary)
        assert (summary["errors"], summary["raised"], summary["gaps_failed"]) == ([], [], 0)
        assert summary["trade_calls"] <= summary["trade_calls_planned"] <= 2
        if not summary["trades_left_open"]:
            break
        (rest,) = summary["trades_left_open"]
        assert (rest["ticker"], rest["calls"] > 0) == ("XBTUSD", True)
        left.append(rest["from"])
        (gap,) = [gap for gap in world.gaps(HOURLY) if gap["status"] != "FILLED"]
        assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "outside_api_window")
        assert gap["required_csv_file"] == "XBTUSD_60.csv"

    assert left == sorted(set(left))
    assert len(left) >= 2
    assert len(world.exchange.calls("Trades")) <= calls_needed
    assert_true(world, HOURLY, whole)
    assert world.rows("SELECT FROM trade_cursors") == []


def test_without_a_budget_nothing_is_asked_and_all_is_named(world: World) -> None:
    hole = past(world, HOURLY, first=60, last=50)
    store_history(world, HOURLY, buckets=80, without=[hole])

    summary = world.run(trades_call_budget=0, **BOTH)

    assert (summary["gaps_detected"], summary["gaps_unfillable"]) == (1, 1)
    assert (summary["trade_calls"], summary["trade_calls_planned"]) == (0, 0)
    assert [(rest["ticker"], rest["calls"]) for rest in summary["trades_left_open"]] == [("XBTUSD", 1)]
    assert world.exchange.calls("Trades") == []
    before = world.contents()
    assert world.run(trades_call_budget=0, **BOTH)["gaps_standing"] == 1
    assert world.contents() == before


def test_days_before_the_daily_window_are_estimated_from_one_weekly_call_ever(world: World) -> None:
    world.catalogue(["ZECUSD"])  # listed ten years ago
    series = Series("ZECUSD", 1440)
    hole = past(world, series, first=30, last=20)
    whole = store_history(world, series, buckets=60, without=[hole])

    world.run(intervals=[1440], trades_call_budget=1, **BOTH)
    assert len([call for call in world.exchange.calls("OHLC") if call["interval"] == 10080]) == 1
    world.exchange.clear_calls()
    world.run(intervals=[1440], **BOTH)

    assert world.exchange.calls("OHLC") == []
    assert_true(world, series, whole)


FAULTS = [
    pytest.param({"kind": "error", "error": "EService:Busy", "skip": 1, "count": 2}, id="busy twice"),
    pytest.param({"kind": "http", "status": 502, "skip": 2, "count": 3}, id="a bad gateway"),
    pytest.param({"kind": "drop", "skip": 0, "count": 1}, id="a dropped connection"),
    pytest.param({"kind": "rate_limit", "skip": 3, "count": 1}, id="too fast for Kraken"),
    pytest.param(
        {"kind": "error", "error": "EService:Busy", "count": None}, id="an exchange that never answers"
    ),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("budget", [2, 200])
def test_calls_that_are_made_again_count_against_the_budget_before_they_are_made(
    world: World, fault: dict[str, Any], budget: int
) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    number = world.exchange.fault(**{"endpoint": "Trades", **fault})

    planned = world.plan(trades_call_budget=budget, **BOTH)
    for _ in range(3):  # a task and its retries
        world.fill(planned)
    summary = world.result(planned)

    assert_sums_hold(summary)
    calls = len(world.exchange.calls("Trades"))
    assert 0 < calls == summary["trade_calls"] <= summary["trade_calls_planned"] <= budget

    world.exchange.clear_faults(number)
    for _ in range(10):
        if {gap["status"] for gap in world.gaps(HOURLY)} == {"FILLED"}:
            break
        world.exchange.advance(DAY)
        world.run(tickers=["XBTUSD"], **BOTH)
    assert_true(world, HOURLY, whole)


def test_a_run_that_is_cleared_and_plans_again_has_no_second_budget(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[hole])
    planned = world.plan(trades_call_budget=2, **BOTH)
    assert world.fill(planned) == []
    assert len(world.exchange.calls("Trades")) == 2

    again = world.plan_again(planned)
    assert world.fill(again) == []

    summary = world.result(again)
    assert (
        len(world.exchange.calls("Trades")) == summary["trade_calls"] == summary["trade_calls_planned"] == 2
    )


def test_tasks_at_the_same_time_never_make_more_calls_than_the_run_has(world: World) -> None:
    run = world.plan(**BOTH).run
    with connect(world.dsn) as first, connect(world.dsn) as second:
        with first.transaction():
            assert execute(first, "spend_trade_call", run, budget=1) == 1
            waiting = Thread(target=lambda: seen.append(execute(second, "spend_trade_call", run, budget=1)))
            seen: list[int] = []
            waiting.start()
            waits = "SELECT FROM pg_locks WHERE NOT granted"
            wait_for(lambda: seen or world.rows(waits), "the second task neither waits nor goes on")
        waiting.join()
    assert seen == [0]


def test_a_walk_whose_estimate_was_too_small_goes_on_while_the_run_has_calls(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    misjudge(world, HOURLY.ticker, hole)

    summary = world.run(**BOTH)

    assert (summary["errors"], summary["trades_left_open"], summary["gaps_filled"]) == ([], [], 1)
    assert 2 < summary["trade_calls"] <= summary["trade_calls_planned"] <= 200
    assert_true(world, HOURLY, whole)


def test_what_one_walk_leaves_of_the_calls_the_next_one_uses_and_never_more(world: World) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    holes = {}
    for series in (HOURLY, Series("ETHUSD", 60)):
        holes[series] = past(world, series, first=600, last=200)
        store_history(world, series, buckets=620, without=[holes[series]])
        misjudge(world, series.ticker, holes[series])
    needed = [-(-true_trades(world, series.ticker, hole) // 1000) + 2 for series, hole in holes.items()]
    budget = max(needed) + 2
    assert budget < sum(needed) - 4

    summary = world.run(trades_call_budget=budget, **BOTH)

    assert_sums_hold(summary)
    assert summary["trade_calls"] == summary["trade_calls_planned"] == budget
    assert len(world.exchange.calls("Trades")) == budget
    (left,) = summary["trades_left_open"]
    (gap,) = [gap for gap in world.gaps() if gap["status"] != "FILLED"]
    assert (left["ticker"], gap["unfillable_reason"]) == (gap["ticker"], "outside_api_window")
    assert gap["error_message"].endswith("then the run's calls ran out")


def test_a_long_walk_gives_the_slot_back_before_sixty_calls_and_goes_on_from_there(world: World) -> None:
    hole = past(world, HOURLY, first=4900, last=250)
    whole = store_history(world, HOURLY, buckets=5000, without=[hole])
    stretches: list[int] = []
    between: list[set[str]] = []

    def watch(step: str) -> None:
        if step == "walk":
            stretches.append(0)
            between.append({gap["status"] for gap in world.gaps(HOURLY)})
        elif step == "page":
            stretches[-1] += 1

    world.before_step = watch
    summary = world.run(trades_call_budget=2000, **BOTH)

    n_gaps = len(gaps_of([hole], 60))
    assert (summary["errors"], summary["trades_left_open"], summary["gaps_filled"]) == ([], [], n_gaps)
    assert len(stretches) > 1
    assert max(stretches) <= 60
    assert min(stretches[:-1]) > 50
    assert all("BACKFILLING" not in statuses for statuses in between)
    calls = len(world.exchange.calls("Trades"))
    assert calls == summary["trade_calls"] <= -(-true_trades(world, "XBTUSD", hole) // 1000) + 3
    assert [row["attempts"] for row in world.gaps(HOURLY)] == [1] * n_gaps
    assert_true(world, HOURLY, whole)
