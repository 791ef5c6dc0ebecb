"""Times as people give them, and the range that two of them make."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Final, TypeAlias

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.times import iso, midnight_s
from kraken_ohlcv.reader.scope import Asked

Moment: TypeAlias = datetime | date | str
"""A time or date, or its ISO text; UTC without an offset."""
LATEST_S: Final = midnight_s(date(9999, 1, 1))
"""Later times count as this one, epoch seconds UTC: behind them the calendar ends."""


def asked_of(start: Moment | None, end: Moment | None) -> Asked:
    """Return a range as a read takes it.

    :raises BadRequestError: if a border is no time, or the range ends before it begins
    """
    start_s = None if start is None else min(LATEST_S, math.ceil(moment_of("start", start).timestamp()))
    end_s = None if end is None else min(LATEST_S, math.floor(moment_of("end", end).timestamp()))
    if start_s is not None and end_s is not None and end_s < start_s:
        raise BadRequestError(f"end {iso(end_s)} is before start {iso(start_s)}")
    return Asked(start_s, end_s)


def moment_of(name: str, moment: Moment) -> datetime:
    """Return an aware time.

    :param name: of the argument, for the message
    :raises BadRequestError: if it is no time
    """
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        if not isinstance(parsed, datetime):
            parsed = datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
    except (ValueError, AttributeError):
        raise BadRequestError(
            f"{name} {moment!r} is no time: write it like 2026-11-01 or 2026-11-01T14:00"
        ) from None
    return parsed.replace(tzinfo=parsed.tzinfo or UTC)
