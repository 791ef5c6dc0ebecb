"""What a fill works with, and what it has written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.ohlcv.candles import StoredCandle
    from include.ohlcv.ledger.session import Connection, RunKey
    from kraken_hooks.kraken import KrakenHook
    from kraken_hooks.questdb import QuestDBHook


@dataclass(frozen=True, slots=True)
class Bench:
    """What a fill works with.

    :ivar connection: the ledger
    :ivar kraken: hook of the exchange
    :ivar questdb: hook of the candle store
    :ivar run: the run
    :ivar now_s: the exchange's time that the run works with, epoch seconds UTC
    """

    connection: Connection
    kraken: KrakenHook
    questdb: QuestDBHook
    run: RunKey
    now_s: int


@dataclass(frozen=True, slots=True)
class Writing:
    """Candles written for a series.

    :ivar stored: all candles now stored in the answer's range, by open time
    :ivar new: open times that were missing before, ascending
    :ivar versions: stored and seen version, when the latter was first seen, and whether it was applied
    """

    stored: dict[int, StoredCandle]
    new: list[int]
    versions: list[tuple[StoredCandle, StoredCandle, int, bool]]
