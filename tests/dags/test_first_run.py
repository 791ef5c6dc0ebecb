"""A first day on an exchange that lists what Kraken does, with the catalogue as it is shipped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kraken_ohlcv.core.assets import CatalogueEntry, read_catalogue
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from tests.dags.test_backfill_run import run_dag
from tests.integration.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin
    from tests.dags.conftest import TaskLog

EACH = 2
"""So many listed pairs of each tier say as much as all of them, in a tenth of the time."""
LACKED = frozenset([
    "MKRUSD",
    "VETUSD",
    "THETAUSD",
    "FARMUSD",
    "PERPUSD",
    "ALPHAUSD",
    "BADGERUSD",
    "RENUSD",
    "OMGUSD",
    "SRMUSD",
    "OCEANUSD",
    "SKLUSD",
    "TRBUSD",
    "XVSUSD",
    "YFIIUSD",
])
"""What Kraken's pair list of August 2025 lacks, or is known to have lost since."""
INTERVALS = {"TIER1": (60, 1440), "TIER2": (1440,)}
BACKFILLS = ("backfill_tier1_daily", "backfill_tier2_daily")
CHECK, REPORT = "validate_data_hourly", "completeness_report_daily"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[CatalogueEntry]:
    """Give the shipped catalogue: all that Kraken lacks, and of the other lines only some."""
    entries = read_catalogue().entries
    chosen = [entry for entry in entries if entry.ticker in LACKED]
    for tier in INTERVALS:
        chosen += [entry for entry in entries if entry.tier == tier and entry.ticker not in LACKED][:EACH]
    file = tmp_path / "assets.yaml"
    lines = [entry.model_dump(exclude_none=True, mode="json") for entry in chosen]
    file.write_text(yaml.safe_dump({"assets": lines}), encoding="utf-8")
    monkeypatch.setenv("OHLCV_ASSETS_FILE", str(file))
    return chosen


@pytest.fixture
def world(
    exchange: ExchangeAdmin,
    kraken_conn: str,
    ledger_uri: str,
    candle_table: str,
    airflow_db: str,
    shipped: list[CatalogueEntry],
) -> World:
    """Give an exchange that lacks what Kraken does, at noon; the assets were added at that moment."""
    del kraken_conn, candle_table, airflow_db
    for ticker in LACKED & {pair["ticker"] for pair in exchange.pairs()}:
        exchange.set_pair(ticker, "vanished")
    found = World(exchange, ledger_uri)
    found.exchange.set_clock(int(exchange.now_s()) // DAY_S * DAY_S + 12 * HOUR_S)
    with connect(ledger_uri) as connection:
        sync_catalogue(connection, shipped)
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (exchange.now_s(),))
    return found


def test_a_first_day_on_the_live_exchange_is_green_and_quiet_and_asks_nothing_of_pairs_that_it_lacks(
    dag_bag: DagBag, world: World, shipped: list[CatalogueEntry], task_log: TaskLog
) -> None:
    listed = [entry for entry in shipped if entry.ticker not in LACKED]
    assert (len(shipped), len(listed)) == (len(LACKED) + EACH * len(INTERVALS), EACH * len(INTERVALS))
    results: list[dict[str, Any]] = []

    def run(*dag_ids: str) -> None:
        for dag_id in dag_ids:
            state, states, result = run_dag(dag_bag, dag_id)
            assert result is not None
            assert (state, result.get("errors", [])) == ("success", []), (dag_id, states)
            results.append(result)

    # The check comes first, when nothing is stored; at night before and after the scheduled runs.
    run(CHECK, *BACKFILLS, CHECK, REPORT)
    first_s = int(world.exchange.now_s())
    world.exchange.advance(13 * HOUR_S)
    run(CHECK)
    world.exchange.advance(2 * HOUR_S)
    run(*BACKFILLS, CHECK)

    assert world.rows("SELECT * FROM incidents") == []
    checked = (
        "INFO TIER1, TIER2 at 1440 minutes: 4 series checked, 0 of them without data that should be here"
    )
    assert checked in task_log.of("verdict")
    judged = "INFO judged 4 series at 1440 minutes and 2 at other intervals; late: none"
    assert judged in task_log.of("check_freshness")
    assert "INFO no backfill has to start before its schedule" in task_log.of("plan_catch_up")
    said = json.dumps(results)
    assert [ticker for ticker in LACKED if ticker in said] == []
    assert {call["ticker"] for call in world.exchange.calls()} & LACKED == set()
    assert world.rows("SELECT * FROM series WHERE ticker = ANY(%(those)s)", those=sorted(LACKED)) == []
    report = results[4]
    assert (report["total_assets"], report["intervals"]["60"]["missing"]) == (EACH, 0)
    for entry in listed:
        for interval in INTERVALS[entry.tier]:
            series = Series(entry.ticker, interval)
            step = 60 * interval
            covered = (first_s // step * step - 720 * step, world.window(series)[1])
            assert world.stored(series, covered) == world.truth(series, covered), series
