"""The trade as Kraken sends it; millions of them pass in columns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple, overload

from kraken_ohlcv.core.ranges import Range


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


def follows(trades: Trades, last_id: int | None) -> bool:
    """Return whether the ids of some trades are contiguous among themselves and with the trade before.

    :param trades: ascending
    :param last_id: id of the trade before, or None without one
    :return: True also for trades without ids: nothing is known about those
    """
    first = trades.ids[0] if trades else None
    if first is None:
        return True
    first = first if last_id is None else last_id + 1
    return list(trades.ids) == list(range(first, first + len(trades)))


def id_span(trades: Sequence[Trade], span: Range) -> tuple[int, int] | None:
    """Return the numbers of the first and the last trade of a range.

    :param trades: ascending by time
    :param span: half-open, epoch seconds UTC
    :return: None when none of them is numbered, or lies in the range
    """
    columns = Trades.of(trades)
    first, end = (bisect_left(columns.times, moment_s) for moment_s in span)
    ids = [one for one in columns.ids[first:end] if one is not None]
    return (ids[0], ids[-1]) if ids else None
