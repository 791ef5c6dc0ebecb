"""The candle and the trade as Kraken sends them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 (dataclass fields are inspected at run time)
from typing import NamedTuple


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


@dataclass(frozen=True, slots=True)
class OhlcAnswer:
    """One answer of Kraken's OHLC call.

    :ivar ticker: altname that was asked for
    :ivar interval_minutes: candle length, minutes
    :ivar committed: rows up to and including ``last_s``, ascending by ``ts_s``, unique; count-0 rows included
    :ivar running: the uncommitted bucket, if the answer had one
    :ivar last_s: open time of the newest committed bucket, epoch seconds UTC
    """

    ticker: str
    interval_minutes: int
    committed: tuple[Candle, ...]
    running: Candle | None
    last_s: int


class Trade(NamedTuple):
    """One trade; the identity is ``trade_id`` alone (equal price, volume and time do occur).

    A tuple, because millions of them are made.

    :ivar trade_id: Kraken's number, per pair, from 1; ``None`` in old six-field rows
    :ivar price: quote units
    :ivar volume: base units
    :ivar time_s: epoch seconds UTC, as precise as sent (up to 7 decimals)
    """

    trade_id: int | None
    price: Decimal
    volume: Decimal
    time_s: Decimal


@dataclass(frozen=True, slots=True)
class TradesPage:
    """One page of Kraken's Trades call.

    :ivar trades: ascending by time and id, at most 1000
    :ivar last_ns: cursor for the next page, epoch nanoseconds
    """

    trades: tuple[Trade, ...]
    last_ns: int


@dataclass(frozen=True, slots=True)
class AssetPair:
    """One pair of Kraken's AssetPairs answer.

    :ivar ticker: altname, the identity everywhere in this project
    :ivar internal_name: Kraken's key of the pair, for example ``XXBTZUSD``
    :ivar base: Kraken's base asset code
    :ivar quote: Kraken's quote asset code
    :ivar pair_decimals: decimals of prices
    :ivar status: ``online`` or another state as sent; ``online`` when absent
    """

    ticker: str
    internal_name: str
    base: str
    quote: str
    pair_decimals: int
    status: str


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """Kraken's SystemStatus answer.

    :ivar status: ``online``, ``maintenance``, ``cancel_only`` or ``post_only``
    :ivar timestamp: as sent, ISO 8601
    """

    status: str
    timestamp: str
