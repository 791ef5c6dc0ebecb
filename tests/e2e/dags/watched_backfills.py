"""Backfills as in dags/, wired by the same factory, with lines of the schedule table made for tests.

Airflow only reads files that name it.
"""

from dataclasses import replace
from datetime import timedelta

from kraken_ohlcv.core.schedules import BACKFILL_TIER1
from kraken_ohlcv_airflow.backfill import backfill_dag

RARELY = "0 0 29 2 *"
"""The tests trigger their runs."""

HOURS = replace(BACKFILL_TIER1, cron=RARELY)
SECONDS = replace(HOURS, deadline=timedelta(seconds=8))

backfill_tier1_daily = backfill_dag(HOURS, priority=20, doc=__doc__)
slow_backfill = backfill_dag(replace(SECONDS, dag_id="slow_backfill"), priority=10, doc=__doc__)
failing_backfill = backfill_dag(replace(HOURS, dag_id="failing_backfill"), priority=10, doc=__doc__)
refused_backfill = backfill_dag(replace(HOURS, dag_id="refused_backfill"), priority=10, doc=__doc__)
