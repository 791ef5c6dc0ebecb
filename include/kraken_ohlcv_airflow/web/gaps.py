"""The page of gaps, the shopping list, and their JSON twins."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.required_files import ShoppingItem, shopping_csv, shopping_text
from kraken_ohlcv.core.schedules import SCHEDULES
from kraken_ohlcv.stores.ledger.archive import read_quarters
from kraken_ohlcv.stores.ledger.gap_lists import (
    PAGE_SIZE,
    FailedTally,
    ListedGap,
    Tally,
    list_shopping,
    tally_gaps,
)
from kraken_ohlcv.stores.ledger.session import rows
from kraken_ohlcv_airflow.web.access import may_trigger
from kraken_ohlcv_airflow.web.queries import GapQuery, SeriesQuery
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.repairs import Source, dag_of_tier, sources_of
from kraken_ohlcv_airflow.web.stores import has_archive, ledger

router = APIRouter()


class GapOut(BaseModel):
    """A gap; fields as in the ledger, times UTC."""

    gap_id: int
    ticker: str
    interval_minutes: int
    tier: str
    gap_start: datetime
    gap_end: datetime
    missing_candles: int
    status: GapStatus
    detected_at: datetime
    backfill_attempted_at: datetime | None
    filled_at: datetime | None
    expires_at: datetime
    next_attempt_at: datetime | None
    attempts: int
    filled_from: str | None
    unfillable_reason: str | None
    required_csv_file: str | None
    error_message: str | None


class TallyOut(BaseModel):
    """How many gaps and missing candles there are."""

    gaps: int
    missing_candles: int


class GapsOut(BaseModel):
    """One page of gaps, and how many the filter leaves by status."""

    total: TallyOut
    by_status: dict[GapStatus, TallyOut]
    page: int
    pages: int
    gaps: list[GapOut]


class ShoppingOut(BaseModel):
    """A file of Kraken's OHLCVT archive and what it closes; quarters name the releases."""

    file: str
    quarters: list[str]
    ticker: str
    interval_minutes: int
    tier: str
    gaps: int
    missing_candles: int
    gap_start: datetime
    gap_end: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page and its JSON twin show.

    :ivar gaps: of this page
    :ivar tallies: of all pages, by status
    :ivar page: from 1
    :ivar pages: number of pages, at least 1
    """

    gaps: list[ListedGap]
    tallies: dict[GapStatus, Tally]
    page: int
    pages: int

    @property
    def total(self) -> Tally:
        """Return the tally of all states."""
        tallies = self.tallies.values()
        return Tally(sum(one.n_gaps for one in tallies), sum(one.n_candles for one in tallies))


@dataclass(frozen=True, slots=True)
class Overview:
    """What stands beside the list.

    :ivar shopping: archive files to get
    :ivar failed: FAILED gaps by tier
    :ivar sources: what may close a gap beyond the OHLC call, by gap
    """

    shopping: list[ShoppingItem]
    failed: list[FailedTally]
    sources: dict[int, list[Source]]


def read_listing(query: GapQuery, now_s: int) -> tuple[Listing, Overview]:
    """Return what the page shows.

    :param query: the request
    :param now_s: epoch seconds UTC
    :return: the list of this page, and what stands beside it
    :raises StoreError: if the ledger cannot be read
    """
    chosen = query.gap_filter(now_s)
    with ledger() as connection:
        tallies = tally_gaps(connection, chosen)
        n_gaps = sum(one.n_gaps for one in tallies.values())
        pages = max(1, -(-n_gaps // PAGE_SIZE))
        number = min(query.page, pages)
        gaps = rows(
            connection,
            "list_gaps",
            ListedGap,
            chosen,
            page_size=PAGE_SIZE,
            page_offset=(number - 1) * PAGE_SIZE,
        )
        quarters = read_quarters(connection) if has_archive() else None
        overview = Overview(
            shopping=list_shopping(connection, chosen),
            failed=rows(connection, "tally_failed", FailedTally),
            sources={gap.gap_id: sources_of(gap, quarters=quarters, now_s=now_s) for gap in gaps},
        )
        return Listing(gaps=gaps, tallies=tallies, page=number, pages=pages), overview


@router.get("/gaps", include_in_schema=False)
def show_gaps(
    request: Request,
    user: GetUserDep,
    query: Annotated[GapQuery, Query()],
) -> Response:
    """Show the gaps."""
    now_s = int(request.app.state.clock())
    listing, overview = read_listing(query, now_s)
    startable = {
        dag_id: may_trigger(request, user, dag_id)
        for dag_id, entry in SCHEDULES.items()
        if entry.backfill is not None
    }
    return page(
        "gaps.html",
        active="gaps",
        now_s=now_s,
        query=query,
        links=query.links,
        listing=listing,
        overview=overview,
        shopping_text=shopping_text(overview.shopping),
        startable=startable,
        dag_of_tier=dag_of_tier,
        GapStatus=GapStatus,
    )


@router.get("/gaps.csv", include_in_schema=False)
def download_shopping_list(query: Annotated[SeriesQuery, Query()]) -> Response:
    """Download the shopping list."""
    with ledger() as connection:
        items = list_shopping(connection, GapQuery(**query.model_dump()).gap_filter(0))
    return Response(
        shopping_csv(items),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="kraken-archive-shopping-list.csv"'},
    )


@router.get("/api/gaps", tags=["gaps"])
def read_gaps(request: Request, query: Annotated[GapQuery, Query()]) -> GapsOut:
    """Return the gaps a filter leaves, the most urgent first, page by page."""
    listing, _ = read_listing(query, int(request.app.state.clock()))
    return GapsOut(
        total=_tally_out(listing.total),
        by_status={status: _tally_out(tally) for status, tally in listing.tallies.items()},
        page=listing.page,
        pages=listing.pages,
        gaps=[_gap_out(gap) for gap in listing.gaps],
    )


@router.get("/api/shopping-list", tags=["gaps"])
def read_shopping_list(query: Annotated[SeriesQuery, Query()]) -> list[ShoppingOut]:
    """Return the archive files that close gaps which the API no longer can."""
    with ledger() as connection:
        items = list_shopping(connection, GapQuery(**query.model_dump()).gap_filter(0))
    return [
        ShoppingOut(
            file=item.file,
            quarters=item.quarters,
            ticker=item.ticker,
            interval_minutes=item.interval_minutes,
            tier=item.tier,
            gaps=item.n_gaps,
            missing_candles=item.n_candles,
            gap_start=utc(item.from_s),
            gap_end=utc(item.until_s),
        )
        for item in items
    ]


def _tally_out(tally: Tally) -> TallyOut:
    return TallyOut(gaps=tally.n_gaps, missing_candles=tally.n_candles)


def _gap_out(gap: ListedGap) -> GapOut:
    return GapOut(
        gap_id=gap.gap_id,
        ticker=gap.ticker,
        interval_minutes=gap.interval_minutes,
        tier=gap.tier,
        gap_start=utc(gap.start_s),
        gap_end=utc(gap.end_s),
        missing_candles=gap.missing_candles,
        status=GapStatus(gap.status),
        detected_at=utc(gap.detected_s),
        backfill_attempted_at=utc_or_none(gap.attempted_s),
        filled_at=utc_or_none(gap.filled_s),
        expires_at=utc(gap.expires_s),
        next_attempt_at=utc_or_none(gap.next_attempt_s),
        attempts=gap.attempts,
        filled_from=gap.filled_from,
        unfillable_reason=gap.unfillable_reason,
        required_csv_file=gap.required_csv_file,
        error_message=gap.error_message,
    )


def utc(moment_s: int) -> datetime:
    """Return a moment as an aware time."""
    return datetime.fromtimestamp(moment_s, UTC)


def utc_or_none(moment_s: int | None) -> datetime | None:
    """Return a moment as an aware time, or None."""
    return None if moment_s is None else utc(moment_s)
