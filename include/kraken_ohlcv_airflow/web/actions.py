"""What people start from the pages; each is a POST from a page of this server, by somebody who may do it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, TypedDict
from urllib.parse import urlencode, urlsplit

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Form, HTTPException, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import AwareDatetime, BaseModel, Field

from kraken_ohlcv.core.errors import BadRequestError, SeriesBusyError
from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.incident import KEY_PATTERN
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.params import Reason
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.wording import sentence
from kraken_ohlcv.repair.accept import Decided, accept_gap, take_back_gap
from kraken_ohlcv.stores.ledger.archive import Quarter, read_quarters
from kraken_ohlcv.stores.ledger.gap_lists import FailedTally, GapSubject
from kraken_ohlcv.stores.ledger.incidents import snooze
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, first, rows
from kraken_ohlcv_airflow.web.access import DECIDE_DAG_ID, SNOOZE_DAG_ID, insist_on_trigger, same_origin
from kraken_ohlcv_airflow.web.airflow_api import StartedRun, trigger
from kraken_ohlcv_airflow.web.queries import Tier
from kraken_ohlcv_airflow.web.repairs import (
    Source,
    conf_for_failed,
    conf_for_gap,
    dag_of_tier,
    sources_of,
)
from kraken_ohlcv_airflow.web.stores import has_archive, ledger

router = APIRouter(dependencies=[Depends(same_origin)])

MAX_ID: Final = 2**63 - 1
GapId = Annotated[int, Path(ge=1, le=MAX_ID)]
IncidentKey = Annotated[str, Path(pattern=KEY_PATTERN)]
MAX_SNOOZE_H: Final = 720
EVER: Final[Range] = (0, 253_402_300_799)
"""Up to the end of the year 9999."""


class RetryIn(BaseModel):
    """Which FAILED gaps to try again."""

    tier: Tier


class AcceptIn(BaseModel):
    """Why a gap is accepted, and what of it: what was seen of it from ``start`` to ``end``, or all."""

    reason: Reason
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None


class TakeBackIn(BaseModel):
    """Why a decision is taken back."""

    reason: Reason


class DecisionOut(BaseModel):
    """What has been decided; ``candles`` is 0 when it was so before."""

    ticker: str
    interval_minutes: int
    candles: int
    by: str


class Decision(TypedDict):
    """Who decides, why and when (epoch seconds UTC)."""

    by: str
    reason: str
    now_s: int


class SnoozeIn(BaseModel):
    """For how long to be quiet; 0 ends it."""

    hours: int = Field(default=24, ge=0, le=MAX_SNOOZE_H)


class SnoozeOut(BaseModel):
    """The incident that is quiet now."""

    key: str
    hours: int


@router.post("/api/gaps/{gap_id}/backfill", tags=["actions"], status_code=HTTPStatus.CREATED)
async def backfill(
    request: Request, user: GetUserDep, gap_id: GapId, source: Source | None = None
) -> StartedRun:
    """Start a backfill for the series of a gap; needs the right to trigger the tier's backfill DAG.

    An UNFILLABLE gap is rebuilt from trades, or with ``source=archive`` fetched from a published quarter.
    """

    def planned() -> tuple[str, dict[str, Any], str]:
        subject, dag_id = subject_of_gap(gap_id)
        insist_on_trigger(request, user, dag_id)
        conf = conf_of_gap(request, gap_id, subject, source)
        note = f"Started from the page Gaps for gap {gap_id}, {subject.ticker} {subject.interval_minutes}"
        return dag_id, conf, note

    return await trigger(request, *await run_in_threadpool(planned))


def subject_of_gap(gap_id: int) -> tuple[GapSubject, str]:
    """Return what a gap is about, and the DAG that repairs it.

    :raises HTTPException: if there is no such gap
    """
    with ledger() as connection:
        subject = first(connection, "read_listed_gap", GapSubject, gap_id=gap_id)
        tiers = read_plan(connection).tiers
    if subject is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no gap {gap_id}.")
    return subject, dag_of_tier(subject.tier, tiers)


def conf_of_gap(request: Request, gap_id: int, subject: GapSubject, source: Source | None) -> dict[str, Any]:
    """Return the conf of the backfill that a button starts for a gap.

    :param subject: what the gap is about
    :param source: what the button names, or None
    :raises HTTPException: if nothing can close the gap, or not from there
    """
    with ledger() as connection:
        quarters = read_quarters(connection) if has_archive() else None
    now_s = int(request.app.state.clock())
    return conf_for_gap(subject, source_of(gap_id, subject, source, quarters=quarters, now_s=now_s))


def source_of(
    gap_id: int,
    subject: GapSubject,
    wanted: Source | None,
    *,
    quarters: Mapping[str, Quarter] | None,
    now_s: int,
) -> Source | None:
    """Return what a gap is repaired from: what was asked for, or trades; None = the OHLC call."""
    if subject.status == GapStatus.FILLED:
        raise HTTPException(HTTPStatus.CONFLICT, f"Gap {gap_id} is already filled.")
    if subject.acceptance is not None:
        raise HTTPException(
            HTTPStatus.CONFLICT,
            f"Gap {gap_id} was accepted by {subject.acceptance.by}: take that back to have it tried again.",
        )
    if subject.status != GapStatus.UNFILLABLE:
        if wanted is not None:
            raise HTTPException(
                HTTPStatus.CONFLICT,
                f"Gap {gap_id} is {subject.status}, which only the OHLC call fills: name no source.",
            )
        return None
    chosen = wanted or "trades"
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


@router.post("/api/gaps/retry-failed", tags=["actions"], status_code=HTTPStatus.CREATED)
async def retry_failed(request: Request, user: GetUserDep, body: RetryIn) -> StartedRun:
    """Start a backfill for all FAILED gaps of a tier; needs the right to trigger its backfill DAG."""

    def planned() -> tuple[str, dict[str, Any], str]:
        with ledger() as connection:
            dag_id = dag_of_tier(body.tier, read_plan(connection).tiers)
            insist_on_trigger(request, user, dag_id)
            tallies = {one.tier: one for one in rows(connection, "tally_failed", FailedTally)}
        failed = tallies.get(body.tier)
        if failed is None:
            raise HTTPException(
                HTTPStatus.CONFLICT, f"No gap of {body.tier} is FAILED: there is nothing to retry."
            )
        note = f"Started from the page Gaps for {failed.n_gaps} FAILED gaps of {body.tier}"
        return dag_id, conf_for_failed(failed), note

    return await trigger(request, *await run_in_threadpool(planned))


@router.post("/api/gaps/{gap_id}/accept", tags=["actions"])
def accept(request: Request, user: GetUserDep, gap_id: GapId, body: AcceptIn) -> DecisionOut:
    """Accept that what is missing of a gap stays missing; needs the right to trigger the validation DAG.

    No run tries it and nobody is alerted, but it counts as missing in every figure. Of a record that has
    grown since it was seen, ``start`` and ``end`` say what of it.
    """

    def decide(connection: Connection, gap: GapSubject, decision: Decision) -> Decided:
        start_s, end_s = gap.span
        if body.start is not None:
            start_s = max(start_s, int(body.start.timestamp()))
        if body.end is not None:
            end_s = min(end_s, int(body.end.timestamp()))
        return accept_gap(connection, gap.series, (start_s, end_s), **decision)

    return _decide(request, user, gap_id, body.reason, decide)


@router.post("/api/gaps/{gap_id}/take-back", tags=["actions"])
def take_back(request: Request, user: GetUserDep, gap_id: GapId, body: TakeBackIn) -> DecisionOut:
    """Take back the decision about an accepted gap, for all that it was about in the series.

    The next run tries it again. Needs the right to trigger the validation DAG.
    """

    def decide(connection: Connection, gap: GapSubject, decision: Decision) -> Decided:
        if gap.acceptance is None:
            raise BadRequestError(f"Gap {gap_id} is not accepted: there is nothing to take back.")
        return take_back_gap(connection, gap.series, EVER, only=gap.acceptance, **decision)

    return _decide(request, user, gap_id, body.reason, decide)


def _decide(
    request: Request,
    user: GetUserDep,
    gap_id: int,
    reason: str,
    decide: Callable[[Connection, GapSubject, Decision], Decided],
) -> DecisionOut:
    insist_on_trigger(request, user, DECIDE_DAG_ID)
    decision = Decision(by=user.get_name(), reason=reason, now_s=int(request.app.state.clock()))
    with ledger() as connection:
        gap = first(connection, "read_listed_gap", GapSubject, gap_id=gap_id)
        if gap is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no gap {gap_id}.")
        try:
            done = decide(connection, gap, decision)
        except (BadRequestError, SeriesBusyError) as error:
            raise HTTPException(HTTPStatus.CONFLICT, sentence(str(error))) from None
    return DecisionOut(
        ticker=gap.ticker, interval_minutes=gap.interval_minutes, candles=done.candles, by=decision["by"]
    )


@router.post("/api/incidents/{key}/snooze", tags=["actions"])
def snooze_incident(request: Request, user: GetUserDep, key: IncidentKey, body: SnoozeIn) -> SnoozeOut:
    """Tell no growth of an open incident for some hours; needs the right to trigger the validation DAG."""
    insist_on_trigger(request, user, SNOOZE_DAG_ID)
    until_s = int(request.app.state.clock()) + body.hours * HOUR_S if body.hours else None
    with ledger() as connection:
        if not snooze(connection, [key], until_s=until_s, by=user.get_name()):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"No incident {key} is open.")
    return SnoozeOut(key=key, hours=body.hours)


@router.post("/actions/backfill", include_in_schema=False)
async def backfill_by_form(
    request: Request,
    user: GetUserDep,
    gap_id: Annotated[int, Form(ge=1, le=MAX_ID)],
    source: Annotated[Source | None, Form()] = None,
) -> Response:
    """Backfill a gap now."""
    return _back(request, "gaps", await backfill(request, user, gap_id, source))


@router.post("/actions/retry-failed", include_in_schema=False)
async def retry_by_form(request: Request, user: GetUserDep, body: Annotated[RetryIn, Form()]) -> Response:
    """Retry the FAILED gaps of a tier."""
    return _back(request, "gaps", await retry_failed(request, user, body))


@router.post("/actions/accept", include_in_schema=False)
def accept_by_form(
    request: Request,
    user: GetUserDep,
    gap_id: Annotated[int, Form(ge=1, le=MAX_ID)],
    reason: Annotated[Reason, Form()],
    start: Annotated[AwareDatetime, Form()],
    end: Annotated[AwareDatetime, Form()],
) -> Response:
    """Accept a gap as it was seen."""
    accept(request, user, gap_id, AcceptIn(reason=reason, start=start, end=end))
    return _back(request, "gaps")


@router.post("/actions/take-back", include_in_schema=False)
def take_back_by_form(
    request: Request,
    user: GetUserDep,
    gap_id: Annotated[int, Form(ge=1, le=MAX_ID)],
    reason: Annotated[Reason, Form()],
) -> Response:
    """Take back the decision about an accepted gap."""
    take_back(request, user, gap_id, TakeBackIn(reason=reason))
    return _back(request, "gaps")


@router.post("/actions/snooze", include_in_schema=False)
def snooze_by_form(
    request: Request,
    user: GetUserDep,
    key: Annotated[str, Form(pattern=KEY_PATTERN)],
    hours: Annotated[int, Form(ge=0, le=MAX_SNOOZE_H)],
) -> Response:
    """Snooze an incident, or end that."""
    snooze_incident(request, user, key, SnoozeIn(hours=hours))
    return _back(request, "incidents")


def _back(request: Request, page: str, run: StartedRun | None = None) -> Response:
    """Return to the page that the button stood on, filters and all; it names the run just started."""
    came_from = urlsplit(request.headers.get("referer", ""))
    query = came_from.query if came_from.path.endswith(f"/{page}") else ""
    kept = [part for part in query.split("&") if part and part.split("=")[0] not in {"dag", "run"}]
    started = [] if run is None else [urlencode({"dag": run.dag_id, "run": run.run_id})]
    query = "&".join([*started, *kept])
    return RedirectResponse(f"../{page}?{query}" if query else f"../{page}", HTTPStatus.SEE_OTHER)
