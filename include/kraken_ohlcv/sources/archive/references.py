"""Candles that a file is compared with: those of identified sources, and the file's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.other_intervals import copied_opens
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, key, statement

CANDLES: Final = {
    "bucket_s": pl.Int64,
    "close": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "trades": pl.Int64,
    "n": pl.Int64,
}
"""A bucket: open time, epoch seconds UTC; prices, quote units; trades; candles summed up in it."""


def stored_intervals(questdb: QuestDBClient, ticker: str, covered: Range) -> list[int]:
    """Return at which intervals candles of identified sources are stored in a range, minutes."""
    parameters = {"ticker": ticker, **bounds(covered)}
    return sorted(int(row[0]) for row in questdb.query(statement("identified_intervals"), parameters))


def stored_candles_of(questdb: QuestDBClient, series: Series, step: int, covered: Range) -> pl.DataFrame:
    """Return the stored candles of a series from identified sources, but for those of a longer interval.

    :param step: length of the buckets they are summed up to, seconds
    :param covered: half-open, epoch seconds UTC
    :return: see :data:`CANDLES`
    """
    parameters = {**key(series), "step_us": step * MICROSECONDS, **bounds(covered)}
    rows = questdb.query(statement("identified_candles"), parameters, binary=True)
    found = pl.DataFrame(rows, schema=CANDLES, orient="row")
    if found.is_empty() or step != step_s(series.interval_minutes):
        return found
    return found.filter(~pl.col("bucket_s").is_in(copied_opens(questdb, series, covered)))


def nearest_candles(questdb: QuestDBClient, series: Series, side: Range, *, n: int) -> pl.DataFrame:
    """Return the candles nearest to a seam, when there is one close to it.

    :param side: where the nearest one has to be, epoch seconds UTC
    :param n: at most so many; negative: those that lead up to the end of ``side``, else those from its start
    :return: see :data:`CANDLES`; empty without one in ``side``
    """
    step, most = step_s(series.interval_minutes), abs(n)
    reach = 3 * most * step
    covered = (side[1] - reach, side[1]) if n < 0 else (side[0], side[0] + reach)
    near = stored_candles_of(questdb, series, step, covered)
    if near.filter(pl.col("bucket_s").is_between(*side, closed="left")).is_empty():
        return near.clear()
    return near.tail(most) if n < 0 else near.head(most)


def whole_buckets(span: Range, step: int) -> Range:
    """Return the buckets that lie wholly in a range.

    :param span: half-open, epoch seconds UTC
    :param step: length of the buckets, seconds
    """
    start_s = -(-span[0] // step) * step
    return start_s, max(start_s, span[1] // step * step)


def file_candles(frames: Iterable[pl.DataFrame], step: int, covered: Range) -> pl.DataFrame:
    """Return the rows of a file, summed up.

    :param frames: its rows in the order of time
    :param step: length of the buckets, seconds
    :param covered: half-open, on that grid, epoch seconds UTC
    :return: see :data:`CANDLES`
    """
    parts = [pl.DataFrame(schema=CANDLES)]
    for frame in frames:
        inside = frame.filter(pl.col("ts_s").is_between(*covered, closed="left"))
        if not inside.is_empty():
            one = inside.select(
                (pl.col("ts_s") // step * step).alias("bucket_s"),
                "close",
                "high",
                "low",
                "trades",
                pl.lit(1, pl.Int64).alias("n"),
            )
            parts.append(_summed(one))
    return _summed(pl.concat(parts))


def _summed(parts: pl.DataFrame) -> pl.DataFrame:
    return parts.group_by("bucket_s", maintain_order=True).agg(
        pl.col("close").last(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("trades").sum(),
        pl.col("n").sum(),
    )
