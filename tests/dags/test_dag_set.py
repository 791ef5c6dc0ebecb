"""The DAGs are exactly those of the schedule table, and keep the rules that all DAGs share."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.schedules import MANUALS, SCHEDULES
from kraken_ohlcv.core.settings import KRAKEN_POOL
from kraken_ohlcv_airflow.completeness import COMPLETENESS
from kraken_ohlcv_airflow.defaults import CANDLES, OWNER, TAG
from kraken_ohlcv_airflow.verified import VERIFIED
from tests.environments import ROOT, run_python

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag

BEAT = {
    "backfill_tier1_daily": ("backfill-tier1-daily", "0 2 * * *"),
    "backfill_tier2_daily": ("backfill-tier2-daily", "0 3 * * *"),
    "validate_data_hourly": ("validate-data-hourly", "0 * * * *"),
    "completeness_report_daily": ("completeness-report-daily", "0 8 * * *"),
    "cleanup_gap_records_weekly": ("cleanup-gap-records-weekly", "0 4 * * 0"),
}
DEFAULTS = {
    "backfill_tier1_daily": {
        "tier": "TIER1",
        "intervals": [60, 1440],
        "lookback_days": 7,
        "max_gaps_per_asset": 10,
        "tickers": None,
        "retry_failed": False,
        "full_scan": False,
        "trades_call_budget": 200,
        "repair_from": ["ohlc", "trades"],
        "repair_start": None,
        "repair_end": None,
        "approve_above_calls": None,
        "plan_only": False,
    },
    "backfill_tier2_daily": {
        "tier": "TIER2",
        "intervals": [1440],
        "lookback_days": 7,
        "max_gaps_per_asset": 10,
        "tickers": None,
        "retry_failed": False,
        "full_scan": False,
        "trades_call_budget": 200,
        "repair_from": ["ohlc", "trades"],
        "repair_start": None,
        "repair_end": None,
        "approve_above_calls": None,
        "plan_only": False,
    },
    "ingest_ohlcvt_archive": {
        "path": None,
        "quarter": None,
        "tier": "ALL",
        "tickers": None,
        "intervals": [60, 1440],
        "dry_run": False,
        "plan_only": False,
        "again": False,
        "trust": "stored",
        "max_bad_rows": None,
        "max_bad_percent": None,
        "allow_full_download": False,
    },
    "validate_data_hourly": {
        "hours": 24,
        "interval_minutes": 1440,
        "tiers": ["TIER1", "TIER2"],
        "snooze": None,
        "snooze_hours": 24,
        "accept_gap": None,
        "take_back_gap": None,
    },
    "completeness_report_daily": {
        "tier": "TIER1",
        "intervals": [60, 1440],
        "digest": False,
        "verified_since": None,
        "accept_changed_days": None,
        "verify_history_days": 30,
    },
    "cleanup_gap_records_weekly": {"days": 90, "dry_run": False},
}
DAG_FILES = sorted(file for file in (ROOT / "dags").glob("*.py") if file.name != "__init__.py")
WHILE_SCHEDULED = {"backfill_tier3", "backfill_tier4"}
"""DAG files that bring a DAG while the plan gives their tier a schedule: tests/dags/test_plan.py."""
MANUAL = {"ingest_ohlcvt_archive"}
TASKS_THAT_FETCH = {"fill_ohlc", "plan_trades", "rebuild_trades", "rebuild_approved"}
"""Candles or trades from Kraken; what asks only its clock, state or pairs takes the limiter alone."""


def test_the_dags_are_exactly_those_of_the_beat_table_and_the_manual_ones(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    assert dag_bag.dag_warnings == set()
    assert set(SCHEDULES) == set(BEAT)
    assert set(MANUALS) == MANUAL
    assert set(dag_bag.dags) == set(BEAT) | MANUAL


@pytest.mark.parametrize("dag_id", sorted(MANUAL))
def test_a_manual_dag_waits_for_people_and_is_watched_all_the_same(dag_bag: DagBag, dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    assert (dag.timetable.can_be_scheduled, dag.is_paused_upon_creation) == (False, False)
    assert dag.dagrun_timeout == MANUALS[dag_id].timeout > MANUALS[dag_id].deadline
    assert dag.deadline
    assert dag.has_on_failure_callback


@pytest.mark.parametrize("dag_id", sorted(BEAT))
def test_a_dag_runs_when_beat_ran_it_and_never_for_a_past_tick(dag_bag: DagBag, dag_id: str) -> None:
    entry, cron = BEAT[dag_id]
    dag = dag_bag.dags[dag_id]
    timetable: Any = dag.timetable
    assert SCHEDULES[dag_id].beat_entry == entry
    assert (timetable.expression, timetable.timezone) == (cron, "UTC")
    assert timetable.run_immediately.total_seconds() == 0
    assert (dag.catchup, dag.start_date, dag.is_paused_upon_creation) == (False, None, False)


@pytest.mark.parametrize("dag_id", sorted(DEFAULTS))
def test_the_params_default_to_what_was_passed_before(dag_bag: DagBag, dag_id: str) -> None:
    assert dag_bag.dags[dag_id].params.dump() == DEFAULTS[dag_id]


@pytest.mark.parametrize("dag_id", sorted(BEAT.keys() | MANUAL))
def test_a_dag_keeps_the_common_rules(dag_bag: DagBag, pools: dict[str, object], dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    assert dag.doc_md
    assert dag_id in MANUAL or BEAT[dag_id][0] in dag.doc_md
    assert TAG in dag.tags
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout
    assert dag.tasks
    for task in dag.tasks:
        assert (task.owner, task.pool in pools) == (OWNER, True)
        assert task.execution_timeout
        assert (task.pool == KRAKEN_POOL) == (task.task_id in TASKS_THAT_FETCH)
    assert {"result", "verdict"} <= set(dag.task_ids)
    # A teardown does not count for the state of a run, so the verdict decides it.
    assert all(dag.get_task(name).is_teardown for name in dag.get_task("verdict").downstream_task_ids)
    assert dag.get_task("verdict").upstream_task_ids == {"result"}


HEAVY = ("polars", "numpy", "pandas", "alembic", "fastapi", "questdb", "slack_sdk")


def test_reading_the_dag_files_imports_nothing_heavy_since_every_task_instance_reads_one(
    tmp_path: Path,
) -> None:
    program = (
        "import runpy, sys, airflow.sdk, airflow.providers.standard.operators.trigger_dagrun\n"
        f"for file in {[str(file) for file in DAG_FILES]}:\n"
        "    runpy.run_path(file)\n"
        f"    print(*[(file, name) for name in {HEAVY} if name in sys.modules], end='')"
    )
    done = run_python(sys.executable, program, home=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_people_read_in_the_ui_what_a_dag_and_an_asset_are(dag_bag: DagBag) -> None:
    assert len(dag_bag.dags) >= len(BEAT)
    sentences = [dag.description or "" for dag in dag_bag.dags.values()]
    sentences += [asset.extra["description"] for asset in (CANDLES, COMPLETENESS, VERIFIED)]
    for sentence in sentences:
        assert sentence.endswith(".")
        assert sentence.count(".") == 1
    assert [dag.dag_display_name for dag in dag_bag.dags.values() if "_" in dag.dag_display_name] == []


@pytest.mark.parametrize(
    "file", [file for file in DAG_FILES if file.stem not in WHILE_SCHEDULED], ids=lambda file: file.stem
)
def test_a_dag_file_can_be_read_at_one_go_and_is_named_like_its_dag(file: Path, dag_bag: DagBag) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert ast.get_docstring(ast.parse(text)) == (dag_bag.dags[file.stem].doc_md or "").strip()


def test_the_files_of_dags_that_are_there_while_scheduled_can_be_read_at_one_go() -> None:
    files = [file for file in DAG_FILES if file.stem in WHILE_SCHEDULED]
    assert len(files) == len(WHILE_SCHEDULED)
    for file in files:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 120


def test_the_pool_of_the_exchange_has_one_slot_also_for_deferred_tasks(pools: dict[str, Any]) -> None:
    assert (pools[KRAKEN_POOL]["slots"], pools[KRAKEN_POOL]["include_deferred"]) == (1, True)


@pytest.mark.parametrize("at_most", [1, 8, 1024])
def test_work_is_shared_out_among_as_many_items_as_this_airflow_maps(
    at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kraken_ohlcv_airflow.tasks import mappable  # noqa: PLC0415 (reads the environment)

    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", str(at_most))
    tickers = [f"SYN{n}USD" for n in range(50)]
    items = mappable([{"label": ticker, "tickers": [ticker]} for ticker in tickers])
    assert len(items) <= at_most
    assert [ticker for item in items for ticker in item["tickers"]] == tickers
