"""Puts millions of invented candles into the candle table within seconds: the server makes them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from kraken_ohlcv.core.intervals import step_s

if TYPE_CHECKING:
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range
    from local.questdb import QuestDBServer

NOTHING: Final = "FALSE"

# Ordered by time, as candles arrive, and one transaction an interval.
INSERT = sql.SQL("""
INSERT INTO ohlcv (ts, ticker, interval, open, high, low, close, vwap, volume, trades, source)
SELECT * FROM (
    SELECT
        (({first} + (bucket.x - 1) * {step}) * 1000000L)::timestamp ts,
        ('T' || (1000 + pair.x) || 'USD')::symbol ticker,
        {interval}::symbol interval,
        100.25 + bucket.x % 97 open,
        101.25 + bucket.x % 97 high,
        99.25 + bucket.x % 97 low,
        100.75 + bucket.x % 97 close,
        100.5 + bucket.x % 97 vwap,
        (1 + bucket.x % 13) / 7.0 volume,
        1 + bucket.x % 31 trades,
        'ohlc'::symbol source
    FROM long_sequence({buckets}) bucket CROSS JOIN long_sequence({pairs}) pair
    WHERE NOT ({without})
) TIMESTAMP(ts)""")


def tickers(pairs: int) -> list[str]:
    """Return the tickers of invented pairs.

    :param pairs: how many, at most 8,999
    :return: ``T1001USD`` and so on
    """
    return [f"T{1000 + pair}USD" for pair in range(1, pairs + 1)]


def invent_candles(
    server: QuestDBServer,
    hook: QuestDBClient,
    *,
    pairs: int,
    interval_minutes: int,
    covered: Range,
    without: str = NOTHING,
) -> int:
    """Store one candle per bucket of every pair, and wait until they are readable.

    :param server: the candle store
    :param hook: a hook of it
    :param pairs: number of tickers, named as :func:`tickers` does
    :param interval_minutes: candle length, minutes
    :param covered: half-open, epoch seconds UTC, on the grid
    :param without: candles left out, as a condition over ``pair.x`` and ``bucket.x``, both from 1
    :return: number of buckets times pairs, those left out included
    """
    step = step_s(interval_minutes)
    buckets = (covered[1] - covered[0]) // step
    statement = INSERT.format(
        first=sql.SQL(f"{covered[0]}L"),
        step=sql.SQL(f"{step}L"),
        interval=sql.Literal(str(interval_minutes)),
        buckets=sql.Literal(buckets),
        pairs=sql.Literal(pairs),
        without=sql.SQL(without),
    )
    with server.connect() as connection:
        connection.execute(statement.as_string(connection))
    hook.wait_applied("ohlcv")
    return buckets * pairs
