"""What the dag-processor does when a DAG's run has ended: its incident opens, grows, or is over.

A run that was stopped while it waited for an approval waits no longer, either.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.exceptions import AirflowRuntimeError

from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.problems import failed_run, key_of_approval, key_of_run
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.runs import read_failures, read_run, read_run_plan
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import run_url
from kraken_ohlcv_airflow.report import patiently, report
from kraken_ohlcv_airflow.step_errors import REFUSED_KEY

log = logging.getLogger(__name__)

PATIENCE_S: Final = 10.0
"""No attempt starts later than this: after 50 s Airflow kills a process that works on a DAG file."""
SLACK_WAIT_S: Final = 10.0
"""How long one attempt waits when Slack asks for it; a later delivery shows what this one could not."""

TIMED_OUT: Final = "timed_out"
TASK_FAILED: Final = "task_failure"
REASONS: Final = {
    TIMED_OUT: "the run exceeded its time limit and was stopped",
    "all_tasks_deadlocked": "no further task of the run can start",
}
"""What Airflow's reasons mean."""


def report_failure(context: Any) -> None:
    """Open or grow the incident of a DAG whose run failed, and send the message.

    :param context: what Airflow hands to ``on_failure_callback`` of a DAG
    :raises psycopg.OperationalError: if the ledger does not answer
    """
    run = _run(context)
    if _of_result(context, REFUSED_KEY):
        log.info("%s %s was refused as it was asked for: no incident", *run)
        return
    given = _errors_of_result(context)

    def look(connection: Connection) -> dict[str, Problem | None]:
        if read_run_plan(connection, run) is not None:
            return {}
        errors = given or _reasons(context, connection, run)
        now_s = int(time.time())
        return {
            key_of_run(run.dag_id): failed_run(run, errors, now_s=now_s),
            key_of_approval(run.dag_id): None,
        }

    patiently(lambda: report(look, url=run_url(run), slack_wait_s=SLACK_WAIT_S), PATIENCE_S)


def report_success(context: Any) -> None:
    """End the incident of a DAG whose run succeeded, if there is one, and send the message.

    :param context: what Airflow hands to ``on_success_callback`` of a DAG
    :raises psycopg.OperationalError: if the ledger does not answer
    """
    run = _run(context)

    def look(connection: Connection) -> dict[str, Problem | None]:
        # A run that only plans says nothing about the ones that work.
        if read_run_plan(connection, run) is not None:
            return {}
        return {key_of_run(run.dag_id): None, key_of_approval(run.dag_id): None}

    patiently(lambda: report(look, slack_wait_s=SLACK_WAIT_S), PATIENCE_S)


def _run(context: Any) -> RunKey:
    # ``dag_run`` is absent when Airflow knows no task that the end of the run hangs on.
    return RunKey(context["dag"].dag_id, context["run_id"])


def _errors_of_result(context: Any) -> list[str]:
    """Return the errors in what task ``result`` returned."""
    summary = _of_result(context, BaseXCom.XCOM_RETURN_KEY)
    return list((summary or {}).get("errors", []))


def _of_result(context: Any, key: str) -> Any:
    """Return what task ``result`` left under a key, or None."""
    instance = context.get("ti")
    if instance is None or context["reason"] == TIMED_OUT:
        return None
    try:
        return instance.xcom_pull(task_ids="result", key=key)
    except AirflowRuntimeError:
        log.warning("Airflow does not return the result of the run: its errors come from the ledger")
        return None


def _reasons(context: Any, connection: Connection, run: RunKey) -> list[str]:
    """Return why the run failed, as far as Airflow and the ledger know."""
    reason, instance = context["reason"], context.get("ti")
    recorded = read_run(connection, run)
    known = [*(recorded.remarks.get("errors", []) if recorded else []), *read_failures(connection, run)]
    if reason != TASK_FAILED:
        return [REASONS.get(reason, reason), *known]
    return known or [f"task {instance.task_id} failed; its log says why" if instance else "a task failed"]
