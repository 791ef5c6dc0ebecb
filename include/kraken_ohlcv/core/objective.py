"""Targets as counts of buckets: what a tier reached, its error budget, and how fast that burns; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.ranges import Range

BUDGET_DAYS: Final = 30
"""An error budget is that of so many days."""
LONG_DAYS: Final = 7
"""Length of the long window, days."""
SHORT_DAYS: Final = 1
"""Length of the short window, days: whether the budget still burns."""
BURN_LIMIT: Final = 2
"""At this rate the budget of 30 days is spent within 15: a week of it takes 47 % of the budget.

Source: multiwindow, multi-burn-rate alerts, Google's Site Reliability Workbook, chapter 5. Its windows of
hours are for services that are asked all the time; the candles of a daily backfill come once a day.
"""


class Objective(StrEnum):
    """What a target is about."""

    VERIFIED = "verified"
    """Share of the due buckets that are stored, undisputed, or proven empty."""
    FRESH = "fresh"
    """Share of the due buckets that were stored or proven empty soon after they were due."""


@dataclass(frozen=True, slots=True)
class ObjectiveDay:
    """What is known of a UTC day of a tier and interval; a bucket belongs to the day of its last second.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes
    :ivar day_s: its first second, epoch seconds UTC
    :ivar due: buckets that were due, of series kept when they closed
    :ivar missing: those of them that are neither stored, undisputed, nor proven empty, by ticker, each >= 1
    :ivar fresh_due: buckets whose time is over: each is known to have come in time or not
    :ivar late: those of them that were not, by ticker, each >= 1
    :ivar is_final: whether all that the day has is among ``fresh_due``: what was late stays late
    """

    tier: str
    interval_minutes: int
    day_s: int
    due: int
    missing: Mapping[str, int]
    fresh_due: int
    late: Mapping[str, int]
    is_final: bool

    def due_of(self, objective: Objective) -> int:
        """Return the buckets that count for a target."""
        return self.due if objective is Objective.VERIFIED else self.fresh_due

    def bad_of(self, objective: Objective) -> Mapping[str, int]:
        """Return the buckets that miss a target, by ticker."""
        return self.missing if objective is Objective.VERIFIED else self.late

    def after(self, before: ObjectiveDay | None, missing_now: Mapping[str, int]) -> ObjectiveDay:
        """Return the day as it is to be kept: what once counted goes on counting, whatever the plan.

        :param before: as it was kept, or None
        :param missing_now: what is missing of the day at this moment of each asset looked at, since when ever
            it is kept, by ticker
        """
        if before is None:
            return self
        day = self
        if self.due < before.due:
            left = {ticker: min(n, missing_now.get(ticker, n)) for ticker, n in before.missing.items()}
            day = replace(day, due=before.due, missing={ticker: n for ticker, n in left.items() if n})
        if before.is_final or self.fresh_due < before.fresh_due:
            is_final = before.is_final or self.is_final
            day = replace(day, fresh_due=before.fresh_due, late=before.late, is_final=is_final)
        return day


@dataclass(frozen=True, slots=True)
class ObjectiveLine:
    """What a tier reached of a target in a period. All counts are buckets.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes; None = all intervals of the tier together, which is what
        the target is about
    :ivar objective: what the target is about
    :ivar target_pct: the target, percent; None = there is none
    :ivar due: buckets that count
    :ivar bad: those of them that miss the target
    :ivar bad_by: ``bad`` by series, the worst first; keys are ticker and interval, minutes
    :ivar n_days: UTC days of the period with buckets that count
    """

    tier: str
    interval_minutes: int | None
    objective: Objective
    target_pct: float | None
    due: int
    bad: int
    bad_by: Mapping[tuple[str, int], int] = field(default_factory=dict)
    n_days: int = 0

    @property
    def reached_pct(self) -> float | None:
        """Return the share reached, percent, cut after four decimals; None where nothing is due."""
        return ((self.due - self.bad) * 1_000_000 // self.due) / 10_000 if self.due else None

    @property
    def _budget(self) -> Fraction | None:
        return None if self.target_pct is None or not self.due else allowed(self.target_pct, self.due)

    @property
    def budget(self) -> float | None:
        """Return how many buckets may miss the target; None without a target, or where nothing is due."""
        return None if self._budget is None else float(self._budget)

    @property
    def left(self) -> float | None:
        """Return what is left of the budget, buckets, negative when it is overspent; None like it."""
        return None if self._budget is None else float(self._budget - self.bad)

    @property
    def left_pct(self) -> float | None:
        """Return what is left of the budget, percent of it, <= 100; None like it, and of a budget of 0."""
        return float(100 * (1 - self.bad / self._budget)) if self._budget else None

    @property
    def is_met(self) -> bool | None:
        """Return whether the target is reached; None without a target, or where nothing is due."""
        return None if self._budget is None else self.bad <= self._budget

    def as_json(self) -> dict[str, Any]:
        """Return the line as JSON; ``interval`` is null for all intervals of the tier together."""
        return {
            "tier": self.tier,
            "interval": self.interval_minutes,
            "objective": self.objective.value,
            "target_pct": self.target_pct,
            "reached_pct": self.reached_pct,
            "is_met": self.is_met,
            "due": self.due,
            "bad": self.bad,
            "budget": self.budget,
            "left": self.left,
            "days": self.n_days,
        }


def allowed(target_pct: float, due: int) -> Fraction:
    """Return how many of some buckets may miss a target: the error budget.

    :param target_pct: percent, 0 < target <= 100, taken as it is written: 99.9 is 999 of 1,000
    :param due: buckets, >= 0
    """
    return due * (100 - Fraction(str(target_pct))) / 100


def lines_of(
    days: Iterable[ObjectiveDay], tier: str, targets: Mapping[Objective, float | None]
) -> list[ObjectiveLine]:
    """Return what a tier reached of each target.

    :param days: days of the tier, each once, any order
    :param tier: ``TIER1`` .. ``TIER4``
    :param targets: percent by objective, None = there is none
    :return: by objective: the tier's line, then one per interval, ascending, where there is any
    """
    known = list(days)
    intervals = sorted({day.interval_minutes for day in known})
    return [
        _line(
            [day for day in known if interval in (None, day.interval_minutes)],
            tier,
            interval,
            objective,
            target,
        )
        for objective, target in targets.items()
        for interval in (None, *intervals)
    ]


def _line(
    days: list[ObjectiveDay], tier: str, interval: int | None, objective: Objective, target_pct: float | None
) -> ObjectiveLine:
    bad_by: dict[tuple[str, int], int] = {}
    for day in days:
        for ticker, bad in day.bad_of(objective).items():
            bad_by[ticker, day.interval_minutes] = bad_by.get((ticker, day.interval_minutes), 0) + bad
    return ObjectiveLine(
        tier,
        interval,
        objective,
        target_pct,
        due=sum(day.due_of(objective) for day in days),
        bad=sum(bad_by.values()),
        bad_by=dict(sorted(bad_by.items(), key=lambda one: (-one[1], one[0]))),
        n_days=len({day.day_s for day in days if day.due_of(objective)}),
    )


def burn_rate(line: ObjectiveLine) -> float | None:
    """Return how fast a budget burns: 1 spends that of 30 days in 30 days.

    :param line: what was reached in a window
    :return: bad buckets by allowed ones; None without a target, or where nothing is due
    """
    if line.target_pct is None or not line.due:
        return None
    budget = allowed(line.target_pct, line.due)
    if not budget:
        return float("inf") if line.bad else 0.0
    return float(line.bad / budget)


def last_days(n_days: int, now_s: int) -> Range:
    """Return the UTC days up to today.

    :param n_days: full days, >= 1; today comes on top of them
    :return: half-open, epoch seconds UTC
    """
    today_s = now_s // DAY_S * DAY_S
    return today_s - n_days * DAY_S, today_s + DAY_S
