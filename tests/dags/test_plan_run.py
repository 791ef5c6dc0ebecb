"""An edited plan in the real Airflow: a DAG that appears by the edit runs, and a mistake ends runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV
from tests.dags.conftest import ROOT, closed_sockets
from tests.dags.test_backfill_run import run_dag
from tests.integration.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin

PLAN = """\
assets:
  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER4, intervals: [240]}
tiers:
  TIER4: {schedule: 0 6 * * *, intervals: [1440, 10080]}
select:
  - {quote: USD, tier: TIER4, include: [ETHUSD, SOLUSD]}
"""
KEPT = [("ETHUSD", 1440), ("ETHUSD", 10080), ("SOLUSD", 1440), ("SOLUSD", 10080), ("XBTUSD", 240)]


@pytest.fixture
def world(
    exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str, airflow_db: str
) -> World:
    """Give a world whose DAGs Airflow can run."""
    del kraken_conn, candle_table, airflow_db
    return World(exchange, ledger_uri, tickers=[])


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file of the plan."""
    file = tmp_path / "mine.yaml"
    file.write_text(PLAN, encoding="utf-8")
    monkeypatch.setenv(ASSETS_FILE_ENV, str(file))
    return file


def bag(pools: dict[str, Any]) -> DagBag:
    """Return the DAGs as the file says now."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (Airflow is slow to import)

    with closed_sockets():
        return DagBag(str(ROOT / "dags"), known_pools=set(pools))


def test_an_edit_makes_a_dag_appear_that_keeps_what_rules_take_and_a_mistake_ends_its_runs_at_once(
    world: World, plan: Path, pools: dict[str, Any]
) -> None:
    dags = bag(pools)
    state, _, result = run_dag(dags, "backfill_tier4")
    assert result is not None
    assert (state, result["errors"], result["assets_processed"]) == ("success", [], 3)
    series = world.rows("SELECT ticker, interval_minutes FROM series ORDER BY 1, 2")
    assert [tuple(row.values()) for row in series] == KEPT
    for one in (Series(*pair) for pair in KEPT):
        assert world.stored(one, world.window(one)) == world.truth(one, world.window(one))
    assert result["ohlc_calls"] == len(KEPT)

    plan.write_text(PLAN + "  - {quote: EUR}\n", encoding="utf-8")
    broken = bag(pools)
    assert not broken.dags["backfill_tier4"].timetable.can_be_scheduled  # the schedules shipped
    for dag_id in ("backfill_tier1_daily", "backfill_tier4"):
        state, states, result = run_dag(broken, dag_id)
        assert result is not None
        assert (state, states["prepare"], states["ask_exchange"]) == ("failed", "failed", "upstream_failed")
        (error,) = result["errors"]
        assert "mine.yaml line 7: select[1].tier is missing" in error
    # What was kept before is still kept.
    assert [row["ticker"] for row in world.rows("SELECT ticker FROM assets WHERE active ORDER BY 1")] == [
        "ETHUSD",
        "SOLUSD",
        "XBTUSD",
    ]
