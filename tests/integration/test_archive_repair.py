"""A backfill that may fetch published quarters closes gaps past the edge, and does not ask in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from include.ohlcv.archive.shelf import Shelf
from include.ohlcv.errors import FillError
from include.ohlcv.gaps import Series
from kraken_hooks.archive import ArchiveHook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HOUR, DAY = 3600, 86400
Q2_START, Q2_END = 1775001600, 1782864000
FROM = ["ohlc", "archive"]


@pytest.fixture
def fetching(world: World, tmp_path: Path) -> World:
    """Give a world that may fetch from the simulated archive, which holds two intervals of one pair."""
    server = ArchiveHook(default_url=world.exchange.archive_url, sleep=lambda _: None)
    world.shelf = Shelf(None, tmp_path / "work", server)
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440])
    return world


def names_asked(world: World) -> list[str]:
    return sorted({asked["name"] for asked in world.exchange.archive_requests()})


def states(world: World) -> list[tuple[Any, ...]]:
    return [
        (gap["start_s"], gap["end_s"], gap["status"], gap["unfillable_reason"] or gap["filled_from"])
        for gap in world.gaps(HOURLY)
    ]


def test_a_backfill_fetches_the_quarter_that_closes_a_gap(fetching: World) -> None:
    world = fetching
    hole = (Q2_START + 10 * DAY, Q2_START + 11 * DAY)
    whole = (Q2_START, world.window(HOURLY)[1])
    world.store(HOURLY, whole, without=[hole])
    assert world.run(repair_from=["ohlc"])["gaps_unfillable"] == 1
    assert names_asked(world) == []

    done = world.run(repair_from=FROM)

    assert states(world) == [(*hole, "FILLED", "archive")]
    assert (done["gaps_filled"], done["total_candles_filled"], done["files_ingested"]) == (1, 24, 1)
    assert (done["errors"], done["raised"], done["ohlc_calls"]) == ([], [], 0)
    assert world.stored(HOURLY, whole).keys() == world.truth(HOURLY, whole).keys()
    asked = len(world.exchange.archive_requests())
    again = world.run(repair_from=FROM)
    assert (again["gaps_detected"], len(world.exchange.archive_requests())) == (0, asked)


def test_a_quarter_that_is_not_out_is_asked_for_once_a_day(fetching: World) -> None:
    world = fetching
    hole = (Q2_END + 10 * DAY, Q2_END + 11 * DAY)
    world.store(HOURLY, (Q2_END, world.window(HOURLY)[1]), without=[hole])

    for _ in range(3):
        done = world.run(repair_from=FROM)
        assert (done["errors"], done["files_ingested"]) == ([], 0)
    assert names_asked(world) == ["Kraken_OHLCVT_2026Q3.zip", "Kraken_OHLCVT_Q3_2026.zip"]
    assert len(world.exchange.archive_requests()) == 2
    assert states(world) == [(*hole, "UNFILLABLE", "not_published")]

    world.exchange.advance(DAY)
    world.run(repair_from=FROM)
    assert len(world.exchange.archive_requests()) == 4

    world.exchange.advance(30 * DAY)
    world.run(repair_from=FROM)
    assert (*hole, "FILLED", "archive") in states(world)


def test_a_member_that_lacks_the_gap_is_not_fetched_again(fetching: World) -> None:
    world = fetching
    hole = (Q2_START + 10 * DAY, Q2_START + 11 * DAY)
    daily = Series("XBTUSD", 1440)
    defects = [{"kind": "days", "ticker": "XBTUSD", "from": hole[0], "to": hole[1]}]
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], defects=defects)
    world.exchange.set_clock(float(Q2_START + 800 * DAY))
    world.store(daily, (Q2_START, world.window(daily)[1]), without=[hole])

    first = world.run(intervals=[1440], repair_from=FROM)
    assert first["files_ingested"] == 1
    asked = len(world.exchange.archive_requests())
    second = world.run(intervals=[1440], repair_from=FROM)

    assert (second["files_ingested"], len(world.exchange.archive_requests())) == (0, asked)
    assert [(gap["status"], gap["unfillable_reason"]) for gap in world.gaps(daily)] == [
        ("UNFILLABLE", "past_edge")
    ]


def test_a_server_in_trouble_fails_the_item_and_the_next_run_repairs(fetching: World) -> None:
    world = fetching
    hole = (Q2_START + 10 * DAY, Q2_START + 11 * DAY)
    world.store(HOURLY, (Q2_START, world.window(HOURLY)[1]), without=[hole])
    planned = world.plan(repair_from=FROM)
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], cut_after=0, cuts=1000)

    (error,) = world.fill(planned)
    assert isinstance(error, FillError)
    summary = world.result(planned)
    assert ["do not arrive" in said for said in summary["errors"]] == [True]
    assert states(world) == [(*hole, "UNFILLABLE", "past_edge")]

    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440])
    assert world.run(repair_from=FROM)["gaps_filled"] == 1


def test_trades_are_kept_for_what_the_archive_cannot_bring(fetching: World) -> None:
    world = fetching
    old = (Q2_START + 10 * DAY, Q2_START + 10 * DAY + 5 * HOUR)
    young = (Q2_END + 10 * DAY, Q2_END + 10 * DAY + 5 * HOUR)
    world.store(HOURLY, (Q2_START, world.window(HOURLY)[1]), without=[old, young])

    done = world.run(repair_from=["ohlc", "archive", "trades"])

    assert states(world) == [(*old, "FILLED", "archive"), (*young, "FILLED", "trades")]
    assert done["gaps_filled"] == 2
