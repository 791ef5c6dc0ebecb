"""The page of coverage, its JSON twin, and the tab on DAG runs that leads to it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from kraken_ohlcv.completeness import STATES, Cells, CellState, Line, Period, cells
from kraken_ohlcv.completeness.figures import percent
from kraken_ohlcv.completeness.listed_series import list_lines
from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.schedules import MANUALS, SCHEDULES
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.gap_lists import GapFilter, Tally, tally_gaps, total
from kraken_ohlcv_airflow.web.heatmap import COUNTS, draw, tooltip_data
from kraken_ohlcv_airflow.web.queries import (
    EXPIRING_S,
    FIRST_DAY,
    MAX_PAGE,
    Absent,
    Day,
    SeriesQuery,
    midnight_s,
)
from kraken_ohlcv_airflow.web.render import address, page
from kraken_ohlcv_airflow.web.stores import ledger, questdb

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

STATE_TITLES: Final = {
    CellState.COMPLETE: "Complete",
    CellState.PROVEN_EMPTY: "Proven empty",
    CellState.FILLABLE: "Fillable",
    CellState.EXPIRING: "Expiring within 24 h",
    CellState.UNFILLABLE: "Unfillable",
    CellState.RESTATED: "Restated",
    CellState.PARTLY_LOADED: "Partly loaded",
    CellState.NOT_LOADED: "Not loaded",
    CellState.PENDING: "Not due yet",
}
"""Legend, in its order."""
STATE_HINTS: Final = {
    CellState.COMPLETE: "Every bucket is stored or proven empty",
    CellState.PROVEN_EMPTY: "No trades at all, with evidence",
    CellState.FILLABLE: "Candles are missing; the next backfill fills them",
    CellState.EXPIRING: "Candles are missing that will leave Kraken's API window within 24 hours",
    CellState.UNFILLABLE: "Candles are missing outside the API window: trades or the archive can fill them",
    CellState.RESTATED: "Complete; the exchange sent other values for a stored candle",
    CellState.PARTLY_LOADED: "The series begins in this period; earlier candles were never loaded",
    CellState.NOT_LOADED: "Nothing in this period was ever loaded",
    CellState.PENDING: "Nothing is missing; the next scheduled run fetches the newest candles",
}


class CoverageQuery(SeriesQuery):
    """Which series, and which time.

    :ivar range: how far back
    :ivar by: length of a cell; by default the shortest that leaves at most 400 columns
    :ivar to: last day shown, UTC; by default today
    :ivar page: from 1
    """

    range: Annotated[RangeName | None, Absent] = "90d"
    by: Annotated[Period | None, Absent] = None
    to: Day = None
    page: int = Field(default=1, ge=1, le=MAX_PAGE)

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

    def links(self, **changes: Any) -> dict[str, Any]:
        """Return the parameters of a link to this view with some of them changed.

        :param changes: by name as in the address; None takes one away
        """
        own = self.model_dump(by_alias=True, exclude_defaults=True, mode="json", exclude={"page"})
        return {name: value for name, value in {**own, **changes}.items() if value is not None}


@dataclass(frozen=True, slots=True)
class View:
    """What the page and its JSON twin show.

    :ivar cells: of the series of this page
    :ivar lines: series of this page
    :ivar n_lines: series of all pages
    :ivar page: from 1
    :ivar pages: number of pages, at least 1
    :ivar tallies: open gaps of all pages, over all time
    :ivar expiring: those that the API forgets within 24 h
    """

    cells: Cells | None
    lines: list[Line]
    n_lines: int
    page: int
    pages: int
    tallies: dict[GapStatus, Tally]
    expiring: Tally


Listing = Literal["listed", "unknown", "left", "not_expected"]
LISTING_WORDS: Final[dict[Listing, str]] = {
    "unknown": "unknown to Kraken",
    "left": "has left Kraken",
    "not_expected": "not expected",
}
"""What is said of a pair beside its ticker."""


def listing_of(asset: Asset) -> Listing:
    """Return how a pair stands with the exchange.

    :param asset: the asset
    :return: ``not_expected`` of a line of the catalogue with ``listed: false``
    """
    if not asset.is_listed:
        return "not_expected"
    if asset.delisted_s is None:
        return "listed"
    return "unknown" if asset.is_unknown else "left"


class SeriesCellsOut(BaseModel):
    """The cells of a series: one number a period in each list."""

    ticker: str
    tier: str
    interval_minutes: int
    listing: Listing
    expected: int
    verified_pct: float | None
    state: list[CellState]
    stored: list[int]
    proven_empty: list[int]
    fillable: list[int]
    expiring: list[int]
    unfillable: list[int]
    pending: list[int]
    not_loaded: list[int]
    restated: list[int]


class CoverageOut(BaseModel):
    """One page of series by periods; ``edges`` are the borders of the periods, one more than there are."""

    period: Period
    edges: list[datetime]
    total_series: int
    page: int
    pages: int
    series: list[SeriesCellsOut]


def read_view(query: CoverageQuery, now_s: int) -> View:
    """Return what the page shows.

    :param query: the request
    :raises StoreError: if a store cannot be read
    """
    patterns, intervals = query.ticker_patterns(), query.intervals()
    with ledger() as connection:
        every = list_lines(connection, tier=query.tier, tickers=patterns, intervals=intervals)
        pages = max(1, -(-len(every) // PAGE_SIZE))
        number = min(query.page, pages)
        lines = every[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        found = None
        if lines:
            with questdb() as hook:
                found = cells(connection, hook, lines, query.covered(now_s), query.period, now_s=now_s)
        chosen = GapFilter(tier=query.tier, tickers=patterns, intervals=intervals)
        soon = GapFilter(
            statuses=[GapStatus.DETECTED, GapStatus.BACKFILLING, GapStatus.FAILED],
            tier=query.tier,
            tickers=patterns,
            intervals=intervals,
            expires_until_s=now_s + EXPIRING_S,
        )
        return View(
            cells=found,
            lines=lines,
            n_lines=len(every),
            page=number,
            pages=pages,
            tallies=tally_gaps(connection, chosen),
            expiring=total(tally_gaps(connection, soon).values()),
        )


@router.get("/coverage", include_in_schema=False)
def show_coverage(request: Request, query: Annotated[CoverageQuery, Query()]) -> Response:
    """Show the heatmap."""
    return coverage_page(query, int(request.app.state.clock()))


def coverage_page(query: CoverageQuery, now_s: int) -> Response:
    """Return the page.

    :param query: the request
    :return: HTML
    :raises StoreError: if a store cannot be read
    """
    view = read_view(query, now_s)
    heatmap = None if view.cells is None else draw(view.cells, query.period)
    begin, end = (utc(window_start_s).date() for window_start_s in query.covered(now_s))
    return page(
        "coverage.html",
        active="coverage",
        now=utc(now_s),
        query=query,
        links=query.links,
        view=view,
        heatmap=heatmap,
        data="" if heatmap is None or view.cells is None else _data(view, tooltip_data(view.cells, heatmap)),
        ranges={name: title for name, (title, _) in RANGES.items()},
        listings=[LISTING_WORDS.get(listing_of(line.asset)) for line in view.lines],
        titles=STATE_TITLES,
        hints=STATE_HINTS,
        first_day=begin,
        last_day=end - timedelta(days=1),
        earlier=max(FIRST_DAY, begin - timedelta(days=1)),
        later=min(end - timedelta(days=1) + timedelta(days=query.n_days), utc(now_s).date()),
        is_newest=query.to is None or query.to >= utc(now_s).date(),
        Period=Period,
        GapStatus=GapStatus,
    )


def _data(view: View, data: dict[str, Any]) -> str:
    """Return the tooltip's data as JSON that may stand in an HTML script element."""
    names = {state.value: title for state, title in STATE_TITLES.items()}
    series = [[line.asset.ticker, line.interval_minutes] for line in view.lines]
    text = json.dumps({**data, "titles": names, "series": series}, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@router.get("/api/coverage", tags=["coverage"])
def read_coverage(request: Request, query: Annotated[CoverageQuery, Query()]) -> CoverageOut:
    """Return what series are in each day, week or month of a range, page by page."""
    view = read_view(query, int(request.app.state.clock()))
    return CoverageOut(
        period=query.period,
        edges=[] if view.cells is None else [utc(window_start_s) for window_start_s in _edges(view.cells)],
        total_series=view.n_lines,
        page=view.page,
        pages=view.pages,
        series=[] if view.cells is None else _series_out(view.lines, view.cells),
    )


def _edges(found: Cells) -> list[int]:
    return [found.periods[0][0], *(end_s for _, end_s in found.periods)]


def _series_out(lines: list[Line], found: Cells) -> list[SeriesCellsOut]:
    states = [[STATES[number] for number in row] for row in found.state.tolist()]
    counts = {name: getattr(found, name).tolist() for name in COUNTS}
    expected, missing = found.expected.sum(axis=1).tolist(), found.missing.sum(axis=1).tolist()
    return [
        SeriesCellsOut(
            ticker=line.asset.ticker,
            tier=line.asset.tier,
            interval_minutes=line.interval_minutes,
            listing=listing_of(line.asset),
            expected=expected[row],
            verified_pct=percent(expected[row] - missing[row], expected[row]),
            state=states[row],
            **{name: counts[name][row] for name in COUNTS},
        )
        for row, line in enumerate(lines)
    ]


class RunQuery(BaseModel):
    """The DAG run whose tab is shown.

    :ivar dag_id: its DAG; as Airflow fills it in
    """

    dag_id: str = Field(max_length=250)


@router.get("/run", include_in_schema=False)
def show_run(query: Annotated[RunQuery, Query()]) -> Response:
    """Lead from the tab on a DAG run to what the run is about."""
    entry = SCHEDULES.get(query.dag_id)
    if entry is None and query.dag_id not in MANUALS:
        return page("elsewhere.html", active=None, dag_id=query.dag_id)
    values: dict[str, Any] = {}
    if entry is not None and entry.backfill is not None:
        values = {"tier": entry.backfill.tier, "range": "30d"}
    return RedirectResponse(address("coverage", values), HTTPStatus.SEE_OTHER)
