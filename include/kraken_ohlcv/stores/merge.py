"""Decides what of a file is written when candles are already stored; vectorised, pure.

The rank is that of :mod:`kraken_ohlcv.core.restatement`: a higher one corrects a lower one, at equal rank a
fuller version does, and any other difference is reported and left alone: a file says the same however often
it is read. The archive has no vwap: the stored one stays, unless it would lie outside of the
corrected candle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import polars as pl

from kraken_ohlcv.core.candle import ARCHIVE, FIGURES, PRICES, PROVISIONAL, says_same
from kraken_ohlcv.core.restatement import HIGHEST_RANK, SOURCE_RANK, is_fuller

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
    :ivar n_equal: rows already stored; those of them that were only provisional or imported are written
        again under the file's source
    :ivar n_provisional: provisional rows that differ from a stored candle, which stays: no fault
    """

    write: pl.DataFrame
    corrected: pl.DataFrame
    disputed: pl.DataFrame
    n_equal: int
    n_provisional: int


class Standing(Enum):
    """How a file stands to what is stored."""

    UNIDENTIFIED = "unidentified"
    """Nothing tells whose candles these are: they fill holes and replace nothing."""
    IDENTIFIED = "identified"
    """It is judged by rank."""
    TRUSTED = "trusted"
    """Somebody has decided that it is right where it differs from what is stored."""


def merge(
    rows: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    provisional_s: int,
    standing: Standing = Standing.IDENTIFIED,
) -> Merge:
    """Compare rows of a file with stored candles.

    :param rows: ``ts_s``, prices, ``volume``, ``trades``; unique times
    :param stored: the stored candles of the same time range, see :data:`STORED_SCHEMA`
    :param provisional_s: rows from here on are provisional, epoch seconds UTC
    :param standing: how the file stands to what is stored
    :return: what is to be written, and what is not
    """
    is_provisional = pl.col("ts_s") >= provisional_s
    source = pl.when(is_provisional).then(pl.lit(PROVISIONAL)).otherwise(pl.lit(ARCHIVE))
    ours = rows.with_columns(source.alias("source"))
    if stored.is_empty():
        none = ours.clear()
        return Merge(ours.with_columns(pl.lit(None, pl.Float64).alias("vwap")), none, none, 0, 0)
    both = ours.join(stored, on="ts_s", how="left", suffix="_stored", maintain_order="left")
    both = both.with_columns(_verdict(standing).alias("verdict"))
    fitting = pl.when(pl.col("vwap").is_between("low", "high")).then(pl.col("vwap"))
    write = both.filter(pl.col("verdict").is_in(["new", "correct", "confirm"])).with_columns(fitting)
    disputed = both.filter(pl.col("verdict") == "keep")
    return Merge(
        write=write.select(STORED_SCHEMA.keys()),
        corrected=both.filter(pl.col("verdict") == "correct"),
        disputed=disputed.filter(pl.col("source") != PROVISIONAL),
        n_equal=both.filter(pl.col("verdict").is_in(["equal", "confirm"])).height,
        n_provisional=disputed.filter(pl.col("source") == PROVISIONAL).height,
    )


def _verdict(standing: Standing) -> pl.Expr:
    ours = {name: pl.col(name) for name in FIGURES}
    stored = {name: pl.col(f"{name}_stored") for name in FIGURES}
    rank, rank_stored = (
        pl.col(name).replace_strict(SOURCE_RANK, default=HIGHEST_RANK, return_dtype=pl.Int64)
        for name in ("source", "source_stored")
    )
    is_same = says_same(ours, stored)
    is_better = {
        Standing.UNIDENTIFIED: pl.lit(value=False),
        Standing.IDENTIFIED: (rank > rank_stored) | ((rank == rank_stored) & is_fuller(ours, stored)),
        Standing.TRUSTED: pl.lit(value=True),
    }[standing]
    return (
        pl
        .when(pl.col("source_stored").is_null())
        .then(pl.lit("new"))
        .when(is_same & (rank_stored == 0) & (rank > 0))
        .then(pl.lit("confirm"))
        .when(is_same)
        .then(pl.lit("equal"))
        .when(is_better)
        .then(pl.lit("correct"))
        .otherwise(pl.lit("keep"))
    )
