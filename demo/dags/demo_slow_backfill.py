"""A backfill as in dags/, but with seconds to finish in; only the demo's Airflow loads it.

The demo lets the exchange answer slowly, so that the run misses its deadline.
"""

from dataclasses import replace
from datetime import timedelta

from kraken_ohlcv.core.schedules import BACKFILL_TIER1
from kraken_ohlcv_airflow.backfill import backfill_dag

IN_A_HURRY = replace(
    BACKFILL_TIER1,
    dag_id="demo_slow_backfill",
    cron="0 0 29 2 *",  # the demo triggers it
    deadline=timedelta(seconds=8),
)

demo_slow_backfill = backfill_dag(IN_A_HURRY, priority=10, doc=__doc__)
