"""Backfills as in dags/ that ask before they spend, one of which waits for the answer only for seconds.

Airflow only reads files that name it.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from kraken_ohlcv.core.schedules import BACKFILL_TIER1
from kraken_ohlcv_airflow.backfill import backfill_dag

RARELY = "0 0 29 2 *"
"""The tests trigger their runs."""

HOURS = replace(BACKFILL_TIER1, cron=RARELY)

asking_backfill = backfill_dag(replace(HOURS, dag_id="asking_backfill"), priority=10, doc=__doc__)
unanswered_backfill = backfill_dag(replace(HOURS, dag_id="unanswered_backfill"), priority=10, doc=__doc__)

task: Any = unanswered_backfill.get_task("approve_calls")
task.response_timeout = timedelta(seconds=8)
