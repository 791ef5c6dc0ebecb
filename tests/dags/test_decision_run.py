"""A gap accepted, and taken back, by a run of the hourly check in Airflow itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.times import iso
from tests.dags.test_backfill_run import run_dag
from tests.integration.world import World

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin
    from tests.dags.conftest import TaskLog

DAG_ID = "validate_data_hourly"
HOURLY = Series("XBTUSD", 60)


@pytest.fixture
def world(
    exchange: ExchangeAdmin,
    kraken_conn: str,
    ledger_uri: str,
    candle_table: str,
    airflow_db: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Give a world whose DAGs Airflow can run, in which XBTUSD has a hole of ten hours."""
    del kraken_conn, candle_table, airflow_db
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n", encoding="utf-8")
    monkeypatch.setenv("OHLCV_ASSETS_FILE", str(file))
    made = World(exchange, ledger_uri)
    first, end = made.window(HOURLY)
    made.store(HOURLY, (first, end), without=[(first + 100 * HOUR_S, first + 110 * HOUR_S)])
    made.plan()
    return made


def hole(world: World, first: int, last: int, **changes: Any) -> dict[str, Any]:
    """Return what a person says of some hours of the hole."""
    start, _ = world.window(HOURLY)
    span = {"start": iso(start + first * HOUR_S), "end": iso(start + last * HOUR_S)}
    return {"ticker": "XBTUSD", "interval": 60, **span, "reason": "Kraken lost them", **changes}


def test_the_user_who_triggers_the_run_decides(dag_bag: DagBag, world: World) -> None:
    state, _, result = run_dag(dag_bag, DAG_ID, accept_gap=hole(world, 102, 200))
    assert result is not None
    assert (state, result["errors"]) == ("success", [])
    (decision,) = result["decisions"]
    # The user of dag.test.
    assert (decision["decision"], decision["candles"], decision["by"]) == ("accept_gap", 8, "dag_test")
    assert [(gap["missing_candles"], gap["accepted_by"]) for gap in world.gaps()] == [
        (2, None),
        (8, "dag_test"),
    ]

    state, _, result = run_dag(dag_bag, DAG_ID, take_back_gap=hole(world, 105, 106, reason="found"))
    assert result is not None
    assert (state, result["decisions"][0]["candles"]) == ("success", 1)
    history = world.rows(
        "SELECT decision, decided_by, reason, dag_id FROM gap_decisions ORDER BY decision_id"
    )
    assert [tuple(row.values()) for row in history] == [
        ("accepted", "dag_test", "Kraken lost them", DAG_ID),
        ("taken_back", "dag_test", "found", DAG_ID),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"ticker": "XBTEUR"}, "XBTEUR 60 was never processed", id="a series nobody knows"),
        pytest.param({"start": "2026-02-31", "end": "2026-03-01"}, "'2026-02-31' is no time", id="no day"),
        pytest.param({"start": "2020-01-01", "end": "2020-01-02"}, "nothing is missing", id="nothing there"),
        pytest.param({"start": "2026-11-02", "end": "2026-11-01"}, "is not before end", id="end first"),
    ],
)
def test_a_run_that_cannot_decide_what_it_was_asked_to_is_not_green(
    dag_bag: DagBag, world: World, task_log: TaskLog, changes: dict[str, str], said: str
) -> None:
    state, _, result = run_dag(dag_bag, DAG_ID, accept_gap=hole(world, 100, 110, **changes))
    assert result is not None
    assert state == "failed"
    assert said in str(result["errors"])
    assert f"ERROR {result['errors'][0]}" in task_log.of("verdict")
    assert [gap["accepted_by"] for gap in world.gaps()] == [None]
