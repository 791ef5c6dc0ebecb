"""The page of coverage and its JSON twin."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel

from kraken_ohlcv.completeness.buckets import EXPIRING_S
from kraken_ohlcv.completeness.figures import percent
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_cells import Period, SeriesCells, edges_of, series_cells, shares_of
from kraken_ohlcv.completeness.series_rows import Listing, SeriesRow, list_rows
from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.gap_choices import STATUS_CHOICES
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import TierPlan
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.gap_lists import tally_gaps, total
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.web.coverage_query import RANGE_TITLES, CoverageQuery
from kraken_ohlcv_airflow.web.first_steps import first_steps, insist_on_candles
from kraken_ohlcv_airflow.web.heatmap import LEGEND, draw
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import StoreError, ledger, questdb

router = APIRouter()

PAGE_SIZE: Final = 100
MAX_RANKED: Final = 2_000_000_000
"""Buckets that may be counted to find the worst or incomplete series among all: about ten seconds."""


LISTING_WORDS: Final[dict[Listing, str]] = {
    "listed": "",
    "unknown": "unknown to Kraken",
    "left": "has left Kraken",
    "not_expected": "not expected",
}
"""What is said of a pair beside its ticker."""


class CoveragePage(BaseModel):
    """One page of series by periods; ``edges`` are the borders of the periods, one more than there are."""

    period: Period
    edges: list[datetime]
    total_series: int
    page: int
    pages: int
    series: list[SeriesCells]


def count_page(connection: Connection, query: CoverageQuery, now_s: int) -> CoveragePage:
    """Return one page of the series that a query leaves.

    :param query: the request
    :raises HTTPException: 400, if too much would have to be counted to filter or sort
    :raises StoreError: if QuestDB cannot be read
    """
    rows = list_rows(
        connection, tier=query.tier, tickers=query.ticker_patterns(), intervals=query.intervals()
    )
    covered, period = query.covered(now_s), query.period_at(now_s)
    if not rows:
        return CoveragePage(period=period, edges=[], total_series=0, page=1, pages=1, series=[])
    with questdb() as client:
        if query.only or query.sort:
            _check_affordable(rows, covered)
            counting = Buckets(connection, client, rows, now_s=now_s)
            ranked = [(shares_of(one, covered, now_s), one.row) for one in counting.read(rows, covered)]
            if query.only:
                ranked = [(one, row) for one, row in ranked if not one.is_whole]
            if query.sort:
                ranked.sort(key=lambda each: each[0].worst_first)
            rows = [row for _, row in ranked]
        number, pages = query.chosen_page(len(rows), PAGE_SIZE)
        shown = rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        edges = edges_of(covered, period)
        # The time asked for, not the whole periods around it.
        edges[0], edges[-1] = utc(covered[0]), utc(covered[1])
        return CoveragePage(
            period=period,
            edges=edges if shown else [],
            total_series=len(rows),
            page=number,
            pages=pages,
            series=series_cells(connection, client, shown, edges, now_s=now_s),
        )


def _check_affordable(rows: Sequence[SeriesRow], covered: Range) -> None:
    """Refuse to count so much that nobody would wait for the page."""
    n_buckets = sum((covered[1] - covered[0]) // step_s(row.interval_minutes) for row in rows)
    if n_buckets > MAX_RANKED:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST,
            f"To filter or sort {counted(len(rows), 'series')} over"
            f" {counted((covered[1] - covered[0]) // DAY_S, 'day')} would count too many candles:"
            " choose a tier, an interval, tickers or a shorter range.",
        )


@router.get("/api/coverage", tags=["coverage"])
def read_coverage(request: Request, query: Annotated[CoverageQuery, Query()]) -> CoveragePage:
    """Return what series are in each day, week or month of a range, page by page."""
    if query.stray:
        raise HTTPException(HTTPStatus.BAD_REQUEST, query.stray)
    with ledger() as connection:
        return count_page(connection, query, int(request.app.state.clock()))


@router.get("/coverage", include_in_schema=False)
def show_coverage(request: Request, user: GetUserDep, query: Annotated[CoverageQuery, Query()]) -> Response:
    """Show the heatmap, or what is still to be done before there is one."""
    try:
        return coverage_page(query, int(request.app.state.clock()))
    except StoreError as error:
        return first_steps(request, user, error)


class TargetTold(NamedTuple):
    """How the series of a tier on a page stand to the tier's target.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar target_pct: percent
    :ivar is_met: whether they reach it, in the range shown; None where nothing is due
    """

    tier: str
    target_pct: float
    is_met: bool | None


def targets_of(series: Sequence[SeriesCells], tiers: Mapping[str, TierPlan]) -> list[TargetTold]:
    """Return how the series of a page stand to the targets of their tiers.

    :param series: those shown
    :param tiers: the plan of every tier
    """
    found = []
    for tier in sorted({one.tier for one in series}):
        targets = tiers[tier].promised
        if targets.verified_pct is not None:
            those = [one for one in series if one.tier == tier]
            share = percent(sum(one.verified for one in those), sum(one.expected for one in those))
            found.append(TargetTold(tier, targets.verified_pct, targets.is_met(share)))
    return found


def coverage_page(query: CoverageQuery, now_s: int) -> Response:
    """Return the page.

    :param query: the request
    :return: HTML
    :raises NothingYetError: if no candle of any series is stored
    :raises StoreError: if a store cannot be read
    """
    with ledger() as connection:
        view = count_page(connection, query, now_s)
        if not any(any(one.stored) for one in view.series):
            insist_on_candles()
        tallies = tally_gaps(connection, query.gap_filter())
        soon = query.gap_filter(statuses=STATUS_CHOICES["expiring"], expires_until_s=now_s + EXPIRING_S)
        expiring = total(tally_gaps(connection, soon).values())
        tiers = read_plan(connection).tiers
    begin, end = (utc(moment_s).date() for moment_s in query.covered(now_s))
    period = query.period_at(now_s)
    return page(
        "coverage.html",
        active="coverage",
        now=utc(now_s),
        query=query,
        links=query.links,
        view=view,
        period=period,
        range_name=query.range_name,
        tallies=tallies,
        expiring=expiring,
        heatmap=draw(view.series, view.edges, period) if view.series else None,
        targets=targets_of(view.series, tiers),
        ranges=RANGE_TITLES,
        listings=LISTING_WORDS,
        legend=LEGEND,
        first_day=begin,
        last_day=end - timedelta(days=1),
        month=f"{begin:%Y-%m}",
        earlier=query.moved(now_s, -1),
        later=query.moved(now_s, 1) if end <= utc(now_s).date() else None,
        Period=Period,
        GapStatus=GapStatus,
    )
