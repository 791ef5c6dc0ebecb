"""Walks beyond a threshold of calls wait, and are made or left as a person says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv import backfill as steps
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.approvals import answer, ask, waited_s
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.backfill.test_planned_calls import assert_as_planned
from tests.integration.trades_world import BOTH, HOURLY, past, store_history

if TYPE_CHECKING:
    from tests.integration.world import Planned, World

BUDGET = 200


def two_pairs(world: World) -> None:
    """Give a hole of one call and a hole of several, beyond the API window of two pairs."""
    world.catalogue(["DAIUSD", "XBTUSD"])
    for ticker, length in (("DAIUSD", 2), ("XBTUSD", 250)):
        series = Series(ticker, 60)
        store_history(world, series, buckets=520, without=[past(world, series, first=400, last=400 - length)])


def answered(world: World, planned: Planned, said: str) -> None:
    """Ask, answer, and make the walks that were approved."""
    with connect(world.dsn) as connection:
        assert ask(connection, planned.run, budget=BUDGET, now_s=100) is not None
        assert waited_s(connection, planned.run, now_s=160) == 60
        answer(connection, planned.run, said, by="somebody", budget=BUDGET, now_s=200)
        assert waited_s(connection, planned.run, now_s=900) == 100
        planned.walks = steps.items_of_jobs(world.context(connection, world.questdb, planned.run))
        again = ask(connection, planned.run, budget=BUDGET, now_s=900)
        assert again is not None
        assert (again.answer, again.asked_s) == (said, 100)
    assert world.fill(planned) == []


@pytest.mark.parametrize(("said", "open_tickers"), [("approved", []), ("rejected", ["XBTUSD"])])
def test_what_fits_is_walked_at_once_and_the_rest_as_the_answer_says(
    world: World, said: str, open_tickers: list[str]
) -> None:
    two_pairs(world)
    planned = world.plan(approve_above_calls=3, **BOTH)
    assert world.fill(planned) == []
    assert {call["ticker"] for call in world.exchange.calls("Trades")} == {"DAIUSD"}

    answered(world, planned, said)

    summary = world.result(planned)
    assert (summary["errors"], summary["approval"]["answer"]) == ([], said)
    assert [left["ticker"] for left in summary["trades_left_open"]] == open_tickers
    jobs = 2 - len(open_tickers)
    assert_as_planned(summary, ranges=jobs)
    assert summary["calls_planned"] <= 3 or said == "approved"


@pytest.mark.parametrize("params", [{}, {"approve_above_calls": 1000}, {"approve_above_calls": 3}])
def test_nobody_is_asked_about_calls_within_threshold_or_beyond_the_budget(
    world: World, params: dict[str, Any]
) -> None:
    two_pairs(world)
    budget = 2 if params.get("approve_above_calls") == 3 else BUDGET
    planned = world.plan(trades_call_budget=budget, **params, **BOTH)
    assert world.fill(planned) == []
    with connect(world.dsn) as connection:
        assert ask(connection, planned.run, budget=budget, now_s=100) is None
    assert "approval" not in world.result(planned)


def test_a_run_that_is_cleared_and_plans_again_asks_again(world: World) -> None:
    two_pairs(world)
    planned = world.plan(approve_above_calls=3, **BOTH)
    assert world.fill(planned) == []
    answered(world, planned, "rejected")

    again = world.plan_again(planned)
    assert world.fill(again) == []

    with connect(world.dsn) as connection:
        asked = ask(connection, again.run, budget=BUDGET, now_s=1000)
    assert asked is not None
    assert (asked.answer, asked.asked_s) == (None, 1000)


def test_ohlc_calls_are_made_whatever_the_threshold(world: World) -> None:
    store_history(world, HOURLY, buckets=520, without=[past(world, HOURLY, first=-9, last=-12)])
    summary = world.run(approve_above_calls=0, **BOTH)
    assert (summary["ohlc_calls"], summary["gaps_filled"]) == (1, 1)
