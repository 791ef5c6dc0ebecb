"""The canonical lines of a frame: what is exported, sealed, and hashed by a snapshot; pure.

The same bytes as those of :mod:`kraken_ohlcv.core.bucket_line`, which defines them, made for all rows at
once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from kraken_ohlcv.core.bucket_line import ROW_COLUMNS, STATUSES, bucket_lines
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.reader.line_shapes import (
    N_KINDS,
    ODD,
    Numbers,
    Shape,
    bits_of,
    digits_of,
    places_by,
)

FIGURES: Final = ("open", "high", "low", "close", "vwap", "volume")
MOST_DIGITS: Final = 19
"""Of a whole number of 64 bits."""


def ledger_text(series: Series, frame: pl.DataFrame) -> bytes:
    """Return the canonical lines of all buckets of a series, each with its line end.

    :param frame: a row per bucket, ascending, with the columns of the reader's frame
    :raises ValueError: as :func:`canonical_lines` does
    """
    if frame.is_empty():
        return b""
    lines = canonical_lines(series.interval_minutes, frame.with_columns(ticker=pl.lit(series.ticker)))
    text: str = lines.str.join("\n").item()
    return f"{text}\n".encode("ascii")


def canonical_lines(interval_minutes: int, frame: pl.DataFrame) -> pl.Series:
    """Return the canonical line of each bucket, without line end.

    :param interval_minutes: bucket length, minutes
    :param frame: columns ``ticker``, ``ts`` (UTC), ``status``, and of stored candles ``open``, ``high``,
        ``low``, ``close``, ``vwap``, ``volume`` (doubles or null), ``trades``, ``source``
    :return: texts in ASCII, in the order of the rows
    :raises ValueError: if a status is not one of :class:`BucketStatus`, or a double of a stored candle is NaN
        or infinite
    """
    made, places = [], []
    for some, lines in lines_by_shape(interval_minutes, frame):
        made.append(lines)
        places.append(some)
    if not made:
        return pl.Series("line", dtype=pl.String)
    return pl.concat(made).gather(np.argsort(np.concatenate(places))).cast(pl.String).alias("line")


def lines_by_shape(
    interval_minutes: int, frame: pl.DataFrame, *, before: str = ""
) -> Iterator[tuple[Numbers, pl.Series]]:
    """Return the lines of :func:`canonical_lines` as they are made: those of one shape together.

    :param before: put before each line
    :return: places of rows, and their lines, as Binary
    :raises ValueError: as that function does
    """
    if frame.is_empty():
        return
    rows = _Rows(interval_minutes, frame, before)
    for places in places_by(rows.keys):
        yield places, rows.lines_of(places)


class _Rows:
    """The columns of a frame, and which of its rows have lines of one shape: equal parts at equal places.

    :ivar keys: equal for rows of one shape; -1 for those that are written one by one, shape (n,)
    """

    def __init__(self, interval_minutes: int, frame: pl.DataFrame, before: str) -> None:
        self._interval = interval_minutes
        self._frame = frame
        self._before = before
        self._ts = frame["ts"].dt.epoch("s").to_numpy()
        trades = frame["trades"].cast(pl.Int64)
        self._trades = (trades.fill_null(0) if trades.null_count() else trades).to_numpy()
        self._status, self._statuses = _codes(frame["status"])
        strange = set(map(json.loads, self._statuses)) - STATUSES
        if strange:
            raise ValueError(
                f"{min(map(str, strange))!r} is no status of a bucket: {', '.join(BucketStatus)}"
            )
        self._source, self._sources = _codes(frame["source"])
        self._ticker, self._tickers = _codes(frame["ticker"])
        self._doubles = {name: bits_of(frame[name]) for name in FIGURES}
        self._ts_digits = digits_of(self._ts)
        self._trades_digits = digits_of(self._trades)
        is_odd = (self._ts_digits == 0) | (self._trades_digits == 0)
        self._trades_digits[trades.is_null().to_numpy()] = 0
        lengths = np.array([len(text) for text in self._tickers])
        keys = self._status
        for codes, n_codes in (
            (self._source, len(self._sources)),
            (lengths[self._ticker], int(lengths.max()) + 1),
            (self._ts_digits, MOST_DIGITS + 1),
            (self._trades_digits, MOST_DIGITS + 1),
            *((kinds, N_KINDS) for _, kinds in self._doubles.values()),
        ):
            keys = keys * n_codes + codes
        for _, kinds in self._doubles.values():
            is_odd |= kinds == ODD
        keys[is_odd] = -1
        self.keys: Numbers = keys

    def lines_of(self, places: Numbers) -> pl.Series:
        """Return the lines of rows with equal keys, Binary."""
        one = places[0]
        if self.keys[one] < 0:
            return self._one_by_one(places)
        status = self._statuses[self._status[one]]
        shape = Shape()
        shape.add(f"{self._before}{{")
        if status == f'"{BucketStatus.STORED}"':
            shape.add('"close":')
            self._add_figure(shape, "close", places)
            shape.add(',"high":')
            self._add_figure(shape, "high", places)
            shape.add(f',"interval":{self._interval:d},"low":')
            self._add_figure(shape, "low", places)
            shape.add(',"open":')
            self._add_figure(shape, "open", places)
            shape.add(f',"source":{self._sources[self._source[one]]},"status":{status},"ticker":')
            self._add_ticker(shape, places)
            shape.add(',"trades":')
            if self._trades_digits[one]:
                shape.add_numbers(self._trades[places], int(self._trades_digits[one]))
            else:
                shape.add("null")
            shape.add(',"ts":')
            shape.add_numbers(self._ts[places], int(self._ts_digits[one]))
            shape.add(',"volume":')
            self._add_figure(shape, "volume", places)
            shape.add(',"vwap":')
            self._add_figure(shape, "vwap", places)
        else:
            shape.add(f'"interval":{self._interval:d},"status":{status},"ticker":')
            self._add_ticker(shape, places)
            shape.add(',"ts":')
            shape.add_numbers(self._ts[places], int(self._ts_digits[one]))
        shape.add("}")
        return shape.texts(len(places))

    def _add_figure(self, shape: Shape, name: str, places: Numbers) -> None:
        bits, kinds = self._doubles[name]
        shape.add_doubles(bits[places], int(kinds[places[0]]))

    def _add_ticker(self, shape: Shape, places: Numbers) -> None:
        length = len(self._tickers[self._ticker[places[0]]])
        shape.add_each(np.array(self._tickers, dtype=f"S{length}")[self._ticker[places]])

    def _one_by_one(self, places: Numbers) -> pl.Series:
        columns = [
            pl.col("status").cast(pl.String),
            *map(pl.col, ROW_COLUMNS[2:-1]),
            pl.col("source").cast(pl.String),
        ]
        rows = self._frame[places].select("ticker", pl.col("ts").dt.epoch("s"), *columns).rows()
        lines = [next(bucket_lines(Series(row[0], self._interval), [row[1:]])) for row in rows]
        return pl.Series([f"{self._before}{line}".encode("ascii") for line in lines], dtype=pl.Binary)


def _codes(texts: pl.Series) -> tuple[Numbers, list[str]]:
    """Return texts as places in a list of them, and the list, as they stand in JSON: ``null`` for none."""
    coded = texts if isinstance(texts.dtype, pl.Categorical | pl.Enum) else texts.cast(pl.Categorical)
    codes = coded.to_physical()
    if codes.min() == codes.max() and not codes.null_count():
        return np.zeros(len(codes), dtype=np.int64), [json.dumps(text) for text in coded[:1]]
    first = codes.arg_unique()
    # Code 0 for none.
    numbers = (codes.cast(pl.Int64) + 1).fill_null(0).to_numpy()
    present = numbers[first.to_numpy()]
    places = np.zeros(present.max() + 1, dtype=np.int64)
    places[present] = np.arange(len(present))
    return places.take(numbers), [json.dumps(text) for text in coded.gather(first)]
