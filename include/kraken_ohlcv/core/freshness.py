"""Which series are stale: the newest candle is old, and the next one should long be here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kraken_ohlcv.core.cron import last_tick_before, next_tick_after
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import HOUR_S, step_s
from kraken_ohlcv.core.tiers import Upkeep


class Freshness(StrEnum):
    """How a series stands."""

    FRESH = "fresh"
    QUIET = "quiet"
    """Its newest candle is old, but what follows is proven empty, or accepted, as far as it is due."""
    STALE = "stale"
    NEVER_LOADED = "never_loaded"
    DELISTED = "delisted"
    """Its pair is no longer among Kraken's, or takes no new orders."""


OVERDUE: Final = (Freshness.STALE, Freshness.NEVER_LOADED)
"""Verdicts on series that should have newer candles."""


@dataclass(frozen=True, slots=True)
class NewestEnd:
    """What is known of a series' newest end.

    :ivar series: ticker and interval
    :ivar tier: the asset's tier
    :ivar upkeep: how its series are kept
    :ivar last_s: open time of the newest candle, epoch seconds UTC, or None when nothing is stored
    :ivar settled_s: end of the newest bucket that is stored, or proven empty or accepted as missing behind
        the newest candle, epoch seconds UTC, or None when nothing is stored or accepted
    :ivar added_s: when the asset came into the catalogue, or to the tier, intervals and schedule that it has
        now, whichever was later, epoch seconds UTC
    :ivar is_delisted: whether its pair has left the exchange or takes no new orders
    """

    series: Series
    tier: str
    upkeep: Upkeep
    last_s: int | None
    settled_s: int | None
    added_s: int
    is_delisted: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a series stands at a moment.

    :ivar end: its newest end
    :ivar freshness: the verdict
    :ivar hours_behind: whole hours from the open time of the newest candle, or None when nothing is stored
    :ivar hours_overdue: whole hours since the next candle was due, 0 when it is not
    """

    end: NewestEnd
    freshness: Freshness
    hours_behind: int | None
    hours_overdue: int

    @property
    def is_overdue(self) -> bool:
        """Whether the series should have newer candles."""
        return self.freshness in OVERDUE


def due_s(upkeep: Upkeep, interval_minutes: int, close_s: int, *, hours: int) -> int:
    """Return when a bucket should be stored at the latest.

    :param upkeep: how the series of the asset are kept
    :param close_s: end of the bucket, epoch seconds UTC
    :param hours: limit for series that no scheduled backfill covers, hours
    :return: the first scheduled tick later than the close, plus the time that the run has; epoch seconds UTC
    """
    cron = upkeep.cron(interval_minutes)
    if cron is None:
        return close_s + hours * HOUR_S
    return next_tick_after(cron, close_s) + upkeep.grace_s(interval_minutes)


def due_end_s(upkeep: Upkeep, interval_minutes: int, now_s: int, *, hours: int | None = None) -> int:
    """Return up to where a series should be stored: :func:`due_s` read backwards.

    :param upkeep: how the series of the asset are kept
    :param hours: limit for series that no scheduled backfill covers, hours; None = that of the tier
    :return: close of the newest bucket that is due, on the grid, epoch seconds UTC
    """
    cron = upkeep.cron(interval_minutes)
    if cron is None:
        return floor_s(now_s - (hours or upkeep.plan.hours) * HOUR_S, interval_minutes)
    # A run at the very close of a bucket need not bring it.
    return floor_s(last_tick_before(cron, now_s - upkeep.grace_s(interval_minutes)) - 1, interval_minutes)


def late_end_s(upkeep: Upkeep, interval_minutes: int, moment_us: int, *, within_s: int) -> int:
    """Return up to where buckets that come at a moment come too late.

    :param upkeep: how the series of the asset are kept
    :param moment_us: when they come, epoch microseconds
    :param within_s: how long after it is due a bucket is still in time, seconds
    :return: close of the newest bucket that is late, on the grid, epoch seconds UTC; those that close later
        are in time
    """
    # The newest second before the moment: what comes at the very end of its time is in time.
    return due_end_s(upkeep, interval_minutes, -(-moment_us // 1_000_000) - 1 - within_s)


def judge(end: NewestEnd, *, now_s: int, hours: int) -> Judgement:
    """Return how a series stands.

    :param end: what is known of its newest end
    :param hours: a newest candle that closed longer ago is old, hours, >= 1
    :return: stale only when both hold: the newest candle is old and the next one is overdue; so a system
        whose daily runs end within their grace never alarms
    """
    interval = end.series.interval_minutes
    step = step_s(interval)
    # Before the asset was added no run was to fetch anything: the first bucket to close since then is the one
    # to wait for, when nothing is stored and when old candles were brought in.
    added_s = end.added_s // step * step
    settled_s = added_s if end.settled_s is None else end.settled_s
    overdue_s = now_s - due_s(end.upkeep, interval, max(settled_s, added_s) + step, hours=hours)
    if end.is_delisted:
        freshness = Freshness.DELISTED
    elif end.last_s is None:
        freshness = Freshness.NEVER_LOADED if overdue_s >= 0 else Freshness.FRESH
    elif now_s - (end.last_s + step) <= hours * HOUR_S:
        freshness = Freshness.FRESH
    elif overdue_s >= 0:
        freshness = Freshness.STALE
    else:
        freshness = Freshness.QUIET if settled_s > end.last_s + step else Freshness.FRESH
    behind = None if end.last_s is None else (now_s - end.last_s) // HOUR_S
    return Judgement(end, freshness, behind, max(0, overdue_s // HOUR_S))
