"""Histories beyond the API window, and what a rebuild from trades must leave of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from tests.integration.in_step import assert_in_step

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOUR, DAY = 3600, 86400
HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
THIN = Series("DAIUSD", 60)
BOTH = {"repair_from": ["ohlc", "trades"]}


def past(world: World, series: Series, *, first: int, last: int) -> Range:
    """Return a range of buckets beyond the API window, counted back from its edge."""
    window_start_s, _ = world.window(series)
    step = step_s(series.interval_minutes)
    return window_start_s - first * step, window_start_s - last * step


def store_history(world: World, series: Series, *, buckets: int, without: list[Range]) -> Range:
    """Store the newest buckets of a series with holes; return the range."""
    window_start_s, end_s = world.window(series)
    whole = (window_start_s - buckets * step_s(series.interval_minutes), end_s)
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
    assert_in_step(world)


def assert_sums_hold(summary: dict[str, Any]) -> None:
    """Check that each claimed gap has one outcome."""
    parts = [summary[f"gaps_{outcome}"] for outcome in ("filled", "unfillable", "failed", "deferred")]
    assert summary["gaps_detected"] == sum(parts)
