"""What version 0.1.0 left in Airflow's database: its deadlines are read, and one that is missed is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow._shared.module_loading import import_string
from airflow.models.callback import TriggererCallback
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.deadline import Deadline
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.serialization.decoders import decode_deadline_alert
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType

from kraken_ohlcv.stores.ledger.incidents import read_open
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

RUN_AFTER = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAG_ID = "backfill_tier1_daily"
CALLBACK = "include.orchestration.deadlines.tell_late"
STORED = {
    "name": "finished in time",
    "reference": {"reference_type": "RunDue", "__class_path": "include.orchestration.deadlines.RunDue"},
    "interval": {"__classname__": "datetime.timedelta", "__version__": 2, "__data__": 7200.0},
    "callback": {
        "__classname__": "airflow.sdk.definitions.callback.AsyncCallback",
        "__version__": 0,
        "__data__": {"path": CALLBACK, "kwargs": {}},
    },
}
"""The deadline of a DAG as 0.1.0 had Airflow store it."""


@pytest.fixture
def session(airflow_db: str) -> Iterator[Session]:
    """Give a session of Airflow's database; nothing of a test stays in it."""
    del airflow_db
    with create_session() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def run(session: Session) -> DagRun:
    """Give a run that began under 0.1.0 and is not over."""
    session.merge(DagBundleModel(name="dags-folder"))
    session.flush()
    session.merge(DagModel(dag_id=DAG_ID, bundle_name="dags-folder", fileloc=f"{DAG_ID}.py"))
    made = DagRun(
        dag_id=DAG_ID,
        run_id="scheduled__2026-11-23T02:00:00+00:00",
        run_type=DagRunType.SCHEDULED,
        run_after=RUN_AFTER,
        logical_date=RUN_AFTER,
        state="running",
        triggered_by=DagRunTriggeredByType.TIMETABLE,
    )
    session.add(made)
    session.flush()
    return made


def test_the_deadline_of_a_stored_dag_counts_from_the_same_moment(session: Session, run: DagRun) -> None:
    run.created_at = RUN_AFTER + timedelta(minutes=5)
    session.flush()
    alert: Any = decode_deadline_alert(STORED)
    due = alert.reference.evaluate_with(
        session=session, interval=alert.interval, dag_id=run.dag_id, run_id=run.run_id
    )
    assert due == RUN_AFTER + timedelta(hours=2, minutes=5)


def test_a_pending_deadline_that_is_missed_opens_the_incident_of_its_run(
    session: Session, run: DagRun, ledger_uri: str
) -> None:
    pending = Deadline(
        deadline_time=RUN_AFTER + timedelta(hours=2),
        callback=AsyncCallback(CALLBACK),
        dagrun_id=run.id,
        deadline_alert_id=None,
        dag_id=DAG_ID,
    )
    session.add(pending)
    session.flush()
    assert pending.callback.data["path"] == CALLBACK

    pending.handle_miss(session)  # the scheduler
    session.flush()
    events = asyncio.run(run_trigger(pending))  # the triggerer
    callback = pending.callback
    assert isinstance(callback, TriggererCallback)
    for event in events:
        callback.handle_event(event, session)

    assert (callback.state, callback.output) == ("success", "reported: running")
    with connect(ledger_uri) as connection:
        assert set(read_open(connection)) == {f"run:{DAG_ID}"}


async def run_trigger(deadline: Deadline) -> list[Any]:
    """Run what the scheduler queued, made anew from its row as the triggerer makes it."""
    row = deadline.callback.trigger
    trigger = import_string(row.classpath)(**row.kwargs)
    return [event async for event in trigger.run()]
