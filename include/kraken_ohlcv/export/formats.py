"""The three forms in which a month of a series is exported, made of the same frame; pure."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.candle import PRICES
from kraken_ohlcv.core.gap import Series

COMPRESSION: Final = 4
"""Level of gzip: 9 takes six times as long for files that are 5 % smaller (minutes, measured)."""

FIGURES: Final = (*PRICES, "volume", "trades")
"""What a row of Kraken's archive has beside its time, in that order; it has no vwap."""


class ExportFormat(StrEnum):
    """Kinds of files."""

    LEDGER = "ledger"
    """A canonical line per bucket, gzipped."""
    PARQUET = "parquet"
    """A row per bucket with its status."""
    CSV = "csv"
    """A row per stored candle, as in Kraken's own archive."""


def file_name(kind: ExportFormat, series: Series, *, is_whole: bool) -> str:
    """Return how a file is called.

    :param is_whole: whether every bucket of the month is stored or proven empty. In the archive's CSV a row
        left out says that nothing traded, so that of any other month has a name that no reader of archives
        takes for one.
    """
    match kind:
        case ExportFormat.LEDGER:
            return "ledger.jsonl.gz"
        case ExportFormat.PARQUET:
            return "candles.parquet"
        case ExportFormat.CSV:
            return f"{series.ticker}_{series.interval_minutes}{'' if is_whole else '.incomplete'}.csv"


def packed(kind: ExportFormat, series: Series, frame: pl.DataFrame, text: bytes) -> bytes:
    """Return the bytes of a file.

    :param frame: as for :func:`kraken_ohlcv.reader.lines.ledger_text`
    :param text: what that function returns for it
    """
    match kind:
        case ExportFormat.LEDGER:
            return gzipped(text)
        case ExportFormat.PARQUET:
            return parquet_of(series, frame)
        case ExportFormat.CSV:
            return csv_of(frame)


def gzipped(text: bytes) -> bytes:
    """Return a text in the form of a gzip file: the same text gives the same bytes, whenever it is written.

    Another version of zlib may give others, which say the same.
    """
    file = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=file, mtime=0) as packer:
        packer.write(text)
    return file.getvalue()


def parquet_of(series: Series, frame: pl.DataFrame) -> bytes:
    """Return all buckets as a Parquet file.

    :param frame: as for :func:`kraken_ohlcv.reader.lines.ledger_text`
    """
    file = io.BytesIO()
    frame.select(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        pl.lit(series.ticker).alias("ticker"),
        pl.lit(series.interval_minutes, pl.Int32).alias("interval"),
        pl.col("status").cast(pl.String),
        *(pl.col(name).cast(pl.Float64) for name in (*PRICES, "vwap", "volume")),
        pl.col("trades").cast(pl.Int64),
        pl.col("source").cast(pl.String),
    ).write_parquet(file, compression="zstd")
    return file.getvalue()


def csv_of(frame: pl.DataFrame) -> bytes:
    """Return the stored candles as Kraken's archive has them: no header, no vwap, LF, shortest numbers.

    :param frame: as for :func:`kraken_ohlcv.reader.lines.ledger_text`; a candle that has not all figures is
        left out
    """
    candles = frame.filter(pl.col("status") == BucketStatus.STORED.value).drop_nulls(FIGURES)
    rows = candles.select(pl.col("ts").dt.epoch("s").alias("ts_s"), *FIGURES).iter_rows()
    return "".join(_csv_lines(rows)).encode("ascii")


def _csv_lines(rows: Iterator[tuple[int, float, float, float, float, float, int]]) -> Iterator[str]:
    for ts_s, opened, high, low, close, volume, trades in rows:
        yield (
            f"{ts_s},{_shortest(opened)},{_shortest(high)},{_shortest(low)},{_shortest(close)}"
            f",{_shortest(volume)},{trades}\n"
        )


def _shortest(value: float) -> str:
    return repr(value).removesuffix(".0")
