"""The demo's own DAG: beside the product's in the demo's Airflow, and nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from demo.dag_ids import ALL_DAGS, SLOW_DAG
from demo.dags.demo_slow_backfill import IN_A_HURRY, demo_slow_backfill
from demo.watch import ANSWER_S
from kraken_ohlcv.core.schedules import MANUALS, SCHEDULES
from local.airflow import AirflowSettings
from local.processes import ROOT
from local.settings import ModeHome
from local.stack import DEMO_DAGS

if TYPE_CHECKING:
    from pathlib import Path

BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"


def variables(home: Path, more_dags: Path | None) -> dict[str, str]:
    return AirflowSettings(
        home=ModeHome("demo", sandbox=home),
        port=1,
        database_uri="postgresql://",
        connections={},
        more_dags=more_dags,
    ).variables()


def test_the_demos_dag_is_no_dag_of_the_product() -> None:
    assert set(ALL_DAGS) - {*SCHEDULES, *MANUALS} == {SLOW_DAG}
    assert not list((ROOT / "dags").rglob(f"{SLOW_DAG}*"))
    assert (DEMO_DAGS / f"{SLOW_DAG}.py").is_file()


def test_only_an_airflow_told_so_loads_more_dags_than_the_products(tmp_path: Path) -> None:
    assert BUNDLES not in variables(tmp_path, None)
    told = variables(tmp_path, DEMO_DAGS)
    assert told["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")
    product, demo = json.loads(told[BUNDLES])
    assert (product["name"], product["kwargs"]) == ("dags-folder", {})
    assert demo["kwargs"] == {"path": str(DEMO_DAGS)}


def test_the_exchange_answers_later_than_the_deadline_of_the_demos_dag() -> None:
    assert demo_slow_backfill.dag_id == SLOW_DAG
    assert IN_A_HURRY.deadline.total_seconds() < ANSWER_S
