"""The tab on a DAG run: what this run found, did and left open, and not how the world stands now."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from kraken_ohlcv.core.gap import Outcome
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.schedules import BACKFILL_DAGS, INGEST_ARCHIVE, MANUALS, SCHEDULES
from kraken_ohlcv.core.times import Utc, utc
from kraken_ohlcv.repair.summary import gap_figures
from kraken_ohlcv.stores.ledger.approvals import Approval, read_approval
from kraken_ohlcv.stores.ledger.archive import read_results
from kraken_ohlcv.stores.ledger.runs import Run, read_run, read_run_plan
from kraken_ohlcv.stores.ledger.session import Connection, rows, value
from kraken_ohlcv_airflow.web.airflow_api import RunState, read_run_state
from kraken_ohlcv_airflow.web.render import address, page
from kraken_ohlcv_airflow.web.run_words import errors_of, result_in_words
from kraken_ohlcv_airflow.web.stores import ledger

router = APIRouter()

MAX_GAPS: Final = 200
"""Gaps that the tab names; those that stay open come first, and the number of all is given."""
MAX_FILES: Final = 100

DagId = Annotated[str, Query(max_length=250)]
RunId = Annotated[str | None, Query(max_length=250)]


class RunGap(BaseModel):
    """What a run did with a gap, and what has become of it since.

    ``status`` and what follows it are those of now.
    """

    gap_id: int
    ticker: str
    interval_minutes: int
    gap_start: Utc
    gap_end: Utc
    missing_candles: int
    outcome: Outcome
    candles: int
    error: str | None
    status: str
    unfillable_reason: str | None
    next_attempt_at: Utc | None
    filled_at: Utc | None


class RunWork(NamedTuple):
    """What the ledger has of a run.

    :ivar run: as recorded
    :ivar figures: see :func:`kraken_ohlcv.repair.summary.gap_figures`
    :ivar gaps: those that it claimed, at most :data:`MAX_GAPS`
    :ivar standing: open gaps of the series looked at that it did not claim
    :ivar plan: what it planned if it only plans, else None
    :ivar approval: what a person was asked, or None
    :ivar files: what it made of each archive file
    """

    run: Run
    figures: dict[str, int]
    gaps: list[RunGap]
    standing: int
    plan: dict[str, Any] | None
    approval: Approval | None
    files: list[dict[str, Any]]


def read_work(connection: Connection, run: RunKey) -> RunWork | None:
    """Return what the ledger has of a run; nothing is written.

    :param run: the run
    :return: None if the ledger knows no such run
    """
    with connection.transaction():
        recorded = read_run(connection, run)
        if recorded is None:
            return None
        return RunWork(
            run=recorded,
            figures=gap_figures(connection, run),
            gaps=rows(connection, "list_run_gaps", RunGap, run, most=MAX_GAPS),
            standing=value(connection, "count_outstanding", run, series_ids=recorded.series_processed),
            plan=read_run_plan(connection, run),
            approval=read_approval(connection, run),
            files=list(read_results(connection, run).values())[:MAX_FILES],
        )


@router.get("/run", include_in_schema=False)
async def show_run(
    request: Request,
    state: Annotated[RunState | None, Depends(read_run_state)],
    dag_id: DagId,
    run_id: RunId = None,
) -> Response:
    """Show what a run did; Airflow fills its ids into the address of the tab."""
    tiers = {one: tier for tier, one in BACKFILL_DAGS.items()}
    if dag_id not in {*SCHEDULES, *MANUALS, *tiers}:
        return page("elsewhere.html", active=None, dag_id=dag_id)
    if run_id is None:
        values: Mapping[str, Any] = {"tier": tiers[dag_id], "range": "30d"} if dag_id in tiers else {}
        return RedirectResponse(address("coverage", values), HTTPStatus.SEE_OTHER)
    return await run_in_threadpool(_page, request, RunKey(dag_id, run_id), state)


def _page(request: Request, run: RunKey, state: RunState | None) -> Response:
    is_filling = run.dag_id in {*BACKFILL_DAGS.values(), INGEST_ARCHIVE.dag_id}
    work = None
    if is_filling:
        with ledger() as connection:
            work = read_work(connection, run)
    result = state.result if state else None
    return page(
        "run.html",
        active=None,
        now=utc(int(request.app.state.clock())),
        run=run,
        state=state,
        work=work,
        is_filling=is_filling,
        said=[] if is_filling else result_in_words(run.dag_id, result),
        errors=errors_of(result, work.run.remarks if work else {}),
        warnings=(result or {}).get("warnings") or (work.run.remarks.get("warnings", []) if work else []),
    )
