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
* **Locks** one series for some tens of milliseconds at a time; backfills may go on. Stopped in between, the
  next run goes on.
* **See first** what it would do:
  `airflow dags trigger cleanup_gap_records_weekly --conf '{"dry_run": true}'`.
* **Result**: the return value of task `result`; with `dry_run` the numbers that would have been deleted.
"""

import logging
import time
from dataclasses import asdict
from typing import Any

from airflow.sdk import chain, get_current_context, task

from kraken_ohlcv.core.params import CleanupRequest
from kraken_ohlcv.core.schedules import CLEANUP
from kraken_ohlcv.monitoring.cleanup import Cleaned, clean_up, foresee
from kraken_ohlcv_airflow.connections import ledger
from kraken_ohlcv_airflow.defaults import candle_dag
from kraken_ohlcv_airflow.step_errors import errors_of, recording_errors
from kraken_ohlcv_airflow.tasks import notify, prepare, say, verdict

log = logging.getLogger(__name__)

STEPS = ("prepare", "clean")


@task(multiple_outputs=False)
def clean() -> dict[str, Any]:
    """Delete what is old, or count it in a dry run."""
    request = CleanupRequest.from_params(get_current_context()["params"])
    do = foresee if request.dry_run else clean_up
    with recording_errors(), ledger() as connection:
        cleaned = do(connection, days=request.days, now_s=int(time.time()))
    for line in cleaned.in_words(days=request.days, dry_run=request.dry_run):
        log.info("%s", line)
    return asdict(cleaned)


@task(trigger_rule="all_done", multiple_outputs=False)
def result() -> dict[str, Any]:
    """Return what was deleted; never raises, so that there is always something to read."""
    context = get_current_context()
    instance: Any = context["ti"]
    done = instance.xcom_pull(task_ids="clean")
    cleaned = done or asdict(Cleaned())
    asked = CleanupRequest.from_params(context["params"]).model_dump()
    summary = {**cleaned, **asked, "errors": errors_of(context, STEPS)}
    lines = Cleaned(**cleaned).in_words(days=asked["days"], dry_run=asked["dry_run"])
    say(summary, lines if done else ["nothing was deleted: a step failed before"], STEPS)
    return summary


@candle_dag(
    CLEANUP,
    title="Clean up the ledger",
    description="Deletes old gap records, incidents and reports from the ledger, and keeps their figures.",
    kind="maintain",
    priority=5,
    schemas=CleanupRequest.schemas(),
    doc=__doc__,
)
def cleanup_gap_records_weekly() -> None:
    """Clean up, then say how much."""
    summary = result()
    chain(prepare(), clean(), summary)

    chain(summary, [verdict(summary), notify().as_teardown()])


dag = cleanup_gap_records_weekly()
