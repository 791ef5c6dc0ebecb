"""The page of gaps, the required archive files, and their JSON twins."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.required_files import RequiredFile, as_csv, as_text
from kraken_ohlcv.core.times import Utc, utc
from kraken_ohlcv.stores.ledger.archive import read_quarters
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.gap_lists import (
    PAGE_SIZE,
    FailedTally,
    GapFilter,
    GapSubject,
    ListedGap,
    Tally,
    list_required_files,
    listed_gaps,
    tally_gaps,
    total,
)
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, first, rows
from kraken_ohlcv_airflow.web.access import DECIDE_DAG_ID, may_trigger
from kraken_ohlcv_airflow.web.airflow_api import read_paused
from kraken_ohlcv_airflow.web.costs import at_most
from kraken_ohlcv_airflow.web.gap_groups import by_series
from kraken_ohlcv_airflow.web.queries import GapQuery, SeriesQuery
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.repairs import (
    conf_for_failed,
    conf_for_gap,
    dag_of_tier,
    sources_of,
    tier_of_dag,
)
from kraken_ohlcv_airflow.web.stores import has_archive, ledger

router = APIRouter()

MAX_STRETCHES: Final = 1000
"""Stretches of a gap that are named; their number is always told."""

GapId = Annotated[int, Path(ge=1, le=2**63 - 1)]


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
    gaps = listed_gaps(connection, chosen, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    return GapPage(total=of_all, by_status=tallies, page=number, pages=pages, gaps=gaps)


class Stretch(BaseModel):
    """Missing buckets without another between them; ``end`` is the end of the last one."""

    start: Utc
    end: Utc
    candles: int


class GapBuckets(BaseModel):
    """What is missing of a gap now: the oldest stretches, and how many there are."""

    gap: GapSubject
    missing_candles: int
    total_stretches: int
    stretches: list[Stretch]


@router.get("/api/gaps/{gap_id}/buckets", tags=["gaps"])
def read_gap_buckets(gap_id: GapId) -> GapBuckets:
    """Return the single buckets that are missing of a gap, in stretches, oldest first, at most 1,000."""
    with ledger() as connection, connection.transaction():
        gap = first(connection, "read_listed_gap", GapSubject, gap_id=gap_id)
        if gap is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no gap {gap_id}.")
        is_open = gap.status != GapStatus.FILLED
        missing = read_months(connection, gap.series, [gap.span] if is_open else []).missing.within(gap.span)
    stretches = missing.ranges()
    return GapBuckets(
        gap=gap,
        missing_candles=len(missing),
        total_stretches=len(stretches),
        stretches=[
            Stretch(start=utc(start_s), end=utc(end_s), candles=(end_s - start_s) // missing.step)
            for start_s, end_s in stretches[:MAX_STRETCHES]
        ],
    )


@router.get("/gaps/{gap_id}", include_in_schema=False)
def show_gap(request: Request, gap_id: GapId) -> Response:
    """Show what is missing of a gap."""
    found = read_gap_buckets(gap_id)
    return page("gap.html", active="gaps", up="../", now=utc(int(request.app.state.clock())), found=found)


@router.get("/gaps", include_in_schema=False)
def show_gaps(
    request: Request,
    user: GetUserDep,
    query: Annotated[GapQuery, Query()],
    paused: Annotated[frozenset[str], Depends(read_paused)],
) -> Response:
    """Show the gaps."""
    now_s = int(request.app.state.clock())
    chosen = query.filter_at(now_s)
    with ledger() as connection:
        listing = list_gaps(connection, query, chosen)
        quarters = read_quarters(connection) if has_archive() else None
        required = list_required_files(connection, chosen)
        failed = rows(connection, "tally_failed", FailedTally)
        plan = read_plan(connection)
        tiers = plan.tiers
        older = set(
            rows(
                connection,
                "read_series_with_older_gaps",
                lambda ticker, interval_minutes: (ticker, interval_minutes),
            )
        )
    groups = by_series(listing.gaps, partial(sources_of, quarters=quarters, now_s=now_s))

    def cost(tier: str, conf: Mapping[str, Any], n_series: int, *, has_older: bool) -> str:
        own = tiers[tier_of_dag(tier, tiers)]
        return at_most(conf, own, n_series=n_series, has_older=has_older, pace_s=plan.pace_s)

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
        groups=groups,
        costs={
            (gap_id, source): cost(
                group.first.tier, conf_for_gap(group.first, source), 1, has_older=group.first.series in older
            )
            for group in groups
            for source, gap_id in group.repairs.items()
        },
        retry_costs={
            one.tier: cost(one.tier, conf_for_failed(one), one.n_series, has_older=True) for one in failed
        },
        paused=paused,
        startable={
            dag_id: may_trigger(request, user, dag_id)
            for dag_id in {dag_of_tier(tier, tiers) for tier in ("", *tiers)}
        },
        dag_of_tier=partial(dag_of_tier, tiers=tiers),
        may_decide=may_trigger(request, user, DECIDE_DAG_ID),
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
