"""DAG runs that only plan, run by Airflow itself: they return a plan, and nothing else has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV
from kraken_ohlcv.stores.ledger.session import connect
from tests.conftest import set_connection
from tests.dags.test_backfill_run import run_dag
from tests.integration.archive_world import archive_text
from tests.integration.planning import digests
from tests.integration.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin

HOURLY = Series("XBTUSD", 60)
BACKFILL = "backfill_tier1_daily"
OWN_RECORD = "backfill_runs"


@pytest.fixture
def world(
    exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str, airflow_db: str
) -> World:
    """Give a world whose DAGs Airflow can run."""
    del kraken_conn, candle_table, airflow_db
    return World(exchange, ledger_uri)


def trigger(dag_bag: DagBag, world: World, dag_id: str, **conf: object) -> tuple[str, dict[str, object]]:
    """Run a DAG that only plans; return its state and result, and check that only its record is new."""
    before = digests(world)
    state, states, result = run_dag(dag_bag, dag_id, plan_only=True, **conf)
    after = digests(world)
    assert {name for name, digest in after.items() if digest != before[name]} == {OWN_RECORD}
    assert {name for name, one in states.items() if one == "success"} >= {"prepare", "result"}
    assert {name for name, one in states.items() if one == "skipped"} >= {"watch", "notify"}
    assert result is not None
    return state, result


@pytest.mark.parametrize("repair_range", [None, {"start": "2026-11-20", "end": "2026-11-22"}], ids=str)
def test_a_backfill_that_only_plans_returns_the_plan_and_leaves_no_trace(
    dag_bag: DagBag, world: World, repair_range: dict[str, str] | None
) -> None:
    start_s, end_s = world.window(HOURLY, buckets=900)
    hole = (start_s + 20 * HOUR_S, start_s + 22 * HOUR_S)
    world.store(HOURLY, (start_s, end_s), without=[hole])
    world.exchange.clear_calls()

    state, result = trigger(
        dag_bag, world, BACKFILL, tickers=["XBTUSD"], intervals=[60], repair_range=repair_range
    )

    assert state == "success"
    assert (result["plan_only"], result["gaps_detected"], result["errors"]) == (True, 0, [])
    plan = result["plan"]
    assert isinstance(plan, dict)
    assert plan["calls"]["total"] == plan["calls"]["ohlc"] + plan["calls"]["trades"] >= 1
    assert {call["endpoint"] for call in world.exchange.calls()} == {"Time", "SystemStatus", "AssetPairs"}
    # The first real run is the first that anything is known of.
    assert world.rows("SELECT FROM gap_records") == world.rows("SELECT FROM series") == []


def test_a_plan_for_what_a_run_refuses_is_red_and_names_it(dag_bag: DagBag, world: World) -> None:
    state, result = trigger(
        dag_bag,
        world,
        BACKFILL,
        tickers=["XBTUSD"],
        repair_range={"start": "2026-11-20", "end": "2026-11-19"},
    )
    assert state == "failed"
    assert result["errors"] == [
        "ask_exchange: the range to repair begins on 2026-11-20 and ends on 2026-11-19: start must be earlier"
    ]


def test_a_plan_that_ends_in_its_first_task_opens_no_incident(
    dag_bag: DagBag, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("assets: [{ticker: XBTUSD}]\nselect: [{quote: USD}]\n", encoding="utf-8")
    monkeypatch.setenv(ASSETS_FILE_ENV, str(file))
    with connect(world.dsn) as connection:
        connection.execute("TRUNCATE incidents RESTART IDENTITY CASCADE")

    state, states, result = run_dag(dag_bag, BACKFILL, plan_only=True)

    assert (state, states["prepare"]) == ("failed", "failed")
    assert result is not None
    assert "mine.yaml line 2" in str(result["errors"])
    # By this the callbacks of Airflow know that the run only planned.
    assert world.rows("SELECT plan FROM backfill_runs") == [{"plan": {}}]
    assert world.rows("SELECT key FROM incidents") == []


def test_a_plan_recovers_no_incident(dag_bag: DagBag, world: World) -> None:
    with connect(world.dsn) as connection:
        connection.execute("TRUNCATE incidents RESTART IDENTITY CASCADE")
    world.exchange.fault("error", endpoint="OHLC", error="EGeneral:Internal error", count=None)
    assert run_dag(dag_bag, BACKFILL, tickers=["XBTUSD"], intervals=[60], repair_from=["ohlc"])[0] == "failed"
    world.exchange.clear_faults()

    trigger(dag_bag, world, BACKFILL, tickers=["XBTUSD"], intervals=[60])


def test_an_ingest_that_only_plans_names_files_and_bytes(
    dag_bag: DagBag, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: ExchangeAdmin
) -> None:
    set_connection(monkeypatch, "kraken_archive", conn_type="kraken_archive", host=exchange.archive_url)
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("OHLCV_ARCHIVE_FOLDER", str(folder))
    monkeypatch.setenv("OHLCV_ARCHIVE_WORK_FOLDER", str(tmp_path / "work"))
    start_s = world.window(HOURLY, buckets=1000)[0]
    text = archive_text(world.truth(HOURLY, (start_s, start_s + 72 * HOUR_S)).values())
    (folder / "XBTUSD_60.csv").write_text(text)

    state, result = trigger(dag_bag, world, "ingest_ohlcvt_archive", path=".", tickers=["XBTUSD"])

    assert state == "success"
    plan = result["plan"]
    assert isinstance(plan, dict)
    assert plan["files"] == [{"file": "XBTUSD_60.csv", "bytes": len(text)}]
    assert plan["archive_bytes"] == len(text)
    # Nothing is stored that could tell whose candles these are.
    assert plan["calls"] == {"ohlc": 1, "trades": 0, "total": 1}
