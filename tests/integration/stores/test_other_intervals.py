"""What the other stored intervals of a pair make of a candle, and of another version of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.other_intervals import judged_by_others

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

QUARTERS, HOURLY = Series("XBTUSD", 15), Series("XBTUSD", 60)
QUARTER, HOUR = 900, 3600


@pytest.fixture
def hour(world: World) -> Range:
    """Give an hour of which nothing is stored."""
    start, _ = world.window(QUARTERS)
    start_s = start // HOUR * HOUR + 100 * HOUR
    return start_s, start_s + HOUR


def put(world: World, series: Series, covered: Range, *, source: str = "ohlc") -> list[StoredCandle]:
    """Store what the exchange has of a range, under a source."""
    candles = [replace(one, source=source) for one in world.truth(series, covered).values()]
    write_candles(world.questdb, series, candles, covered)
    return candles


@pytest.mark.parametrize(
    ("interval", "source", "is_borne_out"),
    [
        pytest.param(5, "ohlc", True, id="shorter candles add up to it"),
        pytest.param(5, "trades", True, id="shorter candles from trades do"),
        pytest.param(5, "archive_provisional", False, id="provisional ones bear nothing out"),
        pytest.param(5, "imported", False, id="imported ones bear nothing out"),
        pytest.param(60, "archive", True, id="with it, its own interval adds up to the longer candle"),
        pytest.param(60, "imported", False, id="an imported longer candle bears nothing out"),
        pytest.param(None, "", False, id="no other interval is stored"),
    ],
)
def test_a_version_with_fewer_trades_is_borne_out_by_what_agrees_with_it(
    world: World, hour: Range, interval: int | None, source: str, is_borne_out: bool
) -> None:
    truth = put(world, QUARTERS, hour)[1]
    fuller = replace(truth, trades=truth.trades + 3, volume=truth.volume + 1)
    write_candles(world.questdb, QUARTERS, [fuller], hour)
    if interval is not None:
        put(world, Series("XBTUSD", interval), hour, source=source)

    suspect, borne_out = judged_by_others(world.questdb, QUARTERS, [(fuller, truth)])

    assert suspect == set()
    assert borne_out == ({truth.ts_s} if is_borne_out else set())
    less = replace(fuller, trades=fuller.trades - 1)
    assert judged_by_others(world.questdb, QUARTERS, [(fuller, less)]) == (set(), set())


ABOVE = {"low": 2.0, "open": 2.0, "close": 2.0, "high": 3.0}


@pytest.mark.parametrize(
    ("interval", "times"),
    [
        pytest.param(60, ABOVE, id="its prices lie above the hour around it"),
        pytest.param(60, {"trades": 10}, id="it has far more trades than the hour around it"),
        pytest.param(5, ABOVE, id="its prices lie above the shorter candles inside"),
    ],
)
def test_a_stored_candle_that_can_be_no_part_of_the_others_is_suspect_where_the_version_can(
    world: World, hour: Range, interval: int, times: dict[str, float]
) -> None:
    truth = put(world, QUARTERS, hour)[1]
    (whole,) = world.truth(HOURLY, hour).values()
    highest: dict[str, float] = dict.fromkeys(ABOVE, whole.high) | {"trades": whole.trades}
    foreign = replace(truth, **{name: highest[name] * by for name, by in times.items()})  # type: ignore[arg-type]
    write_candles(world.questdb, QUARTERS, [foreign], hour)
    put(world, Series("XBTUSD", interval), hour)

    suspect, _ = judged_by_others(world.questdb, QUARTERS, [(foreign, truth)])

    assert suspect == {truth.ts_s}
    assert judged_by_others(world.questdb, QUARTERS, [(truth, foreign)])[0] == set()


def test_nothing_is_asked_about_no_versions(world: World) -> None:
    assert judged_by_others(world.questdb, QUARTERS, []) == (set(), set())
