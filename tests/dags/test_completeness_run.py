"""The completeness report run by Airflow itself, in one process, on the real stores and the exchange."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.seals import head
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.completeness import COMPLETENESS
from kraken_ohlcv_airflow.lineage import checks_of
from local.processes import free_port
from tests.conftest import set_connection
from tests.dags.test_backfill_run import run_dag
from tests.integration.stores.test_contradictions import prove
from tests.integration.world import World

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin
    from tests.dags.conftest import TaskLog

DAG_ID = "completeness_report_daily"
HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
OLD_KEYS = {"tier", "total_assets", "assets_with_gaps", "completeness_pct", "intervals"}


@pytest.fixture
def world(
    exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str, airflow_db: str
) -> World:
    """Give a world whose DAGs Airflow can run."""
    del kraken_conn, candle_table, airflow_db
    return World(exchange, ledger_uri)


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make XBTUSD the whole catalogue."""
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n", encoding="utf-8")
    monkeypatch.setenv("OHLCV_ASSETS_FILE", str(file))


def newest_event() -> dict[str, Any]:
    """Return the extra of the newest event of the report's asset."""
    from airflow.models.asset import AssetEvent, AssetModel  # noqa: PLC0415 (Airflow is slow to import)
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    with create_session() as session:
        of_asset = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        named = of_asset.where(AssetModel.name == COMPLETENESS.name).order_by(AssetEvent.id.desc())
        event = session.scalars(named).first()
        assert event is not None
        return dict(event.extra)


def test_a_report_counts_what_is_missing_and_keeps_it(
    dag_bag: DagBag, world: World, task_log: TaskLog
) -> None:
    first, end = world.window(HOURLY)
    world.store(HOURLY, (first, end), without=[(first + 100 * HOUR_S, first + 110 * HOUR_S)])
    world.store(DAILY, world.window(DAILY))

    state, states, result = run_dag(dag_bag, DAG_ID)

    assert (state, states["digest"]) == ("success", "skipped")
    assert result is not None
    assert set(result) >= OLD_KEYS
    # No backfill has looked yet: the ledger has no gap, and the candles tell all the same.
    assert (result["total_assets"], result["assets_with_gaps"], result["completeness_pct"]) == (1, 0, 100.0)
    hourly = result["intervals"]["60"]
    assert (hourly["expected"], hourly["stored"], hourly["missing"]) == (720, 710, 10)
    assert (hourly["total_gaps"], result["intervals"]["1440"]["missing"]) == (0, 0)
    assert result["cross_check"]["days_mismatched"] == 0
    assert result["cross_check"]["days_compared"] == 27
    assert (result["clock"], result["errors"], result["warnings"]) == ("exchange", [], [])
    assert newest_event() == {key: value for key, value in result.items() if key != "errors"}
    vouched = {one.name: (one.actual, one.is_good) for one in checks_of(result)}
    assert vouched["unverified_candles TIER1 60"] == ("10", False)
    assert vouched["verified_pct TIER1"] == (str(result["targets"][0]["verified_pct"]), False)
    assert "INFO TIER1: of 1 asset 100.0 % have no open gap; 0 assets with gaps" in task_log.of("result")
    assert re.search(r"^INFO 60 +0 +0 +0 +1 +720 +710 +0 +10 ", task_log.of("verdict"), re.MULTILINE)
    assert "XBTUSD 60" in task_log.of("report")

    run_dag(dag_bag, "backfill_tier1_daily")
    state, _, again = run_dag(dag_bag, DAG_ID)

    assert again is not None
    assert (state, again["intervals"]["60"]["missing"], again["intervals"]["60"]["verified_pct"]) == (
        "success",
        0,
        100.0,
    )
    assert again["gap_times"]["gaps_filled"] == again["gap_times"]["gaps_detected"] == 1
    kept = world.rows(
        "SELECT interval_minutes, missing FROM completeness_reports JOIN completeness_lines USING (report_id)"
        " ORDER BY report_id, interval_minutes"
    )
    assert [tuple(row.values()) for row in kept] == [(60, 10), (1440, 0), (60, 0), (1440, 0)]


def test_a_report_tells_of_a_candle_that_trades_asked_again_do_not_bear_out(
    dag_bag: DagBag, world: World
) -> None:
    first, end = world.window(HOURLY)
    world.store(HOURLY, (first, end))
    disputed = (first + 100 * HOUR_S, first + 102 * HOUR_S)
    prove(world, HOURLY, disputed, "trades")
    world.exchange.quiet("XBTUSD", *disputed)
    run_dag(dag_bag, DAG_ID)
    assert world.rows("SELECT key FROM incidents") == []
    run_dag(
        dag_bag, "backfill_tier1_daily", tickers=["XBTUSD"], intervals=[60], repair_from=["ohlc", "trades"]
    )

    state, _, result = run_dag(dag_bag, DAG_ID)

    assert result is not None
    assert (state, result["errors"]) == ("success", [])
    (incident,) = world.rows("SELECT key, headline FROM incidents WHERE recovered_at IS NULL")
    assert incident["key"] == "pair:XBTUSD"
    assert "stand where its trades prove that nothing traded" in incident["headline"]


def test_on_empty_databases_a_report_says_that_nothing_was_loaded(dag_bag: DagBag, world: World) -> None:
    del world
    state, _, result = run_dag(dag_bag, DAG_ID)

    assert result is not None
    assert (state, result["errors"]) == ("success", [])
    assert result["warnings"] == ["never loaded: XBTUSD 60, XBTUSD 1440"]
    assert result["intervals"]["60"]["stored"] == 0


def test_without_questdb_the_run_fails_with_a_sentence_and_tells_what_the_ledger_knows(
    dag_bag: DagBag, world: World, questdb_server: QuestDBServer, task_log: TaskLog
) -> None:
    first, end = world.window(HOURLY)
    world.store(HOURLY, (first, end - 5 * HOUR_S))
    world.plan(intervals=[60])
    questdb_server.stop()

    state, states, result = run_dag(dag_bag, DAG_ID)

    assert (state, states["result"], states["verdict"], states["publish"]) == (
        "failed",
        "success",
        "failed",
        "skipped",
    )
    assert result is not None
    assert (result["assets_with_gaps"], result["intervals"]["60"]["fillable_gaps"]) == (1, 1)
    assert ["QuestDB" in error for error in result["errors"]] == [True]
    assert "INFO TIER1: of 1 asset 0.0 % have no open gap; 1 asset with gaps" in task_log.of("result")
    assert f"ERROR {result['errors'][0]}" in task_log.of("verdict")


def test_without_the_ledger_the_run_fails_with_a_sentence_and_claims_no_completeness(
    dag_bag: DagBag, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store(HOURLY, world.window(HOURLY))
    set_connection(monkeypatch, "ohlcv_postgres", conn_type="postgres", host="127.0.0.1", port=free_port())

    state, states, result = run_dag(dag_bag, DAG_ID)

    assert (state, states["prepare"], states["report"]) == ("failed", "failed", "upstream_failed")
    assert (states["result"], states["verdict"], states["publish"]) == ("success", "failed", "skipped")
    assert result is not None
    assert set(result) >= OLD_KEYS
    assert (result["total_assets"], result["completeness_pct"]) == (0, None)
    assert [error.split(" (")[0] for error in result["errors"]] == [
        "prepare: the ledger did not answer",
        "result: the ledger did not answer",
    ]
    for error in result["errors"]:
        assert "connection ohlcv_postgres" in error
        assert "start PostgreSQL or correct the connection" in error
        assert "\n" not in error


def test_a_report_of_an_unknown_param_is_refused(dag_bag: DagBag, world: World) -> None:
    del world
    state, _, result = run_dag(dag_bag, DAG_ID, teir="TIER2")

    assert state == "failed"
    assert result is not None
    assert ["'teir'" in error for error in result["errors"]] == [True]


def test_a_report_seals_days_and_opens_an_incident_until_a_change_is_accepted(
    dag_bag: DagBag, world: World, task_log: TaskLog
) -> None:
    first, end = world.window(HOURLY)
    world.store(HOURLY, (first, end), without=[(first + 100 * HOUR_S, first + 110 * HOUR_S)])
    world.store(DAILY, world.window(DAILY))
    world.run(intervals=[60, 1440])

    _, _, result = run_dag(dag_bag, DAG_ID)

    assert result is not None
    seals = result["seals"]
    assert seals["days"] > 700
    assert (seals["revisions"], seals["disagreements"], seals["left"]) == ({}, 0, 0)
    with connect(world.dsn) as connection:
        newest = head(connection)
        moment_us = settled_us(connection, is_kept=True)
    assert seals["head"] == {"number": newest.number, "hash": newest.hash}
    assert newest.hash in task_log.by_task["seal"][-1]

    touched_s = first + 300 * HOUR_S
    world.questdb.query(
        "UPDATE ohlcv SET close = 1.5, stored_at = %(moment_us)s WHERE interval = '60' AND ts = %(us)s",
        {"moment_us": moment_us, "us": touched_s * 1_000_000},
    )
    state, _, result = run_dag(dag_bag, DAG_ID)

    assert result is not None
    assert (state, result["errors"], result["seals"]["disagreements"]) == ("success", [], 1)
    assert result["warnings"] == ["1 sealed day changed without a record: incident seal names them"]
    ((facts,),) = (
        row["subjects"].values() for row in world.rows("SELECT subjects FROM incidents WHERE key = 'seal'")
    )
    assert iso(touched_s) in facts["said"]

    day = utc(touched_s).date()
    span = {"start": day.isoformat(), "end": (day + timedelta(days=1)).isoformat()}
    accepted = {"ticker": "XBTUSD", "interval": 60, **span, "reason": "checked by hand"}
    _, _, result = run_dag(dag_bag, DAG_ID, accept_changed_days=[accepted])

    assert result is not None
    assert (result["seals"]["disagreements"], result["seals"]["revisions"]) == (0, {"accepted": 1})
    assert world.rows("SELECT key FROM incidents WHERE key = 'seal' AND recovered_at IS NULL") == []

    # Who leaves the moment alone is found when the turn of the day has come.
    old_s = first + 50 * HOUR_S
    world.questdb.query(
        "UPDATE ohlcv SET volume = volume + 1 WHERE interval = '60' AND ts = %(us)s",
        {"us": old_s * 1_000_000},
    )
    _, _, result = run_dag(dag_bag, DAG_ID, verify_history_days=1)

    assert result is not None
    assert result["seals"]["disagreements"] == 1
    assert re.search(
        r"verified (\d+) of \1 sealed days; whole history every 1 day", "\n".join(task_log.by_task["seal"])
    )
    ((facts,),) = (
        row["subjects"].values()
        for row in world.rows("SELECT subjects FROM incidents WHERE key = 'seal' AND recovered_at IS NULL")
    )
    assert f"bucket {utc(old_s):%H:%M}" in facts["said"]
