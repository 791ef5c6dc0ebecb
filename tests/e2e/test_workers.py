"""More than one worker: two tiers at once on Celery, and a worker that dies in the middle of a call."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
from rich.console import Console

from demo.checks import rate_problems
from demo.dag_ids import TIER1_DAG, TIER2_DAG, VALIDATE_DAG
from demo.run import OHLC_ONLY, Demo
from local import airflow
from local.settings import ModeHome
from local.stack import MIN_INTERVAL_S, Exchange, Stack
from local.workers import REDIS, Workers, start_redis
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.airflow_api import AirflowApi
    from local.processes import ManagedProcess

pytestmark = pytest.mark.slow

HELD = "ETHUSD"
"""TIER1; the exchange keeps its answer back for so long that the worker can be killed meanwhile."""
HELD_S = 25.0
# A dead worker's tasks are noticed after half a minute instead of five minutes; what it had taken from the
# queue without starting it, after one minute instead of ten.
SOONER = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


@pytest.fixture(scope="module")
def demo(service_directory: Path) -> Iterator[Demo]:
    """Give a damaged history and a running Airflow with two workers."""
    if shutil.which(REDIS) is None and "CI" not in os.environ:
        pytest.skip(f"{REDIS} is not there. On Debian or Ubuntu: apt-get install {REDIS}")
    redis = start_redis(service_directory / "redis")
    home = ModeHome("demo", sandbox=service_directory / "celery")
    stack = Stack(home, Exchange(), workers=Workers(redis.broker_url), more_variables=SOONER)
    try:
        started = Demo(stack, Console(quiet=True))
        started.start()
        started.api.wait_for_dags({TIER1_DAG, TIER2_DAG, VALIDATE_DAG})
        yield started
    finally:
        stack.down()
        redis.stop()


def fills(api: AirflowApi, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return the task instances that fill gaps, one per asset at one call per second."""
    found = api.task_instances(dag_id, run_id)
    return [task for task in found if task["task_id"] == "fill_ohlc" and task["map_index"] >= 0]


def callers(exchange_url: str) -> dict[int, list[int]]:
    """Return each process that has a connection to the exchange, with those that it descends from."""
    port = urlsplit(exchange_url).port
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(peer.raddr and peer.raddr.port == port for peer in process.net_connections("tcp")):
                found[process.pid] = [parent.pid for parent in process.parents()]
    return found


def kill_with_all_it_started(worker: ManagedProcess) -> None:
    """End a worker as the loss of its machine would: at once, with the tasks that it runs."""
    family = psutil.Process(worker.pid).children(recursive=True)
    worker.kill()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def test_two_tiers_on_two_workers_keep_the_pace_and_end_true_though_one_is_killed_in_a_call(
    demo: Demo,
) -> None:
    api, exchange = demo.api, demo.exchange
    workers = [
        process for name, process in airflow.running(demo.stack.home).items() if name.startswith("worker")
    ]
    assert len(workers) == 2
    exchange.fault("latency", seconds=HELD_S, endpoint="OHLC", ticker=HELD, count=1)
    with api.paused(VALIDATE_DAG):
        runs = {dag_id: api.trigger(dag_id, OHLC_ONLY) for dag_id in (TIER1_DAG, TIER2_DAG)}
        wait_for(lambda: [c for c in exchange.calls("OHLC") if c["ticker"] == HELD and not c["done_at"]])
        calling = callers(exchange.url)
        killed = [worker for worker in workers if any(worker.pid in parents for parents in calling.values())]
        assert len(killed) == 1, (calling, workers)
        kill_with_all_it_started(killed[0])
        ended = [api.wait_for_run(dag_id, run_id, timeout_s=PATIENCE_S) for dag_id, run_id in runs.items()]
    demo.judge()

    assert [run.state for run in ended] == ["success", "success"]
    starts = [run.start for run in ended]
    assert all(other.end > start for start in starts for other in ended if start and other.end)
    tries = {
        task["rendered_map_index"]: task["try_number"] for task in fills(api, TIER1_DAG, runs[TIER1_DAG])
    }
    assert {label: number for label, number in tries.items() if number > 1} == {HELD: 2}
    # Each of them had work, and the one that was left did the rest.
    assert all("received" in process.output() for process in workers)
    assert [process.is_alive() for process in workers] == [process not in killed for process in workers]

    calls = exchange.calls()
    assert len([call for call in calls if call["endpoint"] == "OHLC" and call["ticker"] == HELD]) >= 2
    assert rate_problems(calls, min_interval_s=MIN_INTERVAL_S) == []
    assert demo.report.problems == []
    assert demo.report.truth["mismatches"] == 0
    assert demo.report.truth["stored"] > 10_000
