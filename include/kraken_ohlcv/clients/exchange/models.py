"""What Kraken's answers hold, once they are read and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kraken_ohlcv.core.candle import Candle, OddRow
from kraken_ohlcv.core.trade import OddTrade, Trade


@dataclass(frozen=True, slots=True)
class OhlcAnswer:
    """One answer of Kraken's OHLC call.

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

    interval_minutes: int
    committed: tuple[Candle, ...]
    running: Candle | None
    last_s: int
    n_rows: int = 0
    odd: tuple[OddRow, ...] = ()
    notes: tuple[str, ...] = ()
    is_on_grid: bool = True


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
