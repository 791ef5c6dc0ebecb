"""Check freshness, hourly; to repair past days use `repair_start` of a backfill, not Airflow's *Backfill*.

Looks whether the assets of TIER1, TIER2 and every other tier with a schedule have the daily candles they
should have by now, alerts when they have not, and starts a backfill out of turn for what is overdue or about
to be forgotten by the API. Replaces the Celery Beat entry `validate-data-hourly`.

* **A series is stale** when its newest candle closed more than `hours` ago *and* the next one should be
  here: the daily backfill of its tier has had its time and half an hour more. A healthy system never alarms.
* **Reads** Kraken (Time, SystemStatus, AssetPairs), QuestDB `ohlcv` in one statement, the ledger.
* **Hourly candles of TIER1** are judged in the same way, and every other interval that TIER1 keeps: key
  `series_stale` of the result. A ticker whose daily candles are late, too, is named once.
* **Writes** `incidents` in PostgreSQL; posts to Slack; triggers the backfill DAGs; calls the service of
  connection `heartbeat`, if there is one, which misses this call when nothing runs (docs/MONITORING.md).
* **Acknowledge an incident**: `airflow dags trigger validate_data_hourly --conf '{"snooze": ["stale"],
  "snooze_hours": 12}'` keeps its growth quiet for twelve hours.
* **Accept a gap** that nobody can close: param `accept_gap`, and `take_back_gap` to have it tried again; page
  *Gaps* has buttons for both (docs/REPAIR.md). The triggering user is recorded as the one who decided.
* **Rerun it** whenever you like: a check changes no candle.
* **Result**: the return value of task `result`.
"""

from pathlib import Path

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, chain

from kraken_ohlcv.core.params import ValidationRequest
from kraken_ohlcv.core.plan_file import tiers_at_parse
from kraken_ohlcv.core.schedules import VALIDATE, has_dag
from kraken_ohlcv_airflow.defaults import candle_dag
from kraken_ohlcv_airflow.heartbeat import heartbeat
from kraken_ohlcv_airflow.newest_candles import NewestCandlesOperator
from kraken_ohlcv_airflow.tasks import notify, prepare, verdict
from kraken_ohlcv_airflow.validation import ask_exchange, check_freshness, plan_catch_up, result


def make(assets_file: str | Path | None = None) -> DAG:
    """Return the DAG, which checks the tiers that the plan's file schedules."""
    tiers = tiers_at_parse(Path(assets_file) if assets_file else None)
    schemas = ValidationRequest.schemas(
        tiers=[tier for tier, one in tiers.items() if has_dag(tier, one.plan)]
    )

    @candle_dag(
        VALIDATE,
        title="Check freshness",
        description="Alerts when candles are late, and starts a backfill for what cannot wait.",
        kind="watch",
        priority=30,
        schemas=schemas,
        doc=__doc__,
    )
    def validate_data_hourly() -> None:
        """Judge what the exchange says and what is stored, start what cannot wait, and report."""
        ready = prepare(assets_file=str(assets_file) if assets_file else None)
        state = ask_exchange()
        newest = NewestCandlesOperator(task_id="newest_candles", sql="newest_candles.sql")
        chain(ready, [state, newest])

        checked = check_freshness(state, newest.output)
        starts = plan_catch_up(state, checked)
        catch_up = TriggerDagRunOperator.partial(
            task_id="catch_up", wait_for_completion=False, skip_when_already_exists=True
        ).expand_kwargs(starts)
        summary = result()
        chain(checked, starts, [catch_up, summary])

        ends = [verdict(summary), notify().as_teardown()]
        chain(summary, ends)
        chain([catch_up, *ends], heartbeat().as_teardown())

    return validate_data_hourly()


dag = make()
