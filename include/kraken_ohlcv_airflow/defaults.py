"""What all DAGs of this project have in common: owner, retries, callbacks, tags, asset, folders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final, cast

from airflow.sdk import (
    DAG,
    Asset,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
)

from kraken_ohlcv.core.params import CONF_ONLY, Schema
from kraken_ohlcv.core.schedules import Manual, Schedule
from kraken_ohlcv_airflow.deadlines import approval_wait, deadline
from kraken_ohlcv_airflow.failures import report_failure, report_success

SQL_FOLDER: Final = str(files("kraken_ohlcv.sql") / "questdb")

OWNER: Final = "ohlcv"
TAG: Final = "kraken-ohlcv"

CANDLES: Final = Asset(
    name="kraken_ohlcv",
    uri="x-questdb://questdb_default/ohlcv",
    extra={"description": "Candles in QuestDB; each event says how complete the series of its run are."},
)
"""Updated by every backfill; the event's extra carries the completeness figures."""

NO_RETRY: Final = "kraken_ohlcv.core.errors.Permanent"
"""Errors that another try would only repeat."""

RUN_TYPES: Final = (
    "scheduled",
    "manual",
    "operator_triggered",
    "asset_triggered",
    "asset_materialization",
)
"""All kinds of runs but those of Airflow's *Backfill*: every run is about now, whatever its date says."""

DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": ExceptionRetryPolicy([RetryRule(exception=NO_RETRY, action=RetryAction.FAIL)]),
    "execution_timeout": timedelta(minutes=30),
    # What a task returns is in its XCom; its log says what it did.
    "show_return_value_in_logs": False,
}


def in_words(cron: str) -> str:
    """Return a schedule in words, such as ``at 02:00 UTC``; as it is where there are none.

    :param cron: five-field cron, UTC
    """
    # Airflow brings it for its own pages; the words are the same there.
    from cron_descriptor import FormatError, Options, get_description  # noqa: PLC0415 (only with a schedule)

    try:
        said: str = get_description(cron, Options(use_24hour_time_format=True))
    except FormatError:
        return f"{cron} UTC"  # words are missing for a weekday such as 007, which Airflow keeps all the same
    return f"{said[0].lower()}{said[1:]} UTC"


def candle_dag(
    entry: Schedule | Manual,
    *,
    title: str,
    description: str,
    kind: str,
    priority: int,
    schemas: dict[str, Schema],
    doc: str | None,
) -> Callable[[Callable[[], None]], Callable[[], DAG]]:
    """Return the decorator ``@dag`` with what all DAGs of this project are made with.

    :param entry: its line of the schedule table, or of the table of manual DAGs
    :param title: its name in the UI; its schedule follows in words
    :param description: what it does, one sentence
    :param kind: tag beside the project's own
    :param priority: weight of its tasks in the pool; the higher go first
    :param schemas: JSON schema with ``default``, by param
    :param doc: the operator's manual of the DAG, Markdown
    :return: decorator of the function that wires the tasks
    """
    schedule, name = None, title
    if isinstance(entry, Schedule) and entry.cron is not None:
        # Without run_immediately of zero a tick up to a tenth of the period ago would run at first start.
        schedule = CronTriggerTimetable(entry.cron, timezone="UTC", run_immediately=timedelta(0))
        name = f"{title} ({in_words(entry.cron)})"
    return dag(
        dag_id=entry.dag_id,
        dag_display_name=name,
        description=description,
        schedule=schedule,
        catchup=False,
        allowed_run_types=cast("Any", RUN_TYPES),  # Airflow takes the names, too
        max_active_runs=1,  # two runs of a DAG would wait for each other's series, and find nothing to do
        # Airflow counts the time that a run waits for an approval.
        dagrun_timeout=entry.timeout + (approval_wait() if kind == "backfill" else timedelta(0)),
        deadline=deadline(entry),
        on_failure_callback=report_failure,
        on_success_callback=report_success,
        default_args={**DEFAULT_ARGS, "priority_weight": priority, "weight_rule": "absolute"},
        params={name: Param(**schema) for name, schema in schemas.items() if CONF_ONLY not in schema},
        is_paused_upon_creation=False,  # as a Beat entry is; and a manual run of a paused DAG waits for ever
        template_searchpath=SQL_FOLDER,
        tags=[TAG, kind],
        doc_md=doc,
    )
