"""The simulated exchange: its pairs, their states and their tapes, under one clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.exchange.answers import UNKNOWN_PAIR, RefusedError
from simulators.exchange.catalogue import ALIASES, listed_pairs, synthetic_pair
from simulators.exchange.generator import NS_PER_S
from simulators.exchange.tape import ChunkCache, Tape

if TYPE_CHECKING:
    from datetime import date

    from simulators.exchange.catalogue import Pair
    from simulators.exchange.clock import Clock

DELISTED = "delisted"
VANISHED = "vanished"
"""No status of Kraken's: what it no longer shows at all."""
STATUSES = frozenset({
    "online",
    "cancel_only",
    "post_only",
    "limit_only",
    "reduce_only",
    "maintenance",
    "work_in_progress",
    DELISTED,
    VANISHED,
})


def _names(pair: Pair) -> set[str]:
    """Return the names that a request may use for a pair."""
    return {pair.ticker, pair.internal_name, pair.wsname, pair.display_name}


class Market:
    """All pairs of the simulated exchange.

    :param seed: decides every trade
    :param anchor: day from which listing dates count back
    :param clock: the exchange's time; nothing later is ever shown
    """

    def __init__(self, seed: int, anchor: date, clock: Clock) -> None:
        self.clock = clock
        self._seed = seed
        self._anchor = anchor
        self._cache = ChunkCache()
        self._tapes: dict[str, Tape] = {}
        self._ticker_by_name = dict(ALIASES)
        self._statuses: dict[str, str] = {}
        self._n_synthetic = 0
        self.pairs: dict[str, Pair] = {}
        for pair in listed_pairs(seed, anchor).values():
            self._add(pair)

    def status(self, ticker: str) -> str:
        """Return the trading status of a pair, ``vanished`` for one that has gone."""
        return self._statuses.get(ticker, "online")

    def set_status(self, ticker: str, status: str) -> None:
        """Give a pair another trading status.

        :raises ValueError: if the pair or the status is unknown
        """
        self.tape(ticker)
        if status not in STATUSES:
            msg = f"status {status!r} is none of {', '.join(sorted(STATUSES))}"
            raise ValueError(msg)
        self._statuses[ticker] = status

    def public_pairs(self) -> list[Pair]:
        """Return the pairs that the exchange shows now: listed already and not gone; delisted ones, too."""
        return [pair for pair in self.pairs.values() if self._is_public(pair)]

    def find(self, name: str) -> Tape:
        """Return the tape of a pair by any name Kraken accepts in a request.

        :param name: altname, internal name or alias
        :raises RefusedError: if no such pair is shown now, or its candles and trades are no longer served
        """
        ticker = self._ticker_by_name.get(name)
        if ticker is None or not self._is_public(self.pairs[ticker]) or self.status(ticker) == DELISTED:
            raise RefusedError(UNKNOWN_PAIR)
        return self._tapes[ticker]

    def tape(self, ticker: str) -> Tape:
        """Return the tape of a pair whatever its status.

        :raises ValueError: if there never was such a pair
        """
        if ticker not in self._tapes:
            msg = f"ticker {ticker!r} is not in this market"
            raise ValueError(msg)
        return self._tapes[ticker]

    def add_synthetic(self, count: int) -> list[str]:
        """List so many more small pairs and return their tickers."""
        numbers = range(self._n_synthetic + 1, self._n_synthetic + count + 1)
        self._n_synthetic += count
        return [self._add(synthetic_pair(number, self._seed, self._anchor)) for number in numbers]

    def restore_quiet(self) -> None:
        """Bring back all trades taken out of history."""
        for tape in self._tapes.values():
            tape.restore()

    def reset(self) -> None:
        """Undo everything done to the market since it was made."""
        self.restore_quiet()
        self._statuses.clear()
        for number in range(1, self._n_synthetic + 1):
            ticker = synthetic_pair(number, self._seed, self._anchor).ticker
            for name in _names(self.pairs[ticker]):
                del self._ticker_by_name[name]
            del self.pairs[ticker], self._tapes[ticker]
            self._cache.forget(ticker)
        self._n_synthetic = 0

    def _add(self, pair: Pair) -> str:
        self.pairs[pair.ticker] = pair
        self._tapes[pair.ticker] = Tape(pair, self._seed, self._cache)
        self._ticker_by_name |= dict.fromkeys(_names(pair), pair.ticker)
        return pair.ticker

    def _is_public(self, pair: Pair) -> bool:
        is_listed = pair.listed_s * NS_PER_S <= self.clock.now_ns()
        return is_listed and self.status(pair.ticker) != VANISHED
