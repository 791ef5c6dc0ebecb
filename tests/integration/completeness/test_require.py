"""Candles of another interval or pair, stored by an answer nobody checked, give way to the right ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.completeness.require import ask
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.detection.one_off import check_proofs_once
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.stores.test_contradictions import DAILY, DAY, HOUR, HOURLY, iso_day, prove

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World


@pytest.fixture
def by_days(world: World) -> World:
    """Give a world in which an answer of days was stored as hours, and has proven the other hours empty."""
    whole = world.window(DAILY, buckets=40)
    world.store(DAILY, whole)
    days = world.stored(DAILY, whole)
    write_candles(world.questdb, HOURLY, list(days.values()), whole)
    for day_s in days:
        prove(world, HOURLY, (day_s + HOUR, day_s + DAY))
    return world


def other_pair(world: World, whole: Range, *, factor: float | None = None) -> None:
    """Store another pair's candles as hourly ones of ours; with a factor ours at another price."""
    source = world.truth(Series("ETHUSD", 60) if factor is None else HOURLY, whole).values()
    if factor is not None:
        names = ("open", "high", "low", "close", "vwap")
        source = [
            replace(one, trades=one.trades + 7, **{name: getattr(one, name) * factor for name in names})
            for one in source
        ]
    write_candles(world.questdb, HOURLY, list(source), whole)


def assert_window_is_true(world: World) -> None:
    """Check that the newest 720 hours are those of the exchange."""
    window = world.window(HOURLY)
    assert world.stored(HOURLY, window) == world.truth(HOURLY, window)


def test_hours_that_are_days_are_found_at_an_upgrade_and_the_next_call_brings_the_right_ones(
    by_days: World,
) -> None:
    with connect(by_days.dsn) as connection:
        check_proofs_once(connection, by_days.questdb, now_s=int(by_days.exchange.now_s()))

    window = by_days.window(HOURLY)
    midnights = [ts_s for ts_s in by_days.stored(HOURLY, window) if ts_s % DAY == 0]

    summary = by_days.run()

    assert_window_is_true(by_days)
    assert summary["candles_restated"] == len(midnights)
    log = by_days.rows("SELECT * FROM candle_restatements")
    assert {(row["source"], row["applied_at"] is not None) for row in log} == {("ohlc", True)}
    # What the call no longer reaches waits for another source: nothing false is proven any more.
    past = [gap for gap in by_days.gaps(HOURLY) if gap["status"] == "UNFILLABLE"]
    assert past
    assert by_days.proven(HOURLY) == []


@pytest.mark.parametrize("factor", [None, 1.0008])
def test_another_pairs_hours_give_way_where_the_days_bear_the_right_ones_out(
    world: World, factor: float | None
) -> None:
    window = world.window(HOURLY)
    first_day = -(-window[0] // DAY) * DAY
    world.store(DAILY, world.window(DAILY, buckets=40))
    world.store(HOURLY, (window[0], first_day))
    other_pair(world, (first_day, window[1] // DAY * DAY), factor=factor)

    summary = world.run()

    assert_window_is_true(world)
    hours = len(world.truth(HOURLY, (first_day, window[1] // DAY * DAY)))
    assert summary["candles_restated"] == hours


def test_a_file_of_the_hours_is_not_held_against_hours_that_are_days_and_replaces_them(
    by_days: World, archive: ArchiveWorld
) -> None:
    start, end = by_days.window(DAILY, buckets=40)
    # The last day of a file is provisional.
    archive.csv(HOURLY, (start, end))
    upto = end - DAY

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["raised"], done["files_ingested"], done["files_unverified"]) == ([], 1, [])
    stored, truth = by_days.stored(HOURLY, (start, upto)), by_days.truth(HOURLY, (start, upto))
    assert stored.keys() == truth.keys()
    assert all(candle.close == truth[ts_s].close for ts_s, candle in stored.items())
    assert {candle.source for candle in stored.values()} == {"archive"}


def test_a_single_hour_that_differs_waits_for_its_second_sight(world: World) -> None:
    window = world.window(HOURLY)
    world.store(DAILY, world.window(DAILY, buckets=40))
    world.store(HOURLY, window, without=[(window[1] - HOUR, window[1])])
    ts_s = window[0] + 100 * HOUR
    true = world.truth(HOURLY, (ts_s, ts_s + HOUR))[ts_s]
    write_candles(world.questdb, HOURLY, [replace(true, trades=true.trades + 1)], (ts_s, ts_s + HOUR))

    assert world.run()["candles_restated"] == 0


def days_of(span: Range, **params: Any) -> dict[str, Any]:
    """Return the params that repair some days."""
    return {"repair_range": {"start": iso_day(span[0]), "end": iso_day(span[1])}, **params}


def test_a_range_repaired_by_calls_cures_hours_that_are_days_without_any_gap(by_days: World) -> None:
    window = by_days.window(HOURLY)
    span = (window[0] // DAY * DAY, window[1] // DAY * DAY)
    midnights = len(by_days.stored(HOURLY, window))
    summary = by_days.run(**days_of(span, repair_from=["ohlc"]))

    assert_window_is_true(by_days)
    (repaired,) = summary["repaired"]
    assert (repaired["ticker"], repaired["interval"], repaired["source"]) == ("XBTUSD", 60, "ohlc")
    assert repaired["candles_stored"] == summary["total_candles_filled"] == 720 - midnights
    assert repaired["candles_restated"] == summary["candles_restated"] == midnights
    assert summary["contradictions"][0]["proof"] == "withdrawn"
    assert by_days.proven(HOURLY)[-1][1] <= span[0]


def test_a_range_repaired_by_calls_cures_another_pairs_hours_without_any_gap(world: World) -> None:
    window = world.window(HOURLY)
    first_day = -(-window[0] // DAY) * DAY
    world.store(DAILY, world.window(DAILY, buckets=40))
    world.store(HOURLY, window)
    other_pair(world, (first_day, window[1] // DAY * DAY))
    assert world.run()["candles_restated"] == 0

    summary = world.run(**days_of((first_day, first_day + DAY), repair_from=["ohlc"]))

    assert_window_is_true(world)
    assert (summary["errors"], summary["ohlc_calls"]) == ([], 1)
    again = world.run(**days_of((first_day, first_day + DAY), repair_from=["ohlc"]))
    assert (again["candles_restated"], again["repaired"][0]["candles_stored"]) == (0, 0)


def test_a_range_that_calls_could_not_check_is_not_green(world: World) -> None:
    window = world.window(HOURLY)
    world.store(HOURLY, window)
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)

    summary = world.run(
        **days_of((window[1] // DAY * DAY - DAY, window[1] // DAY * DAY), repair_from=["ohlc"])
    )

    (error,) = summary["errors"]
    assert error.startswith("XBTUSD 60, range not repaired from ohlc: ")


def test_trades_withdraw_hours_proven_empty_wrongly_and_name_candles_where_nothing_traded(
    world: World,
) -> None:
    window = world.window(HOURLY)
    day_s = window[0] // DAY * DAY + 10 * DAY
    wrong, foreign = (day_s + 3 * HOUR, day_s + 5 * HOUR), (day_s + 8 * HOUR, day_s + 10 * HOUR)
    world.store(HOURLY, window, without=[wrong])
    prove(world, HOURLY, wrong)
    world.exchange.quiet("XBTUSD", *foreign)
    params = days_of((day_s, day_s + DAY), repair_from=["trades"])

    summary = world.run(**params)

    (repaired,) = summary["repaired"]
    assert (repaired["source"], repaired["candles_stored"], repaired["proofs_withdrawn"]) == ("trades", 2, 2)
    assert (repaired["candles_disputed"], summary["total_candles_filled"]) == (2, 2)
    assert world.stored(HOURLY, wrong).keys() == world.truth(HOURLY, wrong).keys()
    assert world.proven(HOURLY) == [foreign]
    # No row can be taken out of the table: the candles stay, named in the report and verified nowhere.
    assert len(world.stored(HOURLY, foreign)) == 2
    now_s = int(world.exchange.now_s())
    with connect(world.dsn) as connection:
        request = ReportRequest(tier="TIER1", intervals=[60])
        report = make_report(connection, world.questdb, request, now_s=now_s, clock="exchange").result()
        (line,) = report["series"]
        assert (line["disputed"], line["missing"]) == (2, 0)
        assert line["verified_pct"] < 100
        (found,) = report["cross_check"]["contradictions"]
        assert (found["evidence"], found["proof"]) == ("trades", "stands: the candles are suspect")
        answer = ask(
            connection,
            world.questdb,
            tier="TIER1",
            interval_minutes=60,
            since_s=window[0],
            tickers=None,
            now_s=now_s,
        )
        assert not answer.is_complete
        assert "holds 2 where trades prove that nothing traded" in answer.sentence
    # Nothing new is done about it until the data change.
    assert world.run(**params)["repaired"][0]["candles_disputed"] == 0
