"""Backfill and hourly check as in dags/, started by the tests instead of by the clock.

Airflow only reads files that name it.
"""

from dataclasses import replace

from kraken_ohlcv.core import schedules
from kraken_ohlcv_airflow.backfill import backfill_dag

RARELY = "0 0 29 2 *"
"""The tests trigger their runs."""

schedules.VALIDATE = replace(schedules.VALIDATE, cron=RARELY)  # before its DAG is wired

from dags.validate_data_hourly import dag as validate_data_hourly  # noqa: E402, F401 (Airflow looks for it)

walking_backfill = backfill_dag(
    replace(schedules.BACKFILL_TIER1, cron=RARELY, dag_id="walking_backfill"), priority=20, doc=__doc__
)
