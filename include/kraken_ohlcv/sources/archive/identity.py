"""Whether a file holds the candles of the series that its name says: asked before any of it is stored.

A file of another pair, of another quote currency or of another exchange looks sound, row by row. It is
compared, (close, trades) by bucket, with candles of the series that come from an identified source; where
these are too few, with those of the pair's other intervals, and at last with one answer of the exchange. A
file that differs is refused. One that nothing can be compared with is taken in as provisional and proves
nothing, unless it comes from where the exchange publishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.references import (
    Rows,
    asked_candles,
    file_candles,
    nearest_candles,
    stored_candles_of,
    stored_intervals,
    whole_buckets,
)

log = logging.getLogger(__name__)

ENOUGH: Final = 10
"""Buckets that decide by themselves."""
FEW: Final = 3
"""So few decide only when all of them are equal, or most of them are not."""
ODD_SHARE: Final = 0.02
"""Share of buckets that may differ: two sources of one series restate a candle here and there."""
SEAM_BUCKETS: Final = 3
"""Across so many buckets at most, a price is compared with that of its neighbours."""
SEAM_CANDLES: Final = 20
SEAM_LEAST_CANDLES: Final = 10
SEAM_ROOM: Final = 0.01
"""Share of the price by which a candle may lie outside of its neighbours' range: thin pairs stand still."""

BY_STORED: Final = "stored candles"
BY_OTHERS: Final = "stored candles of other intervals"
BY_EXCHANGE: Final = "candles of the exchange"
BY_NAME: Final = "its name, as it was published"
BY_TRUST: Final = "param trust"

_FOREIGN: Final = (
    "these are not the candles of {} that the file's name says. Nothing was stored. If the file is right and "
    'what is stored is wrong, look at a dry run with "trust": "file", then run that'
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A file and the series that it is said to be of.

    :ivar questdb: client of the candle store
    :ivar kraken: client of the exchange, or None when it is not to be asked
    :ivar series: ticker and interval that the file's name tells
    :ivar staged: the file
    :ivar until_s: rows from here on are provisional and not compared, epoch seconds UTC
    :ivar is_published: whether it comes from where the exchange publishes it, or a published checksum fits
    :ivar now_s: the exchange's time, epoch seconds UTC
    """

    questdb: QuestDBClient
    kraken: KrakenClient | None
    series: Series
    staged: Rows
    until_s: int
    is_published: bool
    now_s: int

    @property
    def step(self) -> int:
        """Return the candle length, seconds."""
        return step_s(self.series.interval_minutes)

    @property
    def span(self) -> Range:
        """Return the range that is compared, epoch seconds UTC."""
        start_s, end_s = self.staged.span
        return start_s, max(start_s, min(end_s, self.until_s))


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found.

    :ivar n: buckets compared
    :ivar differing: those of them of which close or number of trades differ
    :ivar closes: those of which the close differs
    """

    n: int = 0
    differing: int = 0
    closes: int = 0

    def __add__(self, other: Compared) -> Compared:
        """Return both together."""
        return Compared(self.n + other.n, self.differing + other.differing, self.closes + other.closes)

    @property
    def refutes(self) -> bool:
        """Return whether so many differ that these are two series."""
        share = ODD_SHARE if self.n >= ENOUGH else 0.5
        return self.differing > max(1, share * self.n)

    @property
    def identifies(self) -> bool:
        """Return whether the file is that of the series."""
        return not self.refutes and (self.n >= ENOUGH or (self.n >= FEW and not self.differing))


def identify(claim: Claim) -> str | None:
    """Return by what a file is known to be that of its series, or None when nothing tells.

    :param claim: the file and the series
    :return: one of the ``BY_...`` words, or None: then its rows are provisional and prove nothing
    :raises ArchiveRefusedError: if it is the file of another series
    :raises QuestDBError: if the candle store does not answer
    Rule: of at least 10 buckets that two sources of one series share, at most 2 % differ.
    """
    looks: list[tuple[str, Callable[[Claim], Compared]]] = [
        (BY_STORED, _with_stored),
        (BY_OTHERS, _with_others),
    ]
    if not claim.is_published:
        looks.append((BY_EXCHANGE, _with_exchange))
    total, told_by = Compared(), BY_STORED
    for name, look in looks:
        found = look(claim)
        if found.n:
            total, told_by = total + found, name
        if total.n >= ENOUGH:
            break
    if total.refutes:
        raise ArchiveRefusedError(
            f"{total.differing} of the {total.n} candles that can be compared with {told_by} of "
            f"{claim.series.ticker} differ in close or number of trades ({total.differing / total.n:.0%}; "
            f"{total.closes / total.n:.0%} in the close): {_FOREIGN.format(claim.series)}"
        )
    if total.identifies:
        return told_by
    _refuse_broken_seams(claim)
    return BY_NAME if claim.is_published else None


def compare(finer: pl.DataFrame, coarser: pl.DataFrame, *, per: int) -> Compared:
    """Compare candles of two sources, those of the finer one summed up to the buckets of the coarser one.

    :param finer: see :data:`kraken_ohlcv.sources.archive.references.CANDLES`
    :param coarser: likewise
    :param per: candles of the finer one in a bucket, 1 when both have the same length
    :return: what differs; a bucket of which the finer source lacks candles counts only when it is equal, or
        the finer one says more than the coarser one
    """
    both = finer.join(coarser, on="bucket_s", suffix="_coarser")
    is_close, is_count = (pl.col(name) == pl.col(f"{name}_coarser") for name in ("close", "trades"))
    says_more = (
        (pl.col("high") > pl.col("high_coarser"))
        | (pl.col("low") < pl.col("low_coarser"))
        | (pl.col("trades") > pl.col("trades_coarser"))
    )
    is_same = is_close & is_count
    told = both.filter(is_same | (pl.col("n") >= per) | says_more)
    n, differing, closes = told.select(
        pl.len().alias("n"), (~is_same).sum().alias("differing"), (~is_close).sum().alias("closes")
    ).row(0)
    return Compared(n, differing, closes)


def _with_stored(claim: Claim) -> Compared:
    """Compare with the stored candles of the series, batch by batch."""
    total = Compared()
    if claim.series.interval_minutes not in stored_intervals(claim.questdb, claim.series.ticker, claim.span):
        return total
    for frame in claim.staged.frames():
        start_s, end_s = frame["ts_s"][0], min(frame["ts_s"][-1] + claim.step, claim.until_s)
        if start_s >= end_s:
            break
        rows = file_candles([frame], claim.step, (start_s, end_s))
        stored = stored_candles_of(claim.questdb, claim.series, claim.step, (start_s, end_s))
        total += compare(rows, stored, per=1)
    return total


def _with_others(claim: Claim) -> Compared:
    """Compare with what is stored of the pair at other intervals, the nearest lengths first."""
    total, own = Compared(), claim.series.interval_minutes
    others = [
        minutes
        for minutes in stored_intervals(claim.questdb, claim.series.ticker, claim.span)
        if minutes != own and (own % minutes == 0 or minutes % own == 0)
    ]
    for minutes in sorted(others, key=lambda one: (abs(one - own), one)):
        if total.n >= ENOUGH:
            break
        series = claim.series._replace(interval_minutes=minutes)
        step = max(claim.step, step_s(minutes))
        whole = whole_buckets(claim.span, step)
        rows = file_candles(claim.staged.frames(), step, whole)
        stored = stored_candles_of(claim.questdb, series, step, whole)
        if minutes < own:
            total += compare(stored, rows, per=own // minutes)
        else:
            total += compare(rows, stored, per=minutes // own)
    return total


def _with_exchange(claim: Claim) -> Compared:
    """Compare with one answer of the exchange about the file's span."""
    if claim.kraken is None:
        return Compared()
    minutes, asked = asked_candles(
        claim.kraken, claim.series, claim.staged, claim.span, enough=ENOUGH, few=FEW, now_s=claim.now_s
    )
    step = step_s(minutes)
    rows = file_candles(claim.staged.frames(), step, whole_buckets(claim.span, step))
    return compare(rows, asked, per=minutes // claim.series.interval_minutes)


def _refuse_broken_seams(claim: Claim) -> None:
    """Refuse a file whose prices do not go on where those stored on either side of it end."""
    start_s, end_s = claim.staged.span
    room = SEAM_BUCKETS * claim.step
    ends: list[pl.DataFrame] = []
    for frame in claim.staged.frames():
        ends = [ends[0] if ends else frame.head(1), frame.tail(1)]
    broken = []
    sides = [((start_s - room, start_s), -SEAM_CANDLES), ((end_s, end_s + room), SEAM_CANDLES)]
    for row, (side, n) in zip(ends, sides, strict=bool(ends)):
        near = nearest_candles(claim.questdb, claim.series, side, n=n)
        if near.height >= SEAM_LEAST_CANDLES:
            low, high = near.select(pl.col("low").min().alias("a"), pl.col("high").max().alias("b")).row(0)
            free = SEAM_ROOM * high
            broken.append(bool(row["low"][0] > high + free or row["high"][0] < low - free))
    if broken and all(broken):
        raise ArchiveRefusedError(
            "the prices of the file do not go on where those stored beside it end: "
            f"{_FOREIGN.format(claim.series)}"
        )
