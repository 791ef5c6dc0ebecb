"""From a stream of trades to the candles of several intervals, exactly, in constant memory; pure.

Trades are gathered into buckets of the longest length that divides all intervals, and those into the candles
of each interval. All sums are exact decimals; a candle is finished only when its whole span was looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, localcontext
from itertools import pairwise
from math import gcd
from operator import attrgetter, mul
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import TRADES, StoredCandle, vwap_within
from kraken_ohlcv.core.intervals import MINUTE_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.trade import OddTrade, Trade, Trades, follows

EXACT: Final = Context(prec=400, traps=[Inexact, InvalidOperation, DivisionByZero])
"""Sums and products of any numbers that a reply may hold; never rounded."""

ZERO: Final = Decimal(0)

TRUNCATE: Final = Context(prec=100, rounding=ROUND_DOWN)
"""Kraken cuts a volume-weighted price off, it does not round it (measured)."""


class Bucket(NamedTuple):
    """Trades of one stretch of time, summed up.

    :ivar ts_s: open time, epoch seconds UTC
    :ivar open: price of the first trade, quote units
    :ivar high: quote units
    :ivar low: quote units
    :ivar close: price of the last trade, quote units
    :ivar volume: base units
    :ivar notional: sum of price times volume, quote units
    :ivar trades: number of trades, >= 1
    :ivar finest: most decimals of any price, or 0 where none has more than the pair has today
    """

    ts_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    notional: Decimal
    trades: int
    finest: int = 0

    def joined(self, later: Bucket) -> Bucket:
        """Return this bucket with a later one added, under the exact context.

        :param later: trades after those of this one
        """
        return Bucket(
            self.ts_s,
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.volume + later.volume,
            self.notional + later.notional,
            self.trades + later.trades,
            max(self.finest, later.finest),
        )

    def candle(self, decimals: int) -> StoredCandle:
        """Return the candle to store.

        :param decimals: digits of the pair's prices today; to these, or to those of the bucket's own prices
            where they are finer, the volume-weighted price is cut off
        Rule: decimals of pairs were cut in the past, and a price cut off to fewer than the lowest one has
        would lie below it.
        """
        low, high = float(self.low), float(self.high)
        finest = max(decimals, self.finest, *map(_decimals, (self.open, self.high, self.low, self.close)))
        exact = TRUNCATE.divide(self.notional, self.volume)
        vwap = float(TRUNCATE.quantize(exact, Decimal(1).scaleb(-finest)))
        return StoredCandle(
            ts_s=self.ts_s,
            open=float(self.open),
            high=high,
            low=low,
            close=float(self.close),
            vwap=vwap_within(low, vwap, high),
            volume=float(self.volume),
            trades=self.trades,
            source=TRADES,
        )


@dataclass(frozen=True, slots=True)
class Built:
    """What has been finished of one interval.

    :ivar covered: every bucket of it was looked at, half-open, epoch seconds UTC
    :ivar candles: its traded buckets, ascending
    :ivar doubtful: buckets of it that a trade may be missing from, on the grid, range set
    :ivar spoilt: buckets of it that a trade lies in, or may lie in, which cannot be used: nothing is known of
        them, and none is among the candles; on the grid, range set
    """

    covered: Range
    candles: list[StoredCandle]
    doubtful: list[Range]
    spoilt: list[Range] = field(default_factory=list)

    def since(self, start_s: int) -> Built | None:
        """Return what lies at a time or after it; None when that is nothing.

        :param start_s: on the grid, epoch seconds UTC
        """
        begin_s, end_s = max(start_s, self.covered[0]), self.covered[1]
        if begin_s >= end_s:
            return None
        return Built(
            (begin_s, end_s),
            self.candles[bisect_left(self.candles, begin_s, key=attrgetter("ts_s")) :],
            ranges.intersect(self.doubtful, [(begin_s, end_s)]),
            ranges.intersect(self.spoilt, [(begin_s, end_s)]),
        )


class _Level:
    """The candles of one interval."""

    __slots__ = ("bucket", "covered_s", "done", "end_s", "step")

    def __init__(self, interval_minutes: int, span: Range) -> None:
        self.step = step_s(interval_minutes)
        self.covered_s = -(-span[0] // self.step) * self.step
        self.end_s = max(self.covered_s, span[1] // self.step * self.step)
        self.bucket: Bucket | None = None
        self.done: list[Bucket] = []

    def add(self, part: Bucket) -> None:
        if not self.covered_s <= part.ts_s < self.end_s:
            return
        ts_s = part.ts_s // self.step * self.step
        if self.bucket is not None and self.bucket.ts_s == ts_s:
            self.bucket = self.bucket.joined(part)
            return
        if self.bucket is not None:
            self.done.append(self.bucket)
        self.bucket = part._replace(ts_s=ts_s)

    def take(self, reached_s: int, doubts: Sequence[Range], spoilt: Sequence[Range], decimals: int) -> Built:
        if self.bucket is not None and self.bucket.ts_s + self.step <= reached_s:
            self.done.append(self.bucket)
            self.bucket = None
        covered = (self.covered_s, max(self.covered_s, min(self.end_s, reached_s // self.step * self.step)))
        unusable = self._touched(spoilt, covered)
        candles = [
            bucket.candle(decimals)
            for bucket in self.done
            if not unusable or not ranges.intersect(unusable, [(bucket.ts_s, bucket.ts_s + 1)])
        ]
        self.done, self.covered_s = [], covered[1]
        return Built(covered, candles, self._touched(doubts, covered), unusable)

    def _touched(self, parts: Sequence[Range], covered: Range) -> list[Range]:
        """Return the buckets of a range that some parts touch."""
        return ranges.intersect(ranges.widened(parts, step=self.step), [covered])


@dataclass(slots=True)
class _Progress:
    """How far a builder has come; as JSON in the ledger, so that another process can go on.

    :ivar span: range wanted, epoch seconds UTC
    :ivar decimals: digits of the pair's prices
    :ivar reached_s: up to when all trades were seen, epoch seconds UTC
    :ivar part: bucket of the shortest length that is being gathered
    :ivar last_id: of the last trade
    :ivar last_s: time of the last trade, epoch seconds UTC
    :ivar doubts: where a trade may be missing, range set
    :ivar spoilt: where a trade lies, or may lie, which cannot be used, range set; 0.1.0 knows none: a walk
        would have ended there
    :ivar odd_since_s: from when on such a trade may lie, until the next trade; None = there is none
    :ivar levels: by interval: up to when it was taken, and its unfinished bucket; filled in for the ledger
    """

    span: Range
    decimals: int
    reached_s: int
    part: Bucket | None = None
    last_id: int | None = None
    last_s: Decimal | None = None
    doubts: list[Range] = field(default_factory=list)
    spoilt: list[Range] = field(default_factory=list)
    odd_since_s: int | None = None
    levels: dict[int, tuple[int, Bucket | None]] = field(default_factory=dict)


PROGRESS: Final = TypeAdapter(_Progress)


class CandleBuilder:
    """Builds the candles of a range from its trades, which are given page by page.

    :param intervals: candle lengths, minutes
    :param span: range wanted, epoch seconds UTC; of each interval the buckets that lie wholly in it are built
    :param decimals: digits of the pair's prices
    """

    def __init__(self, intervals: Sequence[int], span: Range, *, decimals: int) -> None:
        self._step = gcd(*intervals) * MINUTE_S
        self._levels = {interval: _Level(interval, span) for interval in sorted(intervals)}
        self._unit = Decimal(1).scaleb(-decimals)
        self._at = _Progress(span, decimals, reached_s=span[0])

    @property
    def span(self) -> Range:
        """Return the range wanted, epoch seconds UTC."""
        return self._at.span

    @property
    def intervals(self) -> set[int]:
        """Return the candle lengths that are built, minutes."""
        return set(self._levels)

    @property
    def is_complete(self) -> bool:
        """Return whether every bucket of the range was looked at."""
        return self._at.reached_s >= self._at.span[1]

    @property
    def reached_s(self) -> int:
        """Return up to when all trades were seen, epoch seconds UTC, inside the range."""
        return min(self._at.reached_s, self._at.span[1])

    def add(self, page: Sequence[Trade], odd: Sequence[OddTrade] = ()) -> None:
        """Take the trades that follow those taken so far.

        The first trades may lie before the range: one such trade proves that none is missing at its start.

        :param page: ascending by time, none of them taken before
        :param odd: trades of the page that cannot be used: what they touch is not finished
        """
        if page and self._at.odd_since_s is not None:
            self._spoil(self._at.odd_since_s, page[0].time_s)
            self._at.odd_since_s = None
        for one in odd:
            self._note_odd(one)
        if not page:
            return
        trades = Trades.of(page)
        self._note_doubts(trades)
        # The work on each trade is done by built-in functions.
        prices, sizes, times = trades.prices, trades.volumes, trades.times
        end = bisect_left(times, self._at.span[1])
        at = bisect_left(times, self._at.span[0], 0, end)
        with localcontext(EXACT):
            while at < end:
                ts_s = int(times[at]) // self._step * self._step
                upto = bisect_left(times, ts_s + self._step, at, end)
                self._gather(ts_s, prices[at:upto], sizes[at:upto])
                at = upto
            if end < len(trades):
                self._close()
        self._at.last_id, self._at.last_s = trades[-1].trade_id, trades[-1].time_s
        self._at.reached_s = max(self._at.reached_s, int(trades[-1].time_s))

    def reach(self, moment_s: int) -> None:
        """Note that the newest trade was seen, and that nothing else has traded before a moment.

        :param moment_s: epoch seconds UTC, at or before the exchange's time
        """
        # No trade behind it bears out that none is missing.
        self._doubt(self._at.span[0] if self._at.last_s is None else self._at.last_s, Decimal(moment_s))
        if self._at.odd_since_s is not None:
            self._spoil(self._at.odd_since_s, Decimal(moment_s))
        self._at.reached_s = max(self._at.reached_s, moment_s)
        if self._at.part is not None and self._at.part.ts_s + self._step <= self._at.reached_s:
            with localcontext(EXACT):
                self._close()

    def take(self) -> dict[int, Built]:
        """Return what has been finished since this was last asked, by interval."""
        built = {
            interval: level.take(self._at.reached_s, self._at.doubts, self._at.spoilt, self._at.decimals)
            for interval, level in self._levels.items()
        }
        oldest_s = self.oldest_s
        self._at.doubts = [doubt for doubt in self._at.doubts if doubt[1] > oldest_s]
        self._at.spoilt = [part for part in self._at.spoilt if part[1] > oldest_s]
        return built

    @property
    def oldest_s(self) -> int:
        """Return up to where the candles of every length are finished, epoch seconds UTC."""
        return min(level.covered_s for level in self._levels.values())

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on in another process; nothing may wait to be taken."""
        levels = {interval: (level.covered_s, level.bucket) for interval, level in self._levels.items()}
        state: dict[str, Any] = PROGRESS.dump_python(replace(self._at, levels=levels), mode="json")
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CandleBuilder:
        """Return the builder that a state was taken from.

        :param state: as :meth:`state` returned it, through JSON
        """
        progress = PROGRESS.validate_python(state)
        builder = cls(list(progress.levels), progress.span, decimals=progress.decimals)
        builder._at = progress
        for interval, (covered_s, bucket) in progress.levels.items():
            level = builder._levels[interval]
            level.covered_s, level.bucket = covered_s, bucket
        return builder

    def lacks(self, interval_minutes: int, wanted: Sequence[Range]) -> bool:
        """Return whether going on from here would leave out something.

        :param wanted: what is to be built of it, epoch seconds UTC, range set
        """
        level = self._levels.get(interval_minutes)
        ahead = [] if level is None else [(level.covered_s, level.end_s)]
        return bool(ranges.subtract(wanted, ahead))

    def _gather(self, ts_s: int, prices: Sequence[Decimal], sizes: Sequence[Decimal]) -> None:
        """Add trades of one bucket of the shortest length."""
        part = Bucket(
            ts_s,
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            sum(sizes, ZERO),
            sum(map(mul, prices, sizes), ZERO),
            len(prices),
            max(map(_decimals, set(prices))) if any(map(self._unit.__rmod__, prices)) else 0,
        )
        if self._at.part is not None and self._at.part.ts_s == ts_s:
            self._at.part = self._at.part.joined(part)
            return
        self._close()
        self._at.part = part

    def _close(self) -> None:
        """Hand the bucket of the shortest length on to the candles."""
        if self._at.part is not None:
            for level in self._levels.values():
                level.add(self._at.part)
            self._at.part = None

    def _note_doubts(self, trades: Trades) -> None:
        """Remember where trades may be missing: where ids jump, begin anew, or are not there at all."""
        is_proven = follows(trades, self._at.last_id) and trades[0].trade_id is not None
        if self._at.last_s is None:
            first = trades[0]
            if first.time_s >= self._at.span[0] and first.trade_id != 1:
                self._doubt(self._at.span[0], first.time_s)
        elif is_proven and self._at.last_id is None:
            self._doubt(self._at.last_s, trades[0].time_s)
        if is_proven:
            return
        if self._at.last_s is not None and (
            self._at.last_id is None or trades[0].trade_id != self._at.last_id + 1
        ):
            self._doubt(self._at.last_s, trades[0].time_s)
        for earlier, later in pairwise(trades):
            if earlier.trade_id is None or later.trade_id != earlier.trade_id + 1:
                self._doubt(earlier.time_s, later.time_s)

    def _note_odd(self, odd: OddTrade) -> None:
        """Remember what a trade that cannot be used touches, or may touch."""
        since_s = self._at.last_s if odd.since_s is None else odd.since_s
        start_s = self._at.span[0] if since_s is None else int(since_s)
        if odd.until_s is not None:
            self._spoil(start_s, odd.until_s)
        elif self._at.odd_since_s is None or start_s < self._at.odd_since_s:
            self._at.odd_since_s = start_s

    def _spoil(self, start_s: int, end_s: Decimal) -> None:
        self._at.spoilt = ranges.union(self._at.spoilt, [(start_s, int(end_s) + 1)])

    def _doubt(self, start_s: Decimal | int, end_s: Decimal) -> None:
        # One second more, so that the bucket of the later trade is in doubt with the others.
        self._at.doubts = ranges.union(self._at.doubts, [(int(start_s), int(end_s) + 1)])


def _decimals(price: Decimal) -> int:
    """Return how many decimals a price has; Trades pads them with zeros."""
    return -int(TRUNCATE.normalize(price).as_tuple().exponent)
