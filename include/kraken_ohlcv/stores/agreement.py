"""Whether the stored candles of other intervals bear a version of a candle out, by trades and volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import SUM_NOISE_SHARE, StoredCandle, volume_noise
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import MINUTE_S, divided_by, dividing, step_s
from kraken_ohlcv.stores.candle_store import MICROSECONDS
from kraken_ohlcv.stores.queries import statement

Sums = dict[tuple[int, int], tuple[int, float]]
"""Trades and volume by interval (minutes) and open time of the bucket that they are summed up to."""


def borne_out_by_others(
    questdb: QuestDBClient, series: Series, versions: Sequence[tuple[StoredCandle, StoredCandle]]
) -> set[int]:
    """Return which versions are in accord with another interval of the pair.

    That is: the stored candles of a shorter interval add up to it, or the candle of a longer one is what the
    stored candles of this one add up to, with the version in the place of the stored one. Provisional and
    imported candles bear nothing out.

    :param versions: stored candle and other version of it, same open time
    :return: open times of those borne out, epoch seconds UTC
    """
    if not versions:
        return set()
    own, step = series.interval_minutes, step_s(series.interval_minutes)
    times = [seen.ts_s for _, seen in versions]
    sums = _sums(questdb, series.ticker, step, min(times), max(times) + step)
    found = {
        seen.ts_s
        for _, seen in versions
        if any(_agree(sums.get((minutes, seen.ts_s)), seen.trades, seen.volume) for minutes in dividing(own))
    }
    for minutes in divided_by(own):
        if len(found) == len(versions):
            break
        longer = minutes * MINUTE_S
        sums = _sums(questdb, series.ticker, longer, min(times) // longer * longer, max(times) + longer)
        for stored, seen in versions:
            bucket_s = seen.ts_s // longer * longer
            mine = sums.get((own, bucket_s))
            if mine is not None and _agree(
                sums.get((minutes, bucket_s)),
                mine[0] - stored.trades + seen.trades,
                mine[1] - stored.volume + seen.volume,
            ):
                found.add(seen.ts_s)
    return found


def _agree(other: tuple[int, float] | None, trades: int, volume: float) -> bool:
    if other is None or other[0] != trades:
        return False
    noise: Any = volume_noise(other[1], volume) + SUM_NOISE_SHARE * volume
    return bool(abs(other[1] - volume) <= noise)


def _sums(questdb: QuestDBClient, ticker: str, step: int, start_s: int, end_s: int) -> Sums:
    rows = questdb.query(
        statement("sum_by_bucket"),
        {
            "ticker": ticker,
            "step_us": step * MICROSECONDS,
            "from_us": start_s * MICROSECONDS,
            "until_us": end_s * MICROSECONDS,
        },
    )
    return {(int(minutes), bucket_s): (trades, volume) for minutes, bucket_s, trades, volume in rows}
