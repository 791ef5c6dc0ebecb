"""What people start from the pages; each is a POST from a page of this server, by somebody who may do it."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Form, HTTPException, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.stores.ledger.archive import read_quarters
from kraken_ohlcv.stores.ledger.gap_lists import FailedTally, GapSubject
from kraken_ohlcv.stores.ledger.incidents import snooze
from kraken_ohlcv.stores.ledger.session import first, rows
from kraken_ohlcv_airflow.web.access import SNOOZE_DAG_ID, SameOrigin, insist_on_trigger
from kraken_ohlcv_airflow.web.airflow_api import StartedRun, trigger
from kraken_ohlcv_airflow.web.queries import Tier
from kraken_ohlcv_airflow.web.render import address
from kraken_ohlcv_airflow.web.repairs import (
    Source,
    conf_for_failed,
    conf_for_gap,
    dag_of_tier,
    sources_of,
)
from kraken_ohlcv_airflow.web.stores import has_archive, ledger

router = APIRouter()

GapId = Annotated[int, Path(ge=1, le=2**63 - 1)]
KEY_PATTERN: Final = "^(stale|source|at_risk|run:[A-Za-z0-9_.-]{1,250}|pair:[A-Za-z0-9._ -]{1,32})$"
IncidentKey = Annotated[str, Path(pattern=KEY_PATTERN)]
MAX_SNOOZE_H: Final = 720


class RunOut(BaseModel):
    """The DAG run that was started."""

    dag_id: str
    run_id: str


class RetryIn(BaseModel):
    """Which FAILED gaps to try again."""

    tier: Tier


class SnoozeIn(BaseModel):
    """For how long to be quiet; 0 ends it."""

    hours: int = Field(default=24, ge=0, le=MAX_SNOOZE_H)


class SnoozeOut(BaseModel):
    """The incident that is quiet now."""

    key: str
    hours: int


def _subject(gap_id: int) -> GapSubject:
    with ledger() as connection:
        subject = first(connection, "read_listed_gap", GapSubject, gap_id=gap_id)
    if subject is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no gap {gap_id}.")
    return subject


def _failed(tier: str) -> FailedTally:
    with ledger() as connection:
        found = [one for one in rows(connection, "tally_failed", FailedTally) if one.tier == tier]
    if not found:
        raise HTTPException(HTTPStatus.CONFLICT, f"No gap of {tier} is FAILED: there is nothing to retry.")
    return found[0]


def _source(gap_id: int, subject: GapSubject, wanted: Source | None, now_s: int) -> Source | None:
    """Return what a gap is repaired from: what was asked for, or trades; None = the OHLC call."""
    if subject.status == GapStatus.FILLED:
        raise HTTPException(HTTPStatus.CONFLICT, f"Gap {gap_id} is already filled.")
    if subject.status != GapStatus.UNFILLABLE:
        if wanted is not None:
            raise HTTPException(
                HTTPStatus.CONFLICT,
                f"Gap {gap_id} is {subject.status}, which only the OHLC call fills: name no source.",
            )
        return None
    chosen = wanted or "trades"
    with ledger() as connection:
        quarters = read_quarters(connection) if has_archive() else None
    if chosen not in sources_of(subject, quarters=quarters, now_s=now_s):
        why = (
            "define the connection kraken_archive first"
            if chosen == "archive" and quarters is None
            else "none of its quarters is published yet"
            if chosen == "archive"
            else "Kraken no longer serves them"
        )
        raise HTTPException(HTTPStatus.CONFLICT, f"Gap {gap_id} cannot be repaired from {chosen}: {why}.")
    return chosen


async def start_for_gap(request: Request, user: Any, gap_id: int, source: Source | None = None) -> StartedRun:
    """Start a backfill for the series of a gap.

    :param request: the request, from a page of this server
    :param user: who asks
    :param gap_id: primary key
    :param source: for a gap that the OHLC call does not reach
    :return: the run
    :raises HTTPException: 403, 404 or 409
    """
    subject = await run_in_threadpool(_subject, gap_id)
    dag_id = dag_of_tier(subject.tier)
    await run_in_threadpool(insist_on_trigger, request, user, dag_id)
    now_s = int(request.app.state.clock())
    chosen = await run_in_threadpool(_source, gap_id, subject, source, now_s)
    note = f"Started from the page Gaps for gap {gap_id}, {subject.ticker} {subject.interval_minutes}"
    return await trigger(request, dag_id, conf_for_gap(subject, chosen), note=note)


async def start_retry(request: Request, user: Any, tier: str) -> StartedRun:
    """Start a backfill for the FAILED gaps of a tier.

    :param request: the request, from a page of this server
    :param user: who asks
    :param tier: ``TIER1`` .. ``TIER4``
    :return: the run
    :raises HTTPException: 403 or 409
    """
    dag_id = dag_of_tier(tier)
    await run_in_threadpool(insist_on_trigger, request, user, dag_id)
    failed = await run_in_threadpool(_failed, tier)
    note = f"Started from the page Gaps for {failed.n_gaps} FAILED gaps of {tier}"
    return await trigger(request, dag_id, conf_for_failed(failed), note=note)


def quieten(request: Request, user: Any, key: str, hours: int) -> None:
    """Snooze an open incident, or end that.

    :param request: the request, from a page of this server
    :param user: who asks; stands in the incident
    :param key: of the incident
    :param hours: from now; 0 ends a snooze
    :raises HTTPException: 403 or 404
    """
    insist_on_trigger(request, user, SNOOZE_DAG_ID)
    until_s = int(request.app.state.clock()) + hours * HOUR_S if hours else None
    with ledger() as connection:
        if not snooze(connection, [key], until_s=until_s, by=user.get_name()):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"No incident {key} is open.")


def _back(request: Request, page: str, **told: str) -> Response:
    """Return to the page that the button stood on, filters and all."""
    came_from = urlsplit(request.headers.get("referer", ""))
    query = came_from.query if came_from.path.endswith(f"/{page}") else ""
    kept = "&".join(part for part in query.split("&") if part and part.split("=")[0] not in {"dag", "run"})
    target = address(f"../{page}", told)
    joint = "&" if "?" in target else "?"
    return RedirectResponse(f"{target}{joint}{kept}" if kept else target, HTTPStatus.SEE_OTHER)


@router.post("/actions/backfill", include_in_schema=False)
async def backfill_by_form(
    request: Request,
    user: GetUserDep,
    _: SameOrigin,
    gap_id: Annotated[int, Form(ge=1, le=2**63 - 1)],
    source: Annotated[Source | None, Form()] = None,
) -> Response:
    """Backfill a gap now."""
    run = await start_for_gap(request, user, gap_id, source)
    return _back(request, "gaps", dag=run.dag_id, run=run.run_id)


@router.post("/actions/retry-failed", include_in_schema=False)
async def retry_by_form(
    request: Request, user: GetUserDep, _: SameOrigin, tier: Annotated[Tier, Form()]
) -> Response:
    """Retry the FAILED gaps of a tier."""
    run = await start_retry(request, user, tier)
    return _back(request, "gaps", dag=run.dag_id, run=run.run_id)


@router.post("/actions/snooze", include_in_schema=False)
def snooze_by_form(
    request: Request,
    user: GetUserDep,
    _: SameOrigin,
    key: Annotated[str, Form(pattern=KEY_PATTERN)],
    hours: Annotated[int, Form(ge=0, le=MAX_SNOOZE_H)],
) -> Response:
    """Snooze an incident, or end that."""
    quieten(request, user, key, hours)
    return _back(request, "incidents")


@router.post("/api/gaps/{gap_id}/backfill", tags=["actions"], status_code=HTTPStatus.CREATED)
async def backfill(
    request: Request, user: GetUserDep, _: SameOrigin, gap_id: GapId, source: Source | None = None
) -> RunOut:
    """Start a backfill for the series of a gap; needs the right to trigger the tier's backfill DAG.

    An UNFILLABLE gap is rebuilt from trades, or with ``source=archive`` fetched from a published quarter.
    """
    run = await start_for_gap(request, user, gap_id, source)
    return RunOut(dag_id=run.dag_id, run_id=run.run_id)


@router.post("/api/gaps/retry-failed", tags=["actions"], status_code=HTTPStatus.CREATED)
async def retry_failed(request: Request, user: GetUserDep, _: SameOrigin, body: RetryIn) -> RunOut:
    """Start a backfill for all FAILED gaps of a tier; needs the right to trigger its backfill DAG."""
    run = await start_retry(request, user, body.tier)
    return RunOut(dag_id=run.dag_id, run_id=run.run_id)


@router.post("/api/incidents/{key}/snooze", tags=["actions"])
def snooze_incident(
    request: Request, user: GetUserDep, _: SameOrigin, key: IncidentKey, body: SnoozeIn
) -> SnoozeOut:
    """Tell no growth of an open incident for some hours; needs the right to trigger the validation DAG."""
    quieten(request, user, key, body.hours)
    return SnoozeOut(key=key, hours=body.hours)
