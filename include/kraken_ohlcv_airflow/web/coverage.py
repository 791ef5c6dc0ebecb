"""The page of coverage and its JSON twin."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from kraken_ohlcv.completeness.buckets import EXPIRING_S
from kraken_ohlcv.completeness.figures import percent
from kraken_ohlcv.completeness.series_cells import (
    Period,
    SeriesCells,
    edges_of,
    series_cells,
)
from kraken_ohlcv.completeness.series_rows import Listing, list_rows
from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.gap_choices import STATUS_CHOICES
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.tiers import TierPlan
from kraken_ohlcv.core.times import midnight_s, utc
from kraken_ohlcv.stores.ledger.gap_lists import tally_gaps, total
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.web.first_steps import first_steps, insist_on_candles
from kraken_ohlcv_airflow.web.heatmap import LEGEND, draw
from kraken_ohlcv_airflow.web.queries import (
    FIRST_DAY,
    Absent,
    Day,
    PagedQuery,
    SeriesQuery,
)
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import StoreError, ledger, questdb

router = APIRouter()

PAGE_SIZE: Final = 100
MAX_COLUMNS: Final = 400

RangeName = Literal["30d", "90d", "180d", "1y", "2y", "5y", "10y"]
RANGES: Final[dict[str, tuple[str, int]]] = {
    "30d": ("30 days", 30),
    "90d": ("90 days", 90),
    "180d": ("180 days", 180),
    "1y": ("1 year", 365),
    "2y": ("2 years", 731),
    "5y": ("5 years", 1826),
    "10y": ("10 years", 3652),
}
"""Title and days by name."""

PERIOD_DAYS: Final = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30}


class CoverageQuery(SeriesQuery, PagedQuery):
    """Which series, and which time.

    :ivar range: how far back
    :ivar by: length of a cell; by default the shortest that leaves at most 400 columns
    :ivar to: last day shown, UTC; by default today
    """

    range: Annotated[RangeName | None, Absent] = "90d"
    by: Annotated[Period | None, Absent] = None
    to: Day = None

    @property
    def n_days(self) -> int:
        """Return the days of the range."""
        return RANGES[self.range or "90d"][1]

    @property
    def period(self) -> Period:
        """Return the length of a cell: the one asked for, if it does not make too many."""
        asked = list(Period)[list(Period).index(self.by) if self.by else 0 :]
        return next(one for one in asked if self.n_days // PERIOD_DAYS[one] <= MAX_COLUMNS)

    def covered(self, now_s: int) -> tuple[int, int]:
        """Return the time shown.

        :return: half-open, whole days, epoch seconds UTC
        """
        today_s = now_s // DAY_S * DAY_S
        end_s = (today_s if self.to is None else midnight_s(self.to)) + DAY_S
        return max(0, end_s - self.n_days * DAY_S), max(DAY_S, end_s)


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
    :raises StoreError: if QuestDB cannot be read
    """
    rows = list_rows(
        connection, tier=query.tier, tickers=query.ticker_patterns(), intervals=query.intervals()
    )
    number, pages = query.chosen_page(len(rows), PAGE_SIZE)
    shown = rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    found = CoveragePage(
        period=query.period, edges=[], total_series=len(rows), page=number, pages=pages, series=[]
    )
    if shown:
        found.edges = edges_of(query.covered(now_s), query.period)
        with questdb() as client:
            found.series = series_cells(connection, client, shown, found.edges, now_s=now_s)
    return found


@router.get("/api/coverage", tags=["coverage"])
def read_coverage(request: Request, query: Annotated[CoverageQuery, Query()]) -> CoveragePage:
    """Return what series are in each day, week or month of a range, page by page."""
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
    return page(
        "coverage.html",
        active="coverage",
        now=utc(now_s),
        query=query,
        links=query.links,
        view=view,
        tallies=tallies,
        expiring=expiring,
        heatmap=draw(view.series, view.edges, query.period) if view.series else None,
        targets=targets_of(view.series, tiers),
        ranges={name: title for name, (title, _) in RANGES.items()},
        listings=LISTING_WORDS,
        legend=LEGEND,
        first_day=begin,
        last_day=end - timedelta(days=1),
        earlier=max(FIRST_DAY, begin - timedelta(days=1)),
        later=min(end - timedelta(days=1) + timedelta(days=query.n_days), utc(now_s).date()),
        is_newest=query.to is None or query.to >= utc(now_s).date(),
        Period=Period,
        GapStatus=GapStatus,
    )
