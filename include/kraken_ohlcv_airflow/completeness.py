"""Tasks of the completeness report's DAG: count, keep, show, publish, and send what has changed."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import psycopg
from airflow.sdk import Asset, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from kraken_ohlcv.completeness.report_text import report_in_words
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.detection.clock import ask_clock
from kraken_ohlcv.monitoring.notify import NO_CHANNEL
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import kraken, ledger, patiently, questdb, run_key, run_url
from kraken_ohlcv_airflow.lineage import send_lineage
from kraken_ohlcv_airflow.step_errors import (
    errors_of,
    lines_passed_over,
    recording_errors,
    sentence_of,
)
from kraken_ohlcv_airflow.tasks import say

log = logging.getLogger(__name__)

STEPS = ("prepare", "ask_exchange", "report", "seal", "statements")

COMPLETENESS: Final = Asset(
    name="kraken_ohlcv_completeness",
    uri="x-ohlcv://ohlcv_postgres/completeness_reports",
    extra={"description": "Completeness reports; each event has the figures of one."},
)
"""Updated by every completeness report; the event's extra is its result (docs/COMPLETENESS.md)."""


def _request() -> ReportRequest:
    return ReportRequest.from_params(get_current_context()["params"])


@task(multiple_outputs=False)
def ask_exchange() -> dict[str, Any]:
    """Ask the exchange's clock; when it is not to be had or not believed, the worker's may do."""
    with recording_errors(), ledger() as connection:
        clock = ask_clock(connection, kraken(), time.time)
    log.info("it is %s UTC by the %s's clock", iso(clock.now_s), clock.source)
    return {"now_s": clock.now_s, "clock": clock.source, "doubt": clock.doubt}


@task(multiple_outputs=False)
def report(asked: Any) -> dict[str, Any]:
    """Count every bucket of every series, keep the report, judge the targets, and show it in the log."""
    # Arrays and tables are slow to import, and every task instance imports this file.
    from kraken_ohlcv.completeness.objectives import keep_days  # noqa: PLC0415
    from kraken_ohlcv.completeness.report import make_report  # noqa: PLC0415
    from kraken_ohlcv.completeness.table import as_text  # noqa: PLC0415
    from kraken_ohlcv.monitoring.slo import observe_budgets  # noqa: PLC0415
    from kraken_ohlcv.repair.disputes import observe_disputes  # noqa: PLC0415

    with recording_errors(), ledger() as connection:
        made = make_report(connection, questdb(), _request(), **asked)
        run = run_key(get_current_context())
        made.keep(connection, run)
        tickers = [asset.ticker for asset in made.assets]
        observe_disputes(connection, tickers, now_s=made.now_s, url=run_url(run))
        keep_days(connection, questdb(), now_s=made.now_s)
        observe_budgets(connection, now_s=made.now_s, url=run_url(run))
    for line in as_text(made).splitlines():
        log.info("%s", line)
    return made.result()


@task(multiple_outputs=False)
def statements(asked: Any) -> list[dict[str, Any]]:
    """Make and keep the statement of the month before of each tier that has none yet; say which were made.

    Runs behind the report and fails by itself: the figures of the report stand whatever becomes of it.

    :param asked: what task ``ask_exchange`` returned
    """
    # Arrays and templates are slow to import, and every task instance imports this file.
    from kraken_ohlcv.statement.make import keep_monthly  # noqa: PLC0415

    with recording_errors(), ledger() as connection:
        return keep_monthly(connection, questdb(), now_s=asked["now_s"])


@task(trigger_rule="all_done", multiple_outputs=False)
def result() -> dict[str, Any]:
    """Return the report; never raises, and without QuestDB tells what the ledger alone knows."""
    summary = _result()
    say(summary, report_in_words(summary), STEPS)
    return summary


def _result() -> dict[str, Any]:
    from kraken_ohlcv.completeness.report import gap_counts  # noqa: PLC0415

    context = get_current_context()
    instance: Any = context["ti"]
    errors = errors_of(context, STEPS)
    made: dict[str, Any] | None = instance.xcom_pull(task_ids="report")
    if made is not None:
        warnings = [*(one["said"] for one in lines_passed_over(context)), *made["warnings"]]
        seals: dict[str, Any] | None = instance.xcom_pull(task_ids="seal")
        if seals is not None and seals["disagreements"]:
            n_days = counted(seals["disagreements"], "sealed day")
            warnings.append(f"{n_days} changed without a record: incident seal names them")
        return {**made, "seals": seals, "warnings": warnings, "errors": errors}
    request = _request()
    try:
        return {**patiently(lambda connection: _of_ledger(connection, request)), "errors": errors}
    except psycopg.Error as error:
        # Nobody knows: of no assets nothing is expected, and the share of nothing is null.
        return {**gap_counts(request, [], {}), "errors": [*errors, f"result: {sentence_of(error)}"]}


def _of_ledger(connection: Connection, request: ReportRequest) -> dict[str, Any]:
    from kraken_ohlcv.completeness.report import gap_counts, open_gaps  # noqa: PLC0415

    assets = read_assets(connection, tickers=None, tier=request.tier)
    return gap_counts(request, assets, open_gaps(connection, request, assets))


@task(outlets=[COMPLETENESS], retries=0)
def publish(made: Any, *, outlet_events: Any = None) -> None:
    """Attach the report to an event of its asset, and send it to OpenLineage where that is installed."""
    if "series" not in made:
        raise AirflowSkipException("there is no report")
    outlet_events[COMPLETENESS].extra = {key: value for key, value in made.items() if key != "errors"}
    send_lineage(made)


@task
def digest() -> None:
    """Send what has changed since the report before, if the run is asked to.

    Hung up as a teardown: a Slack that does not answer fails no run.
    """
    # The Slack provider is slow to import, and every task instance imports this file.
    from kraken_ohlcv.monitoring.digest import send_digest  # noqa: PLC0415
    from kraken_ohlcv_airflow.slack import slack_channel  # noqa: PLC0415

    if not _request().digest:
        raise AirflowSkipException("no digest is asked for")
    channel = slack_channel()
    if channel is None:
        log.warning("no digest: %s", NO_CHANNEL)
        return
    run = run_key(get_current_context())
    with ledger() as connection:
        log.info("%s", send_digest(connection, channel, run, url=run_url(run), now_s=int(time.time())))
