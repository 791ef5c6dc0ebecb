"""The page of what is wrong with Kraken's archive, and its JSON twin."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from kraken_ohlcv.core.archive_finding import ABOUT_FILE, FindingKind
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.sources.archive.findings import WHAT
from kraken_ohlcv.stores.ledger.archive_findings import (
    PAGE_SIZE,
    FindingFilter,
    ListedFinding,
    ReleaseTally,
    count_findings,
    count_ingested,
    list_findings,
    tally_releases,
)
from kraken_ohlcv_airflow.web.queries import Absent, PagedQuery, SeriesQuery
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import ledger

router = APIRouter()

WRONG: Final = "wrong"
FAULTS: Final[list[FindingKind]] = [kind for kind in FindingKind if kind is not FindingKind.LAST_DAY]
"""Kinds that say something is wrong; the last day of a release is provisional in every file."""


class FindingQuery(SeriesQuery, PagedQuery):
    """Which findings about the archive, and which page of them.

    :ivar kind: ``wrong`` = all but ``last_day``
    :ivar release: ``2026Q2``; ``none`` = files of no release that anybody knows
    """

    kind: FindingKind | Literal["wrong", "all"] = WRONG
    release: Annotated[str | None, Absent] = Field(default=None, pattern="^[0-9A-Za-z_]{1,20}$")

    def filter(self) -> FindingFilter:
        """Return the filter of the ledger."""
        kinds = {WRONG: FAULTS, "all": None}
        return FindingFilter(
            tier=self.tier,
            tickers=self.ticker_patterns(),
            intervals=self.intervals(),
            kinds=kinds[self.kind] if self.kind in kinds else [FindingKind(self.kind)],
            release="" if self.release == "none" else self.release,
        )


class ReleaseFindings(BaseModel):
    """What was found in the files of a release; how many ``files`` were ingested, and findings by kind.

    Files that were refused were not ingested. Without a release: files whose name tells none.
    """

    release: str | None
    files: int
    found: list[ReleaseTally]


class FindingPage(BaseModel):
    """One page of findings about files of the archive, and how much was found by release."""

    total: int
    releases: list[ReleaseFindings]
    page: int
    pages: int
    findings: list[ListedFinding]


@router.get("/api/archive-findings", tags=["archive"])
def read_archive_findings(query: Annotated[FindingQuery, Query()]) -> FindingPage:
    """Return what ingests found wrong with files of Kraken's archive, by release and file, page by page."""
    chosen = query.filter()
    with ledger() as connection, connection.transaction():
        total = count_findings(connection, chosen)
        number, pages = query.chosen_page(total, PAGE_SIZE)
        ingested = count_ingested(connection)
        tallies = tally_releases(connection, chosen)
        found = list_findings(connection, chosen, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    return FindingPage(
        total=total,
        releases=[
            ReleaseFindings(
                release=release,
                files=ingested.get(release, 0),
                found=[one for one in tallies if one.release == release],
            )
            for release in dict.fromkeys(one.release for one in tallies)
        ],
        page=number,
        pages=pages,
        findings=found,
    )


@router.get("/archive", include_in_schema=False)
def show_archive(request: Request, query: Annotated[FindingQuery, Query()]) -> Response:
    """Show what is wrong with the archive."""
    return page(
        "archive.html",
        active="archive",
        now=utc(request.app.state.clock()),
        query=query,
        links=query.links,
        listing=read_archive_findings(query),
        what=WHAT,
        about_file=ABOUT_FILE,
    )
