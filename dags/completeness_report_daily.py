"""Report completeness, daily at 08:00 UTC; trigger it for figures of now, not with Airflow's *Backfill*.

Counts every candle that the assets of a tier should have by now: stored, proven empty, missing, or not due
yet; compares the hourly candles with the daily ones; reports how long gaps took to be detected and filled.
Replaces the Celery Beat entry `completeness-report-daily`.

* **Reads** Kraken (Time), QuestDB `ohlcv`, the ledger. **Writes** `completeness_reports` and
  `completeness_lines` in PostgreSQL, the history of all reports, and `objective_days`, what each day of every
  scheduled tier reached of its targets (docs/OBJECTIVES.md), and `statements`; no candle and no gap.
* **Makes** the statement of the month before, of each tier that has assets and no such statement, on the
  first of a month or with the next run. It waits until all of the month is due, a week at most. A statement
  that cannot be made fails the run and leaves the report's figures as they are (docs/STATEMENT.md).
* **Where to look**: the log of task `report` has a table; its last lines name days whose hourly and daily
  candles contradict each other.
* **Seals** the due days of all series, whatever the tier, in `seal_log` (docs/SEALS.md). A sealed day that
  has changed without a record opens incident `seal`; param `accept_changed_days` accepts the change.
* **Verifies** the log of seals, the newest sealed days, and a part of the others each day: all of them within
  30 days (param `verify_history_days`). What differs opens incident `seal`, too.
* **Emits** an event of asset `kraken_ohlcv_completeness` with the figures, and of `kraken_ohlcv_verified` per
  day that is verified. DAGs that must not run on incomplete candles use `require_complete`, or run once per
  verified day (docs/COMPLETENESS.md).
* **Run it by hand** with `airflow dags trigger completeness_report_daily`, or with other params:
  `--conf '{"tier": "ALL", "intervals": [1440]}'`. With `--conf '{"digest": true}'` it posts to Slack what has
  changed since the report before.
* **It fails** only when something could not be counted: missing candles are a finding, not an error.
* **Result**: the return value of task `result`.
"""

from pathlib import Path

from airflow.sdk import DAG, chain

from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.plan_file import tiers_at_parse
from kraken_ohlcv.core.schedules import COMPLETENESS
from kraken_ohlcv_airflow.completeness import ask_exchange, digest, publish, report, result, statements
from kraken_ohlcv_airflow.defaults import candle_dag
from kraken_ohlcv_airflow.sealing import seal
from kraken_ohlcv_airflow.tasks import notify, prepare, verdict
from kraken_ohlcv_airflow.verified import publish_verified_days


def make(assets_file: str | Path | None = None) -> DAG:
    """Return the DAG, whose intervals are those of TIER1 in the plan's file."""
    plan = tiers_at_parse(Path(assets_file) if assets_file else None)["TIER1"].plan
    schemas = ReportRequest.schemas(intervals=list(plan.intervals))

    @candle_dag(
        COMPLETENESS,
        title="Report completeness",
        description="Counts every candle that should be stored by now, and keeps the report.",
        kind="report",
        priority=10,
        schemas=schemas,
        doc=__doc__,
    )
    def completeness_report_daily() -> None:
        """Count, then publish the report and send what has changed."""
        asked = ask_exchange()
        counted = report(asked)
        summary = result()
        # Behind the seals, whose roots a statement names.
        steps = [counted, seal(asked), statements(asked), summary]
        chain(prepare(assets_file=str(assets_file) if assets_file else None), asked, *steps)
        publish_verified_days(asked, summary)
        chain(summary, [publish(summary), verdict(summary), digest().as_teardown(), notify().as_teardown()])

    return completeness_report_daily()


dag = make()
