"""The canonical lines of a frame: what is exported, and what the hash of a snapshot is over; pure."""

from __future__ import annotations

import polars as pl

from kraken_ohlcv.core.bucket_line import ROW_COLUMNS, bucket_lines
from kraken_ohlcv.core.gap import Series


def ledger_text(series: Series, frame: pl.DataFrame) -> bytes:
    """Return the canonical lines of all buckets, each with its line end.

    :param frame: a row per bucket, ascending, with the columns of the reader's frame
    """
    rows = frame.select(pl.col("ts").dt.epoch("s").alias("ts_s"), *ROW_COLUMNS[1:]).iter_rows()
    return "".join(f"{line}\n" for line in bucket_lines(series, rows)).encode("ascii")
