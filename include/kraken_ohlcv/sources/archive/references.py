"""Candles that a file is compared with: those of identified sources, of the exchange, and the file's own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import polars as pl

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import StoredCandle, from_ohlc
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import api_window_start_s, floor_s
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.other_intervals import copied_opens
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, key, statement

log = logging.getLogger(__name__)

CANDLES: Final = {
    "bucket_s": pl.Int64,
    "close": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "trades": pl.Int64,
    "n": pl.Int64,
}
"""A bucket: open time, epoch seconds UTC; prices, quote units; trades; candles summed up in it."""

PAGE_ROWS: Final = 4
"""Rows of a file that one page of trades is to cover."""


class Rows(Protocol):
    """The rows of a file, or what is stored of it."""

    @property
    def span(self) -> Range:
        """Return from the first candle to the end of the last one, epoch seconds UTC."""

    def frames(self) -> Iterator[pl.DataFrame]:
        """Return the rows batch by batch, in the order of time."""


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
    parameters: dict[str, Any] = {**key(series), **bounds(covered)}
    name = "identified_candles"
    if step != step_s(series.interval_minutes):
        name, parameters = "identified_sums", {**parameters, "step_us": step * MICROSECONDS}
    rows = questdb.query(statement(name), parameters, binary=True)
    found = pl.DataFrame(rows, schema=CANDLES, orient="row")
    if found.is_empty() or name == "identified_sums":
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


def asked_candles(
    kraken: KrakenClient, series: Series, staged: Rows, span: Range, *, enough: int, few: int, now_s: int
) -> tuple[int, pl.DataFrame]:
    """Ask the exchange once for candles in the span of a file.

    :param kraken: client of the exchange
    :param series: ticker and interval of the file
    :param staged: the file
    :param span: what of it is to be compared, epoch seconds UTC
    :param enough: so many buckets decide; the shortest interval that has them is asked for
    :param few: with fewer buckets at every interval, a page of trades is asked for instead
    :return: candle length, minutes, and the candles, see :data:`CANDLES`; none when it gives no usable answer
    """
    own = series.interval_minutes
    within = {
        minutes: ranges.count(
            ranges.intersect(
                [whole_buckets(span, step_s(minutes))],
                [(api_window_start_s(now_s, minutes), floor_s(now_s, minutes))],
            ),
            step=step_s(minutes),
        )
        for minutes in INTERVALS
        if minutes >= own and minutes % own == 0
    }
    best = next(
        (minutes for minutes, n in within.items() if n >= enough), max(within, key=lambda one: within[one])
    )
    try:
        if within[best] >= few:
            answer = kraken.get_ohlc(series.ticker, best)
            return best, _frame(from_ohlc(candle) for candle in answer.committed if candle.trades > 0)
        return own, _from_trades(kraken, series, staged, span)
    except KrakenError as error:
        log.warning("%s: the exchange cannot tell whether the file is that of the series: %s", series, error)
        return own, pl.DataFrame(schema=CANDLES)


def _from_trades(kraken: KrakenClient, series: Series, staged: Rows, span: Range) -> pl.DataFrame:
    """Return candles built from one page of trades, where the file has the fewest of them."""
    quietest: tuple[int, int] | None = None
    for frame in staged.frames():
        rows = frame.filter(pl.col("ts_s").is_between(*span, closed="left"))
        sums = rows.select("ts_s", pl.col("trades").rolling_sum(PAGE_ROWS).shift(1 - PAGE_ROWS).alias("sum"))
        for ts_s, total in sums.drop_nulls().bottom_k(1, by="sum").iter_rows():
            quietest = min(quietest or (total, ts_s), (total, ts_s))
    if quietest is None or quietest[0] >= MAX_TRADES:
        return pl.DataFrame(schema=CANDLES)
    start_s = quietest[1]
    page = kraken.get_trades(series.ticker, since_ns=start_s * 1_000_000_000 - 1)
    builder = CandleBuilder([series.interval_minutes], (start_s, span[1]), decimals=0)
    builder.add(page.trades)
    return _frame(builder.take()[series.interval_minutes].candles)


def _frame(candles: Iterable[StoredCandle]) -> pl.DataFrame:
    rows = [(one.ts_s, one.close, one.high, one.low, one.trades, 1) for one in candles]
    return pl.DataFrame(rows, schema=CANDLES, orient="row")
