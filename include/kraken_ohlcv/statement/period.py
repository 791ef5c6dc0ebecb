"""The range of a statement: whole UTC days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final, NamedTuple, Self

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import midnight_s, utc
from kraken_ohlcv.core.verified_day import opens_of_day

MAX_DAYS: Final = 400
"""Days of a statement: a year and some; one of more says too little of each day."""
MONTH: Final = re.compile(r"\d{4}-\d{2}")
SAMPLE: Final = "write it like 2026-10, or give --from 2026-10-01 and --to 2026-11-01"


class Period(NamedTuple):
    """Whole UTC days.

    :ivar start_s: first second of the first one, epoch seconds UTC
    :ivar end_s: end of the last one, exclusive, epoch seconds UTC
    """

    start_s: int
    end_s: int

    @classmethod
    def of(cls, start: str, end: str | None = None) -> Self:
        """Return the range that somebody asks for.

        :param start: a month such as ``2026-10``, or the first day
        :param end: the day behind the last one; None = the end of the month that is named
        :raises BadRequestError: names what cannot be used, and how to write it
        """
        if end is None:
            if not MONTH.fullmatch(start):
                raise BadRequestError(f"{start!r} is no month: {SAMPLE}")
            return cls(*month_of(_midnight_s("month", f"{start}-01")))
        first = f"{start}-01" if MONTH.fullmatch(start) else start
        last = f"{end}-01" if MONTH.fullmatch(end) else end
        found = cls(_midnight_s("start", first), _midnight_s("end", last))
        if found.start_s >= found.end_s:
            raise BadRequestError(
                f"end {end} is not after start {start}: the end is the day behind the last one"
            )
        if len(found.days) > MAX_DAYS:
            raise BadRequestError(
                f"{start} to {end} is {len(found.days):,} days, and a statement covers {MAX_DAYS} at most: "
                "make one per year"
            )
        return found

    @classmethod
    def month_before(cls, now_s: int) -> Self:
        """Return the last calendar month that is over."""
        return cls(*month_of(month_of(now_s)[0] - 1))

    @property
    def days(self) -> range:
        """Return the first second of each day."""
        return range(self.start_s, self.end_s, DAY_S)

    def opens(self, interval_minutes: int) -> Range:
        """Return the open times of the buckets that belong to these days: their last second lies in one.

        :return: half-open, on the grid, epoch seconds UTC
        """
        return opens_of_day(self.start_s, interval_minutes)[0], opens_of_day(self.end_s, interval_minutes)[0]

    def __str__(self) -> str:
        """Return ``2026-10`` of a whole month, else ``2026-10-03_2026-10-17``, the last day included."""
        first, last = utc(self.start_s).date(), utc(self.end_s - DAY_S).date()
        if tuple(self) == month_of(self.start_s):
            return f"{first:%Y-%m}"
        return f"{first}_{last}"


def _midnight_s(name: str, text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadRequestError(f"{name} {text!r} is no UTC day: {SAMPLE}") from None
    if not FIRST <= day <= LAST:
        raise BadRequestError(f"{name} {text!r} is out of range: use a day from {FIRST} to {LAST}")
    return midnight_s(day)


FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC).date()
LAST: Final = datetime(2999, 12, 31, tzinfo=UTC).date()
