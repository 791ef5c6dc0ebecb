"""What a file's omissions prove, and where the intervals of a pair contradict each other.

A row left out is the weakest evidence that nothing traded. It counts only between two rows of the file,
before the last day of its release, and when the finest member of the pair lacks the bucket too: proven
defects are tails lost in the coarse files, and days missing in a daily file between days of thousands of
trades. A file with bad rows proves nothing: each of them may stand for any bucket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

import polars as pl

from include.ohlcv import ranges
from include.ohlcv.archive.reading import checked_blocks
from include.ohlcv.intervals import step_s
from include.ohlcv.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.ohlcv.archive.names import Release
    from include.ohlcv.archive.spool import Spooled
    from include.ohlcv.gaps import Series
    from include.ohlcv.ranges import Range

LEFT_OUT: Final = "left out, although shorter candles of the release traded"
UNSUPPORTED: Final = "stands, although no shorter candle of the release traded"
OTHER_COUNT: Final = "counts other trades than the shorter candles of the release"
STORED_ELSE: Final = "left out, although a candle is stored"
STORED_OTHER: Final = "differs from the stored candle, which is left alone"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Buckets in which two sources disagree.

    :ivar what: what is wrong there
    :ivar ranges: normal range set, epoch seconds UTC
    :ivar buckets: how many buckets
    """

    what: str
    ranges: list[Range]
    buckets: int

    def as_dict(self, *, most: int = 20) -> dict[str, Any]:
        """Return it for results and the ledger.

        :param most: at most so many ranges are listed; ``buckets`` counts all
        """
        return {
            "what": self.what,
            "buckets": self.buckets,
            "ranges": [[iso(start), iso(end)] for start, end in self.ranges[:most]],
        }


def contradictions(found: Iterable[tuple[str, Iterable[Range]]], *, step: int) -> list[Contradiction]:
    """Return contradictions, without the empty ones.

    :param found: what is wrong, and where
    :param step: candle length, seconds
    """
    normal = ((what, ranges.union(where)) for what, where in found)
    return [Contradiction(what, where, ranges.count(where, step=step)) for what, where in normal if where]


@dataclass(frozen=True, slots=True)
class Fine:
    """The finest member of a pair, summed up to longer candles.

    :ivar buckets: ``bucket_s`` (open time of the longer candle, epoch seconds UTC), ``fine_trades``
    :ivar span: longer buckets that lie wholly between its first and last candle, epoch seconds UTC
    :ivar is_clean: whether it has no bad row
    """

    buckets: pl.DataFrame
    span: Range
    is_clean: bool


def read_fine(stream: IO[bytes], fine: Series, *, into_minutes: int, is_sealed: bool, now_s: int) -> Fine:
    """Read the finest member of a pair.

    :param stream: its bytes
    :param fine: ticker and interval of it
    :param into_minutes: longer candle length, minutes
    :param is_sealed: whether a checksum proves that its end is not cut off
    :param now_s: the exchange's time, epoch seconds UTC
    :return: what traded
    :raises ArchiveRefusedError: if it is no such CSV
    """
    step = step_s(into_minutes)
    sums: list[pl.DataFrame] = []
    first_s, last_s, is_clean = now_s, 0, True
    for block in checked_blocks(stream, fine, is_sealed=is_sealed, now_s=now_s):
        is_clean = is_clean and block.bad.is_empty()
        if block.good.is_empty():
            continue
        low, high = block.good.select(pl.col("ts_s").min().alias("a"), pl.col("ts_s").max().alias("b")).row(0)
        first_s, last_s = min(first_s, low), max(last_s, high)
        bucket = (pl.col("ts_s") // step * step).alias("bucket_s")
        sums.append(block.good.group_by(bucket).agg(pl.col("trades").sum().alias("fine_trades")))
    if not sums:
        return Fine(pl.DataFrame(schema={"bucket_s": pl.Int64, "fine_trades": pl.Int64}), (0, 0), is_clean)
    buckets = pl.concat(sums).group_by("bucket_s").agg(pl.col("fine_trades").sum())
    span = (-(-first_s // step) * step, (last_s + step_s(fine.interval_minutes)) // step * step)
    return Fine(buckets, (span[0], max(span)), is_clean)


def judge(
    spooled: Spooled, release: Release, fine: Fine | None, *, step: int
) -> tuple[list[Range], list[Contradiction]]:
    """Return what a file proves empty, and where it contradicts the finest member of its pair.

    :param spooled: the file
    :param release: what it speaks about
    :param fine: the finest member, or None when it is the file itself
    :param step: candle length of the file, seconds
    :return: ranges proven empty, and contradictions
    """
    span = spooled.span
    holes = ranges.subtract([span], spooled.runs)
    inside = ranges.intersect(holes, [(span[0], release.last_day_s(span[1]) // step * step)])
    is_telling = not spooled.n_bad
    if fine is None:
        return (inside if is_telling else []), []
    traded = ranges.from_points(fine.buckets["bucket_s"].to_list(), step=step)
    empty = ranges.subtract(ranges.intersect(inside, [fine.span]), traded)
    both = [(max(span[0], fine.span[0]), min(span[1], fine.span[1]))]
    found = [(LEFT_OUT, ranges.intersect(holes, traded))]
    if fine.is_clean:
        # A bad row of the finest member may be all that traded in a bucket.
        here = ranges.intersect(spooled.runs, both)
        found += [
            (UNSUPPORTED, ranges.subtract(here, traded)),
            (OTHER_COUNT, ranges.intersect(both, _counted_otherwise(spooled, fine, step))),
        ]
    return (empty if is_telling and fine.is_clean else []), contradictions(found, step=step)


def _counted_otherwise(spooled: Spooled, fine: Fine, step: int) -> list[Range]:
    points: list[int] = []
    for frame in spooled.frames():
        both = frame.join(fine.buckets, left_on="ts_s", right_on="bucket_s", how="inner")
        points += both.filter(pl.col("trades") != pl.col("fine_trades"))["ts_s"].to_list()
    return ranges.from_points(points, step=step)
