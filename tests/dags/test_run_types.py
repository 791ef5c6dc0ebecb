"""Runs of every type work, but for those of Airflow's Backfill, which are refused with the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.types import DagRunType

from tests.dags.test_backfill_run import run_dag

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from tests.dags.conftest import TaskLog

WORKING = [one for one in DagRunType if one is not DagRunType.BACKFILL_JOB]


@pytest.fixture
def stores(kraken_conn: str, ledger_uri: str, candle_table: str, airflow_db: str) -> None:
    """Make the stores that the DAGs work on."""
    del kraken_conn, ledger_uri, candle_table, airflow_db


def test_all_dags_allow_all_types_of_runs_but_the_backfill_and_say_so_in_their_first_line(
    dag_bag: DagBag,
) -> None:
    for dag in dag_bag.dags.values():
        assert {str(one.value) for one in dag.allowed_run_types or ()} == {one.value for one in WORKING}
        assert "Backfill*" in (dag.doc_md or "").strip().splitlines()[0]


def start_as(monkeypatch: pytest.MonkeyPatch, run_type: DagRunType) -> None:
    """Let the next runs be of a type, as if somebody else than a person had started them."""
    create: Any = SerializedDAG.create_dagrun

    def create_of_type(self: Any, **arguments: Any) -> Any:
        return create(self, **{**arguments, "run_type": run_type})

    monkeypatch.setattr(SerializedDAG, "create_dagrun", create_of_type)


@pytest.mark.parametrize("run_type", WORKING, ids=str)
@pytest.mark.usefixtures("stores")
def test_a_run_of_this_type_works(
    dag_bag: DagBag, monkeypatch: pytest.MonkeyPatch, task_log: TaskLog, run_type: DagRunType
) -> None:
    start_as(monkeypatch, run_type)

    state, _, result = run_dag(dag_bag, "cleanup_gap_records_weekly", dry_run=True)

    assert result is not None
    assert (state, result["errors"]) == ("success", [])
    foreseen = "INFO would be deleted (dry run): 0 FILLED gap records and 0 FAILED ones older than 90 days, "
    for task_id in ("clean", "result", "verdict"):
        assert foreseen in task_log.of(task_id)


@pytest.mark.usefixtures("stores")
def test_a_run_of_the_backfill_that_arrives_all_the_same_is_refused_with_what_to_use_instead(
    dag_bag: DagBag, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_as(monkeypatch, DagRunType.BACKFILL_JOB)

    state, states, result = run_dag(dag_bag, "backfill_tier1_daily")

    assert (state, states["ask_exchange"]) == ("failed", "upstream_failed")
    assert result is not None
    assert [("Backfill is refused" in error, "repair_range" in error) for error in result["errors"]] == [
        (True, True)
    ]


@pytest.mark.usefixtures("stores")
def test_a_clean_up_of_an_unknown_param_deletes_nothing_and_names_it(
    dag_bag: DagBag, task_log: TaskLog
) -> None:
    state, states, result = run_dag(dag_bag, "cleanup_gap_records_weekly", day=1)

    assert (state, states["clean"]) == ("failed", "upstream_failed")
    assert result is not None
    assert ["conf key 'day' is unknown" in error for error in result["errors"]] == [True]
    assert "INFO nothing was deleted: a step failed before" in task_log.of("result")
    assert "ERROR 1 error, named in the log of task verdict" in task_log.of("result")
    assert f"ERROR {result['errors'][0]}" in task_log.of("verdict")
