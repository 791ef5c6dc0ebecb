"""Factory of the two backfill DAGs: prepare, ask the exchange, detect, plan, fill, tell the result."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.sdk import DAG, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from include.ohlcv.backfill import fill_item, plan_run
from include.ohlcv.completeness.published import run_figures
from include.ohlcv.exchange import open_run
from include.ohlcv.ledger.incident_rows import observe
from include.ohlcv.names import KRAKEN_POOL
from include.ohlcv.params import BackfillRequest, backfill_schemas
from include.ohlcv.scan import HOLES, SPANS
from include.ohlcv.summary import empty_summary, summarise
from include.ohlcv.watch import source_seen
from include.orchestration.detect_gaps import DetectGapsOperator
from include.orchestration.hooks import archive_shelf, kraken, ledger, questdb, run_key, run_url
from include.orchestration.policy import CANDLES, candle_dag
from include.orchestration.tasks import prepare, tell, verdict
from include.orchestration.telling import errors_of, handing_on_errors, sentence_of, sentences

if TYPE_CHECKING:
    from include.ohlcv.ledger.session import RunKey
    from include.ohlcv.schedules import Schedule

LONGEST_FILL = timedelta(hours=3)
"""The largest budget of trade calls takes as long at a call a second; cut off, the next try goes on."""

STEPS = ("prepare", "ask_exchange", "detect_gaps", "plan")
"""Steps whose failure no gap can tell; what ``fill`` could not do stands in the outcomes of its gaps."""


def _asked() -> tuple[RunKey, BackfillRequest]:
    context = get_current_context()
    return run_key(context), BackfillRequest.from_params(context["params"])


@task(pool=KRAKEN_POOL)
def ask_exchange() -> int:
    """Ask the exchange's clock, state and pairs; its clock is the run's idea of now."""
    run, request = _asked()
    with handing_on_errors(), ledger() as connection:
        now_s = open_run(connection, kraken(), run, request)
        request.check(now_s)
        return now_s


@task(pool=KRAKEN_POOL)
def plan() -> list[dict[str, Any]]:
    """Choose the series to ask, earliest expiry first, and what to rebuild from trades within the budget."""
    run, request = _asked()
    with handing_on_errors(), ledger() as connection:
        shelf = archive_shelf() if "archive" in request.repair_from else None
        return plan_run(connection, kraken(), questdb(), run, request, shelf)


@task(pool=KRAKEN_POOL, map_index_template="{{ work['label'] }}", execution_timeout=LONGEST_FILL)
def fill(work: dict[str, Any]) -> None:
    """Fetch, write, read back and record the gaps of an asset."""
    run, request = _asked()
    shelf = archive_shelf() if work["files"] else None
    with ledger() as connection:
        fill_item(connection, kraken(), questdb(), run, request, work, shelf)


@task(trigger_rule="all_done", multiple_outputs=False)
def result() -> dict[str, Any]:
    """Return what the run did; never raises, so that there is always something to read."""
    run, request = _asked()
    asked: dict[str, Any] = {"tier": request.tier, "intervals": request.intervals}
    errors = sentences(errors_of(get_current_context(), STEPS))
    try:
        with ledger() as connection:
            return summarise(connection, run, **asked, errors=errors)
    except psycopg.Error as error:
        return empty_summary(run, **asked, errors=[*errors, f"result: {sentence_of(error)}"])


@task(outlets=[CANDLES], retries=0)
def publish(*, outlet_events: Any = None) -> None:
    """Attach the completeness figures of the run to an event of the candles' asset."""
    run, request = _asked()
    with ledger() as connection:
        complete = run_figures(connection, questdb(), run, request)
    if complete is None:
        raise AirflowSkipException("the run processed no series")
    outlet_events[CANDLES].extra = complete


@task(trigger_rule="all_done")
def watch() -> None:
    """Open, grow or recover the incident of the source, from what this run saw of it."""
    run, _ = _asked()
    context = get_current_context()
    error = errors_of(context, ["ask_exchange"]).get("ask_exchange")
    now_s = int(time.time())
    with ledger() as connection:
        seen = source_seen(
            connection,
            run,
            ask_error=(error["type"], error["message"]) if error else None,
            now_s=now_s,
            url=run_url(run),
        )
        observe(connection, seen, now_s=now_s)


def backfill_dag(entry: Schedule, *, priority: int, doc: str | None) -> DAG:
    """Return a backfill DAG.

    :param entry: its line of the schedule table
    :param priority: weight of its tasks in the pool; the higher tier goes first
    :param doc: the operator's manual of the DAG, Markdown
    :return: the DAG
    :raises ValueError: if the entry is no backfill
    """
    if entry.backfill is None:
        raise ValueError(f"{entry.dag_id} has no backfill scope")
    schemas = backfill_schemas(entry.backfill)

    @candle_dag(entry, kind="backfill", priority=priority, schemas=schemas, doc=doc)
    def backfill() -> None:
        detect_gaps = DetectGapsOperator(task_id="detect_gaps", spans_sql=f"{SPANS}.sql", sql=f"{HOLES}.sql")
        work = plan()
        summary = result()
        chain(prepare(sorted(schemas)), ask_exchange(), detect_gaps, work, fill.expand(work=work), summary)
        chain(summary, [publish(), verdict(summary)])
        chain(summary, watch(), tell().as_teardown())

    return backfill()
