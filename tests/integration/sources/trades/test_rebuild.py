"""Gaps beyond the API window are rebuilt from trades: exactly, and with proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.sources.trades import estimate
from kraken_ohlcv.stores.schema import migrate_ledger
from tests.integration.in_step import assert_in_step
from tests.integration.revisions import go_to
from tests.integration.trades_world import (
    BOTH,
    HOUR,
    HOURLY,
    THIN,
    assert_sums_hold,
    assert_true,
    past,
    store_history,
    true_trades,
)

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World


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


@pytest.fixture
def _many_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call bring so few trades that hours between are worth calls of their own."""
    monkeypatch.setattr(estimate, "TRADES_A_CALL", 20)


@pytest.mark.usefixtures("_many_trades")
def test_only_the_missing_hours_of_a_gap_are_read(world: World) -> None:
    first, second = (past(world, HOURLY, first=n, last=n - 1) for n in (300, 280))
    whole = store_history(world, HOURLY, buckets=400, without=[first, second])

    planned = world.plan(**BOTH)
    (gap,) = [gap for gap in world.gaps(HOURLY) if gap["start_s"] == first[0]]
    assert (gap["end_s"], gap["missing_candles"]) == (second[1], 2)
    assert world.fill(planned) == []

    assert_true(world, HOURLY, whole)
    summary = world.result(planned)
    assert (summary["total_candles_filled"], summary["gaps_failed"], summary["gaps_deferred"]) == (2, 0, 0)
    jobs = world.rows(
        "SELECT extract(epoch FROM range_start)::bigint AS start_s,"
        " extract(epoch FROM range_end)::bigint AS end_s FROM trade_jobs ORDER BY 1"
    )
    assert [(job["start_s"], job["end_s"]) for job in jobs] == [first, second]


@pytest.mark.usefixtures("_many_trades")
def test_a_budget_that_ends_within_a_gap_leaves_its_other_hours_for_the_next_run(world: World) -> None:
    holes = [past(world, HOURLY, first=n, last=n - 1) for n in (300, 280, 260)]
    whole = store_history(world, HOURLY, buckets=400, without=holes)
    seen = []
    for _ in range(10):
        summary = world.run(trades_call_budget=1, **BOTH)
        assert (summary["errors"], summary["raised"], summary["gaps_failed"]) == ([], [], 0)
        assert_in_step(world)
        seen.append(summary["total_candles_filled"])
        if not world.missing(HOURLY):
            break
    assert sum(seen) == len(holes)
    assert len(seen) > 1
    assert_true(world, HOURLY, whole)


def test_one_pass_builds_all_intervals(world: World) -> None:
    coarse = Series("XBTUSD", 240)
    hole = past(world, coarse, first=30, last=24)
    for series in (HOURLY, coarse):
        start_s = past(world, coarse, first=40, last=0)[0]
        world.store(series, (start_s, world.window(series)[1]), without=[hole])

    summary = world.run(intervals=[60, 240], **BOTH)

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["errors"]) == (2, 2, [])
    for series in (HOURLY, coarse):
        assert_true(world, series, (past(world, coarse, first=40, last=0)[0], world.window(series)[1]))
    assert len(world.exchange.calls("Trades")) <= -(-true_trades(world, "XBTUSD", hole) // 1000) + 2


def test_a_series_that_begins_later_gets_nothing_of_an_older_gap_of_another_interval(
    world: World,
) -> None:
    hourly, daily = Series("DAIUSD", 60), Series("DAIUSD", 1440)
    world.catalogue(["DAIUSD"])
    recent = store_history(world, hourly, buckets=100, without=[])
    hole = past(world, daily, first=20, last=17)
    whole = store_history(world, daily, buckets=30, without=[hole])

    summary = world.run(intervals=[60, 1440], **BOTH)

    assert (summary["errors"], summary["gaps_deferred"]) == ([], 0)
    assert_true(world, daily, whole)
    assert_true(world, hourly, recent)
    assert world.stored(hourly, (whole[0], recent[0])) == {}
    assert world.run(intervals=[60, 1440], **BOTH)["gaps_detected"] == 0


@pytest.mark.parametrize("is_for_ever", [False, True], ids=["once", "at every page"])
def test_a_trade_repeated_at_a_page_border_counts_once(world: World, is_for_ever: bool) -> None:
    hole = past(world, HOURLY, first=300, last=150)
    whole = store_history(world, HOURLY, buckets=320, without=[hole])
    world.exchange.fault("repeat_border", skip=1, count=None if is_for_ever else 1)

    assert world.run(**BOTH)["gaps_filled"] == 1

    assert_true(world, HOURLY, whole)


def test_a_jump_of_ids_that_is_gone_when_asked_again_does_no_harm(world: World) -> None:
    world.catalogue([THIN.ticker])
    hole = past(world, THIN, first=300, last=150)
    whole = store_history(world, THIN, buckets=320, without=[hole])
    world.exchange.fault("id_jump")

    world.run(**BOTH)

    assert_true(world, THIN, whole)


def assert_unproven(world: World, hole: Range) -> None:
    """Check that every candle is there, and that what is left open says that it is not proven, and waits."""
    truth = world.truth(THIN, hole)
    stored = world.stored(THIN, hole)
    assert {ts_s: c.figures() for ts_s, c in stored.items()} == {
        ts_s: c.figures() for ts_s, c in truth.items()
    }
    left = [gap for gap in world.gaps(THIN) if gap["status"] != "FILLED"]
    assert left
    now_s = world.exchange.now_s()
    for gap in left:
        assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "outside_api_window")
        assert gap["error_message"] == "Kraken's trade ids do not prove that nothing traded here"
        assert gap["next_attempt_s"] > now_s
    assert not ranges.intersect(world.missing(THIN), ranges.from_points(truth, step=HOUR))
    assert_in_step(world)


FAULTY_IDS = [
    pytest.param("id_jump", id="ids jump"),
    pytest.param("six_fields", id="trades have no ids"),
    pytest.param("id_reset", id="ids begin anew"),
]


@pytest.mark.parametrize("fault", FAULTY_IDS)
def test_ids_that_prove_nothing_still_make_candles_and_leave_the_empty_hours_open(
    world: World, fault: str
) -> None:
    world.catalogue([THIN.ticker])
    hole = past(world, THIN, first=300, last=150)
    store_history(world, THIN, buckets=320, without=[hole])
    # In the middle of two hours without a trade, or of a page.
    quiet = (hole[0] + 70 * HOUR, hole[0] + 76 * HOUR)
    world.exchange.quiet(THIN.ticker, *quiet)
    more = {"ts": quiet[0] + 2 * HOUR} if fault == "id_reset" else {}
    world.exchange.fault(fault, count=None, **more)

    summary = world.run(**BOTH)

    assert_sums_hold(summary)
    assert (summary["errors"], summary["gaps_failed"]) == ([], 0)
    assert summary["gaps_unfillable"] >= 1
    if fault != "id_jump":
        assert ranges.intersect(
            [quiet], [(g["start_s"], g["end_s"]) for g in world.gaps(THIN) if g["status"] == "UNFILLABLE"]
        )
    if fault == "six_fields":
        assert not ranges.intersect([hole], world.proven(THIN))
    assert_unproven(world, hole)
    before = world.contents()
    world.exchange.clear_calls()
    assert world.run(**BOTH)["trade_calls"] == 0
    assert world.exchange.calls("Trades") == []
    assert world.contents() == before

    world.exchange.clear_faults()
    world.exchange.advance(2 * HOUR)
    world.run(**BOTH)
    assert {gap["status"] for gap in world.gaps(THIN)} == {"FILLED"}


def test_a_pair_that_leaves_while_it_is_rebuilt_waits_for_the_archive(world: World) -> None:
    hole = past(world, HOURLY, first=300, last=150)
    store_history(world, HOURLY, buckets=320, without=[hole])
    world.exchange.fault("error", error="EQuery:Unknown asset pair", endpoint="Trades", skip=1, count=None)

    summary = world.run(**BOTH)

    assert (summary["raised"], summary["gaps_unfillable"], summary["gaps_failed"]) == ([], 1, 0)
    (gap,) = world.gaps(HOURLY)
    assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "pair_delisted")


def test_a_walk_that_breaks_off_fails_the_run_and_goes_on_later(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    world.exchange.fault("error", error="EService:Busy", endpoint="Trades", skip=2, count=4)

    summary = world.run(**BOTH)

    assert_sums_hold(summary)
    assert (len(summary["raised"]), summary["gaps_failed"]) == (1, 1)
    assert "EService:Busy" in summary["errors"][0]
    (gap,) = world.gaps(HOURLY)
    assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "outside_api_window")
    assert hole[0] < gap["start_s"] < hole[1]
    world.exchange.clear_calls()
    assert world.run(**BOTH)["trade_calls"] == 0

    world.exchange.advance(2 * HOUR)
    assert world.run(**BOTH)["gaps_failed"] == 0
    rest = (gap["start_s"], gap["end_s"])
    assert len(world.exchange.calls("Trades")) <= -(-true_trades(world, "XBTUSD", rest) // 1000) + 1
    assert_true(world, HOURLY, whole)


def test_a_walk_under_way_goes_on_after_its_tables_got_other_names(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    world.run(trades_call_budget=2, **BOTH)
    go_to(world.dsn, "0019")
    (cursor,) = world.rows("SELECT * FROM trade_passes")
    (planned,) = world.rows("SELECT errand_id, reached_at FROM trade_errands")
    assert world.rows("SELECT FROM pg_constraint WHERE conname = 'trade_errands_pkey'")

    migrate_ledger(world.dsn)

    assert world.rows("SELECT * FROM trade_cursors") == [cursor]
    assert world.rows("SELECT job_id AS errand_id, reached_at FROM trade_jobs") == [planned]
    assert world.rows("SELECT conname FROM pg_constraint WHERE conname ~ 'errand|trade_pass'") == []
    world.run(**BOTH)
    assert world.rows("SELECT FROM trade_cursors") == []
    assert_true(world, HOURLY, whole)


def test_a_walk_whose_gap_others_close_before_its_turn_is_over(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[hole])
    world.run(trades_call_budget=2, **BOTH)
    assert len(world.rows("SELECT FROM trade_cursors")) == 1
    planned = world.plan(**BOTH)
    world.store(HOURLY, hole)
    calls = len(world.exchange.calls("Trades"))

    assert world.fill(planned) == []

    assert world.rows("SELECT FROM trade_cursors") == []
    assert (world.result(planned)["trades_left_open"], len(world.exchange.calls("Trades"))) == ([], calls)


@pytest.mark.parametrize("series", [HOURLY, THIN], ids=str)
def test_trades_alone_fill_a_gap_within_the_window_of_the_ohlc_call(world: World, series: Series) -> None:
    world.catalogue([series.ticker])
    whole = world.window(series)
    hole = (whole[1] - 40 * HOUR, whole[1] - 20 * HOUR)
    world.store(series, whole, without=[hole])

    summary = world.run(repair_from=["trades"])

    assert_sums_hold(summary)
    assert (summary["errors"], summary["raised"], summary["trades_left_open"]) == ([], [], [])
    assert summary["gaps_filled"] == summary["gaps_detected"] > 0
    assert world.exchange.calls("OHLC") == []
    assert_true(world, series, whole)


def test_trades_alone_without_a_call_say_what_they_would_take(world: World) -> None:
    whole = world.window(HOURLY)
    hole = (whole[1] - 40 * HOUR, whole[1] - 20 * HOUR)
    world.store(HOURLY, whole, without=[hole])

    summary = world.run(repair_from=["trades"], trades_call_budget=0)

    assert (summary["gaps_detected"], summary["gaps_deferred"]) == (1, 1)
    (left,) = summary["trades_left_open"]
    assert (left["from"], left["to"]) == (iso(hole[0]), iso(hole[1]))
    assert left["calls"] == 1
