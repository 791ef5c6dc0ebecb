"""Candles from trades, exactly: all sums are 64-bit integers, nothing passes through a float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.exchange.generator import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulators.exchange.generator import Trades

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bars:
    """Traded buckets, ascending, one array a field.

    :ivar opens_s: open times, epoch seconds
    :ivar open: first price, in price units of the pair (high, low, close likewise)
    :ivar lots: volume, in volume units of the pair
    :ivar notional: sum of price units times volume units
    :ivar count: number of trades, never 0
    """

    opens_s: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    lots: Ints
    notional: Ints
    count: Ints

    def __len__(self) -> int:
        """Return the number of candles."""
        return len(self.opens_s)

    def within(self, start_s: int, end_s: int) -> Bars:
        """Return the buckets with an open time in ``[start_s, end_s)``."""
        first, last = np.searchsorted(self.opens_s, [start_s, end_s])
        return Bars(*(field[first:last] for field in _fields(self)))


def from_trades(trades: Trades, step_s: int) -> Bars:
    """Return the candles of some trades.

    :param trades: ascending by time, any number
    :param step_s: candle length, seconds
    Rule: open first, high max, low min, close last, volume and count sums; buckets anchored at the epoch.
    """
    buckets = trades.times_ns // (step_s * NS_PER_S)
    starts, stops = _groups(buckets)
    if not len(starts):
        return _empty()
    return Bars(
        opens_s=buckets[starts] * step_s,
        open=trades.prices[starts],
        high=np.maximum.reduceat(trades.prices, starts),
        low=np.minimum.reduceat(trades.prices, starts),
        close=trades.prices[stops - 1],
        lots=np.add.reduceat(trades.lots, starts),
        notional=np.add.reduceat(trades.prices * trades.lots, starts),
        count=(stops - starts).astype(np.int64),
    )


def coarser(bars: Bars, step_s: int) -> Bars:
    """Return the candles of a longer interval.

    :param bars: candles whose length divides ``step_s``
    :param step_s: candle length, seconds
    """
    buckets = bars.opens_s // step_s
    starts, stops = _groups(buckets)
    if not len(starts):
        return _empty()
    return Bars(
        opens_s=buckets[starts] * step_s,
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[stops - 1],
        lots=np.add.reduceat(bars.lots, starts),
        notional=np.add.reduceat(bars.notional, starts),
        count=np.add.reduceat(bars.count, starts),
    )


def chained(parts: list[Bars]) -> Bars:
    """Return the candles of all parts, which follow each other in time."""
    if not parts:
        return _empty()
    return Bars(
        *(np.concatenate(columns) for columns in zip(*(_fields(part) for part in parts), strict=True))
    )


def _groups(buckets: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where each run of equal values starts and stops."""
    if not len(buckets):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    borders = np.flatnonzero(np.diff(buckets)) + 1
    return np.concatenate([[0], borders]), np.concatenate([borders, [len(buckets)]])


def _fields(bars: Bars) -> tuple[Ints, ...]:
    return (
        bars.opens_s,
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.lots,
        bars.notional,
        bars.count,
    )


def _empty() -> Bars:
    return Bars(*(np.empty(0, dtype=np.int64) for _ in range(8)))
