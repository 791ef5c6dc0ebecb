"""The plan of what is kept: what each tier's backfill covers, when it runs, and what is expected of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt

from kraken_ohlcv.core.cron import checked_cron, longest_pause_s, widest_cron
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, HOUR_S, INTERVALS, check_served, step_s
from kraken_ohlcv.core.objective import Objective

Tier: TypeAlias = Literal["TIER1", "TIER2", "TIER3", "TIER4"]
TIERS: Final[tuple[str, ...]] = get_args(Tier)

Source: TypeAlias = Literal["ohlc", "archive", "trades"]
SOURCES: Final[tuple[str, ...]] = get_args(Source)
"""What gaps can be repaired from."""

DEFAULT_HOURS: Final = 24
"""A bucket of a series that no scheduled backfill covers is due so many hours after its close."""

DEFAULT_INTERVAL: Final = 1440
"""Candles that a freshness check looks at when it names no others, minutes."""

GRACE_S: Final = 1800
"""A scheduled run has at least this long to bring what it is due to bring, seconds."""
GRACE_FACTOR: Final = 1.5
"""And at least so many times as long as its calls take at the limiter's pace."""

MAX_INTERVALS: Final = len(INTERVALS)


def _served(interval: int) -> int:
    check_served(interval)
    return interval


def _unique(values: Sequence[Any]) -> Any:
    if len(set(values)) < len(values):
        raise ValueError("a value is given twice")
    return values


KeptInterval: TypeAlias = Annotated[
    StrictInt, AfterValidator(_served), Field(json_schema_extra={"enum": list(INTERVALS)})
]
Intervals: TypeAlias = Annotated[
    tuple[KeptInterval, ...],
    AfterValidator(_unique),
    Field(min_length=1, max_length=MAX_INTERVALS, json_schema_extra={"uniqueItems": True}),
]
Sources: TypeAlias = Annotated[
    tuple[Source, ...], AfterValidator(_unique), Field(min_length=1, json_schema_extra={"uniqueItems": True})
]
Cron: TypeAlias = Annotated[str, AfterValidator(checked_cron)]


class Targets(BaseModel):
    """What a tier is to reach; pages Objectives and Coverage and the report say whether it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verified_pct: float | None = Field(
        default=99.9,
        gt=0,
        le=100,
        strict=True,
        description="Share of the due buckets that are verified (stored undisputed, or proven empty),"
        " percent; null = no target.",
    )
    fresh_pct: float | None = Field(
        default=99.0,
        gt=0,
        le=100,
        strict=True,
        description="Share of the due buckets that are here in time, percent; null = no target.",
    )
    # The hourly check reports what is overdue within an hour; a delay that is over by then needs nobody.
    fresh_within_minutes: StrictInt = Field(
        default=60,
        ge=0,
        le=525_600,
        description="A bucket is in time when it is here at most so long after it is due, minutes.",
    )

    def is_met(self, verified_pct: float | None) -> bool | None:
        """Return whether a share reaches the target; None without a target, or where nothing is due.

        :param verified_pct: percent, or None when nothing is due
        """
        if self.verified_pct is None or verified_pct is None:
            return None
        return verified_pct >= self.verified_pct

    @property
    def by_objective(self) -> dict[Objective, float | None]:
        """Return each target, percent; None = there is none."""
        return {Objective.VERIFIED: self.verified_pct, Objective.FRESH: self.fresh_pct}


NO_TARGETS: Final = Targets(verified_pct=None, fresh_pct=None)


class TierPlan(BaseModel):
    """What is kept of a tier's assets, and how.

    A field's default is what holds of a tier without a schedule as shipped; see :data:`SHIPPED`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    intervals: Intervals = Field(default=(1440,), description="Candle lengths in minutes.")
    schedule: Cron | None = Field(
        default=None, description="When the backfill runs: five-field cron, UTC; null = by hand only."
    )
    lookback_days: StrictInt = Field(
        default=7,
        ge=0,
        le=36500,
        description="Series whose newest candle is older are skipped and named, unless two pauses of the"
        " schedule are longer; 0 = no limit.",
    )
    max_gaps_per_asset: StrictInt = Field(
        default=10,
        ge=0,
        le=100_000,
        description="Gaps per asset that may cause calls in a run; 0 = no limit.",
    )
    repair_from: Sources = Field(
        default=("ohlc", "trades"), description="Where missing candles come from, see docs/REPAIR.md."
    )
    trades_call_budget: StrictInt = Field(
        default=200, ge=0, le=10_000, description="Calls that a run may make to rebuild candles from trades."
    )
    hours: StrictInt = Field(
        default=DEFAULT_HOURS,
        ge=1,
        le=8760,
        description="A newest candle that closed longer ago is stale once the next one is due.",
    )

    targets: Targets = Field(default=Targets(), description="What the tier is to reach.")

    @property
    def promised(self) -> Targets:
        """Return what the tier is to reach: nothing while no schedule keeps it."""
        return NO_TARGETS if self.schedule is None else self.targets


def out_of_reach(plan: TierPlan, intervals: Sequence[int]) -> str | None:
    """Return why a schedule cannot keep some intervals, and which one would.

    :param plan: the tier's schedule and sources
    :param intervals: candle lengths, minutes
    :return: a sentence about the shortest one that cannot be kept, or None
    Rule: what leaves the API window between two runs is lost to OHLC calls; only trades bring it back.
    """
    has_trades = "trades" in plan.repair_from
    if plan.schedule is None or (has_trades and plan.trades_call_budget > 0):
        return None
    cure = "give it a trades_call_budget" if has_trades else "add trades to repair_from"
    pause_s = longest_pause_s(plan.schedule)
    for interval in sorted(intervals):
        window_s = API_WINDOW_BUCKETS * step_s(interval)
        if window_s < pause_s:
            return (
                f"Kraken serves {_hours(window_s)} of interval {interval}, but schedule {plan.schedule!r} "
                f"pauses for {_hours(pause_s)}: use a schedule such as '{widest_cron(window_s)}', or "
                f"{cure}"
            )
    return None


def _hours(seconds: int) -> str:
    return f"{seconds / HOUR_S:,.4g} h"


SHIPPED: Final[Mapping[str, TierPlan]] = {
    "TIER1": TierPlan(intervals=(60, 1440), schedule="0 2 * * *"),
    "TIER2": TierPlan(schedule="0 3 * * *"),
    "TIER3": TierPlan(),
    "TIER4": TierPlan(),
}
"""What holds where the file says nothing else: schedules and arguments of Celery Beat's backfills."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How the series of an asset are kept: the plan of its tier, and the asset's own intervals.

    :ivar plan: the plan of the tier
    :ivar intervals: candle lengths that scheduled runs keep, minutes, ascending
    :ivar n_calls: OHLC calls of a scheduled run of the tier: one per series expected
    :ivar pace_s: shortest time between two calls, seconds
    """

    plan: TierPlan
    intervals: tuple[int, ...]
    n_calls: int = 0
    pace_s: float = 1.0

    @classmethod
    def shipped(cls, tier: str) -> Self:
        """Return how the series of a tier are kept as shipped.

        :param tier: ``TIER1`` .. ``TIER4``
        """
        return cls(SHIPPED[tier], SHIPPED[tier].intervals)

    def wanted(self, asked: Sequence[int]) -> tuple[int, ...]:
        """Return the intervals of the asset that a run is about.

        :param asked: candle lengths that the run is asked for, minutes
        :return: the asset's own when the run is asked for exactly those of its tier; others are for all
        """
        return self.intervals if set(asked) == set(self.plan.intervals) else tuple(asked)

    @property
    def has_own(self) -> bool:
        """Return whether the asset has intervals of its own."""
        return set(self.intervals) != set(self.plan.intervals)

    def cron(self, interval_minutes: int) -> str | None:
        """Return the schedule that repairs a series.

        :return: five-field cron, UTC, or None when no scheduled backfill covers it
        """
        return self.plan.schedule if interval_minutes in self.intervals else None

    def grace_s(self, interval_minutes: int) -> int:
        """Return how long a scheduled run has to bring the newest candles of a series.

        :return: seconds, >= :data:`GRACE_S`
        Rule: OHLC calls come first in a run, so the calls for trades do not delay the newest candles; except
            where the API window is shorter than the pause, and trades bring a part of them in every run.
        """
        calls = self.n_calls
        if self.plan.schedule is not None and API_WINDOW_BUCKETS * step_s(interval_minutes) < longest_pause_s(
            self.plan.schedule
        ):
            calls += self.plan.trades_call_budget
        return max(GRACE_S, round(GRACE_FACTOR * calls * self.pace_s))


def all_wanted(upkeeps: Iterable[Upkeep], asked: Sequence[int]) -> list[int]:
    """Return the intervals of some assets that a run is about.

    :param upkeeps: how the series of each asset are kept
    :param asked: candle lengths that the run is asked for, minutes
    :return: ascending
    """
    return sorted({interval for upkeep in {*upkeeps} for interval in upkeep.wanted(asked)})


def tier_hours(plan: TierPlan, asked: int) -> int:
    """Return when a newest candle is old.

    :param asked: hours that a check is asked for
    :return: those of the tier when the check is asked for no others than the default
    """
    return plan.hours if asked == DEFAULT_HOURS else asked


def is_judged(upkeep: Upkeep, interval_minutes: int) -> bool:
    """Return whether a check of an interval is about an asset.

    :param upkeep: how its series are kept
    :return: False where the asset has intervals of its own and this is none, or where a check that names no
        interval meets a tier that does not keep daily candles
    """
    is_kept = interval_minutes in upkeep.intervals
    return is_kept or not (upkeep.has_own or interval_minutes == DEFAULT_INTERVAL)
