"""A long walk through trades and the hourly check, in a real Airflow: neither waits for the other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests

from demo.run import OHLC_ONLY
from kraken_ohlcv.repair.context import calls_at_a_stretch
from tests.e2e.conftest import MIN_INTERVAL_S
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from local.airflow_api import DagRun
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

WALK, CHECK = "walking_backfill", "validate_data_hourly"
CALLS = 600
CALLS_AT_A_STRETCH = calls_at_a_stretch(MIN_INTERVAL_S)
LATER = "2028-06-01T12:00:00Z"
"""Up to then the pair trades more than so many calls reach, so that all of them are made."""
WALKED: dict[str, Any] = {
    "tickers": ["XRPUSD"],
    "intervals": [60],
    "repair_from": ["trades"],
    "trades_call_budget": CALLS,
    "repair_range": {"start": "2023-06-01", "end": "2028-05-01"},
}


def walked(stack: Stack) -> int:
    """Return how many calls for trades of the pair were made."""
    return len(calls_of_walk(stack))


def calls_of_walk(stack: Stack) -> list[dict[str, Any]]:
    """Return the calls for trades of the pair; the check may start a backfill that asks about others."""
    return [call for call in stack.exchange.calls("Trades") if call["ticker"] in WALKED["tickers"]]


def ended(stack: Stack, dag_id: str, run_id: str) -> tuple[DagRun, int]:
    """Wait until a run is over; return it, and how many calls for trades had been made then."""
    wait_for(lambda: stack.api.dag_run(dag_id, run_id).is_over, f"{dag_id} does not end")
    made = walked(stack)
    return stack.api.dag_run(dag_id, run_id), made


def calls_between_turns(stack: Stack, run_id: str) -> list[int]:
    """Return how many calls for trades each execution of the walking task made, in order."""
    with psycopg.connect(stack.metadata_uri) as connection:
        put_aside = [
            row[0].timestamp()
            for row in connection.execute(
                "SELECT r.end_date FROM task_reschedule AS r JOIN task_instance AS t ON t.id = r.ti_id"
                " WHERE t.run_id = %s AND t.task_id = 'rebuild_trades' ORDER BY r.id",
                (run_id,),
            )
        ]
    at = [call["at"] for call in calls_of_walk(stack)]
    borders = [0.0, *put_aside, max(at) + 1]
    return [sum(start < moment <= end for moment in at) for start, end in pairwise(borders)]


def test_the_hourly_check_ends_in_time_while_a_walk_of_600_calls_goes_on(stack: Stack) -> None:
    fresh = stack.api.trigger(WALK, {**OHLC_ONLY, "tickers": ["XRPUSD"]})
    assert ended(stack, WALK, fresh)[0].state == "success"
    now_s = stack.exchange.now_s()
    stack.exchange.clear_calls()
    stack.exchange.set_clock(LATER)
    walk_id = stack.api.trigger(WALK, WALKED)
    wait_for(lambda: walked(stack) >= 100, "the walk does not come to its 100th call")

    # The check looks at a system whose newest candles are there.
    stack.exchange.set_clock(now_s)
    check, made = ended(stack, CHECK, stack.api.trigger(CHECK))
    stack.exchange.set_clock(LATER)

    assert check.state == "success"
    assert [one["state"] for one in stack.slack.heartbeats()] == ["good"]
    assert made < 400
    assert stack.slack.messages() == []
    walk = stack.api.wait_for_run(WALK, walk_id, timeout_s=2 * PATIENCE_S)
    assert walk.state == "success"
    result: dict[str, Any] = stack.api.xcom(WALK, walk_id, "result")
    # A call is counted before it is made: one that a dying task did not come to is counted all the same.
    assert CALLS - 3 <= walked(stack) <= result["trade_calls"] == CALLS
    assert (result["errors"], len(result["trades_left_open"])) == ([], 1)
    turns = calls_between_turns(stack, walk_id)
    assert max(turns) <= CALLS_AT_A_STRETCH
    assert len(turns) >= CALLS / CALLS_AT_A_STRETCH > 1


def test_a_failed_check_says_so_outside_without_its_address_in_a_log(stack: Stack) -> None:
    run_id = stack.api.trigger(CHECK, {"tires": ["TIER1"]})

    assert ended(stack, CHECK, run_id)[0].state == "failed"
    wait_for(stack.slack.heartbeats, "nothing is heard of the check")
    assert [one["state"] for one in stack.slack.heartbeats()] == ["failed"]
    secret = stack.slack.heartbeat_url.rpartition("/")[2]
    logs = [log.read_text(errors="replace") for log in stack.logs.rglob("*.log")]
    assert any("heartbeat of a failed check sent to 127.0.0.1" in log for log in logs)
    assert not [log for log in logs if secret in log]


def test_airflow_refuses_its_backfill_of_these_dags(stack: Stack) -> None:
    url = f"{stack.settings.url}/api/v2/backfills"
    password = stack.settings.home.secrets().passwords["admin"]
    token = requests.post(
        f"{stack.settings.url}/auth/token", json={"username": "admin", "password": password}, timeout=60
    ).json()["access_token"]
    order = {"dag_id": WALK, "from_date": "2026-11-03T00:00:00Z", "to_date": "2026-11-05T00:00:00Z"}

    answer = requests.post(url, json=order, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    assert not answer.ok
    assert answer.status_code < 500
    assert "does not allow backfill runs" in answer.text
    assert not [run for run in stack.api.dag_runs(WALK) if run.run_id.startswith("backfill")]
