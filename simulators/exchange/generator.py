"""Invent the trades of one pair for one chunk of time, from a seed.

A chunk depends on (seed, ticker, chunk number) alone, so any stretch of history can be made without the ones
before it, and comes out the same whatever was asked first. The price is a sum of waves of many lengths
plus a little noise: it is defined at every moment, and therefore continues from chunk to chunk by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.exchange.catalogue import SYNTHETIC_RATE, THICK_CEILING, THICK_FLOOR, number_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simulators.exchange.catalogue import Pair

    Ints = NDArray[np.int64]

NS_PER_S = 1_000_000_000
MINUTE_NS = 60 * NS_PER_S
QUARTER_NS = 900 * NS_PER_S
HOUR_NS = 3_600 * NS_PER_S
CHUNK_DAYS = 64
CHUNK_HOURS = CHUNK_DAYS * 24
CHUNK_NS = CHUNK_HOURS * HOUR_NS
FIRST_TRADE_NS = 123_456_789

# In a thin pair the hours with the pair's own remainder modulo 4 always trade: its 4-hour candles are then
# all traded (or all but whole quiet days) and never "busy with a hole".
_STEADY_EVERY_HOURS = 4
_WAVE_HOURS = np.array([11_000, 4_100, 1_500, 610, 230, 90, 37, 14.3, 5.9, 2.3])
_YEAR_SWING = 0.30
_PEG_SWING = 0.001
_PEGGED = frozenset({"USDTUSD", "USDCUSD", "DAIUSD"})
_SAME_ORDER_SHARE = 0.15
_TWIN_SHARE = 0.1
_LAST_INSTANT_SHARE = 0.002
_FIRST_INSTANT_SHARE = 0.001
_MEDIAN_NOTIONAL = 70.0
_LARGEST_NOTIONAL = 5_000.0


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades in the order of their ids, one array a field, all of the same length.

    :ivar times_ns: epoch ns, ascending, repeats allowed
    :ivar prices: multiples of 10**-decimals of the pair
    :ivar lots: volumes, multiples of 10**-volume_decimals of the pair
    :ivar kinds: bit 0 set for a sell, bit 1 set for a limit order
    """

    times_ns: Ints
    prices: Ints
    lots: Ints
    kinds: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of trades."""
        return len(self.times_ns)

    def part(self, start: int, stop: int) -> Trades:
        """Return the trades at positions ``[start, stop)``, without copying."""
        cut = slice(start, stop)
        return Trades(self.times_ns[cut], self.prices[cut], self.lots[cut], self.kinds[cut])

    def where(self, keep: NDArray[np.bool_]) -> Trades:
        """Return the trades for which ``keep`` is true."""
        return Trades(self.times_ns[keep], self.prices[keep], self.lots[keep], self.kinds[keep])

    def within(self, start_ns: int, end_ns: int) -> Trades:
        """Return the trades with a time in ``[start_ns, end_ns)``, without copying."""
        first, last = np.searchsorted(self.times_ns, [start_ns, end_ns])
        return self.part(int(first), int(last))


def joined(parts: Sequence[Trades]) -> Trades:
    """Return the parts one after the other.

    :param parts: at least one, in the order of time
    """
    if len(parts) == 1:
        return parts[0]
    return Trades(
        np.concatenate([part.times_ns for part in parts]),
        np.concatenate([part.prices for part in parts]),
        np.concatenate([part.lots for part in parts]),
        np.concatenate([part.kinds for part in parts]),
    )


def hourly_counts(pair: Pair, seed: int, chunk: int) -> Ints:
    """Return the number of trades in each hour of a chunk, listing date disregarded.

    :param pair: the pair
    :param seed: the market's seed
    :param chunk: chunk number, epoch ns // CHUNK_NS
    :return: shape (CHUNK_HOURS,)
    """
    rng = np.random.default_rng(number_for(seed, pair.ticker, "counts", chunk))
    if pair.is_thick:
        spread = THICK_CEILING - THICK_FLOOR
        counts = THICK_FLOOR + rng.binomial(
            spread, (pair.trades_per_hour - THICK_FLOOR) / spread, CHUNK_HOURS
        )
        return counts.astype(np.int64)
    if pair.quiet_share == 0:
        return (1 + rng.binomial(2, (SYNTHETIC_RATE - 1) / 2, CHUNK_HOURS)).astype(np.int64)
    counts = 1 + rng.binomial(4, 0.4, CHUNK_HOURS)
    may_be_quiet = np.arange(CHUNK_HOURS) % _STEADY_EVERY_HOURS != number_for(seed, pair.ticker, "steady") % 4
    share_among_those = pair.quiet_hour_share * _STEADY_EVERY_HOURS / (_STEADY_EVERY_HOURS - 1)
    is_quiet = may_be_quiet & (rng.random(CHUNK_HOURS) < share_among_those)
    is_quiet_day = rng.random(CHUNK_DAYS) < pair.quiet_day_share
    counts[is_quiet | np.repeat(is_quiet_day, 24)] = 0
    return counts.astype(np.int64)


def chunk_trades(pair: Pair, seed: int, chunk: int) -> Trades:
    """Return all trades of a chunk, from the listing on.

    :param pair: the pair
    :param seed: the market's seed
    :param chunk: chunk number, epoch ns // CHUNK_NS
    """
    rng = np.random.default_rng(number_for(seed, pair.ticker, "trades", chunk))
    times_ns = _times(pair, hourly_counts(pair, seed, chunk), chunk, rng)
    n = len(times_ns)
    is_same_order = np.zeros(n, dtype=bool)
    is_same_quarter = times_ns[1:] // QUARTER_NS == times_ns[:-1] // QUARTER_NS
    is_same_order[1:] = is_same_quarter & (rng.random(max(n - 1, 0)) < _SAME_ORDER_SHARE)
    times_ns = times_ns[_source(is_same_order)]

    dollars = _price_at(times_ns, pair, seed, chunk)
    dollars *= 1 + rng.standard_normal(n) * _swing(pair) / 600
    prices = np.maximum(np.rint(dollars * 10**pair.decimals), 1).astype(np.int64)
    notional = np.minimum(_MEDIAN_NOTIONAL * np.exp(1.2 * rng.standard_normal(n)), _LARGEST_NOTIONAL)
    lots = np.maximum(np.rint(notional / dollars * 10**pair.volume_decimals), 1).astype(np.int64)
    kinds = rng.integers(0, 4, n, dtype=np.int8)
    is_twin = is_same_order & (rng.random(n) < _TWIN_SHARE)
    source = _source(is_twin)
    trades = Trades(times_ns, prices[source], lots[source], kinds[source])
    return _from_listing(trades, pair, chunk)


def _times(pair: Pair, counts: Ints, chunk: int, rng: np.random.Generator) -> Ints:
    n = int(counts.sum())
    hour = np.repeat(np.arange(CHUNK_HOURS, dtype=np.int64), counts)
    within_hour_ns = rng.integers(0, HOUR_NS, n)
    if pair.is_thick:
        nth = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
        own_quarter = nth * QUARTER_NS + within_hour_ns % QUARTER_NS
        within_hour_ns = np.where(nth < HOUR_NS // QUARTER_NS, own_quarter, within_hour_ns)
    times_ns = chunk * CHUNK_NS + hour * HOUR_NS + within_hour_ns
    # The instants a careless client puts into the wrong minute: hh:mm:59.9999999 and hh:mm:00 exactly.
    choice = rng.random(n)
    minute_ns = times_ns // MINUTE_NS * MINUTE_NS
    is_last_instant = choice < _LAST_INSTANT_SHARE
    is_first_instant = ~is_last_instant & (choice < _LAST_INSTANT_SHARE + _FIRST_INSTANT_SHARE)
    times_ns = np.where(is_last_instant, minute_ns + MINUTE_NS - 1 - times_ns % 100, times_ns)
    times_ns = np.where(is_first_instant, minute_ns, times_ns)
    return np.sort(times_ns)


def _source(repeats: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return, for each position, the newest position not after it that repeats nothing."""
    own = np.arange(len(repeats))
    return np.maximum.accumulate(np.where(repeats, 0, own))


def _swing(pair: Pair) -> float:
    return _PEG_SWING if pair.ticker in _PEGGED else _YEAR_SWING


def _price_at(times_ns: Ints, pair: Pair, seed: int, chunk: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(number_for(seed, pair.ticker, "price"))
    phases = rng.uniform(0, 2 * np.pi, len(_WAVE_HOURS))
    lengths = _WAVE_HOURS * rng.uniform(0.9, 1.1, len(_WAVE_HOURS))
    heights = _swing(pair) * np.sqrt(lengths / lengths[0])
    # One point an hour is enough for the shortest wave, and far cheaper than one a trade.
    knots = np.arange(CHUNK_HOURS + 1, dtype=np.float64)
    angles = 2 * np.pi * np.outer(1 / lengths, knots + chunk * CHUNK_HOURS) + phases[:, None]
    log_price = heights @ np.sin(angles)
    hours = (times_ns - chunk * CHUNK_NS) / HOUR_NS
    dollars: NDArray[np.float64] = pair.price * np.exp(np.interp(hours, knots, log_price))
    return dollars


def _from_listing(trades: Trades, pair: Pair, chunk: int) -> Trades:
    listed_ns = pair.listed_s * NS_PER_S
    if chunk * CHUNK_NS > listed_ns:
        return trades
    first_ns = listed_ns + FIRST_TRADE_NS
    n_earlier = int(np.searchsorted(trades.times_ns, first_ns, side="right"))
    # The first trade of a pair stands at a known moment, so that the listing is known without any trade.
    model = trades.part(max(0, n_earlier - 1), max(1, n_earlier))
    opening = Trades(np.array([first_ns]), model.prices, model.lots, model.kinds)
    return joined([opening, trades.part(n_earlier, len(trades))])
