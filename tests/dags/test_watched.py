"""Every DAG is watched: a deadline that Airflow can store, and callbacks when its runs end."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.schedules import SCHEDULES
from kraken_ohlcv_airflow.deadlines import RunDue, report_late
from kraken_ohlcv_airflow.failures import report_failure, report_success
from local.airflow import sentry_variables

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

TICK = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.parametrize("dag_id", sorted(SCHEDULES))
def test_a_dag_has_the_deadline_of_the_schedule_table_well_before_it_is_stopped(
    dag_bag: DagBag, dag_id: str
) -> None:
    dag: Any = dag_bag.dags[dag_id]
    (alert,) = dag.deadline
    assert alert.interval == SCHEDULES[dag_id].deadline
    assert timedelta(0) < alert.interval < dag.dagrun_timeout
    assert isinstance(alert.reference, RunDue)
    assert alert.callback.path == f"{report_late.__module__}.report_late"
    assert (dag.on_failure_callback, dag.on_success_callback) == (report_failure, report_success)


def test_airflow_reads_back_every_dag_with_its_deadline(dag_bag: DagBag) -> None:
    from airflow import plugins_manager  # noqa: PLC0415 (Airflow is slow to import)
    from airflow.serialization.decoders import decode_deadline_alert  # noqa: PLC0415
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: PLC0415

    assert dag_bag.dags
    for dag in dag_bag.dags.values():
        stored = DagSerialization.to_dict(dag)["dag"]
        (alert,) = stored["deadline"]
        assert isinstance(decode_deadline_alert(alert).reference.inner_ref, RunDue)
        assert stored["has_on_failure_callback"]
        assert stored["has_on_success_callback"]
    assert plugins_manager.get_import_errors() == {}


@pytest.fixture
def session() -> Any:
    """Give a session on an Airflow database that has the table of runs."""
    from airflow.models.dagrun import DagRun  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.orm import Session  # noqa: PLC0415

    engine = create_engine("sqlite://")
    DagRun.__table__.create(engine)
    with Session(engine) as session:
        yield session


@pytest.mark.parametrize(
    ("run_after", "created_at", "counts_from"),
    [
        pytest.param(TICK, TICK + timedelta(seconds=1), TICK + timedelta(seconds=1), id="at its tick"),
        pytest.param(TICK, TICK + timedelta(hours=9), TICK + timedelta(hours=9), id="hours after its tick"),
        pytest.param(TICK + timedelta(hours=1), TICK, TICK + timedelta(hours=1), id="made ahead of time"),
    ],
)
def test_a_deadline_counts_from_when_the_run_should_and_could_begin(
    session: Any, run_after: datetime, created_at: datetime, counts_from: datetime
) -> None:
    from airflow.models.dagrun import DagRun  # noqa: PLC0415
    from sqlalchemy import insert  # noqa: PLC0415

    session.execute(
        insert(DagRun.__table__).values(
            dag_id="backfill",
            run_id="manual__1",
            run_type="manual",
            logical_date=None,
            run_after=run_after,
            created_at=created_at,
            updated_at=created_at,
            clear_number=0,
            log_template_id=1,
        )
    )

    assert RunDue()._evaluate_with(session=session, dag_id="backfill", run_id="manual__1") == counts_from


def test_a_run_that_is_gone_has_no_deadline(session: Any) -> None:
    assert RunDue()._evaluate_with(session=session, dag_id="backfill", run_id="manual__1") is None


def test_without_a_dsn_nothing_of_sentry_is_imported() -> None:
    assert sentry_variables({}) == {}
    without = {name: value for name, value in os.environ.items() if "SENTRY" not in name}
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, airflow.sdk.execution_time.task_runner, kraken_ohlcv_airflow.backfill;"
            "sys.exit('sentry_sdk' in sys.modules)",
        ],
        env=without,
        check=True,
    )
