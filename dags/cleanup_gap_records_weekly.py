"""Clean up the ledger, weekly on Sunday at 04:00 UTC; trigger it by hand, not with Airflow's *Backfill*.

Deletes what nobody asks for any more, and keeps its figures by month. Replaces the Celery Beat entry
`cleanup-gap-records-weekly`.

* **Deletes** gap records that are FILLED and were filled more than `days` ago, those that are FAILED and were
  last tried more than `days` ago, and incidents that were over by then.
* **Forgets** how far walks through trades had come whose gap is closed or waits for no trades any more, and
  those of a `repair_range` that was not asked for again for `days`.
* **A FAILED gap that is still missing is found again** by the next backfill, as a new record with no attempts
  behind it: the record goes, never the knowledge that candles are missing. UNFILLABLE gaps are kept, whatever
  their age.
* **Keeps** the sums of deleted records in `gap_history`: gaps, candles, attempts and time open, by month,
  series, status and source. It is written in the transaction that deletes.
* **Thins** completeness reports older than 400 days to the first one of each month.
* **Merges** proven-empty ranges that touch and have the same evidence; the longer range counts as seen when
  the last of its parts was.
* **Locks** one series for some tens of milliseconds at a time; backfills may go on. Stopped in between, the
  next run goes on.
* **See first** what it would do:
  `airflow dags trigger cleanup_gap_records_weekly --conf '{"dry_run": true}'`.
* **Result**: the return value of task `result`; with `dry_run` the numbers that would have been deleted.
"""

from kraken_ohlcv.core.schedules import CLEANUP
from kraken_ohlcv_airflow.cleanup import cleanup_dag

cleanup_gap_records_weekly = cleanup_dag(CLEANUP, priority=5, doc=__doc__)
