"""Factory of the backfill DAGs: prepare, detect, go through the sources one by one, report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import psycopg
from airflow.sdk import DAG, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.plan_file import tiers_at_parse
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.schedules import Schedule, backfill_of, has_dag
from kraken_ohlcv.core.settings import KRAKEN_POOL
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.detection.oddities import observe_oddities
from kraken_ohlcv.detection.pairs import observe_listing
from kraken_ohlcv.monitoring.watch import observe_source
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.summary import empty_summary, summarise
from kraken_ohlcv.repair.summary_text import backfill_in_words
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.approval import ApproveCallsOperator
from kraken_ohlcv_airflow.connections import (
    archive_locator,
    kraken,
    ledger,
    patiently,
    questdb,
    run_key,
    run_url,
)
from kraken_ohlcv_airflow.defaults import CANDLES, candle_dag
from kraken_ohlcv_airflow.detect_gaps import DetectGapsOperator
from kraken_ohlcv_airflow.plan_only import ONLY_PLANNED, plan_only, planned_result
from kraken_ohlcv_airflow.run_table import table_of
from kraken_ohlcv_airflow.step_errors import (
    errors_of,
    failed_steps,
    lines_passed_over,
    recording_errors,
    sentence_of,
)
from kraken_ohlcv_airflow.tasks import mappable, notify, prepare, say, skip_when_planning, verdict
from kraken_ohlcv_airflow.verified import publish_verified_days

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.planning import PlanningClient
    from kraken_ohlcv.price.backfill import Opening

# The steps of a run bring Polars and NumPy: tasks import them, since every task instance parses its DAG file.

STEPS = ("prepare", "ask_exchange", "detect_gaps", "plan", "plan_archive", "plan_trades", "approve_calls")
"""Steps whose failure no gap records; what mapped tasks could not do stands in the outcomes of gaps."""


PAUSE: Final = timedelta(seconds=10)
"""Between two stretches of a walk. A task that is queued again before the scheduler has noticed that its last
execution ended (half a second later, on a busy machine more than five) passes for killed, and loses a try."""


def _asked() -> tuple[RunKey, BackfillRequest]:
    context = get_current_context()
    return run_key(context), BackfillRequest.from_params(context["params"])


@contextmanager
def _at_work() -> Iterator[tuple[RunContext, BackfillRequest]]:
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    run, request = _asked()
    with ledger() as connection:
        yield steps.context_of(connection, kraken(), questdb(), run), request


def _give_slot_back() -> None:
    """End this execution of a task; Airflow queues it again behind whatever waits with a higher priority."""
    raise AirflowRescheduleException(datetime.now(UTC) + PAUSE)  # type: ignore[no-untyped-call]


@task
def ask_exchange() -> int:
    """Ask the exchange's clock, state and pairs; its clock is the run's idea of now. A plan ends here."""
    run, request = _asked()
    if request.plan_only:
        _plan_only(run, request)
    with recording_errors(), ledger() as connection:
        now_s = open_run(connection, kraken(), run, request, time.time)
        request.check(now_s)
        return now_s


def _plan_only(run: RunKey, request: BackfillRequest) -> NoReturn:
    from kraken_ohlcv.price.backfill import price_backfill  # noqa: PLC0415

    def price(connection: Connection, client: PlanningClient, opening: Opening) -> dict[str, Any]:
        locator = archive_locator() if "archive" in request.repair_from else None
        return price_backfill(connection, client, questdb(), locator, run, request, opening)

    plan_only(run, request, open_run, price)


@task
def plan() -> list[dict[str, Any]]:
    """Choose the series to ask, earliest expiry first."""
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    with recording_errors(), _at_work() as (context, request):
        return mappable(steps.plan_ohlc(context, request))


@task(pool=KRAKEN_POOL, map_index_template="{{ work['label'] }}")
def fill_ohlc(work: dict[str, Any]) -> None:
    """Fetch, write, read back and record the gaps of one asset or several: one OHLC call per series."""
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    with _at_work() as (context, request):
        goes_on = steps.fill_ohlc(context, work, request)
    if goes_on:
        _give_slot_back()


@task(trigger_rule="all_done")
def plan_archive(asked: Any) -> list[dict[str, Any]]:
    """Choose the members of published quarters that may close what is beyond the API window."""
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    _refuse_unplanned(asked)
    with recording_errors(), _at_work() as (context, request):
        locator = archive_locator() if "archive" in request.repair_from else None
        return mappable(steps.plan_archive(context, request, locator))


@task(map_index_template="{{ work['label'] }}", max_active_tis_per_dagrun=4)
def ingest_archive(work: dict[str, Any]) -> None:
    """Download, check, write, read back and record the files of an asset; no call to the exchange."""
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    with _at_work() as (context, _):
        steps.ingest_archive(context, work, archive_locator())


@task(trigger_rule="all_done", pool=KRAKEN_POOL)
def plan_trades(asked: Any, fetched: Any) -> list[dict[str, Any]]:
    """Choose what to rebuild from trades: what no other source has brought."""
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    _refuse_unplanned(asked)
    with recording_errors(), _at_work() as (context, request):
        return mappable(steps.plan_trades(context, request, asked=asked, fetched=fetched or []))


@task(pool=KRAKEN_POOL, map_index_template="{{ work['label'] }}")
def rebuild_trades(work: dict[str, Any]) -> None:
    """Walk through the trades of one asset or several, about a minute before others have their turn."""
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415

    with _at_work() as (context, request):
        goes_on = steps.rebuild_trades(context, work, request)
    if goes_on:
        _give_slot_back()


def _refuse_unplanned(asked: Any) -> None:
    """Skip a later source when task ``plan`` failed; it also runs when some of the calls before it failed."""
    if asked is None:
        raise AirflowSkipException("task plan did not finish, so there is nothing to continue with")


@task(trigger_rule="all_done", multiple_outputs=False)
def result() -> dict[str, Any]:
    """Return what the run did; never raises, so that there is always something to read."""
    run, request = _asked()
    summary = _summary(run, request)
    say(summary, _in_words(run, request, summary), STEPS)
    return summary


def _in_words(run: RunKey, request: BackfillRequest, summary: Mapping[str, Any]) -> list[str]:
    if request.plan_only:
        return [ONLY_PLANNED]
    return [*backfill_in_words(summary, request.tickers), *table_of(run)]


def _summary(run: RunKey, request: BackfillRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {"tier": request.tier, "intervals": request.intervals}
    context = get_current_context()
    errors = errors_of(context, STEPS)
    passed_over = lines_passed_over(context)
    # A line that the run is asked for by name is no line that it may pass over.
    errors += [one["said"] for one in passed_over if one["ticker"] in (request.tickers or [])]
    try:
        if request.plan_only:
            return planned_result(run, empty_summary(run, **asked, errors=[]), errors)
        summary = patiently(lambda connection: summarise(connection, run, **asked, errors=errors))
        return summary | {"warnings": [*(one["said"] for one in passed_over), *summary["warnings"]]}
    except psycopg.Error as error:
        return empty_summary(run, **asked, errors=[*errors, f"result: {sentence_of(error)}"])


@task(outlets=[CANDLES], retries=0)
def publish(*, outlet_events: Any = None) -> None:
    """Attach the completeness figures of the run to an event of the candles' asset."""
    from kraken_ohlcv.completeness.published import run_figures  # noqa: PLC0415

    run, request = _asked()
    skip_when_planning()
    complete = patiently(lambda connection: run_figures(connection, questdb(), run, request))
    if complete is None:
        raise AirflowSkipException("the run processed no series")
    outlet_events[CANDLES].extra = complete


@task(trigger_rule="all_done")
def watch() -> None:
    """Bring the incidents of the source and of pairs up to what this run saw of them."""
    run, request = _asked()
    skip_when_planning()
    context = get_current_context()
    error = failed_steps(context, ["ask_exchange"]).get("ask_exchange")
    now_s = int(time.time())
    with ledger() as connection:
        if error is None or error.get("is_source"):
            said = error["message"] if error else None
            observe_source(connection, run, ask_error=said, now_s=now_s, url=run_url(run))
        observe_oddities(connection, run, now_s=now_s, url=run_url(run))
        if error is None:
            judged = [
                one.ticker for one in read_assets(connection, tickers=request.tickers, tier=request.tier)
            ]
            observe_listing(connection, judged, now_s=now_s, url=run_url(run))


def tier_dag(
    tier: str, assets_file: str | Path | None = None, *, priority: int, doc: str | None
) -> DAG | None:
    """Return the backfill DAG of a tier, as the plan of what is kept says it.

    :param tier: ``TIER1`` .. ``TIER4``
    :param assets_file: file of the plan, None = the one in use; what is shipped holds when it has a mistake
    :param priority: weight of its tasks in the pool; the higher tier goes first
    :param doc: the operator's manual of the DAG, Markdown
    :return: the DAG, or None when the tier has none without a schedule; while the file has a mistake, a DAG
        that it may have scheduled stays, without a schedule
    """
    said = tiers_at_parse(Path(assets_file) if assets_file else None)[tier]
    if not (has_dag(tier, said.plan) or said.is_in_doubt):
        return None
    entry = backfill_of(tier, said.plan, n_calls=said.n_calls)
    return backfill_dag(entry, assets_file, priority=priority, doc=doc)


def backfill_dag(
    entry: Schedule, assets_file: str | Path | None = None, *, priority: int, doc: str | None
) -> DAG:
    """Return a backfill DAG.

    :param entry: its line of the schedule table
    :param assets_file: file of the plan that its runs read, None = the one in use
    :param priority: weight of its tasks in the pool; the higher tier goes first
    :param doc: the operator's manual of the DAG, Markdown
    :return: the DAG
    :raises ValueError: if the entry is no backfill
    """
    if entry.backfill is None:
        raise ValueError(f"{entry.dag_id} has no backfill scope")
    schemas = BackfillRequest.schemas(**entry.backfill.params())

    tier = entry.backfill.tier

    @candle_dag(
        entry,
        title=f"Backfill {tier}",
        description=f"Finds every missing candle of the {tier} assets, and fetches what Kraken still has.",
        kind="backfill",
        priority=priority,
        schemas=schemas,
        doc=doc,
    )
    def backfill() -> None:
        clock = ask_exchange()
        detect_gaps = DetectGapsOperator(task_id="detect_gaps")
        asked = plan()
        files = plan_archive(asked)
        walks = plan_trades(asked, files)
        summary = result()
        chain(
            prepare(is_storing=True, assets_file=str(assets_file) if assets_file else None),
            clock,
            detect_gaps,
            asked,
        )
        chain(asked, fill_ohlc.expand(work=asked), files, ingest_archive.expand(work=files), walks)
        approved = ApproveCallsOperator(task_id="approve_calls", trigger_rule="all_done")
        chain(walks, rebuild_trades.expand(work=walks), approved)
        further = rebuild_trades.override(task_id="rebuild_approved").expand(work=approved.output)
        chain(approved, further, summary)
        chain(summary, [publish(), verdict(summary)])
        publish_verified_days(clock, summary)
        chain(summary, watch(), notify().as_teardown())

    return backfill()
