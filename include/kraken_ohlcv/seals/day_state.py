"""What stood in series on UTC days at a moment: a row per bucket, and the root of each day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

import numpy as np
import polars as pl

from kraken_ohlcv.completeness.buckets import Grid
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_status import EMPTY, BucketStatus
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.reader.buckets import Buckets, read_buckets
from kraken_ohlcv.reader.scope import Part
from kraken_ohlcv.reader.stores import STORED_AT, Stores
from kraken_ohlcv.seals.moments import runs_of
from kraken_ohlcv.seals.tree import line_leaves, roots_of
from kraken_ohlcv.stores.ledger.session import column

UNKNOWN: Final = str(BucketStatus.UNKNOWN)
PIECE_ROWS: Final = 131_072
"""Buckets that are hashed together: their lines take some forty megabytes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Successive buckets of a series.

    :ivar row: the series
    :ivar covered: the buckets, half-open, on the grid, epoch seconds UTC
    """

    row: SeriesRow
    covered: Range

    @property
    def part(self) -> Part:
        """Return what the reader is asked for: all of it counts as due."""
        begin_s, end_s = self.covered
        grid = Grid(begin_s, end_s, end_s, is_delisted=False)
        return Part(self.row, grid, self.covered, (end_s, end_s), "")


def frames_at(stores: Stores, stretches: Iterable[Stretch], *, at_us: int) -> Iterator[pl.DataFrame]:
    """Return what stood in stretches of series of one interval at a moment, a row per bucket.

    Where nothing was written since, that is what stands now, which is read much faster. A bucket whose past
    nothing tells has the line that it has now.

    :param stretches: each series once
    :param at_us: a settled moment of the ledger's clock, epoch microseconds
    :return: frames of half a million buckets or a series' month at most, series by series, ascending; columns
        ``ticker``, ``ts`` (open time, UTC), ``status``, and of stored candles their figures, ``source`` and
        ``stored_at``
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    # What is read together is read from the earliest to the latest bucket of all.
    ordered = sorted(stretches, key=lambda one: (one.covered, one.row.series))
    for _, those in groupby(ordered, key=lambda one: one.covered):
        parts = [one.part for one in those]
        for some in read_buckets(stores, parts, now_s=0):
            written = _written_since(stores, some, at_us)
            yield pl.concat([
                _past(stores, one, at_us) if one.row.asset.ticker in written else _frame(one) for one in some
            ])


def past_frame(stores: Stores, stretch: Stretch, *, at_us: int) -> pl.DataFrame:
    """Return what stood in a stretch at a moment as :func:`frames_at` does, from the ledger's records.

    :param stretch: of some months at most
    """
    return pl.concat([_past(stores, one, at_us) for one in _present(stores, stretch)])


def present_frame(stores: Stores, stretch: Stretch) -> pl.DataFrame:
    """Return what stands in a stretch now, as :func:`past_frame` does."""
    return pl.concat([_frame(one) for one in _present(stores, stretch)])


def _present(stores: Stores, stretch: Stretch) -> Iterator[Buckets]:
    for some in read_buckets(stores, [stretch.part], now_s=0):
        yield from some


def _written_since(stores: Stores, some: Sequence[Buckets], at_us: int) -> set[str]:
    """Return the tickers among some of one interval with anything written since a moment."""
    interval = some[0].row.interval_minutes
    # The pages were read before: what was committed since is seen now.
    found = set(column(stores.ledger, "read_changed_tickers", interval_minutes=interval, at_us=at_us))
    moment = pl.lit(at_us).cast(pl.Datetime("us", "UTC"))
    for one in some:
        if one.candles.select((pl.col(STORED_AT) > moment).any()).item():
            found.add(one.row.asset.ticker)
    return found


def _frame(buckets: Buckets) -> pl.DataFrame:
    return buckets.frame().with_columns(ticker=pl.lit(buckets.row.asset.ticker, pl.Categorical))


def _past(stores: Stores, now: Buckets, at_us: int) -> pl.DataFrame:
    part = Stretch(now.row, now.covered).part
    pieces = read_buckets(stores, [part], now_s=0, at_us=at_us)
    past = pl.concat([_frame(one) for some in pieces for one in some])
    lost = past.filter(pl.col("status") == UNKNOWN)
    if lost.is_empty():
        return past
    standing = _frame(now).join(lost.select("ts"), on="ts", how="semi")
    return pl.concat([past.filter(pl.col("status") != UNKNOWN), standing]).sort("ts")


def day_roots(interval_minutes: int, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the root of each UTC day of each series.

    :param frame: as of :func:`frames_at`, not empty
    :return: a row per day, in the given order: ``ticker``, ``day_s`` (first second, epoch seconds UTC),
        ``root`` (32 bytes), ``hints`` (see :func:`kraken_ohlcv.seals.tree.roots_of`), ``moments`` (see
        :func:`kraken_ohlcv.seals.moments.runs_of`), and the number of buckets ``stored``, ``empty`` and
        ``missing``
    """
    ticker, status = pl.col("ticker"), pl.col("status")
    day, stored_us = day_of_bucket(interval_minutes), pl.col(STORED_AT).dt.epoch("us")
    rows = frame.select(ticker, status, day_s=day, stored_us=stored_us)
    tree = _trees(rows.select("ticker", "day_s"))
    roots = roots_of(tree.to_numpy(), line_leaves(interval_minutes, frame))
    counted = rows.group_by(tree.alias("tree"), maintain_order=True).agg(
        ticker.first(),
        pl.col("day_s").first(),
        stored=(status == BucketStatus.STORED).sum(),
        empty=status.is_in([str(one) for one in EMPTY]).sum(),
        missing=(status == BucketStatus.MISSING).sum(),
        moments=runs_of(status, pl.col("stored_us")),
    )
    return pl.concat([counted.drop("tree"), roots.select("root", "hints")], how="horizontal")


def _trees(days: pl.DataFrame) -> pl.Series:
    """Return which tree each bucket is in: a number by series and day, from 1.

    :param days: of each bucket, ``ticker`` and ``day_s``
    """
    is_first = pl.any_horizontal(pl.all() != pl.all().shift()).fill_null(value=True)
    return days.select(is_first.cum_sum().cast(pl.Int64)).to_series()


def roots_ahead(frames: Iterable[tuple[int, pl.DataFrame]]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Return the roots of the days of each frame, hashed on all cores while the next frame is read.

    It hashes on as many threads as polars has, which POLARS_MAX_THREADS sets.

    :param frames: bucket length in minutes, and a frame as of :func:`frames_at`; not empty
    :return: bucket length in minutes, and what :func:`day_roots` returns, frame by frame; two frames are in
        memory at once
    """
    before: tuple[int, list[Future[pl.DataFrame]]] | None = None
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        for interval_minutes, frame in frames:
            pieces = _pieces(interval_minutes, frame)
            hashing = [threads.submit(day_roots, interval_minutes, piece) for piece in pieces]
            if before is not None:
                yield _joined(*before)
            before = interval_minutes, hashing
        if before is not None:
            yield _joined(*before)


def _joined(interval_minutes: int, hashing: Iterable[Future[pl.DataFrame]]) -> tuple[int, pl.DataFrame]:
    return interval_minutes, pl.concat([piece.result() for piece in hashing])


def _pieces(interval_minutes: int, frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Return a frame cut between days into pieces of :data:`PIECE_ROWS` buckets, or one day."""
    days = frame.select("ticker", day_s=day_of_bucket(interval_minutes))
    first = np.flatnonzero(np.diff(_trees(days).to_numpy(), prepend=0))
    cuts = np.unique(first[np.searchsorted(first, np.arange(0, first[-1] + 1, PIECE_ROWS))])
    return [frame[begin:end] for begin, end in pairwise([*cuts.tolist(), frame.height])]


def day_of_bucket(interval_minutes: int) -> pl.Expr:
    """Return the UTC day of each bucket's last second: its first second, epoch seconds UTC.

    It is that of :func:`kraken_ohlcv.core.verified_day.day_of`, for a column ``ts``.
    """
    return (pl.col("ts").dt.epoch("s") + step_s(interval_minutes) - 1) // DAY_S * DAY_S


def stored_moments(frame: pl.DataFrame) -> pl.DataFrame:
    """Return when the stored candles of a frame were stored: ``ts_s``, ``stored_us``."""
    return frame.filter(pl.col("status") == BucketStatus.STORED).select(
        ts_s=pl.col("ts").dt.epoch("s"), stored_us=pl.col(STORED_AT).dt.epoch("us")
    )
