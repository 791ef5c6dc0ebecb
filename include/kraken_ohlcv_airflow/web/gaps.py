"""The page of gaps, the required archive files, and their JSON twins."""

from datetime import timedelta
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.required_files import RequiredFile, as_csv, as_text
from kraken_ohlcv.core.schedules import SCHEDULES
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.archive import read_quarters
from kraken_ohlcv.stores.ledger.gap_lists import (
    PAGE_SIZE,
    FailedTally,
    GapFilter,
    ListedGap,
    Tally,
    list_required_files,
    tally_gaps,
    total,
)
from kraken_ohlcv.stores.ledger.session import Connection, rows
from kraken_ohlcv_airflow.web.access import may_trigger
from kraken_ohlcv_airflow.web.queries import GapQuery, SeriesQuery
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.repairs import dag_of_tier, sources_of
from kraken_ohlcv_airflow.web.stores import has_archive, ledger

router = APIRouter()


class GapPage(BaseModel):
    """One page of gaps, and how many the filter leaves by status."""

    total: Tally
    by_status: dict[GapStatus, Tally]
    page: int
    pages: int
    gaps: list[ListedGap]


@router.get("/api/gaps", tags=["gaps"])
def read_gaps(request: Request, query: Annotated[GapQuery, Query()]) -> GapPage:
    """Return the gaps a filter leaves, the most urgent first, page by page."""
    with ledger() as connection:
        return list_gaps(connection, query, query.filter_at(int(request.app.state.clock())))


def list_gaps(connection: Connection, query: GapQuery, chosen: GapFilter) -> GapPage:
    """Return one page of the gaps that a filter leaves.

    :param query: says which page
    :param chosen: the filter
    """
    tallies = tally_gaps(connection, chosen)
    of_all = total(tallies.values())
    number, pages = query.chosen_page(of_all.gaps, PAGE_SIZE)
    limits = {"page_size": PAGE_SIZE, "page_offset": (number - 1) * PAGE_SIZE}
    gaps = rows(connection, "list_gaps", ListedGap, chosen, limits)
    return GapPage(total=of_all, by_status=tallies, page=number, pages=pages, gaps=gaps)


@router.get("/gaps", include_in_schema=False)
def show_gaps(
    request: Request,
    user: GetUserDep,
    query: Annotated[GapQuery, Query()],
) -> Response:
    """Show the gaps."""
    now_s = int(request.app.state.clock())
    chosen = query.filter_at(now_s)
    with ledger() as connection:
        listing = list_gaps(connection, query, chosen)
        quarters = read_quarters(connection) if has_archive() else None
        required = list_required_files(connection, chosen)
        failed = rows(connection, "tally_failed", FailedTally)
    return page(
        "gaps.html",
        active="gaps",
        now=utc(now_s),
        day=timedelta(days=1),
        query=query,
        links=query.links,
        listing=listing,
        failed_tallies=failed,
        required=required,
        required_text=as_text(required),
        sources_by_gap={gap.gap_id: sources_of(gap, quarters=quarters, now_s=now_s) for gap in listing.gaps},
        startable={
            dag_id: may_trigger(request, user, dag_id)
            for dag_id, entry in SCHEDULES.items()
            if entry.backfill is not None
        },
        dag_of_tier=dag_of_tier,
    )


@router.get("/gaps.csv", include_in_schema=False)
def download_required_files(query: Annotated[SeriesQuery, Query()]) -> Response:
    """Download the list of required files."""
    return Response(
        as_csv(read_required_files(query)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="kraken-archive-required-files.csv"'},
    )


@router.get("/api/required-files", tags=["gaps"])
@router.get("/api/shopping-list", tags=["gaps"], deprecated=True)  # its name until 0.1.0
def read_required_files(query: Annotated[SeriesQuery, Query()]) -> list[RequiredFile]:
    """Return the archive files that close gaps which the API no longer can."""
    with ledger() as connection:
        return list_required_files(connection, query.gap_filter())
