"""A backfill DAG run by Airflow itself, in one process, on the real stores and the simulated exchange."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.detect_gaps import DetectGapsOperator
from tests.integration.stores.test_contradictions import prove
from tests.integration.world import World

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin
    from tests.dags.conftest import TaskLog

HOURLY = Series("XBTUSD", 60)


@pytest.fixture
def world(
    exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str, airflow_db: str
) -> World:
    """Give a world whose DAGs Airflow can run."""
    del kraken_conn, candle_table, airflow_db
    return World(exchange, ledger_uri)


def finish_dag(dag: Any, **conf: Any) -> Any:
    """Run a DAG to its end and return the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dag, "deadline", None)  # dag.test() cannot store deadlines
        for task in dag.tasks:
            patch.setattr(task, "retries", 0)
        for holder in (dag, *dag.tasks):
            for name in holder.params:
                # dag.test() keeps the conf in the params, where the next test's run would find it.
                patch.setattr(holder.params.get_param(name), "value", holder.params[name])
        return dag.test(run_conf=conf)


def run_dag(dag_bag: DagBag, dag_id: str, **conf: Any) -> tuple[str, dict[str, str], dict[str, Any] | None]:
    """Run a DAG to its end; return its state, the state of each task, and what task ``result`` returned."""
    run = finish_dag(dag_bag.dags[dag_id], **conf)
    instances = run.get_task_instances()
    states = {
        f"{ti.task_id}[{ti.map_index}]" if ti.map_index >= 0 else ti.task_id: ti.state for ti in instances
    }
    result = next(ti for ti in instances if ti.task_id == "result")
    return run.state, states, result.xcom_pull(task_ids="result")


def test_a_run_fills_the_holes_of_the_tickers_it_is_asked_for(
    dag_bag: DagBag, world: World, task_log: TaskLog
) -> None:
    covered = world.window(HOURLY)
    world.store(HOURLY, covered, without=[(covered[0] + 36000, covered[0] + 72000)])

    state, states, result = run_dag(
        dag_bag, "backfill_tier1_daily", tickers=["XBTUSD", "ETHUSD"], intervals=[60]
    )

    assert state == "success"
    # No file and no trade was needed, and with two of its assets no day of the tier is complete.
    skipped = {name for name, state in states.items() if state == "skipped"}
    sources = {"ingest_archive", "rebuild_trades", "rebuild_approved"}
    assert skipped == sources | {"publish_day", "confirm_days"}
    assert {state for name, state in states.items() if name not in skipped} == {"success"}
    # A call of these tests is quicker than a task instance, so that the assets share one.
    assert [name for name in states if name.startswith("fill_ohlc[")] == ["fill_ohlc[0]"]
    assert result is not None
    # One of each ticker, and a series never loaded has one in each month of its window.
    assert (result["assets_processed"], result["gaps_detected"], result["gaps_filled"]) == (2, 3, 3)
    assert (result["total_candles_filled"], result["errors"]) == (10 + 720, [])
    assert world.stored(HOURLY, covered) == world.truth(HOURLY, covered)
    assert "INFO looked at 2 series: 730 candles missing in 3 gaps of 2 series" in task_log.of("detect_gaps")
    assert "INFO 2 OHLC calls for 3 gaps of 2 assets (" in task_log.of("plan")
    filled = r"INFO XBTUSD 60: 10 missing in 1 gap; OHLC call \(\d+\.\d s\): 720 candles, 0 empty buckets; "
    assert re.search(f"{filled}wrote 10, read back 10; 1 gap filled", task_log.of("fill_ohlc"))
    did = "3 gaps: 3 filled, 0 unfillable, 0 failed, 0 deferred; 730 candles stored, 0 buckets proven empty"
    for task_id in ("result", "verdict"):
        assert did in task_log.of(task_id)
        assert re.search(r"INFO XBTUSD 60 +1 +1 +0 +0 +0 +10 +0$", task_log.of(task_id), re.MULTILINE)
    assert task_log.of("verdict").endswith("INFO Nothing failed.")
    assert not re.search(
        "^(WARNING|ERROR)|eturned value was|Context impl", task_log.everything(), re.MULTILINE
    )

    state, _, again = run_dag(dag_bag, "backfill_tier1_daily", tickers=["XBTUSD", "ETHUSD"], intervals=[60])
    assert again is not None
    assert (state, again["gaps_detected"], again["ohlc_calls"]) == ("success", 0, 0)


def test_the_detection_of_a_tier_records_the_gaps_of_that_tier_alone(world: World) -> None:
    request = BackfillRequest(tier="TIER1", intervals=[60], lookback_days=7, max_gaps_per_asset=10)
    run = RunKey("backfill_tier1_daily", "of_a_tier")
    operator = DetectGapsOperator(task_id="detect_gaps")
    foreign = Series("UNIUSD", 60)
    covered = world.window(HOURLY)
    for series in (HOURLY, foreign):
        world.store(series, covered, without=[(covered[0] + 36000, covered[0] + 72000)])
    with connect(world.dsn) as connection:
        catalogue = read_catalogue()
        sync_catalogue(connection, catalogue.entries, catalogue.tickers_with_problems)
        open_run(connection, world.kraken(), run, request, world.worker_now)
        chosen = [asset.ticker for asset in read_assets(connection, tickers=None, tier="TIER1")]

    dag_run = SimpleNamespace(dag_id=run.dag_id, run_id=run.run_id)
    operator.execute({"dag_run": dag_run, "params": request.model_dump()})

    assert foreign.ticker not in chosen
    assert HOURLY.ticker in {gap["ticker"] for gap in world.gaps()} <= set(chosen)


def test_the_ui_shows_the_gap_queries_rendered_for_the_intervals_of_the_run(dag_bag: DagBag) -> None:
    operator = dag_bag.dags["backfill_tier1_daily"].get_task("detect_gaps")
    operator.render_template_fields({"params": {"intervals": [60, 1440], "tickers": ["XBTUSD"]}})
    assert "WHERE interval = '1440'" in operator.counts_sql
    assert "AND ticker = %(ticker_0)s" in operator.counts_sql
    assert "THEN power(2, (ts::long %% %(block_us)s) / %(step_us)s)" in operator.sql


def test_the_first_run_withdraws_what_an_older_version_proved_empty_against_a_stored_candle(
    dag_bag: DagBag, world: World
) -> None:
    covered = world.window(HOURLY)
    world.store(HOURLY, covered)
    daily, day_s = Series("XBTUSD", 1440), covered[0] // DAY_S * DAY_S + DAY_S
    prove(world, daily, (day_s, day_s + 3 * DAY_S), "archive")

    # A run that does not look at days: nothing but the check of the first run meets hours and days.
    state, _, result = run_dag(dag_bag, "backfill_tier1_daily", tickers=["XBTUSD"], intervals=[60])

    assert result is not None
    assert (state, result["ohlc_calls"], result["errors"]) == ("success", 0, [])
    assert world.proven(daily) == []


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        pytest.param({"asets": ["XBTUSD"]}, "'asets'", id="unknown conf key"),
        pytest.param({"tickers": ["NOPEUSD"]}, "'NOPEUSD'", id="ticker nobody knows"),
    ],
)
def test_a_run_asked_for_nonsense_fails_and_says_so(
    dag_bag: DagBag, world: World, task_log: TaskLog, conf: dict[str, Any], told: str
) -> None:
    del world
    state, states, result = run_dag(dag_bag, "backfill_tier1_daily", **conf)

    assert (state, states["result"], states["verdict"]) == ("failed", "success", "failed")
    assert result is not None
    assert [told in error for error in result["errors"]] == [True]
    assert "ERROR 1 error, named in the log of task verdict" in task_log.of("result")
    assert f"ERROR {result['errors'][0]}" in task_log.of("verdict")


def test_a_malformed_catalogue_fails_the_run_and_names_the_line(
    dag_bag: DagBag, world: World, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER9}\n", encoding="utf-8")
    monkeypatch.setitem(os.environ, "OHLCV_ASSETS_FILE", str(file))

    state, _, result = run_dag(dag_bag, "backfill_tier1_daily")

    assert state == "failed"
    assert result is not None
    assert [error.split(": use")[0] for error in result["errors"]] == [
        "prepare: assets.yaml line 2: tier is 'TIER9'"
    ]


def test_one_bad_line_of_the_catalogue_stops_no_other_and_is_named_with_its_cure(
    dag_bag: DagBag, world: World, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered = world.window(HOURLY)
    file = tmp_path / "assets.yaml"
    file.write_text(
        "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n"
        "  - {ticker: AAPLxUSD, base: AAPLx, quote: USD, tier: TIER1}\n",
        encoding="utf-8",
    )
    monkeypatch.setitem(os.environ, "OHLCV_ASSETS_FILE", str(file))

    state, _, result = run_dag(dag_bag, "backfill_tier1_daily", intervals=[60])

    assert result is not None
    assert (state, result["errors"], result["gaps_filled"]) == ("success", [], 2)
    (warning,) = result["warnings"]
    assert warning.startswith("assets.yaml line 3: ticker is 'AAPLxUSD': tokenised assets are not supported")
    assert world.stored(HOURLY, covered) == world.truth(HOURLY, covered)
    (incident,) = world.rows("SELECT key, subjects FROM incidents WHERE recovered_at IS NULL")
    assert (incident["key"], list(incident["subjects"])) == ("pair:AAPLxUSD", ["bad line"])

    # Asked for by name, it is an error; the sentence comes before any call.
    state, _, named = run_dag(dag_bag, "backfill_tier1_daily", tickers=["AAPLxUSD"], intervals=[60])
    assert named is not None
    assert state == "failed"
    assert all("tokenised assets are not supported" in error for error in named["errors"])


def test_a_ttl_on_the_candle_table_ends_the_run_before_a_call_is_spent(dag_bag: DagBag, world: World) -> None:
    world.questdb.query("ALTER TABLE ohlcv SET TTL 12 MONTHS")
    world.questdb.wait_applied("ohlcv")

    state, states, result = run_dag(dag_bag, "backfill_tier1_daily")

    assert (state, states["prepare"], states["ask_exchange"]) == ("failed", "failed", "upstream_failed")
    assert result is not None
    assert result["errors"] == [
        "prepare: QuestDB discards candles: table ohlcv has a TTL of 1 year: run ALTER TABLE ohlcv SET "
        "TTL 1000 YEARS; what is missing by then is backfilled"
    ]
    assert world.exchange.calls() == []
