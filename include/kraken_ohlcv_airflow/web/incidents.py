"""The page of incidents and its JSON twin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kraken_ohlcv.stores.ledger.incident_lists import (
    PAGE_SIZE,
    ListedIncident,
)
from kraken_ohlcv.stores.ledger.session import one, rows
from kraken_ohlcv_airflow.web.access import SNOOZE_DAG_ID, may_trigger
from kraken_ohlcv_airflow.web.gaps import utc, utc_or_none
from kraken_ohlcv_airflow.web.queries import MAX_PAGE
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import ledger

router = APIRouter()


class IncidentQuery(BaseModel):
    """Which page of incidents.

    :ivar page: from 1
    """

    model_config = ConfigDict(extra="forbid")

    page: int = Field(default=1, ge=1, le=MAX_PAGE)


class IncidentOut(BaseModel):
    """An incident; times UTC.

    ``waiting`` is what people have yet to be notified of: opened, grew or recovered.
    """

    incident_id: int
    key: str
    incident_class: str
    headline: str
    since: datetime
    subjects: dict[str, dict[str, Any]]
    tried: str | None
    url: str | None
    opened_at: datetime
    updated_at: datetime
    recovered_at: datetime | None
    growths: int
    snoozed_until: datetime | None
    snoozed_by: str | None
    shown_at: datetime | None
    waiting: str | None
    tries: int
    warning: str | None


class IncidentsOut(BaseModel):
    """One page of incidents, open ones first, and how many there are."""

    open: int
    past: int
    page: int
    pages: int
    incidents: list[IncidentOut]


@dataclass(frozen=True, slots=True)
class Log:
    """What the page and its JSON twin show.

    :ivar incidents: of this page
    :ivar n_open: open ones
    :ivar n_past: recovered ones
    :ivar page: from 1
    :ivar pages: number of pages, at least 1
    """

    incidents: list[ListedIncident]
    n_open: int
    n_past: int
    page: int
    pages: int


def read_log(query: IncidentQuery) -> Log:
    """Return what the page shows.

    :param query: the request
    :raises StoreError: if the ledger cannot be read
    """
    with ledger() as connection:
        n_open, n_past = one(connection, "tally_incidents", lambda n_open, n_past: (n_open, n_past))
        pages = max(1, -(-(n_open + n_past) // PAGE_SIZE))
        number = min(query.page, pages)
        return Log(
            incidents=rows(
                connection,
                "list_incidents",
                ListedIncident,
                page_size=PAGE_SIZE,
                page_offset=(number - 1) * PAGE_SIZE,
            ),
            n_open=n_open,
            n_past=n_past,
            page=number,
            pages=pages,
        )


@router.get("/incidents", include_in_schema=False)
def show_incidents(request: Request, user: GetUserDep, query: Annotated[IncidentQuery, Query()]) -> Response:
    """Show the incidents."""
    now_s = int(request.app.state.clock())
    return page(
        "incidents.html",
        active="incidents",
        now_s=now_s,
        log=read_log(query),
        links=lambda page: {"page": page},
        may_snooze=may_trigger(request, user, SNOOZE_DAG_ID),
    )


@router.get("/api/incidents", tags=["incidents"])
def read_incidents(query: Annotated[IncidentQuery, Query()]) -> IncidentsOut:
    """Return incidents and whether people were notified of them, page by page."""
    log = read_log(query)
    return IncidentsOut(
        open=log.n_open,
        past=log.n_past,
        page=log.page,
        pages=log.pages,
        incidents=[_incident_out(incident) for incident in log.incidents],
    )


def _incident_out(incident: ListedIncident) -> IncidentOut:
    return IncidentOut(
        incident_id=incident.incident_id,
        key=incident.key,
        incident_class=incident.incident_class,
        headline=incident.headline,
        since=utc(incident.since_s),
        subjects=incident.subjects,
        tried=incident.tried,
        url=incident.url,
        opened_at=utc(incident.opened_s),
        updated_at=utc(incident.updated_s),
        recovered_at=utc_or_none(incident.recovered_s),
        growths=incident.growths,
        snoozed_until=utc_or_none(incident.snoozed_until_s),
        snoozed_by=incident.snoozed_by,
        shown_at=utc_or_none(incident.shown_s),
        waiting=incident.waiting,
        tries=incident.tries,
        warning=incident.warning,
    )
