"""The candle and the trade as Kraken sends them, and what a traded candle of any source must satisfy."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 (dataclass fields are inspected at run time)
from typing import Any, Final, NamedTuple, overload

PRICES: Final = ("open", "high", "low", "close")
HIGHEST_PRICE: Final = 1e12
LARGEST_VOLUME: Final = 1e18
MOST_TRADES: Final = 1_000_000_000
LARGEST: Final = sys.float_info.max
"""Compared with, since that tells infinite and NaN from a number in Python and in polars alike."""


def requirements(figures: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """Return what must hold of a traded candle: the one table of soundness, for all sources.

    The vwap is not in it: one that lies outside of low and high is absent, and spoils nothing else.

    :param figures: ``open``, ``high``, ``low``, ``close`` in quote units, ``volume`` in base units,
        ``trades``; numbers, or polars expressions
    :return: each requirement, a bool or an expression, with what is wrong when it does not hold; the first
        that does not hold is to be told
    """
    sums = (*PRICES, "volume")
    opened, high, low, close, volume = (figures[name] for name in sums)
    trades = figures["trades"]
    found = [((figures[n] >= -LARGEST) & (figures[n] <= LARGEST), f"{n} is not finite") for n in sums]
    for name in PRICES:
        found.append((figures[name] > 0, f"{name} is not above zero"))
        found.append((figures[name] <= HIGHEST_PRICE, f"{name} is impossibly high"))
    return [
        *found,
        (volume > 0, "volume is not above zero"),
        (volume <= LARGEST_VOLUME, "volume is impossibly large"),
        (trades >= 1, "trades is less than one"),
        (trades <= MOST_TRADES, "trades is impossibly large"),
        ((high >= opened) & (high >= close) & (high >= low), "high is not the highest"),
        ((low <= opened) & (low <= close), "low is not the lowest"),
    ]


def fault_of(figures: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the figures of a traded candle, or None.

    :param figures: numbers, see :func:`requirements`
    """
    return next((what for holds, what in requirements(figures) if not holds), None)


INTERVALS: Final = frozenset({1, 5, 15, 30, 60, 240, 1440, 10080, 21600})
"""Candle lengths Kraken offers, minutes (REST reference, "Get OHLC Data"); there is no 720."""


@dataclass(frozen=True, slots=True)
class Candle:
    """One bucket of an OHLC answer; ``trades == 0`` marks a bucket without trades.

    :ivar ts_s: open time, epoch seconds UTC, a multiple of the interval's seconds
    :ivar open: price of the first trade, quote units
    :ivar high: highest price, quote units
    :ivar low: lowest price, quote units
    :ivar close: price of the last trade, quote units
    :ivar vwap: volume-weighted price, truncated to the pair's decimals; zero without trades
    :ivar volume: base units, >= 0
    :ivar trades: number of trades, >= 0
    """

    ts_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    trades: int


class OddRow(NamedTuple):
    """A row of an OHLC answer that cannot be used.

    :ivar what: the row and why, a sentence
    :ivar ts_s: open time of the bucket it touches, epoch seconds UTC; None when its time cannot be read, so
        that any bucket without a row may be the one
    """

    what: str
    ts_s: int | None


@dataclass(frozen=True, slots=True)
class OhlcAnswer:
    """One answer of Kraken's OHLC call.

    :ivar ticker: altname that was asked for
    :ivar interval_minutes: candle length, minutes
    :ivar committed: rows up to and including ``last_s``, ascending by ``ts_s``, unique; count-0 rows included
    :ivar running: the uncommitted bucket, if the answer had one
    :ivar last_s: open time of the newest committed bucket, epoch seconds UTC
    :ivar n_rows: rows as sent
    :ivar odd: rows left out because they cannot be used
    :ivar notes: what else was ignored or is worth a warning, a sentence each
    :ivar is_on_grid: whether the rows themselves show that the interval is the one asked for; without that,
        they prove nothing
    """

    ticker: str
    interval_minutes: int
    committed: tuple[Candle, ...]
    running: Candle | None
    last_s: int
    n_rows: int = 0
    odd: tuple[OddRow, ...] = ()
    notes: tuple[str, ...] = ()
    is_on_grid: bool = True


class Trade(NamedTuple):
    """One trade; the identity is ``trade_id`` alone (equal price, volume and time do occur).

    :ivar trade_id: Kraken's number, per pair, from 1; ``None`` in old six-field rows
    :ivar price: quote units, > 0
    :ivar volume: base units, > 0
    :ivar time_s: epoch seconds UTC, as precise as sent (up to 7 decimals)
    """

    trade_id: int | None
    price: Decimal
    volume: Decimal
    time_s: Decimal


class Trades(Sequence[Trade]):
    """Trades in columns: millions of them pass through without an object each.

    :ivar ids: Kraken's numbers, or None in old six-field rows
    :ivar prices: quote units
    :ivar volumes: base units
    :ivar times: epoch seconds UTC
    """

    __slots__ = ("ids", "prices", "times", "volumes")

    def __init__(
        self,
        ids: Sequence[int | None],
        prices: Sequence[Decimal],
        volumes: Sequence[Decimal],
        times: Sequence[Decimal],
    ) -> None:
        self.ids = ids
        self.prices = prices
        self.volumes = volumes
        self.times = times

    @classmethod
    def of(cls, trades: Sequence[Trade]) -> Trades:
        """Return trades in columns.

        :param trades: any number
        """
        if isinstance(trades, Trades):
            return trades
        columns = list(zip(*trades, strict=True)) or [()] * 4
        return cls(*columns)

    def __len__(self) -> int:
        """Return the number of trades."""
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Trade: ...

    @overload
    def __getitem__(self, index: slice) -> Trades: ...

    def __getitem__(self, index: int | slice) -> Trade | Trades:
        """Return one trade, or some of them in columns."""
        if isinstance(index, slice):
            return Trades(self.ids[index], self.prices[index], self.volumes[index], self.times[index])
        return Trade(self.ids[index], self.prices[index], self.volumes[index], self.times[index])

    def __iter__(self) -> Iterator[Trade]:
        """Yield one trade after the other."""
        return map(Trade._make, zip(self.ids, self.prices, self.volumes, self.times, strict=True))

    def __eq__(self, other: object) -> bool:
        """Return whether the other holds the same trades, in columns or not."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # compared by value

    def __repr__(self) -> str:
        """Return the trades one by one."""
        return f"Trades({list(self)!r})"


class OddTrade(NamedTuple):
    """A trade that cannot be used, and where it may lie.

    :ivar what: the trade and why, a sentence
    :ivar since_s: epoch seconds UTC; None = after the last trade before the page
    :ivar until_s: epoch seconds UTC, inclusive; None = before the first trade after the page
    """

    what: str
    since_s: Decimal | None
    until_s: Decimal | None


@dataclass(frozen=True, slots=True)
class TradesPage:
    """One page of Kraken's Trades call.

    :ivar trades: ascending by time and id, at most 1000
    :ivar last_ns: cursor for the next page, epoch nanoseconds
    :ivar notes: what was ignored, a sentence each
    :ivar odd: trades left out because they cannot be used
    :ivar n_rows: trades as sent, so that a page with odd ones is still known to be full
    """

    trades: Sequence[Trade]
    last_ns: int
    notes: tuple[str, ...] = ()
    odd: tuple[OddTrade, ...] = ()
    n_rows: int = 0

    @property
    def size(self) -> int:
        """Return the number of trades as sent."""
        return max(self.n_rows, len(self.trades))


@dataclass(frozen=True, slots=True)
class AssetPair:
    """One pair of Kraken's AssetPairs answer.

    :ivar ticker: altname, the identity everywhere in this project
    :ivar internal_name: Kraken's key of the pair, for example ``XXBTZUSD``
    :ivar base: Kraken's base asset code; empty when absent
    :ivar quote: Kraken's quote asset code; empty when absent
    :ivar pair_decimals: decimals of prices, None when absent
    :ivar status: ``online`` or another state as sent; ``online`` when absent
    :ivar wsname: name for people, for example ``XBT/USD``; empty when absent
    """

    ticker: str
    internal_name: str
    base: str
    quote: str
    pair_decimals: int | None
    status: str
    wsname: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Return the names under which Kraken answers for the pair."""
        return frozenset({self.ticker, self.internal_name, self.wsname} - {""})


class AssetPairs(dict[str, AssetPair]):
    """The pairs of an AssetPairs answer, by ticker.

    :ivar odd: what is wrong with entries that cannot be used, a sentence each, by altname, or by Kraken's key
        where the altname cannot be read
    """

    def __init__(self, pairs: Mapping[str, AssetPair], odd: Mapping[str, str] | None = None) -> None:
        super().__init__(pairs)
        self.odd: Mapping[str, str] = odd or {}


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """Kraken's SystemStatus answer.

    :ivar status: ``online``, ``maintenance``, ``cancel_only`` or ``post_only``
    :ivar timestamp: as sent, ISO 8601; None when absent
    """

    status: str
    timestamp: str | None
