"""The monthly statements as the run of the report makes them; one that fails leaves the figures alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import connect
from tests.dags.test_backfill_run import run_dag
from tests.integration.world import World
from tests.unit.builders import at

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin

DAG_ID = "completeness_report_daily"
DAILY = Series("XBTUSD", 1440)


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
    """Give a world whose DAGs Airflow can run, with daily candles of XBTUSD and records since September."""
    del kraken_conn, candle_table, airflow_db
    file = tmp_path / "assets.yaml"
    file.write_text(
        "tiers:\n  TIER1: {intervals: [1440]}\n"
        "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("OHLCV_ASSETS_FILE", str(file))
    made = World(exchange, ledger_uri)
    made.store(DAILY, made.window(DAILY))
    made.rows("UPDATE history SET records_began = to_timestamp(%(at_s)s) RETURNING 1", at_s=at("2026-09-01"))
    return made


def kept(world: World) -> list[tuple[str, str, int]]:
    """Return tier, month and version of each statement in the ledger."""
    found = world.rows(
        "SELECT tier, to_char(range_start AT TIME ZONE 'UTC', 'YYYY-MM') AS month, version FROM statements"
    )
    return [(one["tier"], one["month"], one["version"]) for one in found]


def test_a_run_makes_the_statement_that_is_not_there_once(dag_bag: DagBag, world: World) -> None:
    for _ in range(2):
        state, states, result = run_dag(dag_bag, DAG_ID)
        assert (state, states["statements"]) == ("success", "success")
        assert result is not None
        assert kept(world) == [("TIER1", "2026-10", 1)]


def test_a_statement_that_fails_leaves_the_figures_and_the_verdict_says_it(
    dag_bag: DagBag, world: World
) -> None:
    with connect(world.dsn) as connection:
        connection.execute("ALTER TABLE statements ADD CONSTRAINT refused CHECK (version < 1)")

    state, states, result = run_dag(dag_bag, DAG_ID)

    assert (state, states["statements"], states["result"], states["publish"], states["verdict"]) == (
        "failed",
        "failed",
        "success",
        "success",
        "failed",
    )
    assert result is not None
    assert result["intervals"]["1440"]["stored"] > 0
    (error,) = result["errors"]
    assert error.startswith("statements: ")
    assert "refused" in error
    assert kept(world) == []
