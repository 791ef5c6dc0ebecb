"""From a run that fails or takes too long to a message in Slack, through every process of Airflow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from simulators.slack_client import BOT_TOKEN
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

DEADLINE_S = 8.0
HELD_S = 50.0
"""So long the exchange holds an answer back, unless it is let go: less than the client waits for it."""
SETTLED_S = 3.0
"""So long a channel is watched for a message that must not come."""

FOUR_HOURS = {"tickers": ["XBTUSD", "ETHUSD"], "intervals": [240], "retry_failed": True}
PERMANENT = "EGeneral:Invalid arguments"
"""An error that no task tries again."""


def told(stack: Stack, text: str) -> dict[str, Any]:
    """Wait for a message with a text, and a little for one too many; return it: it is the only one.

    The bot edits what it wrote: the message about an incident becomes the one about its end.
    """
    wait_for(lambda: [message for message in stack.slack.messages() if text in message["text"]])
    time.sleep(SETTLED_S)
    (message,) = stack.slack.messages()
    assert text in message["text"]
    return message


def deadlines(stack: Stack, run_id: str) -> list[bool]:
    """Return for each deadline that Airflow keeps for a run whether it was missed."""
    with psycopg.connect(stack.metadata_uri) as connection:
        rows = connection.execute(
            "SELECT missed FROM deadline JOIN dag_run ON dag_run.id = dagrun_id WHERE run_id = %s", (run_id,)
        ).fetchall()
    return [missed for (missed,) in rows]


def test_a_run_slower_than_its_deadline_is_told_once_and_again_when_it_has_ended_well(stack: Stack) -> None:
    stack.exchange.fault("latency", seconds=HELD_S, endpoint="OHLC", ticker="ETHUSD", count=None)
    triggered_at = time.time()
    run_id = stack.api.trigger("slow_backfill", FOUR_HOURS)

    late = told(stack, "slow_backfill is not finished in time")
    assert late["at"] >= triggered_at + DEADLINE_S
    assert not stack.api.dag_run("slow_backfill", run_id).is_over
    assert f"/dags/slow_backfill/runs/{quote(run_id)}" in late["text"]

    stack.exchange.clear_faults()
    run = stack.api.wait_for_run("slow_backfill", run_id, timeout_s=PATIENCE_S)
    assert run.state == "success"
    told(stack, "slow_backfill works again")
    assert deadlines(stack, run_id) == [True]


def test_a_failed_run_is_told_once_with_its_gaps_and_errors_until_it_succeeds(stack: Stack) -> None:
    stack.exchange.fault("error", endpoint="OHLC", ticker="ETHUSD", count=None, error=PERMANENT)
    stack.exchange.set_clock("2026-11-24T12:34:56Z")
    run_id = stack.api.trigger("failing_backfill", FOUR_HOURS)
    run = stack.api.wait_for_run("failing_backfill", run_id, timeout_s=PATIENCE_S)
    assert run.state == "failed"

    failed = told(stack, "failing_backfill failed")
    assert "ETHUSD 240: 1 gap not filled" in failed["text"]
    assert PERMANENT in failed["text"]
    assert "XBTUSD" not in failed["text"]
    assert f"/dags/failing_backfill/runs/{quote(run_id)}" in failed["text"]

    stack.exchange.clear_faults()
    assert deadlines(stack, run_id) == [False]
    stack.api.clear("failing_backfill", run_id)
    assert stack.api.wait_for_run("failing_backfill", run_id, timeout_s=PATIENCE_S).state == "success"
    told(stack, "failing_backfill works again")
    assert deadlines(stack, run_id) == []


def test_a_conf_refused_to_a_person_is_no_incident_and_reaches_sentry_without_secrets(stack: Stack) -> None:
    run_id = stack.api.trigger("refused_backfill", {"asets": ["XBTUSD"]})
    assert stack.api.wait_for_run("refused_backfill", run_id, timeout_s=PATIENCE_S).state == "failed"

    time.sleep(SETTLED_S)
    assert stack.slack.messages() == []
    (event,) = [
        event
        for event in wait_for(stack.sentry.events)
        if event["tags"]["task_id"] == "prepare" and event["tags"]["dag_id"] == "refused_backfill"
    ]
    error = event["exception"]["values"][-1]
    assert (error["type"], "'asets'" in error["value"]) == ("BadRequestError", True)
    assert not event.get("breadcrumbs", {}).get("values")
    assert not [frame for frame in error["stacktrace"]["frames"] if frame.get("vars")]
    assert not [envelope for envelope in stack.sentry.envelopes if BOT_TOKEN in envelope]
