"""The file of the plan, edited step by step: DAGs, schedules and params follow, and no code is edited."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.plan_file import read_plan_file
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV
from tests.dags.conftest import ROOT, closed_sockets
from tests.dags.test_dag_set import BEAT, DEFAULTS, MANUAL

if TYPE_CHECKING:
    from collections.abc import Callable

SHIPPED = (ROOT / "include" / "assets.yaml").read_text(encoding="utf-8")
ALWAYS = set(BEAT) | MANUAL

Parse = "Callable[[str], dict[str, Any]]"


@pytest.fixture
def parse(
    tmp_path: Path, pools: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, Any]]:
    """Give the DAGs of a file that ends with some text, parsed without network and stores."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (Airflow is slow to import)

    file = tmp_path / "mine.yaml"
    monkeypatch.setenv(ASSETS_FILE_ENV, str(file))

    def parsed(more: str) -> dict[str, Any]:
        file.write_text(SHIPPED + more, encoding="utf-8")
        with closed_sockets():
            bag = DagBag(str(ROOT / "dags"), known_pools=set(pools))
        assert bag.import_errors == {}
        return dict(bag.dags)

    return parsed


def crons(dags: dict[str, Any]) -> dict[str, str | None]:
    """Return the schedule of each DAG."""
    return {dag_id: getattr(dag.timetable, "expression", None) for dag_id, dag in dags.items()}


BEFORE: dict[str, str | None] = {dag_id: cron for dag_id, (_, cron) in BEAT.items()} | dict.fromkeys(MANUAL)


def test_an_edit_of_the_file_is_all_that_dags_schedules_and_params_need(
    parse: Callable[[str], dict[str, Any]],
) -> None:
    shipped = parse("")
    assert crons(shipped) == BEFORE
    assert {dag_id: dag.params.dump() for dag_id, dag in shipped.items()} == DEFAULTS
    assert shipped["backfill_tier1_daily"].dag_display_name == "Backfill TIER1 (at 02:00 UTC)"
    assert shipped["ingest_ohlcvt_archive"].dag_display_name == "Ingest Kraken's archive"

    weekly = parse("tiers:\n  TIER3: {schedule: 0 5 * * 0}\n")
    assert crons(weekly) == {**BEFORE, "backfill_tier3": "0 5 * * 0"}
    assert weekly["backfill_tier3"].dag_display_name == "Backfill TIER3 (at 05:00, only on Sunday UTC)"
    expected = DEFAULTS["backfill_tier2_daily"] | {"tier": "TIER3"}
    assert weekly["backfill_tier3"].params.dump() == expected
    # What is scheduled is watched, too.
    assert weekly["validate_data_hourly"].params["tiers"] == ["TIER1", "TIER2", "TIER3"]

    odd = parse("tiers:\n  TIER3: {schedule: 0 5 * * 007}\n")
    assert odd["backfill_tier3"].dag_display_name == "Backfill TIER3 (0 5 * * 007 UTC)"

    minutes = parse(
        "tiers:\n  TIER1: {intervals: [5, 60, 1440], schedule: 0 2 */2 * *, trades_call_budget: 9}\n"
    )
    assert crons(minutes) == {**BEFORE, "backfill_tier1_daily": "0 2 */2 * *"}
    params = minutes["backfill_tier1_daily"].params.dump()
    assert (params["intervals"], params["trades_call_budget"]) == ([5, 60, 1440], 9)
    assert minutes["completeness_report_daily"].params["intervals"] == [5, 60, 1440]

    every = parse(
        "tiers:\n  TIER4: {schedule: 0 6 * * *, intervals: [1, 60, 1440]}\n"
        "select:\n  - {quote: USD, tier: TIER4}\n"
    )
    assert crons(every) == {**BEFORE, "backfill_tier4": "0 6 * * *"}
    assert every["backfill_tier1_daily"].dagrun_timeout == timedelta(hours=10)
    # 1,500 pairs at three intervals take 75 minutes at a call per second.
    assert every["backfill_tier4"].dagrun_timeout > timedelta(hours=6)

    by_hand = parse("tiers:\n  TIER2: {schedule: null}\n")
    assert crons(by_hand) == {**BEFORE, "backfill_tier2_daily": None}


@pytest.mark.parametrize(
    ("mistake", "stays"),
    [
        ("tiers:\n  TIER3: {schedule: weekly}\n", ["backfill_tier3"]),
        ("tiers:\n  TIER3: {schedule: 0 5 * * 0, colour: red}\n", ["backfill_tier3"]),
        ("tiers:\n  TIER1: {intervals: [1], schedule: 0 2 * * *, repair_from: [ohlc]}\n", []),
        ("tiers:\n  TIER3: {schedule: 0 5 * * 0}\nselect:\n  - {quote: USD}\n", ["backfill_tier3"]),
        ("tiers: [\n", []),
        ("tiers: {'TIER4' : {schedule: 0 5 * * 0}\n", ["backfill_tier4"]),
        ("tiers:\n  TIER3: {schedule: 0 5 * * 0}\nassets: []\n", ["backfill_tier3"]),
        ("# TIER3: weekly\nrules: []\nselect: USD", []),
        ("tiers: {TIER1: {hours: !!bool maybe}, TIER4: {schedule: 0 5 * * 0}}\n", ["backfill_tier4"]),
        ("tier:\n  TIER3: {schedule: 0 5 * * 0}\n", ["backfill_tier3"]),
        ("tiers:\n  TIER3: {schedule: '*,1 5 * * 0'}\n", ["backfill_tier3"]),
    ],
)
def test_a_mistake_takes_no_dag_away_and_leaves_the_schedules_shipped(
    parse: Callable[[str], dict[str, Any]], mistake: str, stays: list[str]
) -> None:
    dags = parse(mistake)
    assert crons(dags) == BEFORE | dict.fromkeys(stays)
    assert {dag_id: dags[dag_id].params.dump() for dag_id in DEFAULTS} == DEFAULTS


def test_the_file_that_the_one_file_of_an_existing_airflow_names_governs_schedules(tmp_path: Path) -> None:
    from kraken_ohlcv_airflow.dag_set import dags  # noqa: PLC0415 (Airflow is slow to import)

    file = tmp_path / "mine.yaml"
    file.write_text(
        SHIPPED + "tiers:\n  TIER3: {schedule: 0 5 * * 0}\n  TIER2: {hours: 30, lookback_days: 3}\n"
    )
    made = dags(assets_file=file)
    assert set(made) == ALWAYS | {"backfill_tier3"}
    assert made["backfill_tier3"].timetable.expression == "0 5 * * 0"  # type: ignore[attr-defined]
    assert made["backfill_tier2_daily"].params["lookback_days"] == 3
    for dag in made.values():
        prepare: Any = dag.get_task("prepare")
        assert prepare.op_kwargs["assets_file"] == str(file)
    assert set(dags()) == ALWAYS
    assert read_plan_file(file).tiers["TIER2"].hours == 30
