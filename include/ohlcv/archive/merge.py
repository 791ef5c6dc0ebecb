"""Decides what of a file is written when candles are already stored; vectorised, pure.

Rank: ``trades`` > ``archive`` (inside its release) > ``ohlc`` > ``archive_rim`` (the last day of a release,
whose last candle may be short of a few trades). A higher rank corrects a lower one; at equal rank the version
with more trades, or as many and more volume, wins, and any other difference is reported and left alone. The
archive has no vwap: the stored one stays, and a correction that would put it outside the candle is not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from include.ohlcv.archive.rows import PRICES
from include.ohlcv.candles import volume_noise

ARCHIVE: Final = "archive"
RIM: Final = "archive_rim"
RANK: Final = {RIM: 0, "ohlc": 1, ARCHIVE: 2, "trades": 3}

STORED_SCHEMA: Final = {
    "ts_s": pl.Int64,
    **dict.fromkeys(PRICES, pl.Float64),
    "vwap": pl.Float64,
    "volume": pl.Float64,
    "trades": pl.Int64,
    "source": pl.String,
}


@dataclass(frozen=True, slots=True)
class Merge:
    """What becomes of the rows of a slice.

    :ivar write: candles to write, with ``vwap`` and ``source``, see :data:`STORED_SCHEMA`
    :ivar corrected: those of them that replace a stored candle, beside the ``*_stored`` figures
    :ivar disputed: rows that differ from a stored candle which is left alone, likewise
    :ivar n_equal: rows that stand already
    :ivar n_rim: rows on the rim that differ from a stored candle, which is stronger: no fault
    """

    write: pl.DataFrame
    corrected: pl.DataFrame
    disputed: pl.DataFrame
    n_equal: int
    n_rim: int


def merge(rows: pl.DataFrame, stored: pl.DataFrame, *, rim_s: int) -> Merge:
    """Compare rows of a file with stored candles.

    :param rows: ``ts_s``, prices, ``volume``, ``trades``; unique times
    :param stored: the stored candles of the same time range, see :data:`STORED_SCHEMA`
    :param rim_s: rows from here on are on the rim of their release, epoch seconds UTC
    :return: what is to be written, and what is not
    """
    is_rim = pl.col("ts_s") >= rim_s
    ours = rows.with_columns(pl.when(is_rim).then(pl.lit(RIM)).otherwise(pl.lit(ARCHIVE)).alias("source"))
    if stored.is_empty():
        none = ours.clear()
        return Merge(ours.with_columns(pl.lit(None, pl.Float64).alias("vwap")), none, none, 0, 0)
    both = ours.join(stored, on="ts_s", how="left", suffix="_stored", maintain_order="left")
    both = both.with_columns(_verdict().alias("verdict"))
    write = both.filter(pl.col("verdict").is_in(["new", "correct"]))
    disputed = both.filter(pl.col("verdict") == "keep")
    return Merge(
        write=write.select(STORED_SCHEMA.keys()),
        corrected=both.filter(pl.col("verdict") == "correct"),
        disputed=disputed.filter(pl.col("source") != RIM),
        n_equal=both.filter(pl.col("verdict") == "equal").height,
        n_rim=disputed.filter(pl.col("source") == RIM).height,
    )


def _verdict() -> pl.Expr:
    # A source that nobody knows is left alone.
    rank = pl.col("source").replace_strict(RANK, return_dtype=pl.Int64)
    rank_stored = pl.col("source_stored").replace_strict(
        RANK, default=max(RANK.values()), return_dtype=pl.Int64
    )
    more_volume = pl.col("volume") - pl.col("volume_stored")
    noise = volume_noise(pl.col("volume"), pl.col("volume_stored"))
    is_equal = pl.all_horizontal(
        *(pl.col(name) == pl.col(f"{name}_stored") for name in (*PRICES, "trades")),
        more_volume.abs() <= noise,
    )
    more_trades = pl.col("trades") - pl.col("trades_stored")
    is_better = (rank > rank_stored) | (
        (rank == rank_stored) & ((more_trades > 0) | ((more_trades == 0) & (more_volume > noise)))
    )
    fits_vwap = pl.col("vwap").is_null() | pl.col("vwap").is_between("low", "high")
    return (
        pl
        .when(pl.col("source_stored").is_null())
        .then(pl.lit("new"))
        .when(is_equal)
        .then(pl.lit("equal"))
        .when(is_better & fits_vwap)
        .then(pl.lit("correct"))
        .otherwise(pl.lit("keep"))
    )
