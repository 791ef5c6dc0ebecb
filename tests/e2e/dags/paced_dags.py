"""Backfill and hourly check as in dags/, started by the tests instead of by the clock.

Airflow only reads files that name it.
"""

from dataclasses import replace

from kraken_ohlcv.core.schedules import BACKFILL_TIER1, VALIDATE
from kraken_ohlcv_airflow.backfill import backfill_dag
from kraken_ohlcv_airflow.validation import validation_dag

RARELY = "0 0 29 2 *"
"""The tests trigger their runs."""

walking_backfill = backfill_dag(
    replace(BACKFILL_TIER1, cron=RARELY, dag_id="walking_backfill"), priority=20, doc=__doc__
)
validate_data_hourly = validation_dag(replace(VALIDATE, cron=RARELY), priority=30, doc=__doc__)
