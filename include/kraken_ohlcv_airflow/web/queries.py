"""What the pages may be asked for: query parameters, checked; an empty form field means "any"."""

from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from kraken_ohlcv.completeness.buckets import EXPIRING_S
from kraken_ohlcv.core.gap_choices import ACCEPTED_CHOICES, STATUS_CHOICES, StatusChoice
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, INTERVALS
from kraken_ohlcv.core.times import midnight_s
from kraken_ohlcv.stores.ledger.gap_lists import GapFilter

MAX_TICKERS: Final = 50
MAX_PAGE: Final = 100_000
FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2999, 12, 31)

Tier = Literal["TIER1", "TIER2", "TIER3", "TIER4"]


def _absent_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Absent = BeforeValidator(_absent_if_empty)


def _within_the_calendar(value: date | None) -> date | None:
    if value is not None and not FIRST_DAY <= value <= LAST_DAY:
        raise ValueError(f"{value} is out of range: use a day from {FIRST_DAY} to {LAST_DAY}")
    return value


Day = Annotated[date | None, AfterValidator(_within_the_calendar), Absent]
"""A day whose candles can be kept; the calendar's very ends leave no room for the day beside them."""


def refuse_before(last: date | None, first: date | None) -> None:
    """Refuse a last day before the first one.

    :raises ValueError: if it is, with the cure
    """
    if last is not None and first is not None and last < first:
        raise ValueError(f"{last} is before from {first}: exchange them")


def _is_served(value: int | None) -> int | None:
    if value is not None and value not in INTERVALS:
        raise ValueError(f"{value} is not one of Kraken's intervals: {', '.join(map(str, INTERVALS))}")
    return value


Interval = Annotated[int | None, AfterValidator(_is_served), Absent]
"""Candle length, minutes."""


class PageQuery(BaseModel):
    """What every page takes; an unknown parameter is refused, so that a slip of the pen hides nothing."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PagedQuery(PageQuery):
    """Which page of a list.

    :ivar page: from 1
    """

    page: int = Field(default=1, ge=1, le=MAX_PAGE)

    def chosen_page(self, n_rows: int, page_size: int) -> tuple[int, int]:
        """Return the page to show, the last one when fewer exist, and the number of pages, at least 1."""
        pages = max(1, -(-n_rows // page_size))
        return min(self.page, pages), pages

    def links(self, **changes: Any) -> dict[str, Any]:
        """Return the parameters of a link to this view with some of them changed.

        :param changes: by name as in the address; None takes one away
        """
        own = self.model_dump(
            by_alias=True, exclude_defaults=True, mode="json", exclude={"page", "dag", "run"}
        )
        return {name: value for name, value in {**own, **changes}.items() if value is not None}


class SeriesQuery(PageQuery):
    """Which series.

    :ivar tier: of the asset
    :ivar interval: candle length, minutes
    :ivar ticker: Kraken altnames, separated by commas or spaces; ``*`` stands for any characters
    """

    tier: Annotated[Tier | None, Absent] = None
    interval: Interval = None
    ticker: Annotated[str | None, Absent] = Field(
        default=None,
        max_length=1000,
        pattern=r"^[A-Za-z0-9*]{1,20}([ ,]+[A-Za-z0-9*]{1,20})*[ ,]*$",
        examples=["XBTUSD, ETH*"],
    )

    @field_validator("ticker")
    @classmethod
    def _are_few(cls, value: str | None) -> str | None:
        if value is not None and len(value.replace(",", " ").split()) > MAX_TICKERS:
            raise ValueError(f"at most {MAX_TICKERS} tickers at once; use * for many")
        return value.upper() if value else None

    def ticker_patterns(self) -> list[str] | None:
        """Return LIKE patterns of the tickers, None for any."""
        if self.ticker is None:
            return None
        return [name.replace("*", "%") for name in self.ticker.replace(",", " ").split()]

    def intervals(self) -> list[int] | None:
        """Return the candle lengths, minutes, None for any."""
        return None if self.interval is None else [self.interval]

    def gap_filter(self, **narrower: Any) -> GapFilter:
        """Return the filter of the ledger that leaves the gaps of these series.

        :param narrower: further fields of the filter
        """
        return GapFilter(
            tier=self.tier, tickers=self.ticker_patterns(), intervals=self.intervals(), **narrower
        )


class GapQuery(SeriesQuery, PagedQuery):
    """Which gaps, and which page of them.

    :ivar status: a state, or ``open``, ``fillable``, ``expiring`` (within 24 h), ``accepted``, ``all``
    :ivar min_age_h: first seen at least so many hours ago
    :ivar from_: first day of a period, UTC
    :ivar to: last day of the period, UTC, inclusive
    :ivar dag: DAG of a run just started from the page, which says so
    :ivar run: its run id
    """

    status: Annotated[StatusChoice | None, Absent] = "open"
    min_age_h: Annotated[int | None, Absent] = Field(default=None, ge=0, le=87_600)
    from_: Day = Field(default=None, alias="from")
    to: Day = None
    dag: str | None = Field(default=None, pattern="^[A-Za-z0-9_.-]{1,250}$")
    run: str | None = Field(default=None, pattern="^[A-Za-z0-9_.~:+-]{1,250}$")

    def filter_at(self, now_s: int) -> GapFilter:
        """Return the filter of the ledger at a moment."""
        return self.gap_filter(
            statuses=STATUS_CHOICES[self.status or "open"],
            expires_until_s=now_s + EXPIRING_S if self.status == "expiring" else None,
            detected_until_s=None if self.min_age_h is None else now_s - self.min_age_h * HOUR_S,
            from_s=None if self.from_ is None else midnight_s(self.from_),
            until_s=None if self.to is None else midnight_s(self.to) + DAY_S,
            is_accepted=ACCEPTED_CHOICES.get(self.status or "open"),
        )
