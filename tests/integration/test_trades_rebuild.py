"""Gaps beyond the API window are rebuilt from trades: exactly, within a budget, and with proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from include.ohlcv import ranges
from include.ohlcv.gaps import Series
from include.ohlcv.intervals import step_s

if TYPE_CHECKING:
    from include.ohlcv.ranges import Range
    from tests.integration.world import World

HOUR, DAY = 3600, 86400
HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
THIN = Series("DAIUSD", 60)
BOTH = {"repair_from": ["ohlc", "trades"]}


def past(world: World, series: Series, *, first: int, last: int) -> Range:
    """Return a range of buckets beyond the API window, counted back from its edge."""
    edge_s, _ = world.window(series)
    step = step_s(series.interval_minutes)
    return edge_s - first * step, edge_s - last * step


def store_history(world: World, series: Series, *, buckets: int, without: list[Range]) -> Range:
    """Store the newest buckets of a series with holes; return the range."""
    edge_s, end_s = world.window(series)
    whole = (edge_s - buckets * step_s(series.interval_minutes), end_s)
    world.store(series, whole, without=without)
    return whole


def true_trades(world: World, ticker: str, part: Range) -> int:
    """Return how many trades the exchange had in a range of whole hours."""
    return sum(candle.trades for candle in world.truth(Series(ticker, 60), part).values())


def assert_true(world: World, series: Series, whole: Range) -> None:
    """Check that the store holds what the exchange has, and that nothing is open."""
    stored = world.stored(series, whole)
    truth = world.truth(series, whole)
    assert {ts_s: candle.figures() for ts_s, candle in stored.items()} == {
        ts_s: candle.figures() for ts_s, candle in truth.items()
    }
    assert {gap["status"] for gap in world.gaps(series)} <= {"FILLED"}
    step = step_s(series.interval_minutes)
    settled = ranges.union(ranges.from_points(stored, step=step), world.proven(series))
    assert ranges.subtract([whole], settled) == []


def assert_sums_hold(summary: dict[str, Any]) -> None:
    """Check that each gap taken up has one outcome."""
    parts = [summary[f"gaps_{outcome}"] for outcome in ("filled", "unfillable", "failed", "deferred")]
    assert summary["gaps_detected"] == sum(parts)


@pytest.mark.parametrize("series", [HOURLY, THIN], ids=str)
def test_a_gap_past_the_edge_is_rebuilt_from_trades_and_closed(world: World, series: Series) -> None:
    world.catalogue([series.ticker])
    hole = past(world, series, first=300, last=200)
    whole = store_history(world, series, buckets=400, without=[hole])

    summary = world.run(**BOTH)

    assert (summary["raised"], summary["errors"]) == ([], [])
    assert summary["gaps_detected"] == summary["gaps_filled"] == len(world.gaps(series))
    (gap,) = [gap for gap in world.gaps(series) if gap["start_s"] <= hole[0] < gap["end_s"]]
    assert (gap["status"], gap["filled_from"]) == ("FILLED", "trades")
    assert_true(world, series, whole)
    parts = ranges.union((gap["start_s"], gap["end_s"]) for gap in world.gaps(series))
    made = len(world.exchange.calls("Trades"))
    assert made == summary["trade_calls"] <= summary["trade_calls_planned"]
    assert made <= sum(-(-true_trades(world, series.ticker, part) // 1000) + 2 for part in parts)
    assert summary["trades_left_open"] == []
    assert summary["total_candles_filled"] == len(world.truth(series, hole))

    before = world.contents()
    world.exchange.clear_calls()
    assert world.run(**BOTH)["gaps_detected"] == 0
    assert world.exchange.calls("Trades") == world.exchange.calls("OHLC") == []
    assert world.contents() == before
