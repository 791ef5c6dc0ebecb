"""What the page of coverage may be asked for: which series, which time, in which order. Pure."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import HTTPException
from pydantic import Field, field_validator

from kraken_ohlcv.completeness.series_cells import Period
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import midnight_s, utc
from kraken_ohlcv.core.wording import number
from kraken_ohlcv_airflow.web.queries import (
    FIRST_DAY,
    LAST_DAY,
    Absent,
    Day,
    PagedQuery,
    SeriesQuery,
    refuse_before,
)

MAX_COLUMNS: Final = 400
PERIOD_DAYS: Final = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30}
MAX_DAYS: Final = MAX_COLUMNS * PERIOD_DAYS[Period.MONTH]

RangeName = Literal["30d", "90d", "180d", "1y", "2y", "5y", "10y", "month", "dates"]
DAYS_BACK: Final = {"30d": 30, "90d": 90, "180d": 180, "1y": 365, "2y": 731, "5y": 1826, "10y": 3652}
RANGE_TITLES: Final[dict[str, str]] = {
    "30d": "30 days",
    "90d": "90 days",
    "180d": "180 days",
    "1y": "1 year",
    "2y": "2 years",
    "5y": "5 years",
    "10y": "10 years",
    "month": "a month",
    "dates": "custom dates",
}


class CoverageQuery(SeriesQuery, PagedQuery):
    """Which series, and which time.

    :ivar range: how far back; ``month``: a calendar month; ``dates``: from a day to another. By default what
        ``month`` or ``from_`` says, else 90 days
    :ivar by: length of a cell; by default the shortest that leaves at most 400 columns
    :ivar month: for example ``2026-11``; by default the one that goes on
    :ivar from_: first day of ``dates``, UTC; by default 29 days before the last one
    :ivar to: last day shown, UTC; by default today
    :ivar only: ``incomplete``: only series that have not everything in this time
    :ivar sort: ``worst``: least verified first; by default as in the catalogue
    """

    range: Annotated[RangeName | None, Absent] = None
    by: Annotated[Period | None, Absent] = None
    month: Annotated[str | None, Absent] = Field(default=None, examples=["2026-11"])
    from_: Day = Field(default=None, alias="from")
    to: Day = None
    only: Annotated[Literal["incomplete"] | None, Absent] = None
    sort: Annotated[Literal["worst"] | None, Absent] = None

    @field_validator("month")
    @classmethod
    def _is_a_month(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            first = date.fromisoformat(f"{value}-01")
        except ValueError:
            raise ValueError(f"{value[:40]!r} is no month: write it like 2026-11") from None
        if not FIRST_DAY <= first <= LAST_DAY:
            raise ValueError(f"{value} is out of range: use a month from 1970-01 to 2999-12")
        return value

    @field_validator("to")
    @classmethod
    def _is_not_before(cls, value: date | None, info: Any) -> date | None:
        if info.data.get("range") in {None, "dates"}:
            refuse_before(value, info.data.get("from_"))
        return value

    @property
    def range_name(self) -> str:
        """Return which time counts."""
        if self.range is not None:
            return self.range
        return "month" if self.month else "dates" if self.from_ else "90d"

    @property
    def stray(self) -> str:
        """Return which parameter counts for nothing beside the range, a sentence, or nothing."""
        given = {"month": self.month, "dates": self.from_}
        names = {"month": "month", "dates": "from"}
        strays = [names[one] for one, value in given.items() if value and one != self.range_name]
        return f"{strays[0]} and range {self.range_name} exclude each other: leave one out." if strays else ""

    def covered(self, now_s: int) -> Range:
        """Return the time shown.

        :return: half-open, whole days, epoch seconds UTC
        :raises HTTPException: 400, if it has more days than there is room for
        """
        today = utc(now_s).date()
        if self.range_name == "month":
            return month_of(
                now_s if self.month is None else midnight_s(date.fromisoformat(f"{self.month}-01"))
            )
        last = self.to or today
        if self.range_name == "dates":
            last = max(last, self.from_ or FIRST_DAY)
            first = self.from_ or max(FIRST_DAY, last - timedelta(days=29))
            if (n_days := (last - first).days + 1) > MAX_DAYS:
                raise HTTPException(
                    HTTPStatus.BAD_REQUEST,
                    f"{first} to {last} is {number(n_days)} days, and at most {number(MAX_DAYS)} are shown at"
                    f" once: choose from {last - timedelta(days=MAX_DAYS - 1)} on.",
                )
            return midnight_s(first), midnight_s(last) + DAY_S
        end_s = midnight_s(last) + DAY_S
        return max(0, end_s - DAYS_BACK[self.range_name] * DAY_S), end_s

    def period_at(self, now_s: int) -> Period:
        """Return the length of a cell: the one asked for, if it does not make too many."""
        start_s, end_s = self.covered(now_s)
        n_days = (end_s - start_s) // DAY_S
        asked = list(Period)[list(Period).index(self.by) if self.by else 0 :]
        return next((one for one in asked if n_days // PERIOD_DAYS[one] <= MAX_COLUMNS), Period.MONTH)

    def moved(self, now_s: int, by: int) -> dict[str, Any]:
        """Return the parameters of the time before or after the one shown.

        :param by: -1 or 1
        :return: parameters of a link, to be changed
        """
        start_s, end_s = self.covered(now_s)
        if self.range_name == "month":
            beside = utc(end_s if by > 0 else start_s - 1).date()
            return {"month": f"{max(FIRST_DAY, beside):%Y-%m}", "from": None, "to": None}
        length = timedelta(seconds=end_s - start_s)
        first, last = utc(start_s).date() + by * length, utc(end_s - 1).date() + by * length
        if self.range_name == "dates":
            return {"from": max(FIRST_DAY, first), "to": max(FIRST_DAY, last), "month": None}
        return {"to": max(FIRST_DAY, min(last, utc(now_s).date()) if by > 0 else last)}
