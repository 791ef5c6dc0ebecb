"""The deadline that every DAG run has, and what the triggerer does when one is missed."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert
from airflow.sdk.exceptions import AirflowRuntimeError

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.problems import late_run
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.schedules import Manual, Schedule
from kraken_ohlcv.core.settings import APPROVAL_HOURS_ENV
from kraken_ohlcv.stores.ledger.approvals import waited_s
from kraken_ohlcv.stores.ledger.runs import read_run_plan
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import ledger, run_url
from kraken_ohlcv_airflow.report import patiently_in_thread, report

log = logging.getLogger(__name__)

APPROVAL_HOURS: Final = 4.0
"""So long a run waits for an answer; without one it goes on as if rejected."""
MOST_APPROVAL_HOURS: Final = 168.0
"""While a run waits, no other of its DAG begins."""

ENDED: Final = frozenset({"success", "failed"})
"""States of a run that is over; the failure callback has reported a failed one."""

PATIENCE_S: Final = 300.0
"""No attempt starts later than this after the first one."""
LOOK_AGAIN_S: Final = 30.0
"""How often a run that waits for an approval is looked at."""
SLACK_WAIT_S: Final = 60.0
"""How long one attempt waits when Slack asks for it."""


def approval_wait() -> timedelta:
    """Return how long a run waits for the approval of calls beyond its threshold.

    :raises SetUpError: if the environment does not say it as a number of hours
    """
    said = os.environ.get(APPROVAL_HOURS_ENV, "").strip()
    try:
        hours = float(said) if said else APPROVAL_HOURS
    except ValueError:
        hours = 0.0
    if not 0 < hours <= MOST_APPROVAL_HOURS:
        raise SetUpError(
            f"{APPROVAL_HOURS_ENV} is {said!r}: give hours, more than 0 and at most"
            f" {MOST_APPROVAL_HOURS:g}, such as 4 or 0.5"
        )
    return timedelta(hours=hours)


class RunDue(BaseDeadlineReference):
    """A deadline that counts from when a run should and could begin.

    Manual runs have no logical date, and a run that starts late, after an outage or when a DAG is unpaused,
    would miss a deadline counted from its tick at once; so it is the later of ``run_after`` and the run's
    creation. Neither changes when the run is cleared (clearing a run whose deadline counts from its queueing
    ends in an error: apache/airflow #70368).
    """

    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        # The scheduler and the api-server call this; tasks, which import the class too, have no database.
        from airflow.models.dagrun import DagRun  # noqa: PLC0415
        from sqlalchemy import select  # noqa: PLC0415

        begun = select(DagRun.run_after, DagRun.created_at).where(
            DagRun.dag_id == dag_id, DagRun.run_id == run_id
        )
        row = session.execute(begun).one_or_none()
        return max(row) if row else None


def deadline(entry: Schedule | Manual) -> DeadlineAlert:
    """Return the deadline alert of a DAG.

    :param entry: its line of the schedule table
    :return: for the DAG's ``deadline``
    """
    return DeadlineAlert(
        name="finished in time",
        reference=RunDue(),
        interval=entry.deadline,
        callback=AsyncCallback(report_late),
    )


async def report_late(context: dict[str, Any]) -> str:
    """Open or grow the incident of a DAG whose run is not over at its deadline, and send the message.

    Airflow calls it in the triggerer, once, whatever the run's state, and does not repeat what failed.

    :param context: ``dag_run`` and ``deadline`` as Airflow hands them over
    :return: what was done, kept by Airflow as the callback's output
    :raises psycopg.Error: if the ledger did not answer within five minutes
    """
    dag_run = context["dag_run"]
    run = RunKey(dag_run["dag_id"], dag_run["dag_run_id"])
    due_s = int(context["deadline"]["deadline_time"].timestamp())
    state: str = dag_run["state"]
    # What it waits for an approval does not count.
    while state not in ENDED and (left_s := await asyncio.to_thread(_left_s, run, due_s)) > 0:
        await asyncio.sleep(min(left_s, LOOK_AGAIN_S))
        known: str | None = await asyncio.to_thread(_state_now, run)
        state = known or state
    return await patiently_in_thread(
        lambda: report_unless_over(run, state=state, due_s=due_s, state_now=_state_now), PATIENCE_S
    )


def _left_s(run: RunKey, due_s: int) -> float:
    """Return how long a run still has when the time it has waited for an approval is left out, seconds."""
    now_s = int(time.time())
    try:
        with ledger() as connection:
            waited = waited_s(connection, run, now_s=now_s)
    except psycopg.Error as error:
        log.warning("%s %s: how long it waited for an approval is unknown: %s", *run, error)
        return 0
    return due_s + waited - now_s


def report_unless_over(
    run: RunKey, *, state: str, due_s: int, state_now: Callable[[RunKey], str | None]
) -> str:
    """Open or grow the incident of a DAG whose run is not over, and send the message.

    :param run: the run whose deadline has passed
    :param state: its state when that was noticed
    :param due_s: its deadline, epoch seconds UTC
    :param state_now: returns its state at the time of the call, or None when nobody knows
    :return: what was done
    :raises DeliveryError: if the message could not be sent; a later delivery sends it
    :raises psycopg.OperationalError: if the ledger cannot be reached
    """
    if state in ENDED:
        return f"nothing to report: {state}"
    late = late_run(run, state=state, due_s=due_s)

    def look(connection: Connection) -> dict[str, Problem | None]:
        # Nobody's candles wait for a run that only plans.
        return {} if read_run_plan(connection, run) is not None else {late.key: late}

    report(look, url=run_url(run), slack_wait_s=SLACK_WAIT_S)
    # Asked last, since the triggerer takes seconds for its first question to Airflow.
    if state_now(run) == "success":
        # It ended meanwhile, and its success callback may have looked before there was an incident.
        report(lambda _: {late.key: None}, slack_wait_s=SLACK_WAIT_S)
    return f"reported: {state}"


def _state_now(run: RunKey) -> str | None:
    from airflow.sdk.execution_time import task_runner  # noqa: PLC0415 (slow, and only needed here)

    if not hasattr(task_runner, "SUPERVISOR_COMMS"):
        return None  # outside of Airflow's processes
    try:
        return task_runner.RuntimeTaskInstance.get_dagrun_state(*run)
    except AirflowRuntimeError:
        log.warning("Airflow does not return the state of %s %s", *run)
        return None
