"""A scheduler is killed in the middle of a call: the slot is soon free again, and the run ends well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_ohlcv.core.settings import KRAKEN_POOL
from local import airflow
from local.settings import State
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

WALK, CHECK = "walking_backfill", "validate_data_hourly"
ASKED: dict[str, Any] = {"tickers": ["ETHUSD"], "intervals": [1440], "repair_from": ["ohlc"]}
HELD_S = 50.0
SILENCE_S = 3.0
"""So long a service outside is watched for a heartbeat that must not come."""
AIRFLOWS_OWN_S = 300.0
"""``[scheduler] orphaned_tasks_check_interval`` as Airflow ships it: so long the slot was held before."""


def fill(stack: Stack, run_id: str) -> dict[str, Any]:
    """Return the task instance that makes the call."""
    (found,) = [
        one
        for one in stack.api.task_instances(WALK, run_id)
        if one["task_id"] == "fill_ohlc" and one["map_index"] >= 0
    ]
    return found


def in_the_pool(stack: Stack) -> int:
    """Return how many tasks hold the exchange's slot."""
    with psycopg.connect(stack.metadata_uri) as connection:
        (row,) = connection.execute(
            "SELECT count(*) FROM task_instance WHERE pool = %s AND state IN ('queued', 'running')",
            (KRAKEN_POOL,),
        ).fetchall()
    return int(row[0])


def test_the_slot_of_a_killed_scheduler_is_free_long_before_airflow_would_free_it_by_default(
    stack: Stack,
) -> None:
    stack.exchange.clear_calls()
    stack.exchange.fault("latency", seconds=HELD_S, endpoint="OHLC", ticker="ETHUSD", count=1)
    run_id = stack.api.trigger(WALK, ASKED)
    wait_for(lambda: stack.exchange.calls("OHLC"), "the call is not made")
    assert in_the_pool(stack) == 1

    airflow.running(stack.settings.home)["scheduler"].kill()
    killed_at = time.monotonic()
    check_id = stack.api.trigger(CHECK)
    time.sleep(SILENCE_S)
    heard = stack.slack.heartbeats()
    started = airflow.start_components(stack.settings, State(airflow_settings=stack.settings.digest()))
    assert started == ["scheduler"]
    wait_for(lambda: in_the_pool(stack) == 0 or fill(stack, run_id)["try_number"] == 2, "the slot is held")
    held_s = time.monotonic() - killed_at
    run = stack.api.wait_for_run(WALK, run_id, timeout_s=PATIENCE_S)

    # Half of it leaves a slow machine as much time again as the settings take.
    assert held_s < AIRFLOWS_OWN_S / 2
    assert (run.state, fill(stack, run_id)["try_number"]) == ("success", 2)
    result: dict[str, Any] = stack.api.xcom(WALK, run_id, "result")
    assert (result["errors"], result["gaps_failed"]) == ([], 0)
    assert stack.slack.messages() == []
    # Without a scheduler no heartbeat came, which is all that a service outside sees.
    assert heard == []
    stack.api.wait_for_run(CHECK, check_id, timeout_s=PATIENCE_S)
    assert len(stack.slack.heartbeats()) == 1
