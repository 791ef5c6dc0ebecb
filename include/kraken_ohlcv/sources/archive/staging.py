"""Reads a file once, checks every row, and keeps the good ones on disk in slices of one transaction each.

A file that is refused must leave no trace in the candle table, so nothing is written until all of it is read.
Memory stays the same whatever the file's length: a block of lines, a slice, and the runs of candles.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

import polars as pl

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.odd import EVERYWHERE, OddPlaces
from kraken_ohlcv.sources.archive.parse import BAD_SCHEMA, COLUMNS, EMPTY_LINE, GOOD_SCHEMA
from kraken_ohlcv.sources.archive.reading import checked_blocks
from kraken_ohlcv.sources.archive.runs import SCHEMA as RUNS_SCHEMA
from kraken_ohlcv.sources.archive.runs import Runs, contains, is_rising
from kraken_ohlcv.sources.archive.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.sources.archive.odd import Misplaced
    from kraken_ohlcv.sources.archive.parse import Checked
    from kraken_ohlcv.sources.archive.rejects import RejectFile

TELLING_ROWS: Final = 20
"""So many rows that all lie on the grid of a longer candle are no accident."""
FEWEST_SOUND_ROWS: Final = 3
"""Fewer sound rows beside odd ones tell nothing."""
VALUES: Final = COLUMNS[1:]
TWO_ROWS: Final = "two different rows have this time, so neither is taken"
OUT_OF_ORDER: Final = "it stands out of the order of time, where a row of another time is missing"
MANY_ROWS: Final = 1_000_000
"""Odd rows after which a file that is mostly rubbish is not read any further."""


@dataclass(slots=True)
class Spooled:
    """A file after reading.

    :ivar sha256: of its content, hex
    :ivar slices: files of one transaction each, in the order of time
    :ivar runs: ranges of consecutive candles, epoch seconds UTC
    :ivar odd: where between its runs odd rows may belong: nothing is proven there; range set
    :ivar disputed: open times of which it holds two different rows, neither of which was kept; range set
    :ivar n_rows: data lines read
    :ivar n_good: candles kept
    :ivar n_bad: odd rows, all of them named in the reject file
    :ivar n_repeats: rows left out because the same row stands before them: no fault
    :ivar n_placeholders: rows without trades, left out
    :ivar n_unordered: good rows that stood after a later one
    """

    sha256: str = ""
    slices: list[Path] = field(default_factory=list)
    runs: list[Range] = field(default_factory=list)
    odd: list[Range] = field(default_factory=list)
    disputed: list[Range] = field(default_factory=list)
    n_rows: int = 0
    n_good: int = 0
    n_bad: int = 0
    n_repeats: int = 0
    n_placeholders: int = 0
    n_unordered: int = 0
    _aside: pl.DataFrame | None = None

    @property
    def span(self) -> Range:
        """Return from the first candle to the end of the last one; (0, 0) without candles."""
        return (self.runs[0][0], self.runs[-1][1]) if self.runs else (0, 0)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Return the slices one after the other, in the order of time."""
        for path in self.slices:
            rows = pl.read_ipc(path).drop("line")
            if self._aside is not None:
                rows = rows.filter(~contains(self._aside, rows["ts_s"]))
            if not rows.is_empty():
                yield rows

    def set_aside(self, spoiled: Sequence[Range]) -> None:
        """Leave out rows that turned out not to be believed.

        :param spoiled: their buckets, normal range set
        """
        if spoiled:
            self.runs = ranges.subtract(self.runs, spoiled)
            self._aside = pl.DataFrame(list(spoiled), schema=RUNS_SCHEMA, orient="row")


def spool(
    stream: IO[bytes],
    series: Series,
    folder: Path,
    rejects: RejectFile | None,
    *,
    is_sealed: bool,
    now_s: int,
) -> Spooled:
    """Read and check a file.

    :param stream: its bytes
    :param series: what its name tells
    :param folder: empty folder for the slices
    :param rejects: where odd rows are named, or None
    :param is_sealed: whether a checksum proves that the end is not cut off
    :param now_s: the exchange's time, epoch seconds UTC
    :return: what it holds; without candles when there is nothing to take in
    :raises ArchiveRefusedError: if it is no such CSV, not of the interval its name tells, or if more than
        half of its rows are odd or fewer than three sound ones remain of more than three
    """
    keeper = _Keeper(series, folder, rejects)
    digest = hashlib.sha256()
    for block in checked_blocks(stream, series, is_sealed=is_sealed, now_s=now_s, digest=digest):
        keeper.take(block)
    return keeper.finish(digest.hexdigest())


class _Keeper:
    """Keeps the good rows of a file, names the others."""

    def __init__(self, series: Series, folder: Path, rejects: RejectFile | None) -> None:
        self._series = series
        self._step = step_s(series.interval_minutes)
        self._rejects = rejects
        self._runs = Runs(self._step)
        self._places = OddPlaces(self._step)
        self._slices, self._repeats = Slices(folder), Slices(folder, "repeat")
        self._n_blank = 0
        self._read = Spooled()

    def take(self, block: Checked) -> None:
        self._read.n_rows += block.n_lines
        self._read.n_placeholders += block.n_placeholders
        self._n_blank += block.bad.filter(pl.col("reason") == EMPTY_LINE).height
        self._places.add(block)
        self._reject(block.bad)
        if self._read.n_bad > MANY_ROWS:
            self._refuse_odd_whole()
        if not block.good.is_empty():
            self._keep(block.good)

    def finish(self, sha256: str) -> Spooled:
        read = self._read
        read.sha256 = sha256
        read.odd, runs = self._places.finish(), self._runs.ranges()
        if read.n_unordered:
            self._slices = self._slices.in_order_of_time()
        disputed = self._different_repeats()
        left_out = pl.concat([disputed, self._misplaced(runs, disputed)])
        if len(left_out):
            self._slices = self._slices.without(left_out)
        read.n_good -= len(left_out)
        points = ranges.from_points(left_out.to_list(), step=self._step)
        read.disputed = ranges.from_points(disputed.to_list(), step=self._step)
        read.runs = ranges.subtract(runs, points)
        lacking = ranges.subtract([read.span], read.runs)
        # Of two different rows of one time, one may be that of a bucket beside it.
        beside = [gap for gap in lacking if ranges.near(read.disputed, gap)]
        read.odd = ranges.intersect(ranges.union(read.odd, points, beside), lacking)
        read.slices = self._slices.close()
        self._refuse_odd_whole()
        if read.n_good:
            self._refuse_longer_candles()
        return read

    def _refuse_odd_whole(self) -> None:
        """Refuse a file of which more is odd than sound; one with no row but blank lines is merely empty."""
        read = self._read
        n_odd = read.n_bad - self._n_blank
        if not read.n_good and not n_odd:
            return
        is_few = read.n_good < FEWEST_SOUND_ROWS < read.n_good + n_odd
        if 2 * n_odd > read.n_rows - self._n_blank or is_few:
            raise ArchiveRefusedError(
                f"{n_odd} of {read.n_rows} rows are odd, too many to believe the others: nothing of the file "
                f"was stored. Check that these are {self._series.interval_minutes}-minute candles of "
                f"{self._series.ticker}, or download the file again"
            )

    def _reject(self, bad: pl.DataFrame) -> None:
        if self._rejects is not None:
            self._rejects.add(bad.select("line", "reason", "text"))
        self._read.n_bad += bad.height

    def _keep(self, good: pl.DataFrame) -> None:
        if not is_rising(good["ts_s"]) or good["ts_s"][0] < self._runs.end_s:
            good = self._without_repeats(good)
            if good.is_empty():
                return
        self._read.n_good += good.height
        self._runs.add(good["ts_s"])
        self._slices.add(good)

    def _without_repeats(self, good: pl.DataFrame) -> pl.DataFrame:
        newest_s = self._runs.end_s - self._step
        newest_before = pl.max_horizontal(
            pl.col("ts_s").cum_max().shift(1, fill_value=newest_s), pl.lit(newest_s)
        )
        is_repeat = ~good["ts_s"].is_first_distinct() | contains(self._runs.frame(), good["ts_s"])
        marked = good.with_columns(is_repeat.alias("repeat"), (pl.col("ts_s") < newest_before).alias("late"))
        repeats, fresh = marked.filter(pl.col("repeat")), marked.filter(~pl.col("repeat"))
        if repeats.height:
            self._read.n_repeats += repeats.height
            self._repeats.add(repeats.select(GOOD_SCHEMA.keys()))
        self._read.n_unordered += int(fresh["late"].sum())
        return fresh.select(GOOD_SCHEMA.keys())

    def _different_repeats(self) -> pl.Series:
        """Name rows that share their time with another row and differ from it; return these times."""
        self._repeats = self._repeats.in_order_of_time()
        found = [
            both
            for repeats in map(pl.read_ipc, self._repeats.close())
            for both in [self._against_kept(repeats)]
            if both.height
        ]
        if not found:
            return pl.Series(dtype=pl.Int64)
        later = pl.concat(found)
        times = later["ts_s"].unique()
        self._read.n_repeats -= later.height
        first = pl.concat(
            frame.filter(pl.col("ts_s").is_in(times.implode()))
            for frame in map(pl.read_ipc, self._slices.close())
        )
        rows = pl.concat([first, later.select(GOOD_SCHEMA.keys())]).sort("line")
        self._reject(_named(rows, TWO_ROWS))
        return times

    def _against_kept(self, repeats: pl.DataFrame) -> pl.DataFrame:
        """Return those of some repeated rows that differ from the row kept of their time."""
        low, high = repeats["ts_s"].min(), repeats["ts_s"].max()
        is_different = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_kept") for name in VALUES)
        found = [repeats.clear()]
        for path in self._slices.close():
            kept = pl.read_ipc(path).filter(pl.col("ts_s").is_between(low, high)).drop("line")
            if kept.height:
                both = repeats.join(kept, on="ts_s", suffix="_kept").filter(is_different)
                found.append(both.select(GOOD_SCHEMA.keys()))
        return pl.concat(found)

    def _misplaced(self, runs: list[Range], disputed: pl.Series) -> pl.Series:
        """Name rows out of order of whose place no other row has the time; return their times.

        A row whose time was altered is one. Rows that merely stand in another order are none.
        """
        found = [
            row
            for row in self._places.misplaced
            if row.between[0] < row.between[1]
            and not ranges.intersect([row.between], ranges.near(runs, row.between))
        ]
        if not self._places.is_ordered:
            self._read.odd, found = [EVERYWHERE], []
        if not found:
            return pl.Series(dtype=pl.Int64)
        self._read.odd = ranges.union(self._read.odd, (row.between for row in found))
        is_misplaced = pl.col("line").is_in([row.line for row in found])
        # A row that stands at its place, too, is a mere repeat here.
        confirmed = pl.concat([disputed, self._with_times(found, self._repeats, ~is_misplaced)["ts_s"]])
        rows = self._with_times(
            found, self._slices, is_misplaced & ~pl.col("ts_s").is_in(confirmed.implode())
        )
        self._reject(_named(rows, OUT_OF_ORDER))
        return rows["ts_s"]

    @staticmethod
    def _with_times(found: list[Misplaced], slices: Slices, condition: pl.Expr) -> pl.DataFrame:
        """Return those rows of slices that have the times of misplaced ones and meet a condition."""
        is_one = pl.col("ts_s").is_in([row.ts_s for row in found])
        frames = [pl.read_ipc(path).filter(is_one & condition) for path in slices.close()]
        return pl.concat([pl.DataFrame(schema=GOOD_SCHEMA), *frames])

    def _refuse_longer_candles(self) -> None:
        grid = self._runs.common_step_s()
        if self._read.n_good >= TELLING_ROWS and grid > self._step:
            raise ArchiveRefusedError(
                f"all {self._read.n_good} rows lie on a grid of {grid // 60} minutes, so these are not the "
                f"{self._series.interval_minutes}-minute candles that the file's name tells"
            )


def _named(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Return sound rows as odd ones."""
    text = pl.concat_str("ts_s", *VALUES, separator=",")
    return rows.with_columns(pl.lit(reason).alias("reason"), text.alias("text")).select(BAD_SCHEMA.keys())
