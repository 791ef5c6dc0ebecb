"""Writes the rows of a file that are not in the candle table, batch by batch, and proves they are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import IDENTIFIED, PROVISIONAL
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.archive.prefetch import ahead
from kraken_ohlcv.sources.archive.staging import Staged
from kraken_ohlcv.stores.bulk import (
    Sums,
    count_stored,
    prove_written,
    send,
    stored_candles,
    wait_applied,
)
from kraken_ohlcv.stores.merge import STORED_SCHEMA, Merge, Standing, merge
from kraken_ohlcv.stores.suspects import copied_opens

UNAPPLIED_BATCHES: Final = 5
"""So many batches may be on their way before we wait for the server to apply them."""


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
    :ivar at_odds: those of ``disputed`` that come from identified sources, range set
    :ivar lacking: those of ``extra`` likewise, where the file's rows are not provisional, range set
    """

    n_written: int = 0
    n_equal: int = 0
    n_provisional: int = 0
    new: list[Range] = field(default_factory=list)
    corrected: list[pl.DataFrame] = field(default_factory=list)
    disputed: list[Range] = field(default_factory=list)
    extra: list[Range] = field(default_factory=list)
    at_odds: list[Range] = field(default_factory=list)
    lacking: list[Range] = field(default_factory=list)

    @property
    def n_corrected(self) -> int:
        """Return how many stored candles were replaced."""
        return sum(frame.height for frame in self.corrected)

    def add(
        self, merged: Merge, rows: pl.DataFrame, stored: pl.DataFrame, *, provisional_s: int, step: int
    ) -> None:
        """Add a batch.

        :param merged: what becomes of it
        :param rows: its rows
        :param stored: the candles stored in its range before
        :param provisional_s: rows from here on are provisional, epoch seconds UTC
        :param step: candle length, seconds
        """
        self.n_written += merged.write.height
        self.n_equal += merged.n_equal
        self.n_provisional += merged.n_provisional
        if merged.corrected.height:
            self.corrected.append(merged.corrected)
        if merged.disputed.height:
            self.disputed += _buckets(merged.disputed, step)
            self.at_odds += _buckets(merged.disputed.filter(pl.col("source_stored").is_in(IDENTIFIED)), step)
        if stored.height:
            self.new += _buckets(rows.join(stored, on="ts_s", how="anti"), step)
            extra = stored.join(rows, on="ts_s", how="anti")
            self.extra += _buckets(extra, step)
            is_final = pl.col("ts_s") < provisional_s
            self.lacking += _buckets(extra.filter(pl.col("source").is_in(IDENTIFIED) & is_final), step)


def _buckets(rows: pl.DataFrame, step: int) -> list[Range]:
    return ranges.from_points(rows["ts_s"].to_list(), step=step)


def store(
    questdb: QuestDBClient,
    series: Series,
    staged: Staged,
    *,
    provisional_s: int,
    standing: Standing,
    dry_run: bool,
) -> Stored:
    """Write what of a file is missing or stronger than what is stored; rows that stand are not written again.

    A batch is a transaction. A crash between batches leaves whole ones; the next run writes the others.

    :param series: ticker and interval; the caller holds its fill lock
    :param staged: the file
    :param provisional_s: rows from here on are provisional, epoch seconds UTC
    :param standing: how the file stands to what is stored
    :param dry_run: compare, but write nothing
    :return: what became of the rows
    :raises ReadBackError: if a candle is not readable as it was sent
    :raises QuestDBError: if QuestDB does not accept or not apply a batch
    """
    is_empty = not count_stored(questdb, series, staged.span)
    step = step_s(series.interval_minutes)
    copies = [] if is_empty else copied_opens(questdb, series, staged.span)
    done, sums = Stored(), Sums()
    for number, (rows, covered) in enumerate(ahead(_batches(staged)), start=1):
        stored = pl.DataFrame(schema=STORED_SCHEMA) if is_empty else stored_candles(questdb, series, covered)
        stored = _without_rank(stored, copies)
        merged = merge(rows, stored, provisional_s=provisional_s, standing=standing)
        done.add(merged, rows, stored, provisional_s=provisional_s, step=step)
        if not stored.height:
            done.new += ranges.intersect(staged.runs, [covered])
        if dry_run or not merged.write.height:
            continue
        send(questdb, series, merged.write)
        if is_empty:
            sums.add(merged.write)
            if number % UNAPPLIED_BATCHES == 0:
                wait_applied(questdb)
        else:
            wait_applied(questdb)
            prove_written(questdb, series, merged.write)
    if is_empty and not dry_run:
        wait_applied(questdb)
        sums.prove(questdb, series, staged.span)
    done.new = ranges.union(done.new)
    return done


def _without_rank(stored: pl.DataFrame, copies: list[int]) -> pl.DataFrame:
    """Return stored candles with those that are of a longer interval as what they are: of no known source."""
    if not copies:
        return stored
    is_copy = pl.col("ts_s").is_in(copies)
    return stored.with_columns(
        pl.when(is_copy).then(pl.lit(PROVISIONAL)).otherwise(pl.col("source")).alias("source"),
        pl.when(is_copy).then(None).otherwise(pl.col("vwap")).alias("vwap"),
    )


def _batches(staged: Staged) -> Iterator[tuple[pl.DataFrame, Range]]:
    """Return each batch with the range up to the next one's first row."""
    before: pl.DataFrame | None = None
    for frame in staged.frames():
        if before is not None:
            yield before, (before["ts_s"][0], frame["ts_s"][0])
        before = frame
    if before is not None:
        yield before, (before["ts_s"][0], staged.span[1])
