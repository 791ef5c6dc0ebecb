"""The record of one pair's trades from its listing to any moment, made chunk by chunk when asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from simulators.exchange import bars as candles
from simulators.exchange.catalogue import DAY_S
from simulators.exchange.generator import CHUNK_NS, NS_PER_S, chunk_trades, hourly_counts, joined

if TYPE_CHECKING:
    from simulators.exchange.bars import Bars
    from simulators.exchange.catalogue import Pair
    from simulators.exchange.generator import Trades

CHUNK_S = CHUNK_NS // NS_PER_S


class ChunkCache:
    """The most recently used chunks of all pairs.

    :param max_trades: number of trades kept; 8 million take about 200 MB
    """

    def __init__(self, max_trades: int = 8_000_000) -> None:
        self._max_trades = max_trades
        self._n_trades = 0
        self._chunks: OrderedDict[tuple[str, int], Trades] = OrderedDict()

    def get(self, ticker: str, chunk: int) -> Trades | None:
        """Return a chunk if it is still there."""
        found = self._chunks.get((ticker, chunk))
        if found is not None:
            self._chunks.move_to_end((ticker, chunk))
        return found

    def put(self, ticker: str, chunk: int, trades: Trades) -> None:
        """Keep a chunk, forgetting others that were not used for longest."""
        self._chunks[ticker, chunk] = trades
        self._n_trades += len(trades)
        while self._n_trades > self._max_trades and len(self._chunks) > 1:
            _, dropped = self._chunks.popitem(last=False)
            self._n_trades -= len(dropped)

    def forget(self, ticker: str) -> None:
        """Drop every chunk of a pair."""
        for key in [key for key in self._chunks if key[0] == ticker]:
            self._n_trades -= len(self._chunks.pop(key))


class Tape:
    """All trades of one pair.

    :param pair: the pair
    :param seed: the market's seed
    :param cache: where made chunks are kept
    """

    def __init__(self, pair: Pair, seed: int, cache: ChunkCache) -> None:
        self.pair = pair
        self._seed = seed
        self._cache = cache
        self._first_chunk = pair.listed_s * NS_PER_S // CHUNK_NS
        self._quiet_ns: list[tuple[int, int]] = []
        self._forget()

    def silence(self, start_ns: int, end_ns: int) -> None:
        """Take the trades of ``[start_ns, end_ns)`` out of history; the ids close up."""
        self._quiet_ns.append((start_ns, end_ns))
        self._forget()

    def restore(self) -> None:
        """Bring every trade taken out back."""
        if self._quiet_ns:
            self._quiet_ns.clear()
            self._forget()

    def between(self, start_ns: int, end_ns: int) -> Trades:
        """Return the trades with a time in ``[start_ns, end_ns)``."""
        first = max(self._first_chunk, start_ns // CHUNK_NS)
        last = max(first, (end_ns - 1) // CHUNK_NS)
        return joined([self._chunk(number).within(start_ns, end_ns) for number in range(first, last + 1)])

    def after(self, since_ns: int, limit: int, now_ns: int) -> tuple[int, Trades]:
        """Return the oldest trades later than a cursor.

        :param since_ns: cursor, exclusive, epoch ns
        :param limit: most trades wanted
        :param now_ns: newest time allowed, inclusive
        :return: id of the first of them, and the trades
        """
        number = max(self._first_chunk, min(since_ns, now_ns) // CHUNK_NS)
        chunk = self._chunk(number)
        skipped = int(np.searchsorted(chunk.times_ns, since_ns, side="right"))
        first_id = self._n_before(number) + skipped + 1
        parts = [chunk.part(skipped, skipped + limit)]
        n_found = len(parts[0])
        while n_found < limit and (number + 1) * CHUNK_NS <= now_ns:
            number += 1
            parts.append(self._chunk(number).part(0, limit - n_found))
            n_found += len(parts[-1])
        found = joined(parts)
        return first_id, found.part(0, int(np.searchsorted(found.times_ns, now_ns, side="right")))

    def newest(self, limit: int, now_ns: int) -> tuple[int, Trades]:
        """Return the newest trades.

        :param limit: most trades wanted
        :param now_ns: newest time allowed, inclusive
        :return: id of the first of them, and the trades, ascending
        """
        number = max(self._first_chunk, now_ns // CHUNK_NS)
        found = self._chunk(number).within(0, now_ns + 1)
        while len(found) < limit and number > self._first_chunk:
            number -= 1
            found = joined([self._chunk(number), found])
        skipped = max(0, len(found) - limit)
        return self._n_before(number) + skipped + 1, found.part(skipped, len(found))

    def price_before(self, moment_ns: int) -> int | None:
        """Return the price of the last trade before a moment, in price units; None if there is none."""
        for number in range(moment_ns // CHUNK_NS, self._first_chunk - 1, -1):
            earlier = self._chunk(number).within(0, moment_ns)
            if len(earlier):
                return int(earlier.prices[-1])
        return None

    def bars(self, start_s: int, end_s: int, step_s: int, now_ns: int) -> Bars:
        """Return the traded candles that open in ``[start_s, end_s)``, of trades not later than now.

        :param start_s: on the grid of the interval, epoch seconds
        :param end_s: epoch seconds
        :param step_s: candle length, seconds
        :param now_ns: newest time allowed, inclusive
        """
        start_s = max(start_s, self.pair.listed_s // step_s * step_s)
        stop_ns = min(-(-end_s // step_s) * step_s * NS_PER_S, now_ns + 1)
        if start_s * NS_PER_S >= stop_ns:
            return candles.chained([])
        if step_s < DAY_S:
            return candles.from_trades(self.between(start_s * NS_PER_S, stop_ns), step_s)
        return self._from_days(start_s, stop_ns, step_s)

    def _from_days(self, start_s: int, stop_ns: int, step_s: int) -> Bars:
        today_s = stop_ns // NS_PER_S // DAY_S * DAY_S
        first = max(self._first_chunk, start_s // CHUNK_S)
        parts = [self._days(number) for number in range(first, (today_s - 1) // CHUNK_S + 1)]
        whole_days = candles.chained(parts).within(start_s, today_s)
        last_day_ns = max(start_s, today_s) * NS_PER_S
        last_day = candles.from_trades(self.between(last_day_ns, max(stop_ns, last_day_ns + 1)), DAY_S)
        return candles.coarser(candles.chained([whole_days, last_day.within(start_s, stop_ns)]), step_s)

    def _chunk(self, number: int) -> Trades:
        found = self._cache.get(self.pair.ticker, number)
        if found is None:
            found = chunk_trades(self.pair, self._seed, number)
            for start_ns, end_ns in self._quiet_ns:
                found = found.where((found.times_ns < start_ns) | (found.times_ns >= end_ns))
            self._cache.put(self.pair.ticker, number, found)
        return found

    def _days(self, number: int) -> Bars:
        found = self._day_bars.get(number)
        if found is None:
            found = self._day_bars[number] = candles.from_trades(self._chunk(number), DAY_S)
        return found

    def _n_before(self, number: int) -> int:
        """Return how many trades the pair has before a chunk."""
        while len(self._n_through) <= number - self._first_chunk:
            self._n_through.append(
                self._n_through[-1] + self._n_in(self._first_chunk + len(self._n_through) - 1)
            )
        return self._n_through[number - self._first_chunk]

    def _n_in(self, number: int) -> int:
        start_ns = number * CHUNK_NS
        is_changed = any(start < start_ns + CHUNK_NS and end > start_ns for start, end in self._quiet_ns)
        if number == self._first_chunk or is_changed:
            return len(self._chunk(number))
        return int(hourly_counts(self.pair, self._seed, number).sum())

    def _forget(self) -> None:
        self._day_bars: dict[int, Bars] = {}
        self._n_through = [0]
        self._cache.forget(self.pair.ticker)
