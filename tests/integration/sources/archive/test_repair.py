"""A backfill that may fetch published quarters closes gaps past the edge, and does not ask in vain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.archive.client import ArchiveClient
from kraken_ohlcv.core.errors import FillError, FillRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.repair.accept import accept_gap
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from pathlib import Path

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
DAILY = Series("XBTUSD", 1440)
HOUR, DAY = 3600, 86400
Q2_START, Q2_END = 1775001600, 1782864000
FROM = ["ohlc", "archive"]


@pytest.fixture
def fetching(world: World, tmp_path: Path) -> World:
    """Give a world that may fetch from the simulated archive, which holds two intervals of one pair."""
    server = ArchiveClient(world.exchange.archive_url, sleep=lambda _: None)
    world.locator = ArchiveLocator(None, tmp_path / "work", lambda: server)
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


def accept(world: World, span: Range) -> None:
    """Accept what is missing of XBTUSD 60 in a range."""
    with connect(world.dsn) as connection:
        accept_gap(connection, HOURLY, span, by="ada", reason="not wanted", now_s=int(world.exchange.now_s()))


def test_an_accepted_gap_is_fetched_only_with_a_range_asked_for_by_name(fetching: World) -> None:
    world = fetching
    hole = (Q2_START + 10 * DAY, Q2_START + 11 * DAY)
    world.store(HOURLY, (Q2_START, world.window(HOURLY)[1]), without=[hole])
    world.run(repair_from=["ohlc"])
    accept(world, hole)

    done = world.run(repair_from=FROM, retry_failed=True)
    assert (done["gaps_detected"], done["gaps_standing"], names_asked(world)) == (0, 1, [])
    assert states(world) == [(*hole, "UNFILLABLE", "outside_api_window")]

    asked = {"start": iso(hole[0])[:10], "end": iso(hole[1])[:10]}
    done = world.run(repair_from=["archive"], repair_range=asked)
    assert (done["errors"], done["gaps_filled"], done["total_candles_filled"]) == ([], 1, 24)
    assert states(world) == [(*hole, "FILLED", "archive")]


def test_an_accepted_gap_of_a_quarter_that_is_not_out_is_left_as_it_is(fetching: World) -> None:
    world = fetching
    accepted, wanted = ((Q2_END + n * DAY, Q2_END + (n + 1) * DAY) for n in (10, 14))
    world.store(HOURLY, (Q2_END, world.window(HOURLY)[1]), without=[accepted, wanted])
    world.run(repair_from=["ohlc"])
    accept(world, accepted)

    done = world.run(repair_from=FROM)

    assert (done["gaps_detected"], done["gaps_unfillable"]) == (1, 1)
    assert states(world) == [
        (*accepted, "UNFILLABLE", "outside_api_window"),
        (*wanted, "UNFILLABLE", "not_published"),
    ]


def test_a_quarter_that_is_not_out_is_asked_for_by_name_too_and_the_gap_stays_accepted(
    fetching: World,
) -> None:
    world = fetching
    hole = (Q2_END + 10 * DAY, Q2_END + 11 * DAY)
    world.store(HOURLY, (Q2_END, world.window(HOURLY)[1]), without=[hole])
    world.run(repair_from=["ohlc"])
    accept(world, hole)

    asked = {"start": iso(hole[0])[:10], "end": iso(hole[1])[:10]}
    done = world.run(repair_from=["archive"], repair_range=asked)

    assert names_asked(world) == ["Kraken_OHLCVT_2026Q3.zip", "Kraken_OHLCVT_Q3_2026.zip"]
    assert done["gaps_detected"] == 0
    assert [gap["accepted_by"] for gap in world.gaps(HOURLY)] == ["ada"]


def test_a_quarter_that_cannot_be_opened_is_an_error_and_keeps_no_other_from_its_turn(
    fetching: World,
) -> None:
    world = fetching
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60], broken=["Kraken_OHLCVT_2026Q1.zip"])
    first, second = (Q2_START - 11 * DAY, Q2_START - 10 * DAY), (Q2_START + 10 * DAY, Q2_START + 11 * DAY)
    whole = (Q2_START - 20 * DAY, world.window(HOURLY)[1])
    world.store(HOURLY, whole, without=[first, second])
    world.run()

    done = world.run(repair_from=FROM)

    assert [state[:3] for state in states(world)] == [(*first, "UNFILLABLE"), (*second, "FILLED")]
    (error,) = done["errors"]
    assert error.startswith("2026Q1: Kraken_OHLCVT_2026Q1.zip is not a complete zip")


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
        ("UNFILLABLE", "outside_api_window")
    ]


def test_a_server_in_trouble_fails_the_item_and_the_next_run_repairs(fetching: World) -> None:
    world = fetching
    hole = (Q2_START + 10 * DAY, Q2_START + 11 * DAY)
    world.store(HOURLY, (Q2_START, world.window(HOURLY)[1]), without=[hole])
    planned = world.plan(repair_from=FROM)
    world.plan_archive(planned)
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], cut_after=0, cuts=1000)

    (error,) = world.fill(planned)
    assert isinstance(error, FillError)
    summary = world.result(planned)
    assert ["do not arrive" in said for said in summary["errors"]] == [True]
    assert states(world) == [(*hole, "UNFILLABLE", "outside_api_window")]

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


ALL = ["ohlc", "archive", "trades"]


@pytest.fixture
def lossy(fetching: World) -> tuple[World, Range]:
    """Give a world in which a published daily file lacks three days that are not stored either."""
    world = fetching
    lost = (Q2_START + 10 * DAY, Q2_START + 13 * DAY)
    defects = [{"kind": "days", "ticker": "XBTUSD", "from": lost[0], "to": lost[1]}]
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], defects=defects)
    world.exchange.set_clock(float(Q2_START + 800 * DAY))
    return world, lost


def daily_states(world: World) -> list[tuple[Any, ...]]:
    return [
        (gap["start_s"], gap["end_s"], gap["status"], gap["unfillable_reason"] or gap["filled_from"])
        for gap in world.gaps(DAILY)
    ]


def test_what_a_file_lacks_goes_to_trades_in_the_same_run(lossy: tuple[World, Range]) -> None:
    world, lost = lossy
    hole = (lost[0] - 2 * DAY, lost[1] + 2 * DAY)
    world.store(DAILY, (Q2_START, world.window(DAILY)[1]), without=[hole])
    assert world.run(intervals=[1440], repair_from=["ohlc"])["gaps_unfillable"] == 1

    done = world.run(intervals=[1440], repair_from=ALL)

    assert daily_states(world) == [(*lost, "FILLED", "trades")]
    assert (done["files_ingested"], done["errors"], done["raised"]) == (1, [], [])
    assert 0 < done["trade_calls"] <= done["trade_calls_planned"] <= 200
    assert (done["gaps_filled"], done["total_candles_filled"]) == (done["gaps_detected"], 7)
    assert world.stored(DAILY, hole).keys() == world.truth(DAILY, hole).keys()
    before = world.contents()
    again = world.run(intervals=[1440], repair_from=ALL)
    assert (again["gaps_detected"], again["trade_calls"], world.contents()) == (0, 0, before)


def with_two_holes(world: World, lost: Range) -> Range:
    """Store all but what the file of a published quarter lacks, and a day of a quarter that is not out."""
    young = (Q2_END + 300 * DAY, Q2_END + 301 * DAY)
    world.exchange.set_clock(float(Q2_END + 1100 * DAY))
    defects = [{"kind": "days", "ticker": "XBTUSD", "from": lost[0], "to": lost[1]}]
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], lag_days=900, defects=defects)
    world.store(DAILY, (Q2_START, world.window(DAILY)[1]), without=[lost, young])
    return young


def test_what_a_file_lacks_waits_for_calls_like_any_other_gap_and_the_next_run_goes_on(
    lossy: tuple[World, Range],
) -> None:
    world, lost = lossy
    young = with_two_holes(world, lost)

    first = world.run(intervals=[1440], repair_from=ALL, trades_call_budget=2)

    assert daily_states(world) == [(*lost, "FILLED", "trades"), (*young, "UNFILLABLE", "outside_api_window")]
    assert (first["files_ingested"], first["trade_calls_planned"], first["errors"]) == (1, 2, [])
    assert [(left["from"], left["to"]) for left in first["trades_left_open"]] == [
        (iso(young[0]), iso(young[1]))
    ]
    second = world.run(intervals=[1440], repair_from=ALL)
    assert {state[2:] for state in daily_states(world)} == {("FILLED", "trades")}
    assert (second["files_ingested"], second["trades_left_open"]) == (0, [])


def test_a_cap_of_gaps_counts_those_that_files_lack_too(lossy: tuple[World, Range]) -> None:
    world, lost = lossy
    young = with_two_holes(world, lost)
    done = world.run(intervals=[1440], repair_from=ALL, max_gaps_per_asset=1)
    # The one that is forgotten first; the other waits for a later run.
    assert daily_states(world) == [(*lost, "FILLED", "trades"), (*young, "UNFILLABLE", "outside_api_window")]
    assert done["trades_left_open"] == []


def test_what_a_second_try_finds_lacking_is_planned_once(lossy: tuple[World, Range]) -> None:
    world, lost = lossy
    world.store(DAILY, (Q2_START, world.window(DAILY)[1]), without=[lost])
    assert world.run(intervals=[1440], repair_from=["ohlc"])["gaps_unfillable"] == 1
    planned = world.plan(intervals=[1440], repair_from=ALL)
    world.exchange.fault("error", endpoint="Trades", error="EService:Unavailable", count=20)
    (error,) = world.fill(planned)
    assert isinstance(error, FillError)
    assert daily_states(world) == [(*lost, "UNFILLABLE", "outside_api_window")]
    world.exchange.clear_faults()

    assert world.fill(planned) == []

    # The calls that failed are counted, and the run has others.
    done = world.result(planned)
    assert daily_states(world) == [(*lost, "FILLED", "trades")]
    assert (done["gaps_detected"], done["gaps_filled"], done["errors"]) == (1, 1, [])
    (job,) = world.rows("SELECT calls FROM trade_jobs")
    assert job["calls"] < done["trade_calls"] == done["trade_calls_planned"]


def test_a_file_that_did_not_arrive_is_waited_for_and_trades_are_left_alone(
    lossy: tuple[World, Range],
) -> None:
    world, lost = lossy
    world.store(DAILY, (Q2_START, world.window(DAILY)[1]), without=[lost])
    planned = world.plan(intervals=[1440], repair_from=ALL)
    world.plan_archive(planned)
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], cut_after=0, cuts=1000)

    (error,) = world.fill(planned)

    assert isinstance(error, FillError)
    assert world.exchange.calls("Trades") == []
    assert world.rows("SELECT FROM trade_jobs") == []


def test_a_file_that_is_refused_leaves_its_gaps_to_trades(lossy: tuple[World, Range]) -> None:
    world, lost = lossy
    whole = (Q2_START, world.window(DAILY)[1])
    times_nine = [
        replace(candle, **{name: 9 * getattr(candle, name) for name in ("open", "high", "low", "close")})
        for ts_s, candle in world.truth(DAILY, whole).items()
        if not lost[0] <= ts_s < lost[1]
    ]
    write_candles(world.questdb, DAILY, times_nine, whole)

    done = world.run(intervals=[1440], repair_from=ALL)

    assert daily_states(world) == [(*lost, "FILLED", "trades")]
    assert [type(error) for error in done["raised"]] == [FillRefusedError]
    assert ["these are not the candles of XBTUSD" in said for said in done["errors"]] == [True]


def test_a_second_try_takes_no_calls_away_from_the_first(lossy: tuple[World, Range]) -> None:
    world, lost = lossy
    world.store(DAILY, (Q2_START, world.window(DAILY)[1]), without=[lost])
    planned = world.plan(intervals=[1440], repair_from=ALL, trades_call_budget=1)

    assert [world.fill(planned), world.fill(planned)] == [[], []]

    done = world.result(planned)
    assert daily_states(world) == [(lost[1] - DAY, lost[1], "UNFILLABLE", "outside_api_window")]
    assert (done["trade_calls"], done["trade_calls_planned"], len(done["trades_left_open"])) == (1, 1, 1)


def test_in_a_range_asked_for_trades_close_what_the_file_lacks(lossy: tuple[World, Range]) -> None:
    world, lost = lossy
    world.store(DAILY, (Q2_START, world.window(DAILY)[1]), without=[lost])
    assert world.run(intervals=[1440], repair_from=["ohlc"])["gaps_unfillable"] == 1
    span = {"start": iso(lost[0] - 2 * DAY)[:10], "end": iso(lost[1] + DAY)[:10]}

    done = world.run(intervals=[1440], repair_from=ALL, repair_range=span, tickers=["XBTUSD"])

    assert daily_states(world) == [(*lost, "FILLED", "trades")]
    assert (done["files_ingested"], done["gaps_filled"], done["errors"]) == (1, 1, [])
