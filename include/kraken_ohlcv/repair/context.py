"""What a fill works with, and what it has written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.run import RunKey
    from kraken_ohlcv.stores.ledger.session import Connection

CALLS_AT_A_STRETCH: Final = 60
"""Calls of one task before it gives the slot of the exchange's pool back: Airflow never preempts."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a fill works with.

    :ivar connection: the ledger
    :ivar kraken: client of the exchange, new for each execution of a task
    :ivar questdb: client of the candle store
    :ivar run: the run
    :ivar now_s: the exchange's time that the run works with, epoch seconds UTC
    :ivar stretch: calls that may be made before others have their turn, >= 1
    """

    connection: Connection
    kraken: KrakenClient
    questdb: QuestDBClient
    run: RunKey
    now_s: int
    stretch: int = CALLS_AT_A_STRETCH

    @property
    def calls_left(self) -> int:
        """Return how many calls may still be made before others have their turn, attempts included, >= 0."""
        return max(0, self.stretch - self.kraken.calls)


@dataclass(frozen=True, slots=True)
class Writing:
    """Candles written for a series.

    :ivar stored: all candles now stored in the answer's range, by open time
    :ivar new: open times that were missing before, ascending
    :ivar versions: stored and seen version, when the latter was first seen, and whether it was applied
    :ivar n_withdrawn: buckets, of this series and of longer ones, that were proven empty and no longer are
    """

    stored: dict[int, StoredCandle]
    new: list[int]
    versions: list[tuple[StoredCandle, StoredCandle, int, bool]]
    n_withdrawn: int = 0
