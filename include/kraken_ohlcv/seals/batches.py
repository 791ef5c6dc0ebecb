"""The days that are looked at together, as stretches and months; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range

MOST_BUCKETS: Final = 5_000_000
"""Of several months together: so many are left at most behind older days by a sealing that ends early."""

Days: TypeAlias = Mapping[Series, Sequence[range]]
"""Stretches of days by series, ascending: first second of each day, epoch seconds UTC."""


def by_series(days: Iterable[tuple[Series, int]]) -> dict[Series, list[range]]:
    """Return days by series, each as a stretch of its own."""
    found: dict[Series, list[range]] = {}
    for series, day_s in sorted(days):
        found.setdefault(series, []).append(range(day_s, day_s + 1, DAY_S))
    return found


def by_month(days: Iterable[tuple[Series, int]]) -> Iterator[tuple[Series, list[int]]]:
    """Return days by series and month, ascending."""
    found: dict[tuple[Series, int], list[int]] = {}
    for series, day_s in sorted(days):
        (month,) = months_in([(day_s, day_s + DAY_S)])
        found.setdefault((series, month[0]), []).append(day_s)
    for (series, _), those in found.items():
        yield series, those


def months_of(days: Days) -> list[Range]:
    """Return the months from the first to the last day, the newest first."""
    borders = [(some[0], some[-1] + DAY_S) for stretches in days.values() for some in stretches]
    if not borders:
        return []
    whole = min(first_s for first_s, _ in borders), max(end_s for _, end_s in borders)
    return months_in([whole])[::-1]


def long_parts_of(days: Days) -> list[Range]:
    """Return the months of days, the newest first, successive ones together where that reads no other day.

    A long stretch of one series is read in half the time of many short ones.
    """
    parts: list[Range] = []
    for month in months_of(days):
        if parts:
            longer = month[0], parts[-1][1]
            inside = [[here for some in those if (here := within(some, longer))] for those in days.values()]
            n_buckets = sum(
                len(here) * DAY_S // step_s(series.interval_minutes)
                for series, those in zip(days, inside, strict=True)
                for here in those
            )
            if n_buckets <= MOST_BUCKETS and all(len(those) <= 1 for those in inside):
                parts[-1] = longer
                continue
        parts.append(month)
    return parts


def batches(days: Days, parts: Iterable[Range]) -> Iterator[tuple[int, dict[Series, list[int]]]]:
    """Return the days in each part that has any, by bucket length in minutes.

    :param parts: of time, epoch seconds UTC
    :return: days of each series, ascending
    """
    for part in parts:
        found: dict[int, dict[Series, list[int]]] = {}
        for series, stretches in days.items():
            here = [day_s for some in stretches for day_s in within(some, part)]
            if here:
                found.setdefault(series.interval_minutes, {})[series] = here
        yield from sorted(found.items())


def within(days: range, part: Range) -> range:
    """Return the days of a stretch that begin in a part of time."""
    first, last = (max(0, -(-(border - days.start) // days.step)) for border in part)
    return days[first:last]
