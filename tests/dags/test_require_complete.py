"""``require_complete``: other DAGs wait for complete candles, or fail with the names of what lacks some."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv_airflow.completeness_sensor import NotCompleteError, require_complete
from local.airflow import LOCAL_BUNDLE
from tests.dags.test_backfill_run import finish_dag
from tests.integration.world import World

if TYPE_CHECKING:
    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
HOURLY = Series("XBTUSD", 60)
NOW_ISO = "2026-11-23T12:34:56"
WEEK_AGO = "2026-11-16"
ONCE: dict[str, Any] = {"mode": "poke", "timeout": timedelta(0)}


@pytest.fixture
def world(exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str) -> World:
    """Give a world in which XBTUSD is TIER1 and has never been processed."""
    del kraken_conn, candle_table
    return World(exchange, ledger_uri)


def store_hours(world: World, *, without: int | None = None) -> None:
    """Store the newest 720 hours, but for ten that end so many before now."""
    first, end = world.window(HOURLY)
    holes = [] if without is None else [(end - (without + 10) * HOUR_S, end - without * HOUR_S)]
    world.store(HOURLY, (first, end), without=holes)


def look_once(since: str = WEEK_AGO, tier: str = "TIER1", **arguments: Any) -> Any:
    """Insist that candles are complete now."""
    return require_complete(tier, 60, since, **{**ONCE, **arguments}).execute({})  # type: ignore[typeddict-item]


def test_complete_candles_give_their_figures(world: World) -> None:
    store_hours(world)
    figures = look_once()
    assert (figures["series"], figures["missing"], figures["verified_pct"]) == (1, 0, 100.0)
    assert figures["expected"] == 7 * 24 + 12


def test_a_hole_fails_with_a_sentence_that_names_the_series(world: World) -> None:
    store_hours(world, without=40)
    with pytest.raises(NotCompleteError) as raised:
        look_once()
    assert str(raised.value) == (
        "TIER1 at 60 minutes since 2026-11-16T00:00:00: 1 of 1 series not complete: "
        "XBTUSD is missing 10 from 2026-11-21T10:00:00 on"
    )


def test_a_hole_before_the_time_asked_for_does_not_matter(world: World) -> None:
    store_hours(world, without=300)
    assert look_once()["missing"] == 0


def test_what_is_not_due_yet_is_not_waited_for(world: World) -> None:
    first, end = world.window(HOURLY)
    world.store(HOURLY, (first, end - 9 * HOUR_S))
    assert look_once()["pending"] == 9


@pytest.mark.parametrize(
    ("since", "told"),
    [
        pytest.param(
            "2026-10-01", "XBTUSD begins at 2026-10-24T12:00:00 only", id="before the series begins"
        ),
        pytest.param("2026-11-16T00:00:00+00:00", None, id="with an offset"),
    ],
)
def test_a_series_that_does_not_reach_back_is_not_complete(
    world: World, since: str, told: str | None
) -> None:
    store_hours(world)
    if told is None:
        assert look_once(since)["missing"] == 0
        return
    with pytest.raises(NotCompleteError, match=told):
        look_once(since)


def test_a_series_that_begins_with_its_pairs_first_trade_is_complete_from_any_time_on(world: World) -> None:
    store_hours(world)
    first, _ = world.window(HOURLY)
    world.rows(
        "UPDATE assets SET first_trade_at = to_timestamp(%(first_s)s) RETURNING ticker", first_s=first + 5
    )
    assert look_once("2020-01-01")["missing"] == 0


def test_nothing_loaded_is_not_complete(world: World) -> None:
    del world
    with pytest.raises(NotCompleteError, match="XBTUSD was never loaded"):
        look_once()


def test_a_store_that_does_not_answer_is_waited_for(world: World, questdb_server: QuestDBServer) -> None:
    del world
    questdb_server.stop()
    with pytest.raises(NotCompleteError, match="cannot determine whether candles are complete: QuestDB"):
        look_once()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param({"since": "yesterday"}, "'yesterday' is no time", id="no time"),
        pytest.param({"since": "2030-01-01"}, "not in the past", id="in the future"),
        pytest.param({"tier": "TIER3"}, "TIER3 has no active assets", id="nobody there"),
        pytest.param({"tickers": ["NOPEUSD"]}, "'NOPEUSD'", id="unknown ticker"),
    ],
)
def test_a_question_without_an_answer_is_refused(world: World, arguments: dict[str, Any], told: str) -> None:
    store_hours(world)
    with pytest.raises(BadRequestError, match=told):
        look_once(**arguments)


@pytest.mark.parametrize(("tier", "interval"), [("TIER9", 60), ("TIER1", 720)])
def test_a_tier_or_interval_that_does_not_exist_is_refused_when_the_dag_is_parsed(
    tier: str, interval: int
) -> None:
    with pytest.raises(ValueError, match=f"{tier}|{interval}"):
        require_complete(tier, interval, WEEK_AGO)


def test_it_holds_neither_a_worker_nor_the_slot_of_the_exchange_while_it_waits() -> None:
    sensor = require_complete("TIER1", 60, datetime(2026, 11, 1, tzinfo=UTC))
    assert (sensor.mode, sensor.pool, sensor.timeout) == ("reschedule", "default_pool", 2 * HOUR_S)


def test_the_example_of_the_documentation_runs(
    world: World, airflow_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (Airflow is slow to import)

    del airflow_db
    folders = {"dags-folder": {}, "examples": {"path": str(EXAMPLES)}}
    bundles = [
        {"name": name, "classpath": LOCAL_BUNDLE, "kwargs": kwargs} for name, kwargs in folders.items()
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    store_hours(world)
    world.store(Series("ETHUSD", 60), world.window(HOURLY))
    bag = DagBag(str(EXAMPLES))
    assert bag.import_errors == {}
    assert set(bag.dags) == {"returns_on_complete_candles", "returns_of_verified_days"}

    run = finish_dag(bag.dags["returns_on_complete_candles"], since="2026-11-16T00:00:00+00:00")

    assert run.state == "success"
    (last,) = [ti for ti in run.get_task_instances() if ti.task_id == "compute_returns"]
    candles = world.stored(
        HOURLY, (world.window(HOURLY)[1] - 7 * DAY_S - 12 * HOUR_S, world.window(HOURLY)[1])
    )
    opened, closed = next(iter(candles.values())).open, list(candles.values())[-1].close
    assert last.xcom_pull(task_ids="compute_returns")["XBTUSD"] == pytest.approx(closed / opened - 1)
