"""A backfill as in dags/, started by the benchmark instead of by the clock.

Airflow only reads files that name it.
"""

from dataclasses import replace

from kraken_ohlcv.core.schedules import BACKFILL_TIER1
from kraken_ohlcv_airflow.backfill import backfill_dag

paced_backfill = backfill_dag(
    replace(BACKFILL_TIER1, cron="0 0 29 2 *", dag_id="paced_backfill"), priority=20, doc=__doc__
)
