"""Bulk reading and writing of one series in QuestDB, and the proof that what was written is there."""

from __future__ import annotations

import math
from typing import Any, Final

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import PRICES
from kraken_ohlcv.core.errors import ReadBackError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.candle_store import MICROSECONDS
from kraken_ohlcv.stores.merge import STORED_SCHEMA
from kraken_ohlcv.stores.missing import Scan
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv.stores.scan import Scanner

SUMMED: Final = (*PRICES, "volume")
SUM_TOLERANCE: Final = 1e-11
"""Relative: compensated sums differ by a few units in the last place, a wrong digit by far more."""


def stored_candles(questdb: QuestDBClient, series: Series, covered: Range) -> pl.DataFrame:
    """Return the stored candles of a series in a range.

    :param covered: half-open, epoch seconds UTC
    :return: see :data:`STORED_SCHEMA`, ascending
    """
    rows = questdb.query(statement("read_candles"), _parameters(series, covered), binary=True)
    return pl.DataFrame(rows, schema=STORED_SCHEMA, orient="row")


def scan_series(questdb: QuestDBClient, series: Series, *, now_s: int) -> Scan:
    """Return span and holes of a series' stored candles.

    :return: the scan of this series alone
    """
    scanner = Scanner.of(questdb, intervals=[series.interval_minutes], tickers=[series.ticker], until_s=now_s)
    return scanner()


def count_stored(questdb: QuestDBClient, series: Series, covered: Range) -> int:
    """Return how many candles of a series are stored in a range.

    :param covered: half-open, epoch seconds UTC
    """
    return int(_sums(questdb, series, covered)["n"])


def send(questdb: QuestDBClient, series: Series, candles: pl.DataFrame) -> None:
    """Send candles as one transaction; they are readable after :func:`wait_applied`.

    :param candles: see :data:`STORED_SCHEMA`; at most 100,000
    """
    questdb.send_frame(CANDLE_TABLE, candles, symbols=_key(series), at="ts_s")


def wait_applied(questdb: QuestDBClient) -> None:
    """Wait until all that was sent is readable."""
    questdb.wait_applied(CANDLE_TABLE)


def prove_written(questdb: QuestDBClient, series: Series, candles: pl.DataFrame) -> None:
    """Read candles back one by one and compare.

    :param candles: what was sent, see :data:`STORED_SCHEMA`
    :raises ReadBackError: if one of them is not stored as it was sent
    """
    if candles.is_empty():
        return
    low, high = candles.select(pl.col("ts_s").min().alias("low"), pl.col("ts_s").max().alias("high")).row(0)
    stored = stored_candles(questdb, series, (low, high + step_s(series.interval_minutes)))
    missing = candles.join(stored, on=list(STORED_SCHEMA), how="anti", nulls_equal=True)
    if not missing.is_empty():
        raise ReadBackError(
            f"{series}: QuestDB does not return {missing.height} of {candles.height} candles as written, "
            f"the first at {missing['ts_s'][0]} (epoch seconds); see the server's log, then run again"
        )


class Sums:
    """Sums over all candles sent into an empty range, to be compared with the store's own."""

    def __init__(self) -> None:
        self._n = self._times = self._trades = 0
        self._sums: dict[str, list[float]] = {name: [] for name in SUMMED}

    def add(self, candles: pl.DataFrame) -> None:
        """Add what was sent.

        :param candles: see :data:`STORED_SCHEMA`
        """
        self._n += candles.height
        self._times += int(candles["ts_s"].sum())
        self._trades += int(candles["trades"].sum())
        for name in SUMMED:
            self._sums[name].append(float(candles[name].to_numpy().sum()))

    def prove(self, questdb: QuestDBClient, series: Series, covered: Range) -> None:
        """Compare with what the store holds in the range.

        :param covered: range that was empty before, half-open, epoch seconds UTC
        :raises ReadBackError: if number or sums differ
        """
        stored = _sums(questdb, series, covered)
        wrong = [
            name
            for name, ours in (("n", self._n), ("ts_s", self._times), ("trades", self._trades))
            if ours != stored[name]
        ]
        wrong += [
            name
            for name, parts in self._sums.items()
            if not math.isclose(math.fsum(parts), stored[name] or 0.0, rel_tol=SUM_TOLERANCE)
        ]
        if wrong:
            raise ReadBackError(
                f"{series}: of {self._n} candles written QuestDB returns {stored['n']}, and the sums of "
                f"{', '.join(wrong)} differ; see the server's log, then run again"
            )


def _sums(questdb: QuestDBClient, series: Series, covered: Range) -> dict[str, Any]:
    (row,) = questdb.query(statement("sum_candles"), _parameters(series, covered))
    return dict(zip(("n", "ts_s", *SUMMED, "trades"), row, strict=True))


def _key(series: Series) -> dict[str, str]:
    return {"ticker": series.ticker, "interval": str(series.interval_minutes)}


def _parameters(series: Series, covered: Range) -> dict[str, Any]:
    return {**_key(series), "from_us": covered[0] * MICROSECONDS, "until_us": covered[1] * MICROSECONDS}
