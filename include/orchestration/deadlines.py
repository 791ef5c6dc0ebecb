"""The deadline that every DAG run has, and what the triggerer does when one is missed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner

from include.ohlcv.incidents import key_of_run
from include.ohlcv.ledger.session import RunKey
from include.ohlcv.run_trouble import late_run
from include.orchestration.hooks import run_url
from include.orchestration.report import attempts_async, report

if TYPE_CHECKING:
    from datetime import datetime

    from include.ohlcv.schedules import Schedule

ENDED: Final = frozenset({"success", "failed"})
"""States of a run that is over; a failed one has been told by the failure callback."""

PATIENCE_S: Final = 300.0
"""No attempt to tell starts later than this after the first one."""


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


def deadline(entry: Schedule) -> DeadlineAlert:
    """Return the deadline alert of a DAG.

    :param entry: its line of the schedule table
    :return: for the DAG's ``deadline``
    """
    return DeadlineAlert(
        name="finished in time",
        reference=RunDue(),
        interval=entry.deadline,
        callback=AsyncCallback(tell_late),
    )


async def tell_late(context: dict[str, Any]) -> str:
    """Open or grow the incident of a DAG whose run is not over at its deadline, and tell it.

    Airflow calls it in the triggerer, once, whatever the run's state; it does not repeat what failed.

    :param context: ``dag_run`` and ``deadline`` as Airflow hands them over
    :return: what was done, kept by Airflow as the callback's output
    :raises psycopg.Error: if the ledger did not answer within five minutes
    """
    dag_run = context["dag_run"]
    run = RunKey(dag_run["dag_id"], dag_run["dag_run_id"])
    due_s = int(context["deadline"]["deadline_time"].timestamp())
    async for attempt in attempts_async(PATIENCE_S):
        with attempt:
            told = await asyncio.to_thread(_tell_late, run, dag_run["state"], due_s)
    return told
