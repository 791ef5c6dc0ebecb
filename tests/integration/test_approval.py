"""Walks beyond a threshold of calls wait, and are made or left as a person says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv import backfill as steps
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.approvals import Approval, answer, ask, waited_s
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.backfill.test_planned_calls import assert_as_planned
from tests.integration.sources.trades.test_budget import misjudge
from tests.integration.trades_world import BOTH, HOURLY, assert_true, past, store_history

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


def asked(world: World, planned: Planned, *, budget: int = BUDGET) -> Approval | None:
    """Ask about the walks of a run that wait."""
    with connect(world.dsn) as connection:
        return ask(connection, planned.run, budget=budget, now_s=100)


def approved(world: World, planned: Planned, *, budget: int = BUDGET) -> None:
    """Approve the walks that wait, and make them."""
    with connect(world.dsn) as connection:
        answer(connection, planned.run, "approved", by="somebody", budget=budget, now_s=200)
        planned.walks = steps.items_of_jobs(world.context(connection, world.questdb, planned.run))
    assert world.fill(planned) == []


def test_a_walk_that_needs_more_calls_than_estimated_asks_at_the_threshold(world: World) -> None:
    hole = past(world, HOURLY, first=500, last=250)
    whole = store_history(world, HOURLY, buckets=520, without=[hole])
    misjudge(world, "XBTUSD", hole)
    planned = world.plan(approve_above_calls=2, **BOTH)
    assert world.fill(planned) == []

    made = len(world.exchange.calls("Trades"))
    assert made <= 2
    question = asked(world, planned)
    assert question is not None
    assert question.calls >= 2
    left = world.result(planned)["trades_left_open"]
    assert [(one["ticker"], one["calls"]) for one in left] == [("XBTUSD", question.calls)]
    assert question.walks == [left[0] | {"calls": question.calls}]

    approved(world, planned)
    assert_true(world, HOURLY, whole)
    summary = world.result(planned)
    assert (summary["errors"], summary["trades_left_open"]) == ([], [])
    # No page is read twice.
    assert len(world.exchange.calls("Trades")) == summary["trade_calls"]
    assert summary["trade_calls"] <= made + question.calls + 1


def test_nobody_is_asked_when_no_call_of_the_budget_is_left(world: World) -> None:
    world.catalogue(["DAIUSD", "XBTUSD"])
    for ticker in ("DAIUSD", "XBTUSD"):
        series = Series(ticker, 60)
        hole = past(world, series, first=400, last=150)
        store_history(world, series, buckets=520, without=[hole])
        if ticker == "DAIUSD":
            misjudge(world, ticker, hole)
    planned = world.plan(trades_call_budget=2, approve_above_calls=1, **BOTH)
    assert world.fill(planned) == []
    with connect(world.dsn) as connection:
        connection.execute(
            "UPDATE backfill_runs SET trade_calls = 2 WHERE run_id = %s", (planned.run.run_id,)
        )

    assert asked(world, planned, budget=2) is None
    assert "approval" not in world.result(planned)


def test_a_walk_that_broke_off_is_planned_again_with_those_that_were_approved(world: World) -> None:
    world.catalogue(["ETHUSD", "XBTUSD"])
    for ticker, length in (("ETHUSD", 60), ("XBTUSD", 250)):
        series = Series(ticker, 60)
        store_history(world, series, buckets=520, without=[past(world, series, first=400, last=400 - length)])
    planned = world.plan(approve_above_calls=7, **BOTH)
    world.plan_trades(planned)
    world.exchange.fault("error", endpoint="Trades", ticker="ETHUSD", error="EService:Busy", count=None)
    assert len(world.fill(planned)) == 1
    world.exchange.clear_faults()
    question = asked(world, planned)
    assert question is not None
    assert [walk["ticker"] for walk in question.walks] == ["XBTUSD"]

    approved(world, planned)

    summary = world.result(planned)
    assert summary["trades_left_open"] == []
    assert_as_planned(summary, ranges=2)
