"""What a run plans to spend is what it spends, whatever is damaged."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from tests.integration.trades_world import BOTH, HOURLY, past, store_history

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

MANY: int = 50
"""Calls of a run above which the plan is held to a share of itself, rather than to calls per range."""
TICKERS = ("XBTUSD", "ETHUSD", "SOLUSD", "DAIUSD", "UNIUSD")


def assert_as_planned(summary: dict[str, Any], *, ranges: int) -> None:
    """Check that a run spent what it planned to, calls made again apart."""
    planned, spent = summary["calls_planned"], summary["calls_spent"]
    assert spent <= planned, f"{spent} calls spent, {planned} planned"
    if planned > MANY:
        assert spent >= 0.8 * planned, f"{spent} calls spent, {planned} planned"
    else:
        assert planned - spent <= 2 * ranges, f"{spent} calls spent, {planned} planned, {ranges} ranges"


@dataclass(frozen=True)
class Damage:
    """A damaged history of a pair, and whether its daily candles are stored."""

    ticker: str
    hours: int
    holes: list[Range]
    has_days: bool


def damages(chance: random.Random) -> list[Damage]:
    """Return damage to the hourly histories of some pairs; hours are counted back from the newest."""
    chosen = []
    for ticker in chance.sample(TICKERS, chance.randint(1, 3)):
        hours = chance.choice((800, 1500, 6000))
        holes = []
        for _ in range(chance.randint(1, 10)):
            first = chance.randint(2, hours - 2)
            length = chance.choice((1, 1, 2, 5, 24, 100, 1000))
            holes.append((first, max(1, first - length)))
        chosen.append(Damage(ticker, hours, holes, has_days=chance.random() < 0.7))
    return chosen


def store(world: World, damage: Damage) -> None:
    """Store a damaged history."""
    _, end_s = world.window(Series(damage.ticker, 60))
    start_s = end_s - damage.hours * HOUR_S
    holes = [(end_s - first * HOUR_S, end_s - last * HOUR_S) for first, last in damage.holes]
    world.store(Series(damage.ticker, 60), (start_s, end_s), without=holes)
    if damage.has_days:
        days = (start_s // DAY_S * DAY_S, end_s // DAY_S * DAY_S)
        world.store(Series(damage.ticker, 1440), days)


@pytest.mark.parametrize("seed", range(12))
def test_a_run_spends_what_it_plans_and_never_more(world: World, seed: int) -> None:
    chance = random.Random(seed)
    found = damages(chance)
    world.catalogue([damage.ticker for damage in found])
    for damage in found:
        store(world, damage)
    params: dict[str, Any] = {
        "intervals": chance.choice(([60], [60, 1440])),
        "trades_call_budget": chance.choice((10_000, 10_000, 200, 7)),
    }
    if chance.random() < 0.3:
        today = datetime.fromtimestamp(world.exchange.now_s(), UTC).date()
        start = today - timedelta(days=chance.randint(2, 60))
        end = min(today, start + timedelta(days=chance.randint(1, 20)))
        params["repair_range"] = {"start": str(start), "end": str(end)}

    for _ in range(3):  # what the budget leaves, the next run goes on with
        summary = world.run(**params, **BOTH)
        assert (summary["errors"], summary["raised"]) == ([], [])
        jobs = len(world.rows("SELECT FROM trade_jobs WHERE run_id = %(run)s", run=summary["run"].run_id))
        assert_as_planned(summary, ranges=max(1, jobs))
        assert summary["api_calls"] == 3 + summary["calls_spent"] + summary["calls_retried"]


FAULTS = [
    {"endpoint": "Trades", "kind": "error", "error": "EService:Busy", "skip": 1, "count": 2},
    {"endpoint": "Trades", "kind": "drop", "skip": 0, "count": 1},
    {"endpoint": "OHLC", "kind": "http", "status": 502, "skip": 0, "count": 3},
    {"endpoint": "OHLC", "kind": "error", "error": "EService:Busy", "skip": 0, "count": 5},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['endpoint']} {fault['kind']}")
def test_calls_made_again_stand_apart_from_those_that_were_planned(
    world: World, fault: dict[str, Any]
) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[hole, past(world, HOURLY, first=-9, last=-12)])
    world.exchange.fault(**fault)

    planned = world.plan(**BOTH)
    for _ in range(3):  # a task and its retries
        world.fill(planned)
    summary = world.result(planned)

    assert summary["calls_retried"] >= 1
    assert_as_planned(summary, ranges=1)
    made = world.exchange.calls("Trades") + world.exchange.calls("OHLC")
    assert summary["calls_spent"] + summary["calls_retried"] == len(made)


def test_the_look_up_of_a_first_trade_is_planned_when_an_answer_shows_the_need_of_it(world: World) -> None:
    world.exchange.quiet("DAIUSD", 0, world.window(Series("DAIUSD", 60))[0] + 100 * HOUR_S)
    world.catalogue(["DAIUSD"])

    summary = world.run(repair_from=["ohlc"])

    assert (summary["calls_planned"], summary["calls_spent"], summary["calls_retried"]) == (2, 2, 0)


def test_a_range_that_is_checked_is_planned_from_where_an_earlier_run_stopped(world: World) -> None:
    store_history(world, HOURLY, buckets=900, without=[])
    start = datetime.fromtimestamp(past(world, HOURLY, first=800, last=0)[0], UTC).date()
    asked = {"start": str(start), "end": str(start + timedelta(days=20))}
    first = world.run(repair_range=asked, trades_call_budget=8, repair_from=["trades"])
    (left,) = first["trades_left_open"]

    summary = world.run(repair_range=asked, trades_call_budget=200, repair_from=["trades"])

    assert summary["trades_left_open"] == []
    assert summary["calls_planned"] <= left["calls"] + 2
    assert_as_planned(summary, ranges=1)
