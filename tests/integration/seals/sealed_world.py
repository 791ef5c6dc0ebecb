"""Three days of a series, what is written of them, and what is sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.seal import DaySeal
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.seals.sealing import AcceptedDays, Sealed, seal
from kraken_ohlcv.stores.ledger.seals import read_log
from tests.integration.damage import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.reader.stores import Stores

HOURLY, DAILY = Series("AAAUSD", 60), Series("AAAUSD", 1440)
HOUR = 3600
TODAY = NOW // DAY_S * DAY_S
DAYS = range(TODAY - 3 * DAY_S, TODAY, DAY_S)
FIRST_S = DAYS[0] + 6 * HOUR
"""Where the hourly series begins: in its first day."""
HOLES = (DAYS[1] + 3 * HOUR, DAYS[2] + 5 * HOUR)
HOURS = [ts_s for ts_s in range(FIRST_S, TODAY, HOUR) if ts_s not in HOLES]


def put(
    stores: Stores, series: Series, times: Iterable[int], *, trades: int = 3, source: str = "trades"
) -> None:
    """Write candles as a run does."""
    seen = {
        ts_s: StoredCandle(ts_s, 1.0, 9.0, 1.0, 2.0, 1.5, 0.1 * trades, trades, source=source)
        for ts_s in times
    }
    step = step_s(series.interval_minutes)
    covered = min(seen), max(seen) + step
    run = RunKey("backfill_tier1_daily", "sealed")
    context = RunContext(stores.ledger, cast("KrakenClient", None), stores.questdb, run, NOW)
    result = SourceResult(
        covered,
        seen,
        BucketSet(step),
        is_busy=False,
        window_start_s=covered[0],
        step=step,
        source=FilledFrom.TRADES,
    )
    write(context, series, result)


def sealed(stores: Stores, *, accepted: Sequence[AcceptedDays] = ()) -> Sealed:
    """Seal what is to be sealed."""
    return seal(stores, now_s=NOW, accepted=accepted)


def days_after(stores: Stores, number: int = 0) -> list[DaySeal]:
    """Return the seals of days in the log behind an entry."""
    return [one.day for one in read_log(stores.ledger, after=number) if one.leaves is not None]


def revisions(stores: Stores, number: int) -> list[tuple[str, int, list[str]]]:
    """Return the revisions in the log behind an entry: series, days since the first one, reasons."""
    return [
        (str(one.series), (one.day_s - DAYS[0]) // DAY_S, [str(reason) for reason in one.reasons])
        for one in days_after(stores, number)
        if one.revision > 1
    ]


def foreign(stores: Stores, sql: str, **values: Any) -> None:
    """Write to the candle store as any other program can."""
    stores.questdb.query(sql, values)
    stores.questdb.wait_applied("ohlcv")
