"""Calls beyond a threshold wait for a person in a real Airflow: granted, refused, and never answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.e2e.test_run_incidents import SETTLED_S
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

ASKING, UNANSWERED = "asking_backfill", "unanswered_backfill"
THRESHOLD = 5


def asked(stack: Stack, dag_id: str, ticker: str) -> str:
    """Start a run of more calls than the threshold; wait until it asks; return its id."""
    run_id = stack.api.trigger(
        dag_id,
        {
            "tickers": [ticker],
            "intervals": [60],
            "repair_range": {"start": "2026-09-24", "end": "2026-11-23"},
            "approve_above_calls": THRESHOLD,
        },
    )
    wait_for(lambda: state_of(stack, dag_id, run_id) == "awaiting_input", "nobody is asked")
    # No person answers before the scheduler has noticed that the execution which asked has ended.
    time.sleep(SETTLED_S)
    return run_id


def state_of(stack: Stack, dag_id: str, run_id: str) -> str | None:
    """Return the state of the task that asks."""
    states = [
        one["state"] for one in stack.api.task_instances(dag_id, run_id) if one["task_id"] == "approve_calls"
    ]
    return states[0] if states else None


def calls(stack: Stack, ticker: str, endpoint: str) -> int:
    """Return how many calls about a pair were made."""
    return sum(call["ticker"] == ticker for call in stack.exchange.calls(endpoint))


def result(stack: Stack, dag_id: str, run_id: str) -> dict[str, Any]:
    """Return what a run returned that has ended well."""
    run = stack.api.wait_for_run(dag_id, run_id, timeout_s=PATIENCE_S)
    assert run.state == "success"
    found: dict[str, Any] = stack.api.xcom(dag_id, run_id, "result")
    assert found["errors"] == []
    return found


def messages(stack: Stack) -> list[str]:
    """Return the texts in the channel, after a little for one too many."""
    time.sleep(SETTLED_S)
    return [message["text"] for message in stack.slack.messages()]


def slots_taken(stack: Stack) -> int:
    """Return how many slots of the pools are taken by tasks that run or are queued."""
    with psycopg.connect(stack.metadata_uri) as connection:
        (row,) = connection.execute(
            "SELECT count(*) FROM task_instance WHERE state IN ('running', 'queued')"
        ).fetchall()
    return int(row[0])


def test_ohlc_is_stored_then_a_person_is_asked_once_and_granted_the_walks_are_made(stack: Stack) -> None:
    run_id = asked(stack, ASKING, "ADAUSD")

    assert calls(stack, "ADAUSD", "OHLC") == 1
    assert calls(stack, "ADAUSD", "Trades") == 0
    with psycopg.connect(stack.ledger_uri) as ledger:
        (settled,) = ledger.execute(
            "SELECT candles_stored + buckets_proven FROM range_repairs WHERE run_id = %s", (run_id,)
        ).fetchall()
    assert settled[0] > 700
    assert slots_taken(stack) == 0
    wait_for(stack.slack.messages, "nobody is told")
    (text,) = messages(stack)
    assert "asking_backfill waits for an approval" in text
    assert not stack.api.dag_run(ASKING, run_id).is_over

    stack.api.answer(ASKING, run_id, "approve_calls", "Approve")

    found = result(stack, ASKING, run_id)
    assert found["approval"]["answer"] == "approved"
    assert found["approval"]["by"]
    assert (found["trades_left_open"], calls(stack, "ADAUSD", "Trades")) == ([], found["trade_calls"])
    assert 0.8 * found["calls_planned"] - 2 <= found["calls_spent"] <= found["calls_planned"]
    (text,) = messages(stack)
    assert "no longer waits" in text


def test_refused_the_run_returns_with_the_rest_left_open(stack: Stack) -> None:
    run_id = asked(stack, ASKING, "DOTUSD")
    stack.api.answer(ASKING, run_id, "approve_calls", "Reject")

    found = result(stack, ASKING, run_id)
    assert found["approval"]["answer"] == "rejected"
    assert [left["ticker"] for left in found["trades_left_open"]] == ["DOTUSD"]
    assert (calls(stack, "DOTUSD", "OHLC"), calls(stack, "DOTUSD", "Trades")) == (1, 0)
    assert (found["calls_planned"], found["calls_spent"], found["trade_calls"]) == (1, 1, 0)


def test_without_an_answer_in_time_a_run_goes_on_as_if_refused(stack: Stack) -> None:
    run_id = asked(stack, UNANSWERED, "LTCUSD")

    found = result(stack, UNANSWERED, run_id)
    assert found["approval"] == {"calls": found["approval"]["calls"], "answer": "unanswered", "by": None}
    assert [left["ticker"] for left in found["trades_left_open"]] == ["LTCUSD"]
    assert calls(stack, "LTCUSD", "Trades") == 0
