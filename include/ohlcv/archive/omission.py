"""What a file's omissions prove, and where the intervals of a pair contradict each other.

A row left out is the weakest evidence that nothing traded. It counts only between two rows of the file,
before the last day of its release, and when the finest member of the pair lacks the bucket too: proven
defects are tails lost in the coarse files, and days missing in a daily file between days of thousands of
trades. Nothing is proven where an odd row of the file, or of the finest member, may belong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from include.ohlcv import ranges
from include.ohlcv.archive.odd import EVERYWHERE
from include.ohlcv.archive.spool import TWO_ROWS
from include.ohlcv.intervals import step_s
from include.ohlcv.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.ohlcv.archive.names import Release
    from include.ohlcv.archive.spool import Spooled
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
    :ivar odd: longer buckets that its odd rows may belong to, range set
    """

    buckets: pl.DataFrame
    span: Range
    odd: list[Range]


NO_BUCKETS: Final = {"bucket_s": pl.Int64, "fine_trades": pl.Int64}
UNREADABLE: Final = Fine(pl.DataFrame(schema=NO_BUCKETS), (0, 0), [EVERYWHERE])
"""The finest member when it cannot be read: nothing is known of it, so nothing is proven."""


def sum_up(fine: Spooled, *, into_minutes: int) -> Fine:
    """Sum up the finest member of a pair.

    :param fine: as it was read
    :param into_minutes: longer candle length, minutes
    :return: what traded
    """
    step = step_s(into_minutes)
    bucket = (pl.col("ts_s") // step * step).alias("bucket_s")
    sums = [pl.DataFrame(schema=NO_BUCKETS)]
    sums += [
        frame.group_by(bucket).agg(pl.col("trades").sum().alias("fine_trades")) for frame in fine.frames()
    ]
    buckets = pl.concat(sums).group_by("bucket_s").agg(pl.col("fine_trades").sum())
    first_s, end_s = -(-fine.span[0] // step) * step, fine.span[1] // step * step
    odd = ranges.union((start // step * step, -(-end // step) * step) for start, end in fine.odd)
    return Fine(buckets, (first_s, max(first_s, end_s)), odd)


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
    two_rows = (TWO_ROWS, spooled.disputed)
    if fine is None:
        return ranges.subtract(inside, spooled.odd), contradictions([two_rows], step=step)
    traded = ranges.from_points(fine.buckets["bucket_s"].to_list(), step=step)
    doubtful = ranges.union(traded, spooled.odd, fine.odd)
    empty = ranges.subtract(ranges.intersect(inside, [fine.span]), doubtful)
    # An odd row of the finest member may be all that traded in a bucket.
    both = ranges.subtract([(max(span[0], fine.span[0]), min(span[1], fine.span[1]))], fine.odd)
    found = [
        two_rows,
        (LEFT_OUT, ranges.subtract(ranges.intersect(holes, traded), spooled.odd)),
        (UNSUPPORTED, ranges.subtract(ranges.intersect(spooled.runs, both), traded)),
        (OTHER_COUNT, ranges.intersect(both, _counted_otherwise(spooled, fine, step))),
    ]
    return empty, contradictions(found, step=step)


def _counted_otherwise(spooled: Spooled, fine: Fine, step: int) -> list[Range]:
    points: list[int] = []
    for frame in spooled.frames():
        both = frame.join(fine.buckets, left_on="ts_s", right_on="bucket_s", how="inner")
        points += both.filter(pl.col("trades") != pl.col("fine_trades"))["ts_s"].to_list()
    return ranges.from_points(points, step=step)
