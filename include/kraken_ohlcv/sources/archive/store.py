"""Writes the rows of a file that are not in the candle table, batch by batch, and proves they are there.

The rule is that of :mod:`kraken_ohlcv.core.restatement`, except that any other difference is reported and
left alone: a file says the same however often it is read. The archive has no vwap: the stored one stays,
unless it would lie outside of the corrected candle.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import ARCHIVE, FIGURES, IDENTIFIED, PROVISIONAL, StoredCandle, says_same
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.restatement import HIGHEST_RANK, SOURCE_RANK, is_better, is_confirmed
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.prefetch import ahead
from kraken_ohlcv.sources.archive.staging import Staged
from kraken_ohlcv.stores.bucket_arrays import opening_at
from kraken_ohlcv.stores.candle_store import (
    FRAME_SCHEMA,
    STORED_SCHEMA,
    WrittenSums,
    count_stored,
    prepare_frame,
    read_frame,
    write_frame,
)
from kraken_ohlcv.stores.contradictions import Admission
from kraken_ohlcv.stores.ledger.history import LOGGED_ROWS, log_former_sources, log_replaced
from kraken_ohlcv.stores.ledger.restatements import log_versions, read_pending
from kraken_ohlcv.stores.other_intervals import copied_opens

if TYPE_CHECKING:
    from kraken_ohlcv.clients.questdb.ilp import PreparedFrame

log = logging.getLogger(__name__)

UNAPPLIED_BATCHES: Final = 10
"""So many batches may be on their way before we wait for the server to apply them."""
WRITTEN: Final = ("new", "confirm", "correct")
"""Verdicts on rows that are written."""


class FileTrust(Enum):
    """How far a file is trusted where candles are stored already."""

    UNIDENTIFIED = "unidentified"
    """Nothing tells whose candles these are: they fill holes and replace nothing."""
    IDENTIFIED = "identified"
    """It is judged by rank."""
    TRUSTED = "trusted"
    """Somebody has decided that it is right where it differs from what is stored."""


def judged(
    rows: pl.DataFrame, stored: pl.DataFrame, *, provisional_s: int, trust: FileTrust = FileTrust.IDENTIFIED
) -> pl.DataFrame:
    """Compare rows of a file with stored candles.

    :param rows: ``ts_s``, prices, ``volume``, ``trades``; unique times
    :param stored: the stored candles of the same time range, see :data:`STORED_SCHEMA`
    :param provisional_s: rows from here on are provisional, epoch seconds UTC
    :param trust: how far the file is trusted
    :return: the rows as candles, see :data:`STORED_SCHEMA`, the stored ones beside them (``*_stored``, nulls
        where there is none), and a ``verdict``: ``new``, ``confirm`` (the same, but only provisional or
        imported so far), ``correct``, ``equal``, or ``keep`` (another stored candle stays)
    """
    both = _as_candles(rows, provisional_s).join(
        stored, on="ts_s", how="left", suffix="_stored", maintain_order="left"
    )
    return both.with_columns(
        pl.when(pl.col("vwap_stored").is_between("low", "high")).then("vwap_stored").alias("vwap"),
        _verdict(trust).alias("verdict"),
    )


def _as_candles(rows: pl.DataFrame, provisional_s: int) -> pl.DataFrame:
    is_provisional = pl.col("ts_s") >= provisional_s
    return rows.with_columns(
        pl.when(is_provisional).then(pl.lit(PROVISIONAL)).otherwise(pl.lit(ARCHIVE)).alias("source"),
        pl.lit(None, pl.Float64).alias("vwap"),
    )


def _verdict(trust: FileTrust) -> pl.Expr:
    ours = {name: pl.col(name) for name in FIGURES}
    theirs = {name: pl.col(f"{name}_stored") for name in FIGURES}
    rank, rank_stored = (
        pl.col(name).replace_strict(SOURCE_RANK, default=HIGHEST_RANK, return_dtype=pl.Int64)
        for name in ("source", "source_stored")
    )
    replaces = {
        FileTrust.UNIDENTIFIED: pl.lit(value=False),
        FileTrust.IDENTIFIED: is_better(rank, ours, rank_stored, theirs),
        FileTrust.TRUSTED: pl.lit(value=True),
    }[trust]
    is_same = says_same(ours, theirs)
    return (
        pl
        .when(pl.col("source_stored").is_null())
        .then(pl.lit("new"))
        .when(is_same & is_confirmed(rank, rank_stored))
        .then(pl.lit("confirm"))
        .when(is_same)
        .then(pl.lit("equal"))
        .when(replaces)
        .then(pl.lit("correct"))
        .otherwise(pl.lit("keep"))
    )


@dataclass(slots=True)
class Stored:
    """What became of a file's rows.

    :ivar n_written: rows written, corrections included
    :ivar n_equal: rows that stood already; those of them that were only provisional or imported are written
        again under the file's source
    :ivar n_provisional: provisional rows that differ from a stored candle, which stays: no fault
    :ivar n_corrected: stored candles that were replaced
    :ivar step: candle length, seconds
    :ivar new: buckets without a candle before
    :ivar corrected: buckets whose candle was replaced, now or by a task that died
    :ivar disputed: buckets where another stored candle stays
    :ivar extra: buckets with a stored candle between the file's rows, without a row of the file
    :ivar at_odds: those of ``disputed`` that come from identified sources
    :ivar absent: those of ``extra`` likewise, where the file's rows are not provisional
    """

    step: int
    n_written: int = 0
    n_equal: int = 0
    n_provisional: int = 0
    n_corrected: int = 0
    new: BucketSet = field(init=False)
    corrected: BucketSet = field(init=False)
    disputed: BucketSet = field(init=False)
    extra: BucketSet = field(init=False)
    at_odds: BucketSet = field(init=False)
    absent: BucketSet = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.new = self.corrected = self.disputed = self.extra = BucketSet(self.step)
        self.at_odds = self.absent = BucketSet(self.step)

    def add(self, rows: pl.DataFrame, stored: pl.DataFrame, *, provisional_s: int) -> None:
        """Add a batch.

        :param rows: as judged
        :param stored: the candles stored in its range before
        :param provisional_s: rows from here on are provisional, epoch seconds UTC
        """
        verdict, is_provisional = pl.col("verdict"), pl.col("source") == PROVISIONAL
        disputed = rows.filter(verdict == "keep", ~is_provisional)
        extra = stored.join(rows, on="ts_s", how="anti")
        is_final = pl.col("ts_s") < provisional_s
        self.n_equal += rows.filter(verdict.is_in(["equal", "confirm"])).height
        self.n_provisional += rows.filter(verdict == "keep", is_provisional).height
        self.new |= self.buckets(rows.filter(verdict == "new"))
        self.disputed |= self.buckets(disputed)
        self.at_odds |= self.buckets(disputed.filter(pl.col("source_stored").is_in(IDENTIFIED)))
        self.extra |= self.buckets(extra)
        self.absent |= self.buckets(extra.filter(pl.col("source").is_in(IDENTIFIED), is_final))

    def buckets(self, rows: pl.DataFrame) -> BucketSet:
        """Return the buckets of some rows.

        :param rows: with ``ts_s``
        """
        return opening_at(rows["ts_s"].to_numpy(), step=self.step)


def store(
    context: RunContext,
    series: Series,
    staged: Staged,
    *,
    provisional_s: int,
    trust: FileTrust,
    admission: Admission | None,
) -> Stored:
    """Write what of a file is missing or stronger than what is stored; stored rows are not written again.

    A batch is a transaction. A crash between batches leaves whole ones; the next run writes the others. The
    candles that a batch replaces are in the ledger before it is sent.

    :param context: what to work with; the fill lock of the series is held
    :param series: ticker and interval
    :param staged: the file
    :param provisional_s: rows from here on are provisional, epoch seconds UTC
    :param trust: how far the file is trusted
    :param admission: of the write; None = compare, but write nothing
    :return: what became of the rows
    :raises ReadBackError: if a candle is not readable as it was sent
    :raises QuestDBError: if QuestDB does not accept or not apply a batch
    """
    questdb = context.questdb
    verb = "compared" if admission is None else "compared and wrote"
    progress = Progress(f"{series}: {verb}", "row", staged.n_good, log.info, clock=context.clock)
    # What a task that died has sent is to be seen, not written once more as if it were new.
    questdb.wait_applied(CANDLE_TABLE)
    if not count_stored(questdb, series, staged.span):
        return _store_new(questdb, series, staged, progress, provisional_s=provisional_s, admission=admission)
    copies = copied_opens(questdb, series, staged.span)
    pending = read_pending(context.connection, series)
    done = Stored(staged.step)
    for rows, covered in ahead(_batches(staged)):
        before = read_frame(questdb, series, covered)
        stored = _without_rank(before, copies)
        found = judged(rows, stored, provisional_s=provisional_s, trust=trust)
        done.add(found, stored, provisional_s=provisional_s)
        corrected = found.filter(pl.col("verdict") == "correct")
        ended = [] if admission is None else _written_before(found, pending)
        done.corrected |= done.buckets(corrected) | BucketSet.of_points(ended, step=staged.step)
        done.n_corrected += corrected.height + len(ended)
        write = found.filter(pl.col("verdict").is_in(WRITTEN)).select(*STORED_SCHEMA)
        done.n_written += write.height
        progress.add(rows.height)
        if admission is None or write.is_empty():
            continue
        for part in corrected.iter_slices(LOGGED_ROWS):
            both = zip(_candles(part, "_stored"), _candles(part), strict=True)
            versions = [(old, new, pending.get(new, context.now_s)) for old, new in both]
            log_versions(context.connection, series, versions)
        admission.note_new(done.buckets(found.filter(pl.col("verdict") == "new")))
        _keep_replaced(admission, before, write)
        write_frame(questdb, series, write, stored_us=admission.moment_us)
    return done


def _keep_replaced(admission: Admission, before: pl.DataFrame, write: pl.DataFrame) -> None:
    """Keep what rows replace: of those that change a source and nothing else, only that."""
    connection, series, moment_us = admission.connection, admission.series, admission.moment_us
    both = before.join(write, on="ts_s", how="inner", suffix="_new", maintain_order="left")
    is_same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_new")) for name in (*FIGURES, "vwap"))
    former = {
        (source, stored_us): opening_at(rows["ts_s"].to_numpy(), step=step_s(series.interval_minutes))
        for (source, stored_us), rows in both.filter(is_same).group_by("source", "stored_us")
    }
    log_former_sources(connection, series, former, moment_us=moment_us)
    replaced = both.remove(is_same).select(*FRAME_SCHEMA)
    log_replaced(
        connection, series, [StoredCandle(*row) for row in replaced.iter_rows()], moment_us=moment_us
    )


def _store_new(
    questdb: QuestDBClient,
    series: Series,
    staged: Staged,
    progress: Progress,
    *,
    provisional_s: int,
    admission: Admission | None,
) -> Stored:
    """Write a file into a range in which nothing is stored, so that there is nothing to compare it with."""
    done, sums = Stored(staged.step), WrittenSums()
    done.new, done.n_written = staged.candles, len(staged.candles)
    if admission is None:
        return done
    admission.note_new(done.new)

    def prepared() -> Iterator[tuple[int, PreparedFrame]]:
        for rows in staged.frames():
            candles = _as_candles(rows, provisional_s).select(*STORED_SCHEMA)
            sums.add(candles)
            yield candles.height, prepare_frame(questdb, series, candles, stored_us=admission.moment_us)

    for number, (n_rows, batch) in enumerate(ahead(prepared()), start=1):
        questdb.send(batch)
        progress.add(n_rows)
        if number % UNAPPLIED_BATCHES == 0:
            questdb.wait_applied(CANDLE_TABLE)
    questdb.wait_applied(CANDLE_TABLE)
    sums.prove(questdb, series, staged.span)
    return done


def _written_before(rows: pl.DataFrame, pending: Mapping[StoredCandle, int]) -> list[int]:
    """Return the open times of candles that a task has replaced, but died before it could say so."""
    is_logged = pl.col("ts_s").is_in([candle.ts_s for candle in pending])
    equal = rows.filter(pl.col("verdict") == "equal", is_logged) if pending else rows.clear()
    return [candle.ts_s for candle in _candles(equal) if candle in pending]


def _candles(rows: pl.DataFrame, suffix: str = "") -> Iterator[StoredCandle]:
    names = ["ts_s", *(f"{name}{suffix}" for name in STORED_SCHEMA if name != "ts_s")]
    return (StoredCandle(*row) for row in rows.select(names).iter_rows())


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
