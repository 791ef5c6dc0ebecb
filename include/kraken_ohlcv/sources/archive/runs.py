"""Runs of consecutive candles: which buckets a file holds, in memory that grows with its holes only."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range

SCHEMA: Final = {"start_s": pl.Int64, "end_s": pl.Int64}


class Runs:
    """Collects the open times of a series as runs.

    :param step: candle length, seconds
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._parts: list[pl.DataFrame] = []
        self._grid = 0
        self.end_s = 0
        """End of the newest candle so far, epoch seconds UTC; 0 without one."""

    def add(self, times: pl.Series) -> None:
        """Add open times that were not there before.

        :param times: epoch seconds UTC, unique, on the grid, any order, at least one
        """
        ordered = times.sort()
        frame = pl.DataFrame({"ts_s": ordered})
        is_first = frame["ts_s"].diff() != self._step
        # Gathered, since a filter that keeps one stretch is a view, which holds all the times in memory.
        starts = ordered.gather(is_first.fill_null(value=True).arg_true())
        ends = ordered.gather(is_first.shift(-1).fill_null(value=True).arg_true()) + self._step
        self._parts.append(pl.DataFrame({"start_s": starts, "end_s": ends}, schema=SCHEMA))
        self.end_s = max(self.end_s, int(ends[-1]))
        if self._grid != self._step:
            for start, end in self._parts[-1].iter_rows():
                self._grid = gcd(self._grid, start, end - self._step)
                if end - start > self._step or self._grid == self._step:
                    self._grid = self._step
                    break

    def frame(self) -> pl.DataFrame:
        """Return the runs, ascending, neither overlapping nor touching."""
        if not self._parts:
            return pl.DataFrame(schema=SCHEMA)
        together = pl.concat(self._parts).sort("start_s")
        is_new = (pl.col("start_s") != pl.col("end_s").shift(1)).fill_null(value=True)
        merged = (
            together
            .with_columns(is_new.cum_sum().alias("run"))
            .group_by("run", maintain_order=True)
            .agg(pl.col("start_s").first(), pl.col("end_s").last())
            .select(SCHEMA.keys())
        )
        self._parts = [merged]
        return merged

    def ranges(self) -> list[Range]:
        """Return the runs as half-open ranges, epoch seconds UTC."""
        return list(self.frame().iter_rows())

    def common_step_s(self) -> int:
        """Return the longest step on whose grid all open times lie, seconds; 0 without candles."""
        return self._grid


def contains(runs: pl.DataFrame, times: pl.Series) -> pl.Series:
    """Return which open times lie in runs.

    :param runs: ascending, neither overlapping nor touching
    :param times: epoch seconds UTC, any order
    :return: boolean, as long as ``times``
    """
    asked = pl.DataFrame({"ts_s": times}).with_row_index("at").sort("ts_s")
    found = asked.join_asof(runs, left_on="ts_s", right_on="start_s", strategy="backward")
    return found.sort("at").select((pl.col("ts_s") < pl.col("end_s")).fill_null(value=False)).to_series()


def is_rising(times: pl.Series) -> bool:
    """Return whether each time is later than the one before it.

    :param times: epoch seconds UTC
    :return: True also for one time or none
    """
    lowest = times.diff().min()
    return not isinstance(lowest, int) or lowest > 0
