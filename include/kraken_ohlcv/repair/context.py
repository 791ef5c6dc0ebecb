"""What a fill works with, what it tries, and what it has written."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Gap, GapPart, GapSegment
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection

CALLS_AT_A_STRETCH: Final = 60
"""Calls of one task before it gives the slot of the exchange's pool back: Airflow never preempts."""

STRETCH_S: Final = 60.0
"""Of quicker calls there may be more, as many as take no longer than 60 at one per second: the change from
one task instance to the next costs as much as several of them."""

LONGEST_STRETCH_S: Final = 600.0
"""No work begins later in a stretch, whatever its calls had to wait for: a task may take half an hour."""


def calls_at_a_stretch(min_interval_s: float) -> int:
    """Return how many calls a task may make before others have their turn.

    :param min_interval_s: seconds between two calls, > 0
    :return: calls, >= 60
    """
    return max(CALLS_AT_A_STRETCH, int(STRETCH_S / min_interval_s))


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
    :ivar began_s: when the stretch began, by that clock
    """

    connection: Connection
    kraken: KrakenClient
    questdb: QuestDBClient
    run: RunKey
    now_s: int
    stretch: int = CALLS_AT_A_STRETCH
    clock: Callable[[], float] = time.monotonic
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Note when the stretch began."""
        object.__setattr__(self, "began_s", self.clock())

    @property
    def calls_left(self) -> int:
        """Return how many calls may still be made before others have their turn, attempts included, >= 0."""
        if self.clock() - self.began_s > LONGEST_STRETCH_S:
            return 0
        return max(0, self.stretch - self.kraken.calls)

    def may_begin(self, calls: int) -> bool:
        """Return whether more work may begin before others have their turn; the first one always may.

        :param calls: how many it may take, attempts included, >= 1
        """
        return self.kraken.calls == 0 or self.calls_left >= calls


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Candles written for a series.

    :ivar have: all buckets now stored in the result's range
    :ivar new: those of them that were not stored before
    :ivar closing: buckets that count as filled where they were missing: the new ones, or all rows of a file,
        some of which a task that died may have stored
    :ivar restated: buckets whose candle was replaced by another version, which is in the log
    :ivar n_withdrawn: buckets, of this series and of longer ones, that were proven empty and no longer are
    :ivar n_written: candles written and read back, those that replace others included
    :ivar n_compared: stored candles that the source gave, too
    :ivar n_differing: those of them for which it gave other values
    """

    have: BucketSet
    new: BucketSet
    closing: BucketSet
    restated: BucketSet
    n_withdrawn: int = 0
    n_written: int = 0
    n_compared: int = 0
    n_differing: int = 0


@dataclass(frozen=True, slots=True)
class FillAttempt:
    """What is being tried.

    :ivar tried: ids of the gaps tried; None = every open gap near the result
    :ivar cron: schedule that repairs the series, or None
    :ivar under_way: ids of gaps that more answers are needed for: less is missing of them, that is all
    :ivar begun: those gaps as they were before the first of several answers, by id: what is kept of them when
        they are closed
    :ivar rest: what becomes of the open parts of a tried gap, cut where the result ends; None =
        by the rules of the OHLC call
    :ivar asked: range that ``rest`` is about, at whose borders the parts are cut, too; None = the result's
    :ivar hands_on: whether what the OHLC answer leaves open goes to trades in the same run
    :ivar is_trading: whether the pair is online, so that more candles are to come
    :ivar is_recheck: whether the range was asked for, so that the result is to say what was settled in it
    :ivar start_s: open time of the bucket of the pair's first trade, if it was looked up, epoch seconds UTC
    """

    tried: Collection[int] | None
    cron: str | None = None
    under_way: Collection[int] = ()
    begun: Mapping[int, Gap] = field(default_factory=dict)
    rest: Callable[[Gap, GapPart], GapSegment] | None = None
    asked: Range | None = None
    hands_on: bool = False
    is_trading: bool = True
    is_recheck: bool = False
    start_s: int | None = None
