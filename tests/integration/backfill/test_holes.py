"""Every kind of hole is found, fetched, proven and recorded; what the API no longer has is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.tiers import SHIPPED, TierPlan
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.in_step import assert_in_step, gaps_of

if TYPE_CHECKING:
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HOUR = 3600


def bucket_range(world: World, series: Series, first: int, last: int) -> tuple[int, int]:
    """Return the range from the first to before the last bucket, counted from the window's old end."""
    start, _ = world.window(series)
    step = step_s(series.interval_minutes)
    return start + first * step, start + last * step


@pytest.mark.parametrize(
    ("holes", "n_gaps"),
    [
        pytest.param([(100, 101)], 1, id="one inner candle"),
        pytest.param([(100, 130), (300, 301), (500, 520)], 3, id="several inner holes"),
        pytest.param([(200, 201), (224, 226), (249, 250)], 1, id="holes at most a day apart"),
        pytest.param([(200, 201), (225, 226)], 2, id="holes an hour more than a day apart"),
        pytest.param([(170, 185)], 2, id="a hole in two months"),
        pytest.param([(690, 720)], 1, id="tail"),
        pytest.param([(719, 720)], 1, id="last grid point"),
        pytest.param([(1, 2)], 1, id="second grid point"),
        pytest.param(
            [(0, 719)], 2, id="all but the newest: the series begins at the edge, not at its oldest row"
        ),
        pytest.param([(0, 720)], 2, id="never loaded, in two months"),
    ],
)
def test_every_hole_in_the_window_is_filled_with_the_exchanges_candles(
    world: World, holes: list[tuple[int, int]], n_gaps: int
) -> None:
    covered = world.window(HOURLY)
    world.store(HOURLY, covered, without=[bucket_range(world, HOURLY, *hole) for hole in holes])

    summary = world.run()

    assert world.stored(HOURLY, covered) == world.truth(HOURLY, covered)
    assert summary["gaps_detected"] == summary["gaps_filled"] == n_gaps
    assert summary["total_candles_filled"] == sum(last - first for first, last in holes)
    assert summary["ohlc_calls"] == len(world.exchange.calls("OHLC")) == 1
    assert [gap["status"] for gap in world.gaps()] == ["FILLED"] * summary["gaps_filled"]
    assert {gap["filled_from"] for gap in world.gaps()} == {"ohlc"}
    assert sum(gap["missing_candles"] for gap in world.gaps()) == summary["total_candles_filled"]
    assert_in_step(world)


def test_a_repeated_run_calls_nothing_and_changes_no_row(world: World) -> None:
    world.store(HOURLY, world.window(HOURLY), without=[bucket_range(world, HOURLY, 10, 20)])
    world.run()
    before = world.contents()
    world.exchange.clear_calls()

    summary = world.run()

    assert summary["gaps_detected"] == summary["ohlc_calls"] == 0
    assert world.exchange.calls("OHLC") == []
    assert world.contents() == before


def test_the_running_candle_is_never_stored(world: World) -> None:
    summary = world.run()

    _, end = world.window(HOURLY)
    assert summary["gaps_filled"] == len(world.gaps()) == 2
    assert max(world.stored(HOURLY, (end - 720 * HOUR, end + 10 * HOUR))) == end - HOUR


def test_a_hole_across_the_edge_is_split_and_its_reachable_part_saved(world: World) -> None:
    start, end = world.window(HOURLY)
    history = (start - 100 * HOUR, end)
    world.store(HOURLY, history, without=[(start - 10 * HOUR, start + 5 * HOUR)])

    summary = world.run()

    past, saved = world.gaps()
    assert (past["start_s"], past["end_s"], past["status"]) == (start - 10 * HOUR, start, "UNFILLABLE")
    assert (past["unfillable_reason"], past["required_csv_file"]) == ("outside_api_window", "XBTUSD_60.csv")
    assert (saved["start_s"], saved["end_s"], saved["status"]) == (start, start + 5 * HOUR, "FILLED")
    assert (summary["gaps_detected"], summary["gaps_filled"], summary["gaps_unfillable"]) == (2, 1, 1)
    assert world.stored(HOURLY, (start, end)) == world.truth(HOURLY, (start, end))
    assert summary["raised"] == []


def test_a_hole_beyond_the_edge_is_recorded_and_causes_no_call(world: World) -> None:
    start, end = world.window(HOURLY)
    hole = (start - 50 * HOUR, start - 40 * HOUR)
    world.store(HOURLY, (start - 100 * HOUR, end), without=[hole])

    summary = world.run()
    again = world.run()

    (gap,) = world.gaps()
    assert (gap["start_s"], gap["end_s"], gap["status"]) == (*hole, "UNFILLABLE")
    assert (gap["candles_from_today"], gap["overflow_candles"], gap["missing_candles"]) == (770, 50, 10)
    assert (summary["gaps_unfillable"], summary["ohlc_calls"]) == (1, 0)
    assert (again["gaps_detected"], again["gaps_standing"]) == (0, 1)


def test_a_gap_that_leaves_the_window_unfilled_becomes_unfillable(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(start + HOUR, start + 4 * HOUR)])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Unavailable", count=None)
    assert world.run()["gaps_failed"] == 1

    world.exchange.clear_faults()
    world.exchange.advance(2 * HOUR)
    summary = world.run(retry_failed=True)

    past = next(gap for gap in world.gaps() if gap["status"] == "UNFILLABLE")
    assert (past["start_s"], past["end_s"]) == (start + HOUR, start + 2 * HOUR)
    assert summary["gaps_unfillable"] == 1
    assert summary["gaps_filled"] == 2


@pytest.mark.parametrize("interval", [1, 5, 15, 30, 60, 240, 1440, 10080, 21600])
def test_every_interval_is_loaded_from_the_start_of_its_window_or_of_trading(
    world: World, interval: int
) -> None:
    series = Series("XBTUSD", interval)
    listed = next(pair["listed_s"] for pair in world.exchange.pairs() if pair["ticker"] == "XBTUSD")
    covered = world.window(series)

    summary = world.run(intervals=[interval])

    truth = world.truth(series, covered)
    assert truth
    assert world.stored(series, covered) == truth
    step = step_s(interval)
    start_s = max(covered[0], int(listed) // step * step)
    (start,) = world.rows("SELECT extract(epoch FROM start_ts)::bigint AS s FROM series")
    assert start["s"] == start_s
    # Those before the pair's first trade were missing, too, until the exchange said when that was.
    filled = gaps_of([covered], interval)
    assert [(gap["start_s"], gap["end_s"]) for gap in world.gaps()] == filled
    assert summary["gaps_detected"] == summary["gaps_filled"] == len(filled)
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}


def test_a_series_older_than_the_lookback_is_named_and_left_alone(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end - 8 * 24 * HOUR))
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (end - 8 * 24 * HOUR,))

    summary = world.run(lookback_days=7)

    assert [(s["ticker"], s["interval"]) for s in summary["series_skipped"]] == [("XBTUSD", 60)]
    assert (summary["assets_processed"], summary["ohlc_calls"], world.gaps()) == (0, 0, [])
    assert world.run(lookback_days=0)["gaps_filled"] == len(world.gaps()) == 1


def test_a_weekly_schedule_keeps_its_series_week_after_week(world: World) -> None:
    weekly = TierPlan(schedule="0 5 * * 0")
    world.exchange.set_clock("2026-11-22T05:00:10Z")
    with connect(world.dsn) as connection:
        write_plan(connection, {**SHIPPED, "TIER1": weekly}, (), (), pace_s=1.0)
        connection.execute("UPDATE assets SET added_at = '2026-01-01T00:00:00Z'")
    for _ in range(3):
        summary = world.run(intervals=[1440], lookback_days=weekly.lookback_days)
        assert (summary["series_skipped"], summary["ohlc_calls"]) == ([], 1)
        world.exchange.advance(7 * 24 * HOUR)


def test_old_candles_of_an_asset_just_added_do_not_keep_the_scheduled_run_from_it(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end - 8 * 24 * HOUR))
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (end - 6 * 24 * HOUR,))

    summary = world.run(lookback_days=7)

    assert (summary["series_skipped"], summary["gaps_filled"]) == ([], 1)
    assert world.stored(HOURLY, (start, end)) == world.truth(HOURLY, (start, end))


def test_a_pair_gone_from_the_exchange_is_named_and_its_gaps_wait_for_the_archive(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(end - 30 * HOUR, end - 28 * HOUR)])
    world.exchange.set_pair("XBTUSD", "vanished")

    summary = world.run()

    (gap,) = world.gaps()
    assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "pair_delisted")
    assert (summary["pairs_delisted"], summary["ohlc_calls"], summary["errors"]) == (["XBTUSD"], 0, [])

    world.exchange.advance(5 * 24 * HOUR)
    later = world.run()
    assert (later["gaps_detected"], len(world.gaps())) == (0, 1)

    world.exchange.set_pair("XBTUSD", "online")
    back = world.run()
    assert back["gaps_filled"] == 2  # the old hole and the time away
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}


def test_a_pair_that_vanishes_between_plan_and_fetch_is_not_retried_for_ever(world: World) -> None:
    def vanish(step: str) -> None:
        if step == "fill":
            world.exchange.set_pair("XBTUSD", "vanished")

    world.before_step = vanish
    summary = world.run()

    gaps = world.gaps()
    assert {(gap["status"], gap["unfillable_reason"]) for gap in gaps} == {("UNFILLABLE", "pair_delisted")}
    assert (summary["gaps_unfillable"], summary["raised"]) == (len(gaps), [])


def test_tiers_and_caps_defer_only_series_that_were_not_asked(world: World) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    for series in (HOURLY, Series("XBTUSD", 1440)):
        world.store(
            series,
            world.window(series),
            without=[bucket_range(world, series, n, n + 1) for n in (10, 40, 70)],
        )

    summary = world.run(tickers=["XBTUSD"], intervals=[60, 1440], max_gaps_per_asset=1)

    # The hourly gaps expire first; one of them causes the call, and the answer closes all three.
    assert (summary["gaps_filled"], summary["gaps_deferred"], summary["ohlc_calls"]) == (3, 3, 1)
    assert world.run(tickers=["XBTUSD"], intervals=[60, 1440])["gaps_filled"] == 3
