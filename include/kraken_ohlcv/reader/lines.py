"""The canonical lines of a frame: what is exported, sealed, and hashed by a snapshot; pure.

The same bytes as those of :mod:`kraken_ohlcv.core.bucket_line`, which defines them, made for all rows at
once.
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kraken_ohlcv.core.bucket_line import STATUSES, hexed
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series

FIGURES: Final = ("open", "high", "low", "close", "vwap", "volume")
BIAS: Final = 1023
"""What is added to the exponent of a double when it is stored."""
SPECIAL: Final = 0x7FF
"""The stored exponent of NaN and infinity."""
PAIRS: Final = np.frombuffer(bytes(range(256)).hex().encode(), dtype=np.uint16)
"""Two hexadecimal digits by the value of a byte."""
DIGITS: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
EXPONENTS: Final = np.array([f'p{stored - BIAS:+d}"' for stored in range(SPECIAL)], dtype="S8")
"""The end of a double's text, by its stored exponent."""
TEXT: Final = np.dtype([("one", "S5"), ("digit", "u1"), ("pairs", "u2", (6,)), ("exponent", "S8")])
"""The text of a usual, positive double."""


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


def canonical_lines(interval_minutes: int, frame: pl.DataFrame, *, before: str = "") -> pl.Series:
    """Return the canonical line of each bucket, without line end.

    :param interval_minutes: bucket length, minutes
    :param frame: columns ``ticker``, ``ts`` (UTC), ``status``, and of stored candles ``open``, ``high``,
        ``low``, ``close``, ``vwap``, ``volume`` (doubles or null), ``trades``, ``source``
    :param before: put before each line
    :return: texts in ASCII, in the order of the rows
    :raises ValueError: if a status is not one of :class:`BucketStatus`, or a double of a stored candle is NaN
        or infinite
    """
    strange = set(frame["status"].unique()) - STATUSES
    if strange:
        raise ValueError(f"{min(map(str, strange))!r} is no status of a bucket: {', '.join(BucketStatus)}")
    rows = frame.with_columns(
        _quoted(frame["ticker"]), pl.col("status").cast(pl.String), ts_s=pl.col("ts").dt.epoch("s")
    )
    is_stored = rows["status"] == BucketStatus.STORED
    stored = rows.filter(is_stored)
    interval = f'"interval":{interval_minutes:d}'
    figures = {name: pl.Series(name, _hexed(stored[name])).cast(pl.String) for name in FIGURES}
    lines = stored.with_columns(_quoted(stored["source"]), **figures).select(
        pl.concat_str(
            pl.lit(f'{before}{{"close":'), "close", pl.lit(',"high":'), "high",
            pl.lit(f',{interval},"low":'), "low", pl.lit(',"open":'), "open",
            pl.lit(',"source":'), "source", pl.lit(',"status":"stored","ticker":'), "ticker",
            pl.lit(',"trades":'), pl.col("trades").cast(pl.String).fill_null("null"),
            pl.lit(',"ts":'), "ts_s", pl.lit(',"volume":'), "volume", pl.lit(',"vwap":'), "vwap", pl.lit("}"),
        ).alias("line")
    )["line"]  # fmt: skip
    if len(stored) == len(rows):
        return lines
    others = rows.filter(~is_stored).select(
        pl.concat_str(
            pl.lit(f'{before}{{{interval},"status":"'), "status",
            pl.lit('","ticker":'), "ticker", pl.lit(',"ts":'), "ts_s", pl.lit("}"),
        ).alias("line")
    )["line"]  # fmt: skip
    places = pl.concat([is_stored.arg_true(), (~is_stored).arg_true()])
    return pl.concat([lines, others]).gather(places.arg_sort())


def _quoted(texts: pl.Series) -> pl.Series:
    """Return texts as they stand in JSON, ``null`` for none."""
    distinct = texts.unique().cast(pl.String).to_list()
    known = {text: json.dumps(text) for text in distinct if text is not None}
    return texts.cast(pl.String).replace_strict(known, default="null", return_dtype=pl.String)


def _hexed(values: pl.Series) -> NDArray[np.bytes_]:
    """Return doubles as :func:`kraken_ohlcv.core.bucket_line.hexed` does, shape (n,)."""
    doubles = values.cast(pl.Float64).fill_null(0.0).to_numpy()
    octets = doubles.astype(">f8").view(np.uint8).reshape(-1, 8)
    stored = ((doubles.view(np.uint64) >> np.uint64(52)) & np.uint64(SPECIAL)).astype(np.intp)
    if np.any(stored == SPECIAL):
        hexed(float(doubles[np.argmax(stored == SPECIAL)]))
    texts = np.empty(len(doubles), dtype=TEXT)
    texts["one"] = b'"0x1.'
    texts["digit"] = DIGITS[octets[:, 1] & 0x0F]
    for place in range(6):
        texts["pairs"][:, place] = PAIRS[octets[:, 2 + place]]
    texts["exponent"] = EXPONENTS[stored]
    made = texts.view(f"S{TEXT.itemsize}")
    made[doubles == 0] = hexed(0.0).encode("ascii")
    made[values.is_null().to_numpy()] = hexed(None).encode("ascii")
    # What is smaller than every usual double, and what is negative, its zero included.
    for place in np.flatnonzero(((stored == 0) & (doubles != 0)) | np.signbit(doubles)).tolist():
        made[place] = hexed(float(doubles[place])).encode("ascii")
    return made
