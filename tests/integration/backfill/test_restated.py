"""Candles that the exchange restates: the fuller version wins, any other must be seen twice."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.candle_store import write_candles
from tests.integration.world import at_step

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import StoredCandle
    from tests.integration.world import World

SERIES = Series("XBTUSD", 15)
QUARTER = 900
BEGIN_S = 1795436101
"""2026-11-23T12:15:01Z: a second after a candle has closed."""


@pytest.fixture
def loaded(world: World) -> World:
    """Give a world that lacks its newest candle; every quarter of an hour brings another gap."""
    world.exchange.set_clock(BEGIN_S)
    start, end = world.window(SERIES)
    world.store(SERIES, (start, end - QUARTER))
    return world


def some_candle(world: World) -> StoredCandle:
    """Return a stored candle in the middle of the window, as the exchange has it."""
    start, _ = world.window(SERIES)
    ts_s = start + 400 * QUARTER
    return world.truth(SERIES, (ts_s, ts_s + QUARTER))[ts_s]


def put(world: World, candle: StoredCandle) -> None:
    """Store one candle."""
    write_candles(world.questdb, SERIES, [candle], (candle.ts_s, candle.ts_s + QUARTER))


def now_stored(world: World, candle: StoredCandle) -> StoredCandle:
    """Return what is stored at the time of a candle."""
    return world.stored(SERIES, (candle.ts_s, candle.ts_s + QUARTER))[candle.ts_s]


def run_at(world: World, seconds: int) -> dict[str, Any]:
    """Run so many seconds after the beginning; the newest candle is always a reason to call."""
    world.exchange.set_clock(BEGIN_S + seconds)
    summary = world.run(intervals=[15])
    assert summary["ohlc_calls"] == 1
    assert summary["raised"] == []
    return summary


def log(world: World) -> list[dict[str, Any]]:
    """Return the log of restatements."""
    return world.rows("SELECT * FROM candle_restatements ORDER BY restatement_id")


def serve_more(world: World, candle: StoredCandle, *, trades: int, volume: float) -> int:
    """Let the exchange serve a candle with more in it than it has; return the fault's id."""
    return world.exchange.fault(
        "restated", interval=15, ts=candle.ts_s, extra_trades=trades, extra_volume=volume, count=None
    )


@pytest.mark.parametrize(
    ("trades", "volume"),
    [
        pytest.param(2, 0.5, id="more trades"),
        pytest.param(1, 0, id="one more trade of no weight"),
        pytest.param(0, 0.25, id="as many trades and more volume"),
    ],
)
def test_a_fuller_version_replaces_the_stored_candle_at_once_and_is_logged(
    loaded: World, trades: int, volume: float
) -> None:
    stored = some_candle(loaded)
    serve_more(loaded, stored, trades=trades, volume=volume)

    summary = run_at(loaded, 0)

    new = replace(stored, trades=stored.trades + trades, volume=stored.volume + volume)
    assert now_stored(loaded, stored).equals(new)
    assert (summary["candles_restated"], summary["total_candles_filled"]) == (1, 1)
    (entry,) = log(loaded)
    assert entry["old"] == stored.figures()
    assert entry["new"] == now_stored(loaded, stored).figures()
    assert entry["applied_at"] == entry["first_seen_at"]
    assert entry["source"] == "ohlc"


@pytest.mark.parametrize(
    ("change", "hourly"),
    [
        pytest.param({"trades": 3}, True, id="fewer trades, and the hour adds up with them"),
        pytest.param({"volume": 1.0}, True, id="as many trades and less volume, likewise"),
        pytest.param({"close": 0.5}, False, id="another price"),
        pytest.param({"vwap": 0.5}, False, id="another vwap"),
    ],
)
def test_another_version_is_remembered_and_applied_when_seen_again_half_an_hour_later(
    loaded: World, change: dict[str, float], hourly: bool
) -> None:
    truth = some_candle(loaded)
    stored = replace(truth, **{name: getattr(truth, name) + more for name, more in change.items()})
    put(loaded, stored)
    if hourly:
        loaded.store(Series("XBTUSD", 60), loaded.window(Series("XBTUSD", 60)))

    for seconds in (0, QUARTER, 2 * QUARTER - 1):
        assert run_at(loaded, seconds)["candles_restated"] == 0
        assert now_stored(loaded, truth) == stored
    (pending,) = log(loaded)
    assert (pending["applied_at"], pending["old"], pending["new"]) == (
        None,
        stored.figures(),
        truth.figures(),
    )

    assert run_at(loaded, 3 * QUARTER)["candles_restated"] == 1
    assert now_stored(loaded, truth) == truth
    (applied,) = log(loaded)
    assert (applied["applied_at"] - applied["first_seen_at"]).total_seconds() == 3 * QUARTER


@pytest.mark.parametrize(
    ("interval", "source"),
    [
        pytest.param(None, "", id="no other interval is at hand"),
        pytest.param(60, "imported", id="the hour that agrees was imported"),
        pytest.param(5, "archive_provisional", id="the five minutes that agree are provisional"),
    ],
)
def test_a_version_with_fewer_trades_waits_as_long_as_nothing_bears_it_out(
    loaded: World, interval: int | None, source: str
) -> None:
    truth = some_candle(loaded)
    put(loaded, replace(truth, trades=truth.trades + 3))
    if interval is not None:
        other = Series("XBTUSD", interval)
        covered = (truth.ts_s // 3600 * 3600, truth.ts_s // 3600 * 3600 + 3600)
        candles = [replace(one, source=source) for one in loaded.truth(other, covered).values()]
        write_candles(loaded.questdb, other, candles, covered)

    for n in range(6):
        assert run_at(loaded, n * QUARTER)["candles_restated"] == 0

    assert now_stored(loaded, truth).trades == truth.trades + 3
    assert [entry["applied_at"] for entry in log(loaded)] == [None]


def test_a_version_with_fewer_trades_that_shorter_candles_add_up_to_is_believed_at_the_second_sight(
    loaded: World,
) -> None:
    truth = some_candle(loaded)
    put(loaded, replace(truth, trades=truth.trades + 3, volume=truth.volume + 1))
    loaded.store(Series("XBTUSD", 5), (truth.ts_s, truth.ts_s + QUARTER))

    assert run_at(loaded, 0)["candles_restated"] == 0
    assert run_at(loaded, 2 * QUARTER)["candles_restated"] == 1
    assert now_stored(loaded, truth) == truth


@pytest.mark.parametrize("source", ["imported", "archive_provisional"])
def test_a_candle_that_nothing_proved_is_corrected_at_once_and_confirmed_when_it_is_right(
    loaded: World, source: str
) -> None:
    truth = some_candle(loaded)
    following = loaded.truth(SERIES, (truth.ts_s + QUARTER, truth.ts_s + 2 * QUARTER))[truth.ts_s + QUARTER]
    put(loaded, replace(truth, trades=truth.trades + 3, close=truth.close + 0.5, source=source))
    put(loaded, replace(following, vwap=None, source=source))

    assert run_at(loaded, 0)["candles_restated"] == 1

    assert now_stored(loaded, truth) == truth
    assert now_stored(loaded, following) == following
    assert [entry["old"]["trades"] for entry in log(loaded)] == [truth.trades + 3]


def test_two_servers_that_disagree_do_not_flip_a_candle_within_half_an_hour(loaded: World) -> None:
    truth = some_candle(loaded)
    fuller = replace(truth, trades=truth.trades + 5, volume=truth.volume + 0.125)
    put(loaded, fuller)

    run_at(loaded, 0)
    agreeing = serve_more(loaded, truth, trades=5, volume=0.125)
    run_at(loaded, QUARTER)
    loaded.exchange.clear_faults(agreeing)
    run_at(loaded, 2 * QUARTER - 1)

    assert now_stored(loaded, truth).equals(fuller)
    assert [entry["applied_at"] for entry in log(loaded)] == [None]


def test_a_version_that_keeps_changing_starts_waiting_anew_each_time(loaded: World) -> None:
    truth = some_candle(loaded)
    stored = replace(truth, trades=truth.trades + 50)
    put(loaded, stored)
    for n in range(4):
        fault = serve_more(loaded, truth, trades=n + 1, volume=0)
        run_at(loaded, n * QUARTER)
        loaded.exchange.clear_faults(fault)
        assert now_stored(loaded, truth) == stored
    (pending,) = log(loaded)
    assert pending["new"]["trades"] == truth.trades + 4


def test_a_candle_from_trades_is_not_overwritten(loaded: World) -> None:
    truth = some_candle(loaded)
    stored = replace(truth, trades=truth.trades - 1, volume=truth.volume / 2, source="trades")
    put(loaded, stored)

    for n in range(4):
        assert run_at(loaded, n * QUARTER)["candles_restated"] == 0

    assert now_stored(loaded, truth) == stored
    assert log(loaded) == []


def test_an_archive_candle_yields_to_an_answer_that_has_more_trades(loaded: World) -> None:
    truth = some_candle(loaded)
    put(loaded, replace(truth, trades=truth.trades - 1, volume=truth.volume / 2, vwap=None, source="archive"))

    assert run_at(loaded, 0)["candles_restated"] == 1

    assert now_stored(loaded, truth) == truth


def test_float_noise_in_the_volume_is_no_restatement(loaded: World) -> None:
    truth = some_candle(loaded)
    stored = replace(truth, volume=truth.volume + 4e-9)
    put(loaded, stored)

    assert run_at(loaded, 0)["candles_restated"] == 0

    assert now_stored(loaded, truth) == stored
    assert log(loaded) == []


def test_an_archive_candle_is_given_the_vwap_that_the_answer_knows_and_nothing_is_restated(
    loaded: World,
) -> None:
    truth = some_candle(loaded)
    put(loaded, replace(truth, vwap=None, source="archive"))

    summary = run_at(loaded, 0)

    assert now_stored(loaded, truth) == replace(truth, source="archive")
    assert (summary["candles_restated"], summary["total_candles_filled"]) == (0, 1)
    assert log(loaded) == []


def test_an_archive_candle_that_says_more_than_the_answer_is_left_without_vwap(loaded: World) -> None:
    truth = some_candle(loaded)
    filed = replace(truth, vwap=None, source="archive", trades=truth.trades + 1)
    put(loaded, filed)

    assert run_at(loaded, 0)["candles_restated"] == 0
    assert now_stored(loaded, truth) == filed
    assert [entry["applied_at"] for entry in log(loaded)] == [None]


def test_a_huge_volume_whose_last_digits_wander_is_not_restated(loaded: World) -> None:
    truth = some_candle(loaded)
    serve_more(loaded, truth, trades=0, volume=1e11)
    served = replace(truth, volume=truth.volume + 1e11)
    stored = replace(served, volume=math.nextafter(math.nextafter(served.volume, math.inf), math.inf))
    put(loaded, stored)

    assert run_at(loaded, 0)["candles_restated"] == 0
    assert now_stored(loaded, truth) == stored
    assert log(loaded) == []


def test_the_old_values_are_logged_before_a_candle_is_replaced(loaded: World) -> None:
    candle = some_candle(loaded)
    serve_more(loaded, candle, trades=2, volume=0.5)

    def die() -> None:
        raise QuestDBUnavailableError("gone")

    loaded.before_step = at_step("settle", die)
    loaded.exchange.set_clock(BEGIN_S + 900)
    assert loaded.run(intervals=[15])["raised"]

    assert now_stored(loaded, candle).trades == candle.trades + 2
    (row,) = log(loaded)
    assert (row["old"]["trades"], row["applied_at"]) == (candle.trades, None)

    loaded.before_step = lambda _: None
    later = run_at(loaded, 1800)

    assert later["candles_restated"] == 1
    (row,) = log(loaded)
    assert (row["old"]["trades"], row["new"]["trades"]) == (candle.trades, candle.trades + 2)
    assert row["applied_at"] is not None
    assert run_at(loaded, 2700)["candles_restated"] == 0
    assert len(log(loaded)) == 1
