"""Example: compute returns, and only ever from complete candles.

Starts with every completeness report (an event of asset `kraken_ohlcv_completeness`), waits up to two hours
until no hourly candle of TIER1 is missing in the last 14 days, and otherwise fails, naming the series
with missing candles. Copy it into your Airflow `dags` folder to try it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv_airflow.completeness import COMPLETENESS
from kraken_ohlcv_airflow.completeness_sensor import require_complete

SINCE = "{{ params.since or (dag_run.run_after - macros.timedelta(days=14)).isoformat() }}"

RETURNS = """
SELECT ticker, first(open) opened, last(close) closed
FROM ohlcv
WHERE interval = '60' AND ts >= %(since)s AND ticker IN ('XBTUSD', 'ETHUSD')
"""


@task(multiple_outputs=False)
def compute_returns(since: str) -> dict[str, float]:
    """Return the return of each ticker since a moment."""
    rows = QuestDBHook().client().query(RETURNS, {"since": datetime.fromisoformat(since)})
    return {ticker: closed / opened - 1 for ticker, opened, closed in rows}


@dag(
    schedule=[COMPLETENESS],
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "since": Param(None, type=["string", "null"], description="ISO time with offset; null = 14 days")
    },
    tags=["example"],
    doc_md=__doc__,
)
def returns_on_complete_candles() -> None:
    """Wait for the candles, then use them."""
    complete: Any = require_complete("TIER1", 60, since=SINCE)
    complete >> compute_returns(SINCE)


returns_on_complete_candles()
