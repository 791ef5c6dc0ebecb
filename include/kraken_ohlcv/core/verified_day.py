"""Days of a tier and interval, their partition keys, and what becomes of a day that was looked at; pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, Self

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import DAY_S, INTERVALS, MINUTE_S
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.core.times import iso, midnight_s, utc


class DayChange(StrEnum):
    """What has happened to days of a series."""

    ACCOUNTED = "accounted"
    """Buckets were stored, proven empty or found missing."""
    LOST = "lost"
    """Buckets that were stored or proven empty are not what they were."""
    RESTATED = "restated"
    """A stored candle was replaced."""


class Reason(StrEnum):
    """Why there is a revision of a day."""

    COMPLETE = "complete"
    """The day became complete for the first time."""
    REPAIRED = "repaired"
    """Something of the day was lost, and it is complete again."""
    RESTATED = "restated"
    """A candle of the day was replaced by another version."""
    ASSET_ADDED = "asset_added"
    """The day holds an asset that it did not hold before."""


class DayKey(NamedTuple):
    """A UTC day of a tier and interval.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes
    :ivar day_s: its first second, epoch seconds UTC
    """

    tier: str
    interval_minutes: int
    day_s: int

    def __str__(self) -> str:
        """Return the partition key, for example ``TIER1|60|2026-11-27``."""
        return f"{self.tier}|{self.interval_minutes}|{utc(self.day_s).date().isoformat()}"

    @classmethod
    def parse(cls, key: str) -> Self:
        """Return what a partition key says.

        :param key: as :meth:`__str__` gives it
        :raises BadRequestError: if it is none
        """
        try:
            tier, interval, day = key.split("|")
            parsed = cls(tier, int(interval), midnight_s(date.fromisoformat(day)))
        except ValueError:
            parsed = None
        is_known = parsed is not None and parsed.tier in TIERS and parsed.interval_minutes in INTERVALS
        # One day has one key: another spelling would never be published.
        if parsed is None or not is_known or str(parsed) != key:
            raise BadRequestError(f"{key!r} is no key of a verified day: write it like TIER1|60|2026-11-27")
        return parsed


def day_of(open_s: int, step: int) -> int:
    """Return the UTC day that a bucket belongs to: that of its last second.

    :param open_s: open time, epoch seconds UTC
    :param step: bucket length, seconds
    :return: its first second, epoch seconds UTC
    """
    return (open_s + step - 1) // DAY_S * DAY_S


def day_ranges(buckets: BucketSet) -> list[Range]:
    """Return the stretches of UTC days that some buckets of a month or two belong to.

    :return: first second of the first and of the last day of each, ascending, epoch seconds UTC
    """
    found: list[Range] = []
    start_s, end_s, step = buckets.start_s, buckets.end_s, buckets.step
    if start_s is None or end_s is None:
        return found
    for day_s in days_between(day_of(start_s, step), day_of(end_s - step, step)):
        if not buckets.within(opens_of_day(day_s, step // MINUTE_S)):
            continue
        if found and found[-1][1] == day_s - DAY_S:
            found[-1] = (found[-1][0], day_s)
        else:
            found.append((day_s, day_s))
    return found


def opens_of_day(day_s: int, interval_minutes: int) -> Range:
    """Return the open times of the buckets that belong to a UTC day.

    :param day_s: its first second, epoch seconds UTC
    :return: half-open, on the grid, epoch seconds UTC; empty when no bucket ends in that day
    """
    return floor_s(day_s, interval_minutes), floor_s(day_s + DAY_S, interval_minutes)


def days_between(first_s: int, last_s: int) -> range:
    """Return UTC days.

    :param first_s: first second of the first one, epoch seconds UTC
    :param last_s: first second of the last one
    :return: the first second of each
    """
    return range(first_s, last_s + 1, DAY_S)


def newest_day_s(now_s: int) -> int:
    """Return the newest UTC day all of whose buckets have closed: yesterday.

    :return: its first second, epoch seconds UTC
    """
    return now_s // DAY_S * DAY_S - DAY_S


class Found(NamedTuple):
    """What a complete day holds.

    :ivar tickers: assets with buckets that belong to the day, at least one
    :ivar candles: stored ones
    :ivar proven_empty: buckets proven to have had no trades
    """

    tickers: list[str]
    candles: int
    proven_empty: int


@dataclass(frozen=True, slots=True)
class VerifiedDay:
    """A day of a tier and interval that is or was complete.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes
    :ivar day_s: its first second, epoch seconds UTC
    :ivar is_complete: whether every bucket of the day was stored or proven empty when it was last looked at
    :ivar revision: number of the newest revision, from 1
    :ivar reason: why there is this revision
    :ivar issued: newest revision that was handed to a task that publishes it, 0 = none
    :ivar tickers: assets with buckets that belong to the day
    :ivar candles: stored ones
    :ivar proven_empty: buckets proven to have had no trades
    :ivar first_complete_s: when the day was first seen to be complete, the exchange's time, epoch seconds UTC
    :ivar complete_s: when this revision was
    """

    tier: str
    interval_minutes: int
    day_s: int
    is_complete: bool
    revision: int
    reason: str
    issued: int
    tickers: list[str]
    candles: int
    proven_empty: int
    first_complete_s: int
    complete_s: int

    @property
    def key(self) -> DayKey:
        """Return which day it is."""
        return DayKey(self.tier, self.interval_minutes, self.day_s)

    def as_event(self) -> dict[str, Any]:
        """Return what an event says of it, for readers without the code; times as ISO text in UTC."""
        start_s, end_s = opens_of_day(self.day_s, self.interval_minutes)
        return {
            "key": str(self.key),
            "revision": self.revision,
            "reason": self.reason,
            "tier": self.tier,
            "interval": self.interval_minutes,
            "day": utc(self.day_s).date().isoformat(),
            "start": iso(start_s),
            "end": iso(end_s),
            "series": len(self.tickers),
            "tickers": self.tickers,
            "candles": self.candles,
            "proven_empty": self.proven_empty,
            "first_complete_at": iso(self.first_complete_s),
            "complete_at": iso(self.complete_s),
        }


def judged(
    key: DayKey,
    known: VerifiedDay | None,
    found: Found | None,
    changes: Collection[DayChange],
    *,
    now_s: int,
) -> VerifiedDay | None:
    """Return what becomes of a day that was looked at.

    :param known: what was known of it, None = it was never complete
    :param found: what it holds, None = it is not complete
    :param changes: what has happened to it since it was last looked at
    :return: what is known from now on; None = it was never complete
    Rule: a revision is followed by a newer one when any candle of the day may be another; a day that is not
    complete has none until it is complete again.
    """
    if found is None:
        return replace(known, is_complete=False) if known else None
    if known is None:
        return VerifiedDay(
            *key,
            is_complete=True,
            revision=1,
            reason=Reason.COMPLETE,
            issued=0,
            **found._asdict(),
            first_complete_s=now_s,
            complete_s=now_s,
        )
    reason: Reason | None = None
    if not known.is_complete or DayChange.LOST in changes:
        reason = Reason.REPAIRED
    elif DayChange.RESTATED in changes:
        reason = Reason.RESTATED
    elif not set(found.tickers).issubset(known.tickers):
        reason = Reason.ASSET_ADDED
    if reason is None:
        return replace(known, **found._asdict())
    if known.issued < known.revision:
        # The newest revision was not published: its number and reason still stand.
        return replace(known, is_complete=True, **found._asdict(), complete_s=now_s)
    return replace(
        known,
        is_complete=True,
        revision=known.revision + 1,
        reason=reason,
        **found._asdict(),
        complete_s=now_s,
    )
