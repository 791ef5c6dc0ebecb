"""Whether records explain that a sealed day has changed; what is not explained is named.

A change is explained when the past at the moment of the seal, as the ledger tells it, still has the root that
was sealed, and each candle stored since has a record of what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.candle import PRICES
from kraken_ohlcv.core.merkle import root_of
from kraken_ohlcv.core.seal import DaySeal, SealReason, Version, reason_of
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.seals.day_state import Stretch, day_of_bucket, past_frame, present_frame, stored_moments
from kraken_ohlcv.seals.tree import HINT_BYTES, line_leaves, roots_of
from kraken_ohlcv.stores.history import unrecorded_since
from kraken_ohlcv.stores.ledger.session import value

SAID_OF_CANDLE: Final = ("status", *PRICES, "vwap", "volume", "trades", "source")
"""What makes the line of a bucket, beside its series and open time."""


@dataclass(frozen=True, slots=True)
class SealedDay:
    """A day that is sealed.

    :ivar seal: its newest revision
    :ivar leaves: the first bytes of the hash of each leaf, see
        :data:`kraken_ohlcv.seals.tree.HINT_BYTES`
    """

    seal: DaySeal
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Unexplained:
    """What no record explains.

    :ivar ts_s: open time of the first bucket that differs, epoch seconds UTC
    :ivar said: what is known of it, a clause
    """

    ts_s: int
    said: str


@dataclass(frozen=True, slots=True)
class PastDay:
    """A sealed day as the ledger tells what stood when it was sealed.

    :ivar sealed: the day
    :ivar frame: the buckets that the seal holds, as of :func:`kraken_ohlcv.seals.day_state.frames_at`
    :ivar unexplained: what no record explains; None = all is explained
    """

    sealed: SealedDay
    frame: pl.DataFrame
    unexplained: Unexplained | None


def read_past_days(stores: Stores, row: SeriesRow, days: Sequence[SealedDay]) -> Iterator[PastDay]:
    """Return sealed days as the ledger tells what stood when they were sealed.

    :param row: the series
    :param days: of the series, within a month or so: all between them is read
    :return: each of them
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    interval = row.interval_minutes
    by_moment: dict[int, list[SealedDay]] = {}
    for day in days:
        by_moment.setdefault(day.seal.as_of_us, []).append(day)
    for at_us, those in by_moment.items():
        opens = [opens_of_day(day.seal.day_s, interval) for day in those]
        covered = min(start_s for start_s, _ in opens), max(end_s for _, end_s in opens)
        stretch = Stretch(row, covered)
        past = past_frame(stores, stretch, at_us=at_us)
        now = present_frame(stores, stretch)
        unrecorded = unrecorded_since(stores.ledger, row.series, covered, stored_moments(now), at_us=at_us)
        start_s = value(stores.ledger, "read_start_at", row.series, at_us=at_us)
        leaves = line_leaves(interval, past)
        past = past.with_columns(leaf=leaves, day_s=day_of_bucket(interval))
        by_day = past.partition_by("day_s", as_dict=True)
        for day in those:
            yield _past_day(day, by_day[day.seal.day_s,], unrecorded, start_s)


def _past_day(day: SealedDay, frame: pl.DataFrame, unrecorded: BucketSet, start_s: int | None) -> PastDay:
    seal = day.seal
    # A series that began, or ended, within the day has some of its buckets only.
    places = _places(seal, frame["ts"].dt.epoch("s").to_list(), start_s)
    chosen = [frame.slice(place, seal.buckets) for place in places]
    sealed = next((one for one in chosen if _root(one) == seal.root), None)
    if sealed is None:
        return PastDay(day, chosen[0], _first_difference(day, chosen[0]))
    covered = opens_of_day(seal.day_s, seal.series.interval_minutes)
    first_s = unrecorded.within(covered).start_s
    if first_s is not None:
        moment = f"the candle of {iso(first_s)} was stored since, and no record says what was there before"
        return PastDay(day, sealed, Unexplained(first_s, moment))
    return PastDay(day, sealed, None)


def _places(seal: DaySeal, opens: Sequence[int], start_s: int | None) -> list[int]:
    """Return where the buckets of a seal may begin among those of the day."""
    spare = len(opens) - seal.buckets
    if spare <= 0:
        return [0]
    known = sum(1 for open_s in opens if start_s is not None and open_s < start_s)
    return list(dict.fromkeys([min(known, spare), spare, 0]))


def _root(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return root_of([]).hex()
    root: bytes = roots_of(np.zeros(frame.height, dtype=np.int64), frame["leaf"])["root"].item()
    return root.hex()


def _first_difference(day: SealedDay, frame: pl.DataFrame) -> Unexplained:
    """Name the first bucket whose leaf is not the one that was sealed."""
    found = frame["leaf"].to_list()
    kept = [day.leaves[at : at + HINT_BYTES] for at in range(0, len(day.leaves), HINT_BYTES)]
    ts = frame["ts"].dt.epoch("s").to_list()
    for ts_s, leaf, hint in zip(ts, found, kept, strict=False):
        if leaf[:HINT_BYTES] != hint:
            said = f"the bucket of {iso(ts_s)} is not what was sealed, and no record says what became of it"
            return Unexplained(ts_s, said)
    first_s = opens_of_day(day.seal.day_s, day.seal.series.interval_minutes)[0]
    return Unexplained(ts[0] if ts else first_s, "its buckets do not have the root that was sealed")


def reasons_of(before: pl.DataFrame, now: pl.DataFrame) -> set[SealReason]:
    """Return why a day has another root.

    :param before: what was sealed, a row per bucket, as of :func:`kraken_ohlcv.seals.day_state.frames_at`
    :param now: what is to be sealed, likewise
    """
    names = ["ts", *SAID_OF_CANDLE]
    both = before.select(names).join(now.select(names), on="ts", how="full", suffix="_now", coalesce=True)
    is_same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_now")) for name in SAID_OF_CANDLE)
    found: set[SealReason] = set()
    for _, *said in both.remove(is_same).iter_rows():
        old, new = said[: len(SAID_OF_CANDLE)], said[len(SAID_OF_CANDLE) :]
        reason = reason_of(_version(old), _version(new))
        if reason is not None:
            found.add(reason)
    return found


def _version(said: Sequence[Any]) -> Version | None:
    status, *figures, source = said
    if status is None:
        return None
    if status == BucketStatus.STORED:
        return BucketStatus.STORED, source, tuple(figures)
    return BucketStatus(status), None, ()
