"""A candle against a proof from trades: trades are asked once more, then it is an incident."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.repair.disputes import observe_disputes
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.stores.test_contradictions import DAY, HOUR, HOURLY, prove

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

BOTH = {"repair_from": ["ohlc", "trades"]}


@pytest.fixture
def disputed(world: World) -> Range:
    """Give hours that are stored, and that trades are said to have proven empty."""
    window = world.window(HOURLY)
    world.store(HOURLY, window)
    day_s = window[0] // DAY * DAY + 10 * DAY
    hours = (day_s + 5 * HOUR, day_s + 7 * HOUR)
    prove(world, HOURLY, hours, "trades")
    return hours


def report(world: World) -> list[dict[str, Any]]:
    """Make a report as its DAG does; return the open incidents of pairs."""
    now_s = int(world.exchange.now_s())
    with connect(world.dsn) as connection:
        request = ReportRequest(tier="TIER1", intervals=[60])
        make_report(connection, world.questdb, request, now_s=now_s, clock="exchange")
        observe_disputes(connection, ["XBTUSD"], now_s=now_s, url=None)
    return world.rows("SELECT * FROM incidents WHERE recovered_at IS NULL")


def trade_calls(world: World) -> int:
    """Return how many calls for trades a run makes."""
    return int(world.run(**BOTH)["trade_calls"])


def test_a_proof_that_trades_no_longer_bear_out_falls_at_the_re_check(world: World, disputed: Range) -> None:
    assert trade_calls(world) == 0
    assert report(world) == []

    assert trade_calls(world) > 0

    assert world.proven(HOURLY) == []
    assert world.stored(HOURLY, disputed).keys() == world.truth(HOURLY, disputed).keys()
    assert report(world) == []
    assert trade_calls(world) == 0


def test_a_candle_that_trades_do_not_bear_out_is_asked_about_once_and_then_an_incident(
    world: World, disputed: Range
) -> None:
    world.exchange.quiet("XBTUSD", *disputed)
    assert report(world) == []

    assert trade_calls(world) > 0

    (incident,) = report(world)
    assert incident["key"] == "pair:XBTUSD"
    assert "stand where its trades prove that nothing traded" in incident["headline"]
    (facts,) = incident["subjects"].values()
    assert facts["n_rows"] == 1
    assert len(world.stored(HOURLY, disputed)) == 2
    assert [trade_calls(world), len(report(world)), trade_calls(world)] == [0, 1, 0]

    # The data change: trades are asked again.
    candle = world.stored(HOURLY, disputed)[disputed[0]]
    other = replace(candle, trades=candle.trades + 1)
    write_candles(world.questdb, HOURLY, [other], (disputed[0], disputed[0] + HOUR))
    report(world)
    assert trade_calls(world) > 0
