"""Writes the rows of a file that the candle table lacks, slice by slice, and proves that they are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from include.ohlcv import ranges
from include.ohlcv.archive.ahead import ahead
from include.ohlcv.archive.candle_store import (
    Sums,
    count_stored,
    newest_closes,
    prove_written,
    send,
    stored_candles,
    wait_applied,
)
from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.archive.merge import STORED_SCHEMA, Merge, merge
from include.ohlcv.intervals import step_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.ohlcv.archive.spool import Spooled
    from include.ohlcv.gaps import Series
    from include.ohlcv.ranges import Range
    from kraken_hooks.questdb import QuestDBHook

UNAPPLIED_SLICES: Final = 5
"""So many slices may be on their way before we wait for the server to apply them."""

COMPARED_ROWS: Final = 1000
TELLING_ROWS: Final = 10
FOREIGN_SHARE: Final = 0.2
"""A close so far from the stored one is that of another pair, when half of all closes are."""


@dataclass(slots=True)
class Stored:
    """What became of a file's rows.

    :ivar n_written: rows written, corrections included
    :ivar n_equal: rows that stood already
    :ivar n_provisional: provisional rows that differ from a stored candle, which stays
    :ivar new: open times that no candle stood at before, range set
    :ivar corrected: replaced candles, file's and stored figures beside each other
    :ivar disputed: open times where another stored candle stays, range set
    :ivar extra: stored candles between the file's rows that the file lacks, range set
    """

    n_written: int = 0
    n_equal: int = 0
    n_provisional: int = 0
    new: list[Range] = field(default_factory=list)
    corrected: list[pl.DataFrame] = field(default_factory=list)
    disputed: list[Range] = field(default_factory=list)
    extra: list[Range] = field(default_factory=list)

    @property
    def n_corrected(self) -> int:
        """Return how many stored candles were replaced."""
        return sum(frame.height for frame in self.corrected)

    def add(self, merged: Merge, rows: pl.DataFrame, stored: pl.DataFrame, *, step: int) -> None:
        """Add a slice.

        :param merged: what becomes of it
        :param rows: its rows
        :param stored: the candles stored in its range before
        :param step: candle length, seconds
        """
        self.n_written += merged.write.height
        self.n_equal += merged.n_equal
        self.n_provisional += merged.n_provisional
        if merged.corrected.height:
            self.corrected.append(merged.corrected)
        if merged.disputed.height:
            self.disputed += ranges.from_points(merged.disputed["ts_s"].to_list(), step=step)
        if stored.height:
            new = rows.join(stored, on="ts_s", how="anti")["ts_s"].to_list()
            self.new += ranges.from_points(new, step=step)
            extra = stored.join(rows, on="ts_s", how="anti")["ts_s"].to_list()
            self.extra += ranges.from_points(extra, step=step)


def refuse_foreign_prices(questdb: QuestDBHook, series: Series, spooled: Spooled) -> None:
    """Refuse a file whose prices are not those of its series: its name tells the wrong ticker.

    :param questdb: hook of the candle store
    :param series: what its name tells
    :param spooled: the file
    :raises ArchiveRefusedError: if half of its closes lie far from the stored ones
    """
    stored = newest_closes(questdb, series, spooled.span, n=COMPARED_ROWS)
    if stored.height < TELLING_ROWS:
        return
    both = [frame.join(stored, on="ts_s") for frame in spooled.frames()]
    distance = (pl.col("close") - pl.col("close_stored")).abs() / pl.col("close_stored")
    apart = pl.concat(both).select(distance.alias("apart"))["apart"]
    middle = apart.median()
    if len(apart) >= TELLING_ROWS and isinstance(middle, float) and middle > FOREIGN_SHARE:
        raise ArchiveRefusedError(
            f"half of the closes that can be compared differ from the stored ones by more than {middle:.0%}: "
            f"these are not the candles of {series.ticker} that the file's name tells"
        )


def store(
    questdb: QuestDBHook, series: Series, spooled: Spooled, *, provisional_s: int, dry_run: bool
) -> Stored:
    """Write what of a file is missing or stronger than what is stored; rows that stand are not written again.

    A slice is a transaction. A crash between slices leaves whole slices, and the next run writes the others.

    :param questdb: hook of the candle store
    :param series: ticker and interval; the caller holds its fill lock
    :param spooled: the file
    :param provisional_s: rows from here on are provisional, epoch seconds UTC
    :param dry_run: compare, but write nothing
    :return: what became of the rows
    :raises ReadBackError: if a candle is not readable as it was sent
    :raises QuestDBError: if QuestDB does not accept or not apply a slice
    """
    is_empty = not count_stored(questdb, series, spooled.span)
    step = step_s(series.interval_minutes)
    done, sums = Stored(), Sums()
    for number, (rows, covered) in enumerate(ahead(_slices(spooled)), start=1):
        stored = pl.DataFrame(schema=STORED_SCHEMA) if is_empty else stored_candles(questdb, series, covered)
        merged = merge(rows, stored, provisional_s=provisional_s)
        done.add(merged, rows, stored, step=step)
        if not stored.height:
            done.new += ranges.intersect(spooled.runs, [covered])
        if dry_run or not merged.write.height:
            continue
        send(questdb, series, merged.write)
        if is_empty:
            sums.add(merged.write)
            if number % UNAPPLIED_SLICES == 0:
                wait_applied(questdb)
        else:
            wait_applied(questdb)
            prove_written(questdb, series, merged.write)
    if is_empty and not dry_run:
        wait_applied(questdb)
        sums.prove(questdb, series, spooled.span)
    done.new = ranges.union(done.new)
    return done


def _slices(spooled: Spooled) -> Iterator[tuple[pl.DataFrame, Range]]:
    """Return each slice with the range up to the next one's first row."""
    before: pl.DataFrame | None = None
    for frame in spooled.frames():
        if before is not None:
            yield before, (before["ts_s"][0], frame["ts_s"][0])
        before = frame
    if before is not None:
        yield before, (before["ts_s"][0], spooled.span[1])
