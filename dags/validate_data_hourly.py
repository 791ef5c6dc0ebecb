"""Check freshness, hourly; to repair past days use `repair_range` of a backfill, not Airflow's *Backfill*.

Looks whether the TIER1 and TIER2 assets have the daily candles they should have by now, tells people when
they have not, and starts a backfill out of turn for what is overdue or about to be forgotten by the API.
Replaces the Celery Beat entry `validate-data-hourly`.

* **A series is stale** when its newest candle closed more than `hours` ago *and* the next one should be
  here: the daily backfill of its tier has had its time and half an hour more. A healthy system never alarms.
* **Reads** Kraken (Time, SystemStatus, AssetPairs), QuestDB `ohlcv` in one statement, the ledger.
* **Writes** `incidents` in PostgreSQL; posts to Slack; triggers the backfill DAGs.
* **Acknowledge an incident**: `airflow dags trigger validate_data_hourly --conf '{"snooze": ["stale"],
  "snooze_hours": 12}'` keeps its growth quiet for twelve hours.
* **Rerun it** whenever you like: a check changes no candle.
* **Result**: the return value of task `result`.
"""

from kraken_ohlcv.core.schedules import VALIDATE
from kraken_ohlcv_airflow.validation import validation_dag

validate_data_hourly = validation_dag(VALIDATE, priority=30, doc=__doc__)
