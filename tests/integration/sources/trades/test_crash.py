"""Workers that die in the middle of a rebuild from trades: at most one page is asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.backfill.test_crash import wait_until_free
from tests.integration.trades_world import (
    BOTH,
    HOURLY,
    assert_sums_hold,
    assert_true,
    past,
    store_history,
    true_trades,
)
from tests.integration.worker import Order, start_worker
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.world import Planned, World


STEPS = [
    pytest.param("page", id="a page is there and not written"),
    pytest.param("settle", id="its candles are written and the ledger does not know"),
]


def fill_and_kill(world: World, planned: Planned, directory: Path, *, before: str, after: int) -> None:
    """Let a worker rebuild, and kill it just before a step of some page."""
    order = Order(
        url=world.exchange.url,
        dsn=world.dsn,
        tickers=world.tickers,
        params=planned.request.model_dump(mode="json"),
        halt_before=before,
        halt_after=after,
        run=list(planned.run),
        items=planned.items,
        walks=world.plan_trades(planned),
    )
    worker = start_worker(order, directory)
    worker.wait_for_line("halted", timeout_s=PATIENCE_S)
    worker.kill()
    wait_until_free(world)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [0, 2], ids=["first page", "third page"])
def test_a_retried_task_asks_again_for_the_page_in_hand_and_no_other(
    world: World, tmp_path: Path, step: str, after: int
) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    planned = world.plan(**BOTH)
    fill_and_kill(world, planned, tmp_path, before=step, after=after)
    assert {gap["status"] for gap in world.gaps()} == {"BACKFILLING"}

    assert world.fill(planned) == []

    summary = world.result(planned)
    assert_sums_hold(summary)
    assert (summary["gaps_filled"], summary["gaps_failed"], summary["errors"]) == (1, 0, [])
    (gap,) = world.gaps(HOURLY)
    assert (gap["start_s"], gap["end_s"], gap["filled_from"]) == (*hole, "trades")
    calls = len(world.exchange.calls("Trades"))
    assert calls == summary["trade_calls"] <= summary["trade_calls_planned"]
    assert calls <= -(-true_trades(world, "XBTUSD", hole) // 1000) + 1 + 1
    assert_true(world, HOURLY, whole)


@pytest.mark.parametrize("step", STEPS)
def test_the_next_run_goes_on_where_a_killed_worker_and_its_lost_run_stopped(
    world: World, tmp_path: Path, step: str
) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    lost = world.plan(**BOTH)
    fill_and_kill(world, lost, tmp_path, before=step, after=2)
    made = len(world.exchange.calls("Trades"))

    summary = world.run(**BOTH)

    assert_sums_hold(summary)
    assert (summary["gaps_filled"], summary["errors"]) == (1, [])
    assert made + summary["trade_calls"] <= -(-true_trades(world, "XBTUSD", hole) // 1000) + 2
    assert_true(world, HOURLY, whole)


def test_a_run_that_is_cleared_goes_on_with_the_calls_it_has_left(world: World, tmp_path: Path) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    budget = -(-true_trades(world, "XBTUSD", hole) // 1000) + 2
    planned = world.plan(trades_call_budget=budget, **BOTH)
    fill_and_kill(world, planned, tmp_path, before="page", after=2)

    again = world.plan_again(planned)
    assert world.fill(again) == []

    summary = world.result(again)
    assert_sums_hold(summary)
    calls = len(world.exchange.calls("Trades"))
    assert calls == summary["trade_calls"] <= summary["trade_calls_planned"] <= budget
    assert (summary["gaps_failed"], summary["errors"], summary["trades_left_open"]) == (0, [], [])
    assert_true(world, HOURLY, whole)


def test_a_run_whose_task_died_for_good_fails_its_gap_and_keeps_the_place(
    world: World, tmp_path: Path
) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    planned = world.plan(**BOTH)
    fill_and_kill(world, planned, tmp_path, before="settle", after=2)

    summary = world.result(planned)

    assert_sums_hold(summary)
    assert (summary["gaps_failed"], len(summary["errors"])) == (1, 1)
    (rest,) = summary["trades_left_open"]
    assert rest["ticker"] == "XBTUSD"
    later: dict[str, Any] = world.run(**BOTH)
    assert (later["gaps_filled"], later["errors"]) == (1, [])
    assert_true(world, HOURLY, whole)
