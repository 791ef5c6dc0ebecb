"""What a file's omissions prove, and where the intervals of a pair contradict each other.

A row left out is the weakest evidence that nothing traded. It counts only where that is plausible: between
two rows of the file, when no other file of the pair has the bucket, and neither its neighbours nor the last
day of a quarter make it likely that something was lost. Proven defects are tails lost in the coarse files,
and days missing in a daily file between days of thousands of trades. Nothing is proven where an odd row of
the file, or of another one of the pair, may belong. What is not proven is left to trades.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, MINUTE_S
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.sources.archive.busy import busy_holes
from kraken_ohlcv.sources.archive.names import quarter_of
from kraken_ohlcv.sources.archive.odd import EVERYWHERE
from kraken_ohlcv.sources.archive.staging import TWO_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.sources.archive.names import Release
    from kraken_ohlcv.sources.archive.staging import Spooled

LEFT_OUT: Final = "left out, although shorter candles of the release traded"
UNSUPPORTED: Final = "stands, although no shorter candle of the release traded"
OTHER_COUNT: Final = "counts other trades than the shorter candles of the release"
LONGER_HAS_MORE: Final = "left out, although the longer candle around it counts other trades"
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


ALONE_UP_TO_S: Final = 12 * HOUR_S
"""Candles of this length and longer prove nothing when no file with shorter ones is at hand."""

COMPARED_ROWS: Final = 10
"""Of so many rows, not more than half are contradicted by a file of the same pair and release."""

SUMS: Final = {"bucket_s": pl.Int64, "trades": pl.Int64}


@dataclass(frozen=True, slots=True)
class Witness:
    """Another file of the pair, summed up to the buckets in which both can be compared.

    :ivar minutes: its candle length, minutes
    :ivar sums: ``bucket_s`` (open time of the longer of the two candles, epoch seconds UTC), ``trades``
    :ivar span: such buckets that lie wholly between its first and last candle, epoch seconds UTC
    :ivar odd: such buckets that its odd rows may belong to, range set
    """

    minutes: int
    sums: pl.DataFrame
    span: Range
    odd: list[Range]

    @classmethod
    def unreadable(cls, minutes: int) -> Witness:
        """Return the witness of a file that cannot be read: nothing is known of it, so nothing is proven.

        :param minutes: its candle length, minutes
        """
        return cls(minutes, pl.DataFrame(schema=SUMS), (0, 0), [EVERYWHERE])


def witness(other: Spooled, minutes: int, *, own_minutes: int) -> Witness:
    """Return another file of the pair as a witness.

    :param other: as it was read
    :param minutes: its candle length, minutes
    :param own_minutes: candle length of the file that is judged, minutes
    """
    step = max(minutes, own_minutes) * MINUTE_S
    first_s, end_s = -(-other.span[0] // step) * step, other.span[1] // step * step
    return Witness(
        minutes, _sums(other, step), (first_s, max(first_s, end_s)), ranges.widened(other.odd, step=step)
    )


def _sums(file: Spooled, step: int) -> pl.DataFrame:
    bucket = (pl.col("ts_s") // step * step).alias("bucket_s")
    sums = [pl.DataFrame(schema=SUMS)]
    sums += [frame.group_by(bucket).agg(pl.col("trades").sum()) for frame in file.frames()]
    return pl.concat(sums).group_by("bucket_s").agg(pl.col("trades").sum())


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a file is believed.

    :ivar empty: what it proves empty, range set
    :ivar spoiled: its rows that a file with shorter candles contradicts: neither stored nor proven, range set
    :ivar found: where it contradicts the other files of its pair
    """

    empty: list[Range] = field(default_factory=list)
    spoiled: list[Range] = field(default_factory=list)
    found: list[Contradiction] = field(default_factory=list)


def left_out(spooled: Spooled) -> list[Range]:
    """Return the buckets between its rows that a file leaves out, range set.

    :param spooled: the file
    """
    return ranges.subtract([spooled.span], spooled.runs)


def judge(
    spooled: Spooled, plausible: Sequence[Range], witnesses: Sequence[Witness], *, step: int
) -> Judgement:
    """Return what a file proves empty, and where it contradicts the other files of its pair.

    :param spooled: the file
    :param plausible: what :func:`plausibly_empty` returns of it
    :param witnesses: the other files of its pair, those with the shortest candles first
    :param step: candle length of the file, seconds
    """
    shorter = [one for one in witnesses if one.minutes * MINUTE_S < step]
    longer = [one for one in witnesses if one.minutes * MINUTE_S > step]
    holes = left_out(spooled)
    found: list[tuple[str, list[Range]]] = [(TWO_ROWS, spooled.disputed)]
    spoiled: list[Range] = []
    empty = list(plausible)
    traded: list[Range] = []
    for one in shorter:
        has = ranges.from_points(one.sums["bucket_s"].to_list(), step=step)
        traded = ranges.union(traded, has)
        empty = ranges.subtract(ranges.intersect(empty, [one.span]), ranges.union(has, one.odd))
    if shorter:
        unsupported, counted_otherwise = _against(spooled, shorter[0], step)
        spoiled = ranges.union(unsupported, counted_otherwise)
        if _is_another_series(spoiled, spooled, step):
            # Whose candles the file holds is asked elsewhere; these here are not to be compared with.
            spoiled, empty = [], []
        lacking = ranges.subtract(ranges.intersect(holes, traded), spooled.odd)
        found += [(LEFT_OUT, lacking), (UNSUPPORTED, unsupported), (OTHER_COUNT, counted_otherwise)]
    elif step >= ALONE_UP_TO_S:
        empty = []
    for one in longer:
        if not holes:
            break
        at_odds = _at_odds(spooled, one)
        empty = ranges.subtract(empty, ranges.union(at_odds, one.odd))
        found.append((LONGER_HAS_MORE, ranges.subtract(ranges.intersect(holes, at_odds), spooled.odd)))
    return Judgement(empty, spoiled, contradictions(found, step=step))


def _is_another_series(spoiled: Sequence[Range], spooled: Spooled, step: int) -> bool:
    """Return whether a file contradicts so many rows that it cannot be one of the same pair and release."""
    n_rows = ranges.count(spooled.runs, step=step)
    return n_rows >= COMPARED_ROWS and 2 * ranges.count(spoiled, step=step) > n_rows


def plausibly_empty(spooled: Spooled, release: Release, *, step: int) -> list[Range]:
    """Return the buckets left out that may be empty, as far as the file itself tells.

    :param spooled: the file
    :param release: what it speaks about
    :param step: candle length of the file, seconds
    :return: range set
    """
    holes = left_out(spooled)
    if not holes:
        return []
    start_s, end_s = spooled.span
    inside = ranges.intersect(holes, [(start_s, release.last_day_s(end_s) // step * step)])
    last_days = []
    while start_s < end_s:
        start_s = quarter_of(start_s).end_s or end_s
        last_days.append((start_s - DAY_S, start_s))
    lost = ranges.union(busy_holes(spooled.frames(), step), last_days, spooled.odd)
    return ranges.subtract(inside, ranges.widened(lost, step=step))


def _against(spooled: Spooled, finest: Witness, step: int) -> tuple[list[Range], list[Range]]:
    """Return the rows without a shorter candle, and those that count other trades than the shorter ones."""
    span = (max(spooled.span[0], finest.span[0]), min(spooled.span[1], finest.span[1]))
    # An odd row of the finest file may be all that traded in a bucket.
    both = ranges.subtract([span], finest.odd)
    traded = ranges.from_points(finest.sums["bucket_s"].to_list(), step=step)
    unsupported = ranges.subtract(ranges.intersect(spooled.runs, both), traded)
    points: list[int] = []
    for frame in spooled.frames():
        joined = frame.join(finest.sums, left_on="ts_s", right_on="bucket_s", how="inner", suffix="_shorter")
        points += joined.filter(pl.col("trades") != pl.col("trades_shorter"))["ts_s"].to_list()
    return unsupported, ranges.intersect(both, ranges.from_points(points, step=step))


def _at_odds(spooled: Spooled, longer: Witness) -> list[Range]:
    """Return the longer buckets that count other trades than the file's rows in them."""
    step = longer.minutes * MINUTE_S
    near = pl.col("bucket_s").is_between(spooled.span[0] - step, spooled.span[1])
    both = _sums(spooled, step).join(
        longer.sums.filter(near), on="bucket_s", how="full", coalesce=True, suffix="_longer"
    )
    differs = pl.col("trades").fill_null(0) != pl.col("trades_longer").fill_null(0)
    points = both.filter(differs)["bucket_s"].to_list()
    return ranges.intersect(ranges.from_points(points, step=step), [longer.span])


def marked_quarters(contradicted: Sequence[Range]) -> list[Range]:
    """Return the UTC quarters in which a file contradicts a stored candle, and so proves no absence.

    :param contradicted: such buckets, range set
    :return: range set; a quarter is what the exchange publishes at once
    """
    quarters = (quarter_of(moment) for start, end in contradicted for moment in (start, end - 1))
    return ranges.union((one.start_s or 0, one.end_s or 0) for one in set(quarters))
