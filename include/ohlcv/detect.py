"""From the scan of the candle table to what each series lacks; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from include.ohlcv import ranges
from include.ohlcv.gaps import Series
from include.ohlcv.intervals import DAY_S, step_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.ohlcv.ranges import Range


@dataclass(frozen=True, slots=True)
class Span:
    """First and last stored candle of a series.

    :ivar first_s: open time of the oldest candle, epoch seconds UTC
    :ivar last_s: open time of the newest candle, epoch seconds UTC
    :ivar n_candles: stored candles, >= 1
    """

    first_s: int
    last_s: int
    n_candles: int


@dataclass(frozen=True, slots=True)
class Scan:
    """Result of the detection statement.

    :ivar spans: by series; a series without a candle is absent
    :ivar holes: by series: ranges between two stored candles, ascending
    """

    spans: dict[Series, Span] = field(default_factory=dict)
    holes: dict[Series, list[Range]] = field(default_factory=dict)

    def unsound(self) -> list[Series]:
        """Return the series whose figures do not add up.

        :return: series whose span is not the sum of its candles and holes: a candle lies off the grid, or a
            write fell between the statement's branches (QuestDB gives a statement no snapshot)
        """
        found = []
        for series, span in self.spans.items():
            step = step_s(series.interval_minutes)
            expected = (span.last_s - span.first_s) // step + 1
            holes = self.holes.get(series, [])
            missing = ranges.count(holes, step=step)
            borders = [span.first_s, span.last_s, *(border for hole in holes for border in hole)]
            if any(border % step for border in borders) or expected != span.n_candles + missing:
                found.append(series)
        return found


def read_scan(rows: Iterable[tuple[Any, ...]]) -> Scan:
    """Read the rows of ``detect_gaps.sql``.

    :param rows: ``(kind, ticker, interval, from_s, to_s, n)``: kind ``hole`` with the half-open missing
        range, or ``span`` with first and last open time and the number of candles; times in epoch seconds
    :return: the scan
    """
    scan = Scan()
    for kind, ticker, interval, from_s, to_s, n in rows:
        series = Series(ticker, int(interval))
        if kind == "span":
            scan.spans[series] = Span(first_s=from_s, last_s=to_s, n_candles=n)
        else:
            scan.holes.setdefault(series, []).append((from_s, to_s))
    return scan


def missing_ranges(
    scan: Scan, series: Series, *, expected: Range, proven_empty: Iterable[Range]
) -> list[Range]:
    """Return what a series lacks: at the head, inside, at the tail, or all of it.

    :param scan: result of the detection statement
    :param series: ticker and interval
    :param expected: all closed buckets from the series' start, epoch seconds UTC, on the grid
    :param proven_empty: ranges without trades
    :return: normal range set
    """
    span = scan.spans.get(series)
    if span is None:
        lacking = [expected]
    else:
        stored_end = span.last_s + step_s(series.interval_minutes)
        lacking = [(expected[0], span.first_s), *scan.holes.get(series, []), (stored_end, expected[1])]
    return ranges.subtract(ranges.intersect(lacking, [expected]), proven_empty)


def is_left_alone(span: Span, *, interval_minutes: int, lookback_days: int, now_s: int) -> bool:
    """Return whether a series is too old to be processed.

    :param span: its stored candles
    :param interval_minutes: candle length, minutes
    :param lookback_days: limit in days, >= 0; 0 = no limit
    :param now_s: the exchange's time, epoch seconds UTC
    :return: True when the newest candle closed more than max(lookback, two candles) ago
    """
    if lookback_days == 0:
        return False
    step = step_s(interval_minutes)
    limit = max(lookback_days * DAY_S, 2 * step)
    return now_s - (span.last_s + step) > limit
