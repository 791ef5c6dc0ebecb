"""Factory of the clean-up DAG: delete what is old, say how much, and judge."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, chain, get_current_context, task

from kraken_ohlcv.core.params import cleanup_schemas
from kraken_ohlcv.monitoring.cleanup import Cleaned, clean_up, foresee
from kraken_ohlcv_airflow.connections import ledger
from kraken_ohlcv_airflow.defaults import candle_dag
from kraken_ohlcv_airflow.tasks import prepare, tell, verdict
from kraken_ohlcv_airflow.telling import errors_of, handing_on_errors, sentences

if TYPE_CHECKING:
    from kraken_ohlcv.core.schedules import Schedule

STEPS = ("prepare", "clean")


@task(multiple_outputs=False)
def clean(*, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Delete what is old, or count it in a dry run."""
    asked = params or {}
    do = foresee if asked["dry_run"] else clean_up
    with handing_on_errors(), ledger() as connection:
        return do(connection, days=asked["days"], now_s=int(time.time())).result()


@task(trigger_rule="all_done", multiple_outputs=False)
def result(*, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what was deleted; never raises, so that there is always something to read."""
    context = get_current_context()
    instance: Any = context["ti"]
    cleaned = instance.xcom_pull(task_ids="clean") or Cleaned().result()
    asked = params or {}
    return {
        **cleaned,
        "days": asked["days"],
        "dry_run": asked["dry_run"],
        "errors": sentences(errors_of(context, STEPS)),
    }


def cleanup_dag(entry: Schedule, *, priority: int, doc: str | None) -> DAG:
    """Return the clean-up DAG.

    :param entry: its line of the schedule table
    :param priority: weight of its tasks; everything else goes first
    :param doc: the operator's manual of the DAG, Markdown
    :return: the DAG
    """
    schemas = cleanup_schemas()

    @candle_dag(entry, kind="maintain", priority=priority, schemas=schemas, doc=doc)
    def cleanup() -> None:
        summary = result()
        chain(prepare(sorted(schemas)), clean(), summary)
        chain(summary, [verdict(summary), tell().as_teardown()])

    return cleanup()
