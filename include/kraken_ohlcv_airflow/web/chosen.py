"""Several gaps at once: what their runs would do and cost, and the one action that starts them."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import counted, interval_name
from kraken_ohlcv.stores.ledger.archive import read_quarters
from kraken_ohlcv.stores.ledger.gap_lists import GapSubject
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import first
from kraken_ohlcv_airflow.web.access import insist_on_trigger, may_trigger, same_origin
from kraken_ohlcv_airflow.web.actions import MAX_ID, source_of
from kraken_ohlcv_airflow.web.airflow_api import StartedRun, read_paused, trigger
from kraken_ohlcv_airflow.web.costs import as_planned
from kraken_ohlcv_airflow.web.prices import price
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.repairs import PlannedRun, Source, dag_of_tier, runs_for
from kraken_ohlcv_airflow.web.stores import has_archive, ledger

router = APIRouter()

MAX_CHOSEN: Final = 100
"""Gaps that one action is about: two pages of them."""
MAX_RUNS: Final = 10
"""Runs that one action starts; a DAG works on one at a time."""

Chosen = Annotated[list[str], Query(alias="gap", min_length=1, max_length=MAX_CHOSEN, examples=[["7,9"]])]
"""Ids of gaps, each one or several with commas between them: those of a series."""
ChosenForm = Annotated[list[str], Form(alias="gap", min_length=1, max_length=MAX_CHOSEN)]


class ChosenIn(BaseModel):
    """Which gaps to repair, and those older than the API reaches from where; None = from trades."""

    gap_ids: list[Annotated[int, Field(ge=1, le=MAX_ID)]] = Field(min_length=1, max_length=MAX_CHOSEN)
    source: Source | None = None


class Refused(BaseModel):
    """A gap that is not repaired, and why; ``series`` is None when there is no such gap."""

    gap_id: int
    series: str | None
    why: str


class StartedRuns(BaseModel):
    """The runs that were started, and the gaps that none of them is about."""

    runs: list[StartedRun]
    refused: list[Refused]


class Planned(NamedTuple):
    """What an action would start.

    :ivar runs: at most :data:`MAX_RUNS`
    :ivar refused: the other gaps that were chosen
    """

    runs: list[PlannedRun]
    refused: list[Refused]


def plan_runs(
    request: Request, user: GetUserDep, gap_ids: list[int], source: Source | None, *, is_order: bool = False
) -> Planned:
    """Return what would be started for chosen gaps.

    :param gap_ids: of the gaps
    :param source: what those are repaired from that the OHLC call no longer reaches; None = trades
    :param is_order: whether the runs are about to be started
    :raises HTTPException: 403, if they are to be started by somebody who may trigger none of their DAGs
    """
    chosen: list[tuple[int, GapSubject, Source | None]] = []
    refused: list[Refused] = []
    names: dict[int, str] = {}
    rights: dict[str, bool] = {}
    now_s = int(request.app.state.clock())
    with ledger() as connection:
        tiers = read_plan(connection).tiers
        quarters = read_quarters(connection) if has_archive() else None
        for gap_id in dict.fromkeys(gap_ids):
            gap = first(connection, "read_listed_gap", GapSubject, gap_id=gap_id)
            if gap is None:
                refused.append(Refused(gap_id=gap_id, series=None, why=f"There is no gap {gap_id}."))
                continue
            names[gap_id] = f"{gap.ticker} {interval_name(gap.interval_minutes)}"
            dag_id = dag_of_tier(gap.tier, tiers)
            if dag_id not in rights:
                rights[dag_id] = may_trigger(request, user, dag_id)
            try:
                if not rights[dag_id]:
                    insist_on_trigger(request, user, dag_id)
                # Of what is still served, no source needs to be named.
                wanted = source if gap.status == GapStatus.UNFILLABLE else None
                found = source_of(gap_id, gap, wanted, quarters=quarters, now_s=now_s)
            except HTTPException as error:
                refused.append(Refused(gap_id=gap_id, series=names[gap_id], why=str(error.detail)))
            else:
                chosen.append((gap_id, gap, found))
    if is_order and rights and not any(rights.values()):
        insist_on_trigger(request, user, next(iter(rights)))
    runs = runs_for(chosen, tiers)
    refused += [
        Refused(gap_id=gap_id, series=names[gap_id], why=f"One action starts at most {MAX_RUNS} runs.")
        for run in runs[MAX_RUNS:]
        for gap_id in run.gap_ids
    ]
    return Planned(runs[:MAX_RUNS], refused)


async def start_runs(request: Request, planned: Planned) -> StartedRuns:
    """Start the runs; the gaps of one that Airflow refuses are among the refused, and the others go on."""
    done = StartedRuns(runs=[], refused=[*planned.refused])
    for run in planned.runs:
        note = f"Started from the page Gaps for {counted(len(run.gap_ids), 'gap')} chosen there"
        try:
            done.runs.append(await trigger(request, run.dag_id, run.conf, note))
        except HTTPException as error:
            series = ", ".join(
                f"{ticker} {interval_name(minutes)}"
                for ticker in run.conf["tickers"]
                for minutes in run.conf["intervals"]
            )
            done.refused += [
                Refused(gap_id=gap_id, series=series, why=str(error.detail)) for gap_id in run.gap_ids
            ]
    return done


@router.post(
    "/api/gaps/backfill",
    tags=["actions"],
    status_code=HTTPStatus.CREATED,
    dependencies=[Depends(same_origin)],
)
async def backfill_chosen(request: Request, user: GetUserDep, body: ChosenIn) -> StartedRuns:
    """Start backfills for the series of several gaps; needs the right to trigger their tiers' DAGs.

    What cannot be repaired is named, and does not keep the rest from being started.
    """
    planned = await run_in_threadpool(plan_runs, request, user, body.gap_ids, body.source, is_order=True)
    if not planned.runs:
        raise HTTPException(HTTPStatus.CONFLICT, " ".join(one.why for one in planned.refused[:MAX_RUNS]))
    return await start_runs(request, planned)


@router.post("/actions/backfill-chosen", include_in_schema=False, dependencies=[Depends(same_origin)])
async def backfill_chosen_by_form(
    request: Request,
    user: GetUserDep,
    paused: Annotated[frozenset[str], Depends(read_paused)],
    gap: ChosenForm,
    source: Annotated[Source | None, Form()] = None,
) -> Response:
    """Start the runs, and say which they are and what was refused."""
    planned = await run_in_threadpool(plan_runs, request, user, ids_of(gap), source, is_order=True)
    done = await start_runs(request, planned)
    return await run_in_threadpool(
        page,
        "chosen.html",
        active="gaps",
        up="../",
        now=utc(int(request.app.state.clock())),
        started=done.runs,
        planned=[],
        refused=done.refused,
        paused=paused,
        chosen=[],
        source=source,
    )


@router.get("/chosen-gaps", include_in_schema=False)
def show_chosen(
    request: Request,
    user: GetUserDep,
    paused: Annotated[frozenset[str], Depends(read_paused)],
    gap: Chosen,
    source: Annotated[Source | None, Query()] = None,
) -> Response:
    """Show what the runs for chosen gaps would do and cost, with the button that starts them."""
    gap_ids = ids_of(gap)
    planned = plan_runs(request, user, gap_ids, source)
    priced: list[dict[str, Any]] = []
    for run in planned.runs:
        plan = price(request, run.conf, run.tier)
        priced.append({"run": run, "said": as_planned(plan), "errors": plan["errors"]})
    return page(
        "chosen.html",
        active="gaps",
        now=utc(int(request.app.state.clock())),
        started=[],
        planned=priced,
        refused=planned.refused,
        paused=paused,
        chosen=gap_ids,
        source=source,
        has_archive=has_archive(),
    )


def ids_of(values: list[str]) -> list[int]:
    """Return the ids of chosen gaps.

    :param values: each one id, or several with commas between them
    :raises HTTPException: 422 if one is no id, or there are more than :data:`MAX_CHOSEN`
    """
    parts = [part for value in values for part in value.split(",")]
    if not all(re.fullmatch("[1-9][0-9]{0,18}", part) and int(part) <= MAX_ID for part in parts):
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, "gap: give the ids of gaps, commas between them."
        )
    if len(parts) > MAX_CHOSEN:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{len(parts)} gaps were chosen: choose at most {MAX_CHOSEN} at once.",
        )
    return [int(part) for part in parts]
