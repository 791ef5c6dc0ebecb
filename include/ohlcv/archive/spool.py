"""Reads a file once, checks every row, and keeps the good ones on disk in slices of one transaction each.

A file over its limit of bad rows must leave no trace in the candle table, so nothing is written before all of
it is read. Memory stays the same whatever the file's length: a block of lines, a slice, and the runs of
consecutive candles.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

import polars as pl

from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.archive.reading import checked_blocks
from include.ohlcv.archive.rows import GOOD_SCHEMA
from include.ohlcv.archive.runs import Runs, contains, is_rising
from include.ohlcv.archive.slices import Slices
from include.ohlcv.intervals import step_s

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from include.ohlcv.archive.rejects import RejectFile
    from include.ohlcv.archive.rows import Checked
    from include.ohlcv.gaps import Series
    from include.ohlcv.ranges import Range

TELLING_ROWS: Final = 20
"""So many rows that all lie on the grid of a longer candle are no accident."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bad rows a file may have before it is refused whole.

    :ivar rows: at most so many
    :ivar percent: at most this share of all rows, but one bad row always passes
    """

    rows: int
    percent: float

    def allow(self, n_bad: int, n_rows: int) -> bool:
        """Return whether a file may go in.

        :param n_bad: bad rows
        :param n_rows: all rows
        :return: False when it is over a limit
        """
        return n_bad <= min(self.rows, max(1, int(n_rows * self.percent / 100)))


@dataclass(slots=True)
class Spooled:
    """A file after reading.

    :ivar sha256: of its content, hex
    :ivar slices: files of one transaction each, in the order of time
    :ivar runs: ranges of consecutive candles, epoch seconds UTC
    :ivar n_rows: data lines read
    :ivar n_good: candles kept
    :ivar n_bad: bad rows, all of them named in the reject file
    :ivar n_placeholders: rows without trades, left out
    :ivar n_unordered: good rows that stood after a later one
    """

    sha256: str = ""
    slices: list[Path] = field(default_factory=list)
    runs: list[Range] = field(default_factory=list)
    n_rows: int = 0
    n_good: int = 0
    n_bad: int = 0
    n_placeholders: int = 0
    n_unordered: int = 0

    @property
    def span(self) -> Range:
        """Return from the first candle to the end of the last one; (0, 0) without candles."""
        return (self.runs[0][0], self.runs[-1][1]) if self.runs else (0, 0)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Return the slices one after the other, in the order of time."""
        for path in self.slices:
            yield pl.read_ipc(path)


def spool(
    stream: IO[bytes],
    series: Series,
    folder: Path,
    rejects: RejectFile,
    limits: Limits,
    *,
    is_sealed: bool,
    now_s: int,
) -> Spooled:
    """Read and check a file.

    :param stream: its bytes
    :param series: what its name tells
    :param folder: empty folder for the slices
    :param rejects: where bad rows are named
    :param limits: how many there may be
    :param is_sealed: whether a checksum proves that the end is not cut off
    :param now_s: the exchange's time, epoch seconds UTC
    :return: what it holds
    :raises ArchiveRefusedError: if it is no such CSV, over a limit, or not of the interval its name tells
    """
    keeper = _Keeper(series, folder, rejects, limits)
    digest = hashlib.sha256()
    for block in checked_blocks(stream, series, is_sealed=is_sealed, now_s=now_s, digest=digest):
        keeper.take(block)
    return keeper.finish(digest.hexdigest())


class _Keeper:
    """Keeps the good rows of a file, names the others."""

    def __init__(self, series: Series, folder: Path, rejects: RejectFile, limits: Limits) -> None:
        self._series, self._folder = series, folder
        self._step = step_s(series.interval_minutes)
        self._rejects, self._limits = rejects, limits
        self._runs = Runs(self._step)
        self._slices = Slices(folder)
        self._read = Spooled()

    def take(self, block: Checked) -> None:
        self._read.n_rows += block.n_lines
        self._read.n_placeholders += block.n_placeholders
        self._reject(block.bad)
        if not block.good.is_empty():
            self._keep(block.good)

    def finish(self, sha256: str) -> Spooled:
        read = self._read
        if not self._limits.allow(read.n_bad, read.n_rows):
            raise ArchiveRefusedError(
                f"{read.n_bad} of {read.n_rows} rows are bad, over the limit of {self._limits.rows} rows or "
                f"{self._limits.percent:g} %: nothing of the file was stored"
            )
        if not read.n_good:
            raise ArchiveRefusedError(f"the file holds no candle in its {read.n_rows} rows")
        self._refuse_longer_candles()
        if read.n_unordered:
            self._slices = self._slices.in_order_of_time()
        read.sha256, read.slices, read.runs = sha256, self._slices.close(), self._runs.ranges()
        return read

    def _reject(self, bad: pl.DataFrame) -> None:
        self._rejects.add(bad)
        self._read.n_bad += bad.height
        if self._read.n_bad > self._limits.rows:
            raise ArchiveRefusedError(
                f"more than {self._limits.rows} rows are bad, {self._read.n_bad} of the first "
                f"{self._read.n_rows}: nothing of the file was stored"
            )

    def _keep(self, good: pl.DataFrame) -> None:
        if not is_rising(good["ts_s"]) or good["ts_s"][0] < self._runs.end_s:
            good = self._without_repeats(good)
            if good.is_empty():
                return
        self._read.n_good += good.height
        self._runs.add(good["ts_s"])
        self._slices.add(good.drop("line"))

    def _without_repeats(self, good: pl.DataFrame) -> pl.DataFrame:
        newest_s = self._runs.end_s - self._step
        newest_before = pl.max_horizontal(
            pl.col("ts_s").cum_max().shift(1, fill_value=newest_s), pl.lit(newest_s)
        )
        is_repeat = ~good["ts_s"].is_first_distinct() | contains(self._runs.frame(), good["ts_s"])
        marked = good.with_columns(is_repeat.alias("repeat"), (pl.col("ts_s") < newest_before).alias("late"))
        self._reject(
            marked.filter("repeat").select(
                "line",
                pl.lit("another row of the same time stands before it").alias("reason"),
                pl.col("ts_s").cast(pl.String).alias("text"),
            )
        )
        fresh = marked.filter(~pl.col("repeat"))
        self._read.n_unordered += int(fresh["late"].sum())
        return fresh.select(GOOD_SCHEMA.keys())

    def _refuse_longer_candles(self) -> None:
        grid = self._runs.common_step_s()
        if self._read.n_good >= TELLING_ROWS and grid > self._step:
            raise ArchiveRefusedError(
                f"all {self._read.n_good} rows lie on a grid of {grid // 60} minutes, so these are not the "
                f"{self._series.interval_minutes}-minute candles that the file's name tells"
            )
