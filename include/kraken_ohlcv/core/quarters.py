"""Quarters of a year, the unit in which Kraken publishes its archive; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from kraken_ohlcv.core.ranges import Range


class Quarter(NamedTuple):
    """A quarter.

    :ivar name: ``2026Q2``, as Kraken names its quarterly archives
    :ivar start_s: its start, epoch seconds UTC
    :ivar end_s: its end, exclusive
    """

    name: str
    start_s: int
    end_s: int


def quarter(year: int, number: int) -> Quarter:
    """Return a quarter.

    :param year: four digits
    :param number: 1 to 4
    """
    start = datetime(year, 3 * number - 2, 1, tzinfo=UTC)
    end = datetime(year + number // 4, 3 * number % 12 + 1, 1, tzinfo=UTC)
    return Quarter(f"{year}Q{number}", int(start.timestamp()), int(end.timestamp()))


def quarter_of(moment_s: int) -> Quarter:
    """Return the quarter that holds a moment.

    :param moment_s: epoch seconds UTC
    """
    moment = datetime.fromtimestamp(moment_s, UTC)
    return quarter(moment.year, (moment.month + 2) // 3)


def quarters_in(ranges: Iterable[Range]) -> list[Quarter]:
    """Return the quarters that ranges touch.

    :param ranges: half-open, epoch seconds UTC, none empty
    :return: ascending, unique
    """
    found = set()
    for at_s, end_s in ranges:
        while at_s < end_s:
            found.add(quarter_of(at_s))
            at_s = quarter_of(at_s).end_s  # noqa: PLW2901 (a range is walked through)
    return sorted(found, key=lambda one: one.start_s)
