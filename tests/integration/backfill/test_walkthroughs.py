"""What people go through with the product: green and quiet when all is well, and nothing false claimed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import IMPORTED
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.watching import hourly_check, messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.completeness.figures import Figures
    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World

HOUR, DAY = 3600, 86400
BACKFILL_HOUR = 2
INTERVALS = [60, 1440]
THREE = ["XBTUSD", "SOLUSD", "ZECUSD"]
SEVEN = [*THREE, "ETHUSD", "DAIUSD", "CAKEUSD", "LTCUSD"]
SCHEDULED: dict[str, Any] = {
    "intervals": INTERVALS,
    "lookback_days": 7,
    "max_gaps_per_asset": 10,
    "repair_from": ["ohlc", "trades"],
}
"""The params of backfill_tier1_daily as it is shipped."""


def keep(world: World, tickers: list[str]) -> None:
    """Put assets into the catalogue at the exchange's time."""
    world.catalogue(tickers)
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (world.exchange.now_s(),))


def figures(world: World) -> dict[Series, Figures]:
    """Return what the daily report would say now."""
    now_s = int(world.exchange.now_s())
    with connect(world.dsn) as connection:
        report = make_report(
            connection,
            world.questdb,
            ReportRequest(tier="TIER1", intervals=INTERVALS),
            now_s=now_s,
            clock="exchange",
        )
    return report.figures


def assert_nothing_false(world: World, tickers: Iterable[str], *, since_s: int) -> None:
    """Compare all that is stored and proven with the exchange's own truth."""
    for series in [Series(ticker, interval) for ticker in tickers for interval in INTERVALS]:
        step = step_s(series.interval_minutes)
        whole = (since_s // step * step, world.window(series)[1])
        truth = world.truth(series, whole)
        stored = world.stored(series, whole)
        assert [ts_s for ts_s in stored if ts_s not in truth or not stored[ts_s].equals(truth[ts_s])] == []
        traded = ranges.from_points(truth, step=step)
        assert ranges.intersect(world.proven(series), traded) == [], series


def live(world: World, days: int) -> list[dict[str, Any]]:
    """Let days go by with the shipped schedule; return the summaries of the daily runs.

    The check is done where it matters: when a bucket has just closed, before and after the run, and at noon.
    """
    summaries = []
    for _ in range(days):
        midnight_s = int(world.exchange.now_s()) // DAY * DAY + DAY
        for hour in (0, 1, 2, 3, 12):
            world.exchange.set_clock(midnight_s + hour * HOUR)
            if hour == BACKFILL_HOUR:
                summaries.append(world.run(**SCHEDULED))
            hourly_check(world)
    return summaries


def assert_green(summaries: Sequence[dict[str, Any]]) -> None:
    assert summaries
    for summary in summaries:
        assert (summary["errors"], summary["raised"], summary["gaps_failed"]) == ([], [], 0)


def assert_all_verified(world: World) -> None:
    """Check that the report claims everything, which :func:`assert_nothing_false` shows to be true."""
    told = figures(world)
    assert told
    assert {series: one.verified_pct for series, one in told.items() if one.verified_pct != 100.0} == {}


@pytest.mark.parametrize("tickers", [THREE, SEVEN], ids=["three assets", "seven assets"])
def test_a_first_time_user_on_an_empty_database_sees_green_runs_and_no_message(
    world: World, tickers: list[str]
) -> None:
    keep(world, tickers)
    since_s = world.window(Series("XBTUSD", 1440))[0]

    summaries = live(world, 2)

    assert_green(summaries)
    assert messages(world) == []
    assert_nothing_false(world, tickers, since_s=since_s)


def test_a_steady_week_is_quiet_complete_and_a_repeated_run_asks_nothing(world: World) -> None:
    keep(world, SEVEN)
    since_s = world.window(Series("XBTUSD", 1440))[0]
    live(world, 1)

    summaries = live(world, 7)

    assert_green(summaries)
    assert len(summaries) == 7
    assert messages(world) == []
    assert_nothing_false(world, SEVEN, since_s=since_s)
    world.run(**SCHEDULED)
    world.exchange.advance(1860)  # a hole in a busy series is believed at a second sight only
    world.run(**SCHEDULED)
    assert_all_verified(world)
    before = world.contents()
    again = world.run(**SCHEDULED)
    assert (again["ohlc_calls"], again["trade_calls"], again["gaps_detected"]) == (0, 0, 0)
    assert world.contents() == before


def test_a_pair_listed_yesterday_is_complete_from_its_first_trade_on(world: World) -> None:
    (young,) = world.exchange.synthetic(1)
    (listed_s,) = (pair["listed_s"] for pair in world.exchange.pairs() if pair["ticker"] == young)
    world.exchange.set_clock(listed_s + 30 * HOUR)
    keep(world, [young, "XBTUSD"])

    summaries = live(world, 2)

    assert_green(summaries)
    assert messages(world) == []
    assert_nothing_false(world, [young], since_s=listed_s - DAY)
    for interval in INTERVALS:
        series = Series(young, interval)
        stored = world.stored(series, (listed_s // DAY * DAY, world.window(series)[1]))
        assert min(stored) == listed_s // step_s(interval) * step_s(interval)
        assert figures(world)[series].missing == 0


def test_a_pair_that_trades_twice_a_day_is_neither_late_nor_missing(world: World) -> None:
    quiet = "DAIUSD"
    now_s = int(world.exchange.now_s())
    first_s = (now_s - 45 * DAY) // DAY * DAY
    trading = [day_s + hour * HOUR for day_s in range(first_s, now_s + 6 * DAY, DAY) for hour in (5, 17)]
    for before_s, next_s in pairwise(trading):
        world.exchange.quiet(quiet, before_s + HOUR, next_s)
    keep(world, [quiet])

    summaries = live(world, 3)

    assert_green(summaries)
    assert messages(world) == []
    assert_nothing_false(world, [quiet], since_s=first_s + DAY)
    assert figures(world)[Series(quiet, 60)].missing <= 24
    world.run(**SCHEDULED)
    assert figures(world)[Series(quiet, 60)].missing == 0


def test_ten_imported_years_are_kept_and_only_what_is_proven_is_called_verified(world: World) -> None:
    old = "ZECUSD"
    now_s = int(world.exchange.now_s())
    since_s = (now_s - 3640 * DAY) // DAY * DAY
    keep(world, [old])
    hole = (since_s + 1000 * DAY, since_s + 1003 * DAY)
    for interval in INTERVALS:
        series = Series(old, interval)
        end_s = world.window(series)[1]
        for begin_s in range(since_s, end_s, 300 * DAY):
            part = (begin_s, min(end_s, begin_s + 300 * DAY))
            candles = [
                replace(candle, source=IMPORTED)
                for ts_s, candle in world.truth(series, part).items()
                if not hole[0] <= ts_s < hole[1]
            ]
            write_candles(world.questdb, series, candles, part)

    summaries = live(world, 1)

    assert_green(summaries)
    assert messages(world) == []
    assert_nothing_false(world, [old], since_s=since_s)
    told = figures(world)
    for series, one in told.items():
        assert one.missing + one.stored + one.proven_empty == one.expected, series
    # What never traded is not proven yet, and the report does not claim it.
    assert told[Series(old, 60)].verified_pct < 100


def test_a_full_release_into_an_empty_table_is_taken_in_and_leaves_nothing_false(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    tickers = ["XBTUSD", "DAIUSD"]
    keep(world, tickers)
    world.exchange.archive(tickers=tickers, intervals=[15, *INTERVALS, 720], part_bytes=100_000)
    listed_s = min(pair["listed_s"] for pair in world.exchange.pairs() if pair["ticker"] in tickers)

    done = archive.run(quarter="full", tickers=tickers, intervals=INTERVALS)

    assert (done["errors"], done["raised"], done["files_ingested"]) == ([], [], 4)
    assert_nothing_false(world, tickers, since_s=listed_s)
    # The release ends months ago, but the assets are new: the very next scheduled run goes on from there.
    summaries = live(world, 2)
    assert_green(summaries)
    assert [summary["series_skipped"] for summary in summaries] == [[], []]
    assert messages(world) == []
    assert_nothing_false(world, tickers, since_s=listed_s)
    again = archive.run(quarter="full", tickers=tickers, intervals=INTERVALS)
    assert (again["errors"], again["files_known"]) == ([], 4)
