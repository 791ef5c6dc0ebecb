"""UTC months, the pages on which the ledger keeps what it knows of the buckets of a series; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.ranges import Range


@lru_cache(maxsize=4096)
def _month(year: int, number: int) -> Range:
    start = datetime(year, number, 1, tzinfo=UTC)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(start.timestamp()), int(end.timestamp())


@lru_cache(maxsize=4096)
def _month_of_day(day: int) -> Range:
    moment = datetime.fromtimestamp(day * DAY_S, UTC)
    return _month(moment.year, moment.month)


def month_of(moment_s: int) -> Range:
    """Return the UTC month that holds a moment; a bucket belongs to the month of its open time.

    :param moment_s: epoch seconds UTC
    :return: half-open, epoch seconds UTC
    """
    return _month_of_day(moment_s // DAY_S)


def months_in(parts: Iterable[Range]) -> list[Range]:
    """Return the UTC months that ranges touch.

    :param parts: range set, epoch seconds UTC
    :return: ascending, unique
    """
    found = set()
    for start_s, end_s in parts:
        at_s = start_s
        while at_s < end_s:
            month = month_of(at_s)
            found.add(month)
            at_s = month[1]
    return sorted(found)


def months_of(buckets: BucketSet) -> list[Range]:
    """Return the UTC months in which some buckets open.

    :return: ascending, unique
    """
    start_s, end_s = buckets.start_s, buckets.end_s
    if start_s is None or end_s is None:
        return []
    return [month for month in months_in([(start_s, end_s)]) if buckets.within(month)]
