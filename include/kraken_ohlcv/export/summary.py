"""Sums up the buckets of a month: how many there are of each kind, and where the holes are; pure."""

from __future__ import annotations

import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.export.formats import FIGURES
from kraken_ohlcv.export.manifest import MOST_HOLES, Facts, Hole, moment
from kraken_ohlcv.reader.shape import HOLES


def facts_of(frame: pl.DataFrame, month: Range, *, step: int, lines_sha256: str, is_over: bool) -> Facts:
    """Return what the manifest says of a month.

    :param frame: a row per bucket of the grid that opens in it, ascending
    :param month: epoch seconds UTC
    :param step: length of a bucket, seconds
    :param lines_sha256: of the canonical lines
    :param is_over: whether no more buckets will open in it
    """
    buckets = frame.select(
        pl.col("ts").dt.epoch("s").alias("ts_s"),
        pl.col("status").cast(pl.String),
        pl.col("source").cast(pl.String),
        pl.any_horizontal(pl.col(name).is_null() for name in FIGURES).alias("lacks_figures"),
    )
    counts = dict(buckets["status"].value_counts().iter_rows())
    candles = buckets.filter(pl.col("status") == BucketStatus.STORED.value)
    sources = candles["source"].fill_null("none").value_counts().sort("source").iter_rows()
    holes = {status: counts[status] for status in HOLES if status in counts}
    ranges = _hole_ranges(buckets, step)
    start_s, end_s = (
        (buckets["ts_s"][0], buckets["ts_s"][-1] + step) if buckets.height else (month[0], month[0])
    )
    return Facts(
        start=moment(start_s),
        end=moment(end_s),
        buckets=buckets.height,
        rows=candles.height,
        sources=dict(sources),
        proofs={
            evidence: counts[status]
            for evidence in Evidence
            if (status := BucketStatus.empty_by(evidence)) in counts
        },
        holes=holes,
        hole_ranges=ranges[:MOST_HOLES],
        hole_ranges_omitted=max(0, len(ranges) - MOST_HOLES),
        is_whole=is_over and not holes and buckets.height > 0 and not candles["lacks_figures"].any(),
        lines_sha256=lines_sha256,
    )


def _hole_ranges(buckets: pl.DataFrame, step: int) -> list[Hole]:
    """Return the stretches of equal status that are neither stored nor proven empty."""
    stretches = (
        buckets
        .group_by(pl.col("status").rle_id().alias("stretch"), maintain_order=True)
        .agg(pl.col("status", "ts_s").first(), pl.len().alias("n"))
        .filter(pl.col("status").is_in(list(HOLES)))
    )
    return [
        Hole(start=moment(start_s), end=moment(start_s + n * step), buckets=n, status=status)
        for status, start_s, n in stretches.select("status", "ts_s", "n").iter_rows()
    ]
