"""The page of incidents and its JSON twin."""

from functools import partial
from typing import Annotated, Any, Final, Literal

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, computed_field

from kraken_ohlcv.core.incident import MessageKind, Severity, news, severity_of
from kraken_ohlcv.core.times import Utc, utc
from kraken_ohlcv.stores.ledger.session import one, rows
from kraken_ohlcv_airflow.web.access import SNOOZE_DAG_ID, may_trigger
from kraken_ohlcv_airflow.web.incident_words import full_headline
from kraken_ohlcv_airflow.web.queries import PagedQuery
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import ledger

router = APIRouter()

PAGE_SIZE: Final = 25


class ListedIncident(BaseModel):
    """An incident, open or past; times UTC.

    ``waiting`` is what people have yet to be notified of: opened, grew or recovered.
    """

    incident_id: int
    key: str
    incident_class: str
    headline: str
    since: Utc
    subjects: dict[str, dict[str, Any]]
    tried: str | None
    url: str | None
    opened_at: Utc
    updated_at: Utc
    recovered_at: Utc | None
    growths: int
    snoozed_until: Utc | None
    snoozed_by: str | None
    shown_stage: int = Field(exclude=True)
    shown_at: Utc | None
    tries: int
    warning: str | None

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.recovered_at is None

    @property
    def full_headline(self) -> str:
        """Return what is wrong and why."""
        return full_headline(self.headline, self.incident_class, self.subjects)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def severity(self) -> Severity:
        """Return how soon somebody has to look."""
        return severity_of(self.incident_class)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waiting(self) -> MessageKind | None:
        """Return of what people have yet to be notified, or None."""
        return news(self.shown_stage, self.growths, is_over=not self.is_open)


class IncidentPage(BaseModel):
    """One page of incidents, open ones first, and how many there are."""

    open: int
    past: int
    page: int
    pages: int
    incidents: list[ListedIncident]


@router.get("/api/incidents", tags=["incidents"])
def read_incidents(query: Annotated[PagedQuery, Query()]) -> IncidentPage:
    """Return incidents and whether people were notified of them, page by page."""
    with ledger() as connection:
        tally: dict[str, int] = one(connection, "tally_incidents", dict)
        number, pages = query.chosen_page(sum(tally.values()), PAGE_SIZE)
        limits = {"page_size": PAGE_SIZE, "page_offset": (number - 1) * PAGE_SIZE}
        incidents = rows(connection, "list_incidents", ListedIncident, limits)
    return IncidentPage(**tally, page=number, pages=pages, incidents=incidents)


class ShownQuery(PagedQuery):
    """Which page of incidents, and whether a test message has just been sent."""

    test: Literal["sent"] | None = None


@router.get("/incidents", include_in_schema=False)
def show_incidents(request: Request, user: GetUserDep, query: Annotated[ShownQuery, Query()]) -> Response:
    """Show the incidents."""
    return page(
        "incidents.html",
        active="incidents",
        now=utc(request.app.state.clock()),
        log=read_incidents(query),
        links=partial(query.links, test=None),
        is_test_sent=query.test == "sent",
        may_snooze=may_trigger(request, user, SNOOZE_DAG_ID),
    )
