"""Reads and writes the candles of one series in QuestDB, and reads back what it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.errors import ReadBackError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.queries import statement

MICROSECONDS: Final = 1_000_000


def read_candles(questdb: QuestDBClient, series: Series, covered: Range) -> dict[int, StoredCandle]:
    """Return the stored candles of a series in a range.

    :param covered: half-open, epoch seconds UTC
    :return: by open time, ascending
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if covered[0] >= covered[1]:
        return {}
    rows = questdb.query(
        statement("read_candles"),
        {
            "ticker": series.ticker,
            "interval": str(series.interval_minutes),
            "from_us": covered[0] * MICROSECONDS,
            "until_us": covered[1] * MICROSECONDS,
        },
    )
    return {row[0]: StoredCandle(*row) for row in rows}


def write_candles(
    questdb: QuestDBClient, series: Series, candles: Sequence[StoredCandle], covered: Range
) -> dict[int, StoredCandle]:
    """Write candles in one transaction, wait until they are readable, and read the range back.

    :param candles: what to store, open times inside ``covered``; may be empty, then nothing is written
    :param covered: half-open, epoch seconds UTC
    :return: all stored candles of the range, by open time
    :raises ReadBackError: if a candle is not readable as written
    :raises QuestDBError: if QuestDB does not accept or not apply the write
    """
    if candles:
        key = {"ticker": series.ticker, "interval": str(series.interval_minutes)}
        rows = [{**asdict(candle), **key, "ts_us": candle.ts_s * MICROSECONDS} for candle in candles]
        questdb.write_batch(CANDLE_TABLE, statement("insert_candle"), rows)
    stored = read_candles(questdb, series, covered)
    wrong = [candle.ts_s for candle in candles if stored.get(candle.ts_s) != candle]
    if wrong:
        raise ReadBackError(
            f"{series}: QuestDB does not return {len(wrong)} of {len(candles)} candles as written, "
            f"the first at {wrong[0]} (epoch seconds); see the server's log, then run again"
        )
    return stored
