"""What a fill works with, what it tries, and what it has written."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Gap, GapSegment
from kraken_ohlcv.core.ranges import Range
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
    :ivar clock: monotonic, seconds; what takes long says how far it is by it
    """

    connection: Connection
    kraken: KrakenClient
    questdb: QuestDBClient
    run: RunKey
    now_s: int
    stretch: int = CALLS_AT_A_STRETCH
    clock: Callable[[], float] = time.monotonic

    @property
    def calls_left(self) -> int:
        """Return how many calls may still be made before others have their turn, attempts included, >= 0."""
        return max(0, self.stretch - self.kraken.calls)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Candles written for a series.

    :ivar have: all buckets now stored in the result's range, range set
    :ivar new: those of them that were missing before, range set
    :ivar closing: buckets that count as filled where they lie in an open gap, normal range set: the new ones,
        or all rows of a file, some of which a task that died may have stored
    :ivar restated: buckets whose candle was replaced by another version, which is in the log, range set
    :ivar n_withdrawn: buckets, of this series and of longer ones, that were proven empty and no longer are
    """

    have: list[Range]
    new: list[Range]
    closing: list[Range]
    restated: Sequence[Range] = ()
    n_withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class FillAttempt:
    """What is being tried.

    :ivar tried: ids of the gaps tried; None = every open gap near the result
    :ivar cron: schedule that repairs the series, or None
    :ivar under_way: ids of gaps that more answers are needed for: they stay as they are
    :ivar rest: what becomes of the open parts of a tried gap, cut where the result ends; None =
        by the rules of the OHLC call
    :ivar hands_on: whether what the OHLC answer leaves open goes to trades in the same run
    :ivar is_trading: whether the pair is online, so that more candles are to come
    :ivar is_recheck: whether the range was asked for, so that the result is to say what was settled in it
    :ivar start_s: open time of the bucket of the pair's first trade, if it was looked up, epoch seconds UTC
    """

    tried: Collection[int] | None
    cron: str | None = None
    under_way: Collection[int] = ()
    rest: Callable[[Gap, Range], GapSegment] | None = None
    hands_on: bool = False
    is_trading: bool = True
    is_recheck: bool = False
    start_s: int | None = None
