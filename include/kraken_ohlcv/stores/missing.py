"""From the scan of the candle table to what each series is missing; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range


@dataclass(frozen=True, slots=True)
class Span:
    """First and last stored candle of a series.

    :ivar first_s: open time of the oldest candle, epoch seconds UTC
    :ivar last_s: open time of the newest candle, epoch seconds UTC
    :ivar n_candles: stored candles, >= 1
    :ivar off_grid_us: how far the worst candle lies off the grid, microseconds; 0 = all are on it
    """

    first_s: int
    last_s: int
    n_candles: int
    off_grid_us: int = 0

    def n_missing(self, interval_minutes: int) -> int:
        """Return how many candles are missing between the first and the last.

        With all candles on the grid the number is exact, because no two candles of a series share a time.

        :return: buckets
        """
        return (self.last_s - self.first_s) // step_s(interval_minutes) + 1 - self.n_candles


@dataclass(frozen=True, slots=True)
class Scan:
    """What the candle table says of all series.

    :ivar spans: by series; a series without a candle is absent
    :ivar holes: by series: ranges between two stored candles, ascending
    """

    spans: dict[Series, Span] = field(default_factory=dict)
    holes: dict[Series, list[Range]] = field(default_factory=dict)

    def short(self) -> list[Series]:
        """Return the series with candles missing between their first and their last.

        :return: those whose holes are worth asking for; a candle off the grid makes every number meaningless
        """
        return [
            series
            for series, span in self.spans.items()
            if not span.off_grid_us and span.n_missing(series.interval_minutes)
        ]

    def unsound(self) -> list[Series]:
        """Return the series whose figures do not add up.

        :return: series with a candle off the grid, or whose holes are not as long as what is missing: a write
            fell between the two statements
        """
        return [
            series
            for series, span in self.spans.items()
            if span.off_grid_us
            or span.n_missing(series.interval_minutes)
            != ranges.count(self.holes.get(series, []), step=step_s(series.interval_minutes))
        ]


def read_spans(rows: Iterable[tuple[Any, ...]]) -> dict[Series, Span]:
    """Read the rows of ``detect_spans.sql``.

    :param rows: ``(ticker, interval, first_s, last_s, n, off_grid_us)``, times in epoch seconds
    :return: by series
    """
    return {Series(ticker, int(interval)): Span(*span) for ticker, interval, *span in rows}


def read_holes(rows: Iterable[tuple[Any, ...]]) -> dict[Series, list[Range]]:
    """Read the rows of ``detect_gaps.sql``.

    :param rows: ``(ticker, interval, from_s, to_s)``, half-open ranges without a candle, epoch seconds
    :return: by series
    """
    holes: dict[Series, list[Range]] = {}
    for ticker, interval, from_s, to_s in rows:
        holes.setdefault(Series(ticker, int(interval)), []).append((from_s, to_s))
    return holes


def missing_ranges(scan: Scan, series: Series, *, expected: Range) -> list[Range]:
    """Return where a series has no candles: at the head, inside, at the tail, or all of it.

    :param scan: what the candle table says
    :param expected: all closed buckets from the series' start, epoch seconds UTC, on the grid
    :return: normal range set
    """
    span = scan.spans.get(series)
    if span is None:
        lacking = [expected]
    else:
        stored_end = span.last_s + step_s(series.interval_minutes)
        lacking = [(expected[0], span.first_s), *scan.holes.get(series, []), (stored_end, expected[1])]
    return ranges.intersect(lacking, [expected])


def is_left_alone(span: Span, *, added_s: int, interval_minutes: int, lookback_days: int, now_s: int) -> bool:
    """Return whether a series is too old to be processed.

    :param span: its stored candles
    :param added_s: when its asset came into the catalogue, epoch seconds UTC
    :param lookback_days: limit in days, >= 0; 0 = no limit
    :return: True when the newest candle closed, and the asset was added, more than max(lookback, two candles)
        ago: before it was added nobody was to fetch anything, so old candles that were brought in, from the
        archive or another application, say nothing about the pair
    """
    if lookback_days == 0:
        return False
    step = step_s(interval_minutes)
    limit = max(lookback_days * DAY_S, 2 * step)
    return now_s - max(span.last_s + step, added_s) > limit
