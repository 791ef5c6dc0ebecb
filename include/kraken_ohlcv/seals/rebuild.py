"""What stood in sealed days at the moments of their seals, rebuilt from what the stores hold now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.seal import DaySeal
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.seals.tree import line_leaves, roots_of
from kraken_ohlcv.stores.bucket_arrays import Times, marks_of
from kraken_ohlcv.stores.candle_store import FRAME_SCHEMA
from kraken_ohlcv.stores.history import Records

STATUSES: Final = [BucketStatus.MISSING, *map(BucketStatus.empty_by, Evidence)]
"""Statuses of buckets without a candle, by their code."""


class Rebuilt(NamedTuple):
    """Some sealed days of a series, each at the moment of its seal.

    :ivar buckets: a row per bucket, by day and time: ``seal`` (its place among the seals), ``ts_s``, ``ts``,
        ``ticker``, ``status``, and of stored candles the columns of
        :data:`kraken_ohlcv.stores.candle_store.FRAME_SCHEMA`
    :ivar leaves: hash of each of them, 32 bytes
    :ivar roots: by place of the seal: root and hints, see :func:`kraken_ohlcv.seals.tree.roots_of`; a day
        without buckets has none
    :ivar come: ``ts_s`` and ``stored_us`` of the candles that came since into buckets without one
    """

    buckets: pl.DataFrame
    leaves: pl.Series
    roots: dict[int, tuple[bytes, bytes]]
    come: pl.DataFrame


class Placing(Enum):
    """Where the buckets of a seal begin, if it holds fewer than the day has."""

    AT_START = auto()
    """Where the series began, as the ledger knew it then."""
    AT_END = auto()
    """So that they end with the day: the series began later, with its first trade."""
    AT_MIDNIGHT = auto()
    """With the day: the pair left the exchange in it."""


def rebuild(
    records: Records, series: Series, seals: Sequence[DaySeal], placing: Placing = Placing.AT_START
) -> Rebuilt:
    """Return what stood in days of a series at the moments of their seals.

    What stood in a bucket whose past is lost is taken to be what stands in it now: the root decides.

    :param records: of the series, of a range that holds all buckets of the days
    :param seals: at least one, of different days
    """
    step = records.step
    firsts, counts = _spans(records, series, seals, placing)
    ends = np.cumsum(counts)
    opens = np.repeat(firsts - (ends - counts) * step, counts) + np.arange(ends[-1]) * step
    moments = np.array([seal.as_of_us for seal in seals], dtype=np.int64)
    asked = pl.DataFrame({
        "seal": np.repeat(np.arange(len(seals)), counts),
        "ts_s": opens,
        "at_us": np.repeat(moments, counts),
    })
    now = records.now.join(asked.select("ts_s", "at_us"), on="ts_s", maintain_order="left")
    then = records.candles_at(now)
    lost = now.filter(pl.col("ts_s").is_in(then.lost.implode())).select(*FRAME_SCHEMA)
    candles = pl.concat([then.candles, lost]).unique("ts_s", keep="first")
    codes = _codes(records, moments, firsts, counts, ends)
    words = pl.Series(STATUSES, dtype=pl.String)
    buckets = asked.join(candles, on="ts_s", how="left", maintain_order="left").with_columns(
        ts=pl.from_epoch("ts_s", "s"),
        ticker=pl.lit(series.ticker),
        status=pl
        .when(pl.col("close").is_null())
        .then(words.gather(codes))
        .otherwise(pl.lit(str(BucketStatus.STORED))),
    )
    leaves = line_leaves(series.interval_minutes, buckets)
    trees = buckets["seal"].to_numpy()
    found = roots_of(trees, leaves).rows() if len(trees) else []
    return Rebuilt(buckets, leaves, {seal: (root, hints) for seal, root, hints in found}, then.come)


def _spans(
    records: Records, series: Series, seals: Sequence[DaySeal], placing: Placing
) -> tuple[Times, Times]:
    """Return the first open time and the number of buckets of each day, as far as the series reached then."""
    spans = []
    for seal in seals:
        first_s, end_s = opens_of_day(seal.day_s, series.interval_minutes)
        start_s = records.start_at(seal.as_of_us)
        if placing is Placing.AT_START and start_s is not None:
            first_s = ceil_s(max(first_s, start_s), series.interval_minutes)
        elif placing is Placing.AT_END:
            first_s = max(first_s, end_s - seal.buckets * records.step)
        spans.append((first_s, max(0, min(seal.buckets, (end_s - first_s) // records.step))))
    firsts, counts = np.array(spans, dtype=np.int64).T
    return firsts, counts


def _codes(records: Records, moments: Times, firsts: Times, counts: Times, ends: Times) -> Times:
    """Return what each bucket is without a candle: the place of its status in :data:`STATUSES`."""
    codes = np.zeros(ends[-1], dtype=np.int64)
    distinct = np.unique(moments)
    for moment_us, empty in zip(distinct, records.proven_at(distinct.tolist()), strict=True):
        for place in np.flatnonzero(moments == moment_us):
            n = int(counts[place])
            part = codes[ends[place] - n : ends[place]]
            for code, evidence in enumerate(Evidence, start=1):
                part[marks_of(empty.by[evidence], first=int(firsts[place]) // records.step, n=n)] = code
    return codes


def described(row: dict[str, object]) -> str:
    """Return what a bucket holds, in words.

    :param row: of :attr:`Rebuilt.buckets`
    """
    if row["status"] != BucketStatus.STORED:
        return str(row["status"]).replace("empty_", "proven empty by ")
    names: Iterable[str] = ("open", "high", "low", "close", "vwap", "volume", "trades")
    figures = ", ".join(f"{name} {'null' if row[name] is None else row[name]}" for name in names)
    return f"a candle from {row['source']} with {figures}"
