"""The page of candles, its JSON twin and its CSV: every bucket of a series in a period."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import Field, field_validator

from kraken_ohlcv.completeness.series_cells import CellState
from kraken_ohlcv.completeness.series_rows import list_rows
from kraken_ohlcv.core.errors import BadRequestError, OhlcvError, SetUpError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.times import midnight_s, utc
from kraken_ohlcv.core.wording import interval_name, number, sentence
from kraken_ohlcv_airflow.web.candle_models import CandlePage, ShownBucket
from kraken_ohlcv_airflow.web.heatmap import LEGEND
from kraken_ohlcv_airflow.web.queries import FIRST_DAY, Absent, Day, Interval, PagedQuery, refuse_before
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import StoreError, ledger, questdb

if TYPE_CHECKING:
    from kraken_ohlcv_airflow.web.candle_view import CandleView

router = APIRouter()

PAGE_SIZE: Final = 200
MAX_BUCKETS: Final = 50_000
"""Buckets of a period: a month of minutes, and some more."""
TICKER_LENGTH: Final = 20
USUAL_INTERVAL: Final = 60
"""Minutes; shown when a ticker has it and none is asked for."""

DAYS_SHOWN: Final = {1: 1, 5: 1, 15: 2, 30: 4, 60: 7, 240: 30, 1440: 180, 10080: 1096, 21600: 2192}
"""Days that are shown of an interval when no period is asked for."""

State = Literal["stored", "empty", "missing", "pending", "disputed", "restated"]
STATES: Final = {
    "stored": "Stored",
    "empty": "Proven empty",
    "missing": "Missing",
    "pending": "Not due yet",
    "disputed": "Disputed",
    "restated": "Restated",
}

FIGURES: Final = ("open", "high", "low", "close", "vwap", "volume", "trades")
CSV_COLUMNS: Final = (
    "open_time",
    "state",
    *FIGURES,
    "source",
    "stored_at",
    "gap_id",
    "evidence",
    "restated",
)


class CandleQuery(PagedQuery):
    """Which series, and which of its buckets.

    :ivar ticker: Kraken's altname; by default the first one of the catalogue
    :ivar interval: candle length, minutes; by default an hour, if the ticker has that
    :ivar from_: first day, UTC; by default so many days before the last one as suit the interval
    :ivar to: last day, inclusive; by default today
    :ivar show: only buckets in this state; ``disputed``: stored candles where trades prove that nothing
        traded; ``restated``: stored candles with other versions
    """

    ticker: Annotated[str | None, Absent] = None
    interval: Interval = None
    from_: Day = Field(default=None, alias="from")
    to: Day = None
    show: Annotated[State | None, Absent] = None

    @field_validator("ticker")
    @classmethod
    def _is_one_ticker(cls, value: str | None) -> str | None:
        if value is None:
            return None
        ticker = value.strip().upper()
        if not (ticker.isascii() and ticker.isalnum() and len(ticker) <= TICKER_LENGTH):
            raise ValueError(f"{value[:40]!r} is no ticker: use one of Kraken's altnames, such as XBTUSD")
        return ticker

    @field_validator("to")
    @classmethod
    def _is_not_before(cls, value: date | None, info: Any) -> date | None:
        refuse_before(value, info.data.get("from_"))
        return value

    def days(self, interval: int, now_s: int) -> tuple[date, date]:
        """Return the first and the last day of the period.

        :param interval: candle length, minutes
        :raises BadRequestError: if it holds more buckets than are shown at once, or lies in the future
        """
        last = self.to or max(utc(now_s).date(), self.from_ or FIRST_DAY)
        first = self.from_ or max(FIRST_DAY, last - timedelta(days=DAYS_SHOWN[interval] - 1))
        n_buckets = (midnight_s(last) + DAY_S - midnight_s(first)) // step_s(interval)
        if n_buckets > MAX_BUCKETS:
            latest = last - timedelta(days=MAX_BUCKETS * step_s(interval) // DAY_S - 1)
            raise BadRequestError(
                f"{first} to {last} is {number(n_buckets)} candles of {interval_name(interval)}, and at most"
                f" {number(MAX_BUCKETS)} are shown at once: choose from {latest} on, or a longer interval;"
                " kraken-ohlcv export writes any period"
            )
        return first, last


class _Shown:
    """What a query leaves of a series, and which page of it."""

    def __init__(
        self, query: CandleQuery, series: Series, days: tuple[date, date], view: "CandleView"
    ) -> None:
        self.query, self.series, self.days, self.view = query, series, days, view
        self.chosen = [one for one in view.buckets if _is_shown(one, query.show)]
        self.page, self.pages = query.chosen_page(len(self.chosen), PAGE_SIZE)
        self.rows = self.chosen[(self.page - 1) * PAGE_SIZE : self.page * PAGE_SIZE]


def _is_shown(bucket: ShownBucket, state: State | None) -> bool:
    if state == "disputed":
        return bucket.is_disputed
    if state == "restated":
        return bool(bucket.restated)
    return state in {None, bucket.state}


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer in a sentence what cannot be read."""
    try:
        yield
    except StoreError:
        raise
    except BadRequestError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, sentence(str(error))) from error
    except SetUpError as error:
        raise StoreError(
            "There is no candle table yet: the first run of any of this package's DAGs creates it."
        ) from error
    except OhlcvError as error:
        raise HTTPException(HTTPStatus.CONFLICT, sentence(str(error))) from error


def _series(connection: Any, query: CandleQuery) -> Series | None:
    """Return the series that a query is about; None when the catalogue is empty."""
    if query.ticker and query.interval:
        return Series(query.ticker, query.interval)
    known = list_rows(connection, tier=None, tickers=[query.ticker] if query.ticker else None, intervals=None)
    if not known:
        return Series(query.ticker, query.interval or USUAL_INTERVAL) if query.ticker else None
    ticker = known[0].asset.ticker
    own = [row.interval_minutes for row in known if row.asset.ticker == ticker]
    return Series(ticker, query.interval or (USUAL_INTERVAL if USUAL_INTERVAL in own else own[0]))


@contextmanager
def _read(request: Request, query: CandleQuery) -> Iterator[tuple["_Shown | None", Any]]:
    """Give what a query leaves, and the stores; None when the catalogue is empty."""
    # Frames are slow to import, and the other pages do without them.
    from kraken_ohlcv.reader.stores import stores_of  # noqa: PLC0415
    from kraken_ohlcv_airflow.web.candle_view import view_candles  # noqa: PLC0415

    now_s = int(request.app.state.clock())
    with _refusing(), ledger() as connection:
        series = _series(connection, query)
        if series is None:
            yield None, None
            return
        first, last = days = query.days(series.interval_minutes, now_s)
        with questdb() as client, stores_of(client, connection, now_s=now_s) as stores:
            period = midnight_s(first), midnight_s(last) + DAY_S
            view = view_candles(stores, *series, period, now_s=now_s)
            yield _Shown(query, series, days, view), stores


@router.get("/api/candles", tags=["candles"])
def read_candles(request: Request, query: Annotated[CandleQuery, Query()]) -> CandlePage:
    """Return the buckets of a series in a period, each with its state and evidence, page by page."""
    with _read(request, query) as (shown, _):
        if shown is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "No asset is in the catalogue yet.")
        return CandlePage(
            **shown.series._asdict(),
            first_day=shown.days[0],
            last_day=shown.days[1],
            tallies=shown.view.tallies(),
            total=len(shown.chosen),
            page=shown.page,
            pages=shown.pages,
            buckets=shown.rows,
            total_gaps=shown.view.n_gaps,
            gaps=shown.view.gaps,
            runs=shown.view.runs,
            note=shown.view.note,
        )


@router.get("/candles.csv", include_in_schema=False)
def download_candles(request: Request, query: Annotated[CandleQuery, Query()]) -> Response:
    """Download all buckets that the page shows, on whichever of its pages."""
    with _read(request, query) as (shown, _):
        if shown is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "No asset is in the catalogue yet.")
        ticker, interval = shown.series
        name = f"{ticker}_{interval}_{shown.days[0]}_{shown.days[1]}.csv"
        return Response(
            _as_csv(shown.chosen),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _as_csv(buckets: Sequence[ShownBucket]) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(CSV_COLUMNS)
    for one in buckets:
        versions = "; ".join(
            f"{plain(old)} -> {plain(version.new[name])} {name} ({version.source})"
            for version in one.restated
            for name, old in version.old.items()
        )
        lines.writerow([
            one.open_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            one.state,
            *(plain(getattr(one, name)) for name in FIGURES),
            one.source,
            None if one.stored_at is None else one.stored_at.isoformat().replace("+00:00", "Z"),
            one.gap_id,
            one.evidence,
            versions,
        ])
    return text.getvalue()


def plain(value: float | None) -> str:
    """Return a figure with all its digits and without an exponent, empty when there is none."""
    return "" if value is None else f"{Decimal(repr(value)):f}".removesuffix(".0")


@router.get("/candles", include_in_schema=False)
def show_candles(request: Request, query: Annotated[CandleQuery, Query()]) -> Response:
    """Show the candles of a series."""
    now = utc(int(request.app.state.clock()))
    with _read(request, query) as (shown, stores):
        if shown is None:
            return page("candles.html", active="candles", now=now, shown=None)
        from kraken_ohlcv_airflow.web.candle_chart import HEIGHT, Bucket, draw_candles  # noqa: PLC0415
        from kraken_ohlcv_airflow.web.candle_view import day_of, read_seals  # noqa: PLC0415

        view, step = shown.view, shown.view.part.step
        drawn = [
            Bucket(
                one.open_time,
                one.kind,
                None if one.open is None else (one.open, one.high, one.low, one.close),  # type: ignore[arg-type]
                one.volume or 0.0,
            )
            for one in view.buckets
        ]
        first, last = shown.days
        length = last - first + timedelta(days=1)
        tallies = view.tallies()
        return page(
            "candles.html",
            active="candles",
            now=now,
            shown=shown,
            view=view,
            query=query,
            # What the page has chosen itself stays as it is behind each of its links.
            links=lambda **changes: query.links(**{
                "ticker": shown.series.ticker,
                "interval": shown.series.interval_minutes,
                **changes,
            }),
            earlier=(max(FIRST_DAY, first - length), max(FIRST_DAY, first - timedelta(days=1))),
            later=(first + length, last + length) if last < now.date() else None,
            tallies=tallies,
            states=STATES,
            legend=LEGEND,
            titles={state: title for state, (title, _) in LEGEND.items()} | {CellState.COMPLETE: "Stored"},
            chart=draw_candles(drawn, step) if drawn else None,
            chart_height=HEIGHT,
            kinds={one.kind for one in view.buckets},
            seals=read_seals(stores, view.part, shown.rows),
            days=[
                (day, list(those)) for day, those in groupby(shown.rows, key=lambda one: day_of(one, step))
            ],
            is_by_day=step < DAY_S,
            plain=plain,
            figures=FIGURES,
        )
