"""Reads a file once, checks every row, and keeps the good ones on disk in batches of one transaction each.

A file that is refused must leave no trace in the candle table, so nothing is written until all of it is read.
Memory stays the same whatever the file's length: a block of lines, a batch, and a bit per bucket.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import gcd
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError, OtherIntervalError
from kraken_ohlcv.sources.archive.parse import BAD_SCHEMA, COLUMNS, EMPTY_LINE, Checked, checked_blocks
from kraken_ohlcv.sources.archive.places import EVERYWHERE, OddPlaces
from kraken_ohlcv.sources.archive.prefetch import ahead
from kraken_ohlcv.sources.archive.rejects import RejectFile
from kraken_ohlcv.stores.bucket_arrays import is_in, opening_at, stretches_with

BATCH_ROWS: Final = 50_000
"""Rows of one transaction: 8 MiB as a request of the candle store's client, which holds at most 100 MiB."""
TELLING_ROWS: Final = 20
"""So many rows that all lie on the grid of a longer candle are no accident."""
FEWEST_SOUND_ROWS: Final = 3
"""Fewer sound rows beside odd ones tell nothing."""
VALUES: Final = COLUMNS[1:]
COLUMNS_KEPT: Final = ("ts_s", *VALUES)
TWO_ROWS: Final = "two different rows have this time, so neither is used"
OUT_OF_ORDER: Final = "it is out of order, where a row of another time is missing"
MANY_ROWS: Final = 1_000_000
"""Odd rows after which a file that is mostly rubbish is not read any further."""


@dataclass(slots=True)
class Staged:
    """A file after reading.

    :ivar step: candle length, seconds
    :ivar sha256: of its content, hex
    :ivar batches: files of one transaction each, in the order of time
    :ivar candles: buckets with a row
    :ivar odd: where between its candles odd rows may belong: nothing is proven there
    :ivar disputed: buckets with two different rows, neither of which was kept
    :ivar n_rows: data lines read
    :ivar n_good: candles kept
    :ivar n_bad: odd rows, all of them named in the reject file
    :ivar n_repeats: rows left out because the same row stands before them: no fault
    :ivar n_placeholders: rows without trades, left out
    :ivar n_unordered: good rows that stood after a later one
    """

    step: int
    sha256: str = ""
    batches: list[Path] = field(default_factory=list)
    candles: BucketSet = field(init=False)
    odd: BucketSet = field(init=False)
    disputed: BucketSet = field(init=False)
    n_rows: int = 0
    n_good: int = 0
    n_bad: int = 0
    n_repeats: int = 0
    n_placeholders: int = 0
    n_unordered: int = 0
    _aside: BucketSet = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.candles = self.odd = self.disputed = self._aside = BucketSet(self.step)

    @property
    def span(self) -> Range:
        """Return from the first candle to the end of the last one; (0, 0) without candles."""
        return self.candles.start_s or 0, self.candles.end_s or 0

    @property
    def left_out(self) -> BucketSet:
        """Return the buckets between its candles that it leaves out."""
        return BucketSet.of_ranges([self.span], step=self.step) - self.candles

    def frames(self, columns: Sequence[str] = COLUMNS_KEPT) -> Iterator[pl.DataFrame]:
        """Return the batches one after the other, in the order of time.

        :param columns: those wanted, ``ts_s`` among them
        """
        for path in self.batches:
            rows = pl.read_ipc(path, columns=list(columns))
            if self._aside:
                rows = rows.filter(~is_in(rows["ts_s"].to_numpy(), self._aside))
            if not rows.is_empty():
                yield rows

    def set_aside(self, spoiled: BucketSet) -> None:
        """Leave out rows that turned out not to be believed.

        :param spoiled: their buckets
        """
        self._aside |= spoiled
        self.candles -= spoiled


def stage(
    blocks: Iterable[bytes],
    series: Series,
    folder: Path,
    rejects: RejectFile | None,
    *,
    now_s: int,
) -> Staged:
    """Read and check a file.

    :param blocks: its bytes
    :param series: what its name tells
    :param folder: where the batches go; made when needed
    :param rejects: where odd rows are named, or None
    :return: what it holds; without candles when there is nothing to ingest
    :raises ArchiveRefusedError: if it is no such CSV, not of the interval its name tells, or if more than
        half of its rows are odd or fewer than three sound ones remain of more than three
    """
    digest = hashlib.sha256()
    folder.mkdir(exist_ok=True)

    def hashed() -> Iterator[bytes]:
        for block in blocks:
            digest.update(block)
            yield block

    keeper = _Keeper(series, rejects)
    checked = ahead(checked_blocks(hashed(), series, now_s=now_s))
    staged = keeper.finish(write_batches(keeper.sound_rows(checked), folder), folder)
    staged.sha256 = digest.hexdigest()
    return staged


class _Keeper:
    """Keeps the good rows of a file, names the others."""

    def __init__(self, series: Series, rejects: RejectFile | None) -> None:
        self._series, self._rejects = series, rejects
        self._step = step_s(series.interval_minutes)
        self._places = OddPlaces(self._step)
        self._candles = self._left_out = BucketSet(self._step)
        self._odd: list[Range] = []
        self._is_rising = True
        self._n_blank = self._grid = self._newest_s = 0
        self._staged = Staged(self._step)

    def sound_rows(self, blocks: Iterable[Checked]) -> Iterator[pl.DataFrame]:
        """Return the sound rows of a file, in its order; ``late`` says whether a later one stands before."""
        staged = self._staged
        for block in blocks:
            staged.n_rows += block.n_lines
            staged.n_placeholders += block.n_placeholders
            self._n_blank += block.bad.filter(pl.col("reason") == EMPTY_LINE).height
            self._places.add(block)
            self._reject(block.bad)
            if staged.n_bad > MANY_ROWS:
                self._refuse_odd_whole()
            if block.good.is_empty():
                continue
            staged.n_good += block.good.height
            times = block.good["ts_s"].to_numpy()
            newest_before = np.maximum.accumulate(np.concatenate([[self._newest_s], times[:-1]]))
            good = block.good.with_columns(pl.Series("late", times < newest_before))
            self._is_rising &= bool((times > newest_before).all())
            self._newest_s = max(self._newest_s, int(times.max()))
            self._grid = gcd(self._grid, int(np.gcd.reduce(times)))
            self._candles |= opening_at(times, step=self._step)
            yield good

    def finish(self, batches: list[Path], folder: Path) -> Staged:
        """Return what the file holds, after its last row.

        :param batches: its sound rows
        :param folder: where they lie
        """
        staged = self._staged
        self._odd = self._places.finish()
        if not self._is_rising:
            staged.n_good = 0
            batches = write_batches(self._in_order(batches, folder, self._misplaced()), folder)
        staged.batches, staged.candles = batches, self._candles - self._left_out
        lacking = staged.left_out
        # Of two different rows of one time, one may be that of a bucket beside it.
        beside = stretches_with(lacking, staged.disputed)
        within = BucketSet.of_ranges(ranges.intersect(self._odd, [staged.span]), step=self._step)
        staged.odd = (within | self._left_out | beside) & lacking
        self._refuse_odd_whole()
        self._refuse_longer_candles()
        return staged

    def _in_order(
        self, batches: Sequence[Path], folder: Path, misplaced: Collection[int]
    ) -> Iterator[pl.DataFrame]:
        """Return the rows in the order of time, each once; name those where nothing tells what is true.

        :param batches: all sound rows
        :param folder: where they lie
        :param misplaced: lines whose time belongs elsewhere, unless another row has that time, too
        """
        staged = self._staged
        is_first, is_other = pl.col("is_first"), pl.col("is_other")
        for rows in _by_time(batches, folder):
            judged = rows.with_columns(
                pl.col("ts_s").is_first_distinct().alias("is_first"),
                pl.any_horizontal(pl.col(name) != pl.col(name).first().over("ts_s") for name in VALUES).alias(
                    "is_other"
                ),
                pl.col("line").is_in(misplaced).all().over("ts_s").alias("is_misplaced"),
            ).with_columns(is_other.any().over("ts_s").alias("is_disputed"))
            disputed = judged.filter("is_disputed", is_first | is_other).sort("line")
            misled = judged.filter(is_first, ~pl.col("is_disputed"), "is_misplaced")
            kept = judged.filter(is_first, ~pl.col("is_disputed"), ~pl.col("is_misplaced"))
            self._reject(_named(disputed, TWO_ROWS))
            self._reject(_named(misled, OUT_OF_ORDER))
            staged.disputed |= self._buckets(disputed)
            self._left_out |= self._buckets(disputed) | self._buckets(misled)
            staged.n_good += kept.height
            staged.n_repeats += judged.filter(~is_first, ~is_other).height
            staged.n_unordered += judged.filter(is_first, "late").height
            yield kept.select(rows.columns)

    def _buckets(self, rows: pl.DataFrame) -> BucketSet:
        return opening_at(rows["ts_s"].to_numpy(), step=self._step)

    def _misplaced(self) -> list[int]:
        """Return the lines of rows out of order of whose place no row has the time.

        A row whose time was altered is one. Rows that merely stand in another order are none.
        """
        if not self._places.is_ordered:
            self._odd = [EVERYWHERE]
            return []
        found = [
            row
            for row in self._places.misplaced
            if row.between[0] < row.between[1] and not self._candles.within(row.between)
        ]
        self._odd = ranges.union(self._odd, (row.between for row in found))
        return [row.line for row in found]

    def _reject(self, bad: pl.DataFrame) -> None:
        if self._rejects is not None:
            self._rejects.add(bad)
        self._staged.n_bad += bad.height

    def _refuse_odd_whole(self) -> None:
        """Refuse a file with more odd than sound rows; one with no row but blank lines is merely empty."""
        read = self._staged
        n_odd = read.n_bad - self._n_blank
        if not read.n_good and not n_odd:
            return
        is_few = read.n_good < FEWEST_SOUND_ROWS < read.n_good + n_odd
        if 2 * n_odd > read.n_rows - self._n_blank or is_few:
            raise ArchiveRefusedError(
                f"{n_odd} of {read.n_rows} rows are odd, too many to trust the others: nothing of the file "
                f"was stored. Check that these are {self._series.interval_minutes}-minute candles of "
                f"{self._series.ticker}, or download the file again"
            )

    def _refuse_longer_candles(self) -> None:
        if self._staged.n_good >= TELLING_ROWS and self._grid > self._step:
            raise OtherIntervalError(
                f"all {self._staged.n_good} rows lie on a grid of {self._grid // 60} minutes, so these are "
                f"not the {self._series.interval_minutes}-minute candles that the file's name tells"
            )


def write_batches(frames: Iterable[pl.DataFrame], folder: Path) -> list[Path]:
    """Write rows to files of exactly :data:`BATCH_ROWS` rows, the last one shorter.

    :param frames: the rows, at least one per frame
    :param folder: where the files go
    :return: the files
    """
    paths: list[Path] = []

    def write(frame: pl.DataFrame) -> None:
        paths.append(folder / f"{len(paths):06d}.ipc")
        frame.write_ipc(paths[-1])

    waiting: pl.DataFrame | None = None
    for frame in frames:
        waiting = frame if waiting is None else pl.concat([waiting, frame])
        while waiting.height >= BATCH_ROWS:
            write(waiting.head(BATCH_ROWS))
            waiting = waiting.slice(BATCH_ROWS)
    if waiting is not None and waiting.height:
        write(waiting)
    return paths


def _by_time(batches: Sequence[Path], folder: Path) -> Iterator[pl.DataFrame]:
    """Return all rows of some batches in the order of time and line; the files are gone then.

    They are dealt out by time to as many parts as there are files, and sorted part by part: memory stays
    bounded for any file whose rows are spread over its span.
    """
    rows, parts = pl.scan_ipc(list(batches)), folder / "parts"
    first_s, last_s = rows.select(pl.col("ts_s").min().alias("a"), pl.col("ts_s").max()).collect().row(0)
    width = (last_s - first_s) // len(batches) + 1
    rows.with_columns(((pl.col("ts_s") - first_s) // width).alias("part")).sink_ipc(
        pl.PartitionBy(parts, key="part", include_key=False), mkdir=True
    )
    for path in batches:
        path.unlink()
    for number in range(len(batches)):
        if found := sorted((parts / f"part={number}").glob("*.ipc")):
            yield pl.concat(map(pl.read_ipc, found)).sort("ts_s", "line")
    shutil.rmtree(parts)


def _named(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Return sound rows as odd ones."""
    text = pl.concat_str("ts_s", *VALUES, separator=",")
    return rows.with_columns(pl.lit(reason).alias("reason"), text.alias("text")).select(BAD_SCHEMA.keys())
