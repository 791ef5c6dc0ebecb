"""Tasks of the archive DAG: ask the exchange, find the files, ingest each, return the result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
from airflow.sdk import get_current_context, task

from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.oddities import observe_oddities
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import (
    archive_locator,
    kraken,
    ledger,
    patiently,
    questdb,
    run_key,
    run_url,
)
from kraken_ohlcv_airflow.defaults import CANDLES
from kraken_ohlcv_airflow.plan_only import ONLY_PLANNED, plan_only, planned_result
from kraken_ohlcv_airflow.run_table import table_of
from kraken_ohlcv_airflow.step_errors import errors_of, recording_errors, sentence_of
from kraken_ohlcv_airflow.tasks import mappable, say, skip_when_planning

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.planning import PlanningClient
    from kraken_ohlcv.price.backfill import Opening

STEPS = ("prepare", "ask_exchange", "find_files")
"""Steps whose failure no file records; what ``ingest`` could not do stands in the results of its files."""

# The steps of a run bring Polars: tasks import them, since every task instance parses its DAG file.

INGESTS_AT_ONCE = 4
"""Of one run; each holds a slice of rows in memory and keeps the candle store busy."""


def _asked() -> tuple[RunKey, ArchiveRequest]:
    context = get_current_context()
    return run_key(context), ArchiveRequest.from_params(context["params"])


@contextmanager
def _at_work() -> Iterator[tuple[RunContext, ArchiveRequest, ArchiveLocator]]:
    from kraken_ohlcv.backfill import context_of  # noqa: PLC0415

    run, request = _asked()
    with ledger() as connection:
        locator = archive_locator(allow_full_download=request.allow_full_download)
        yield context_of(connection, kraken(), questdb(), run), request, locator


@task
def ask_exchange() -> int:
    """Ask the exchange's clock and pairs; the worker's clock counts while it does not answer."""
    from kraken_ohlcv import ingest as steps  # noqa: PLC0415

    run, request = _asked()
    if request.plan_only:
        _plan_only(run, request)
    with recording_errors(), ledger() as connection:
        return steps.open_ingest(connection, kraken(), run, request, time.time)


def _plan_only(run: RunKey, request: ArchiveRequest) -> NoReturn:
    from kraken_ohlcv import ingest as steps  # noqa: PLC0415
    from kraken_ohlcv.price.ingest import price_ingest  # noqa: PLC0415

    def price(connection: Connection, client: PlanningClient, opening: Opening) -> dict[str, Any]:
        locator = archive_locator(allow_full_download=request.allow_full_download)
        return price_ingest(connection, client, questdb(), locator, run, request, opening)

    plan_only(run, request, steps.open_ingest, price)


@task
def find_files() -> list[dict[str, Any]]:
    """Find the files that the run is about."""
    from kraken_ohlcv import ingest as steps  # noqa: PLC0415

    with recording_errors(), _at_work() as (context, request, locator):
        return mappable(steps.find_files(context, request, locator))


@task(map_index_template="{{ work['label'] }}", max_active_tis_per_dagrun=INGESTS_AT_ONCE)
def ingest(work: dict[str, Any]) -> None:
    """Read, check, compare, write, read back and record a file."""
    from kraken_ohlcv import ingest as steps  # noqa: PLC0415

    with _at_work() as (context, request, locator):
        steps.ingest_item(context, request, locator, work)


@task(trigger_rule="all_done", multiple_outputs=False)
def result() -> dict[str, Any]:
    """Return what the run did; never raises, so that there is always something to read."""
    run, request = _asked()
    summary = _summary(run, request)
    say(summary, _in_words(run, request, summary), STEPS)
    return summary


def _in_words(run: RunKey, request: ArchiveRequest, summary: Mapping[str, Any]) -> list[str]:
    from kraken_ohlcv.sources.archive.summary_text import ingest_in_words  # noqa: PLC0415

    if request.plan_only:
        return [ONLY_PLANNED]
    return [*ingest_in_words(summary), *table_of(run)]


def _summary(run: RunKey, request: ArchiveRequest) -> dict[str, Any]:
    from kraken_ohlcv import ingest as steps  # noqa: PLC0415

    errors = errors_of(get_current_context(), STEPS)
    try:
        if request.plan_only:
            return planned_result(run, steps.empty_summary(run, request, []), errors)
        return patiently(lambda connection: steps.summarise(connection, run, request, errors=errors))
    except psycopg.Error as error:
        return steps.empty_summary(run, request, [*errors, f"result: {sentence_of(error)}"])


@task(outlets=[CANDLES], retries=0)
def publish() -> None:
    """Tell with an event of the candles' asset that candles may have come, unless the run only plans."""
    skip_when_planning()


@task(trigger_rule="all_done")
def watch() -> None:
    """Open, grow or recover the incidents of pairs of whose files much was odd."""
    run, _ = _asked()
    skip_when_planning()
    with ledger() as connection:
        observe_oddities(connection, run, now_s=int(time.time()), url=run_url(run))
