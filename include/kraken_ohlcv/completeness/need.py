"""Schedule by need: whether a tier's schedule is too rare or more often than needed; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from kraken_ohlcv.core.cron import longest_pause_s, widest_cron
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, DAY_S, HOUR_S, MINUTE_S, step_s
from kraken_ohlcv.core.schedules import BACKFILL_DAGS
from kraken_ohlcv.core.tiers import TierPlan
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, rows

DAYS: Final = 30
"""The figures are of so many days."""

RUNS_IN_WINDOW: Final = 2
"""So many runs should meet each candle in the API window: when one fails, the next still has it."""

OFTEN: Final = 2
"""A schedule is more often than needed when a pause so many times as long would do."""


class Seen(NamedTuple):
    """What the ledger says of the scheduled runs of a tier and interval in :data:`DAYS` days.

    :ivar n_runs: runs of the tier's backfill
    :ivar calls: OHLC calls of these runs, all intervals together
    :ivar gaps: gaps of the interval that they took on
    :ivar lost: candles of the interval that left the API window before a run had them
    """

    n_runs: int
    calls: int
    gaps: int
    lost: int


class Verdict(StrEnum):
    """How a schedule stands to the need."""

    FITS = "fits"
    TOO_RARE = "too rare"
    TOO_OFTEN = "more often than needed"


@dataclass(frozen=True, slots=True)
class Need:
    """What a tier and interval needs of its schedule.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes
    :ivar schedule: five-field cron, UTC
    :ivar limit_s: longest pause that will do, seconds
    :ivar seen: what the ledger says
    """

    tier: str
    interval_minutes: int
    schedule: str
    limit_s: int
    seen: Seen

    @classmethod
    def of(cls, tier: str, plan: TierPlan, interval_minutes: int, seen: Seen) -> Need:
        """Return the need of a scheduled tier and interval.

        :param plan: the tier's plan, with a schedule
        :raises ValueError: if it has none
        Rule: two runs should meet each candle in the API window, and no candle should be older than the
            tier's ``hours``, or than its own length, when a run brings it.
            Lost candles halve the pause, down to a minute.
        """
        if plan.schedule is None:
            raise ValueError(f"{tier} has no schedule")
        step = step_s(interval_minutes)
        limit_s = min(API_WINDOW_BUCKETS * step // RUNS_IN_WINDOW, max(plan.hours * HOUR_S, step))
        if seen.lost:
            limit_s = min(limit_s, max(MINUTE_S, longest_pause_s(plan.schedule) // 2))
        return cls(tier, interval_minutes, plan.schedule, limit_s, seen)

    @property
    def pause_s(self) -> int:
        """Return the longest pause of the schedule, seconds."""
        return longest_pause_s(self.schedule)

    @property
    def proposed(self) -> str | None:
        """Return the schedule that would do: the rarest one."""
        return widest_cron(self.limit_s + 1)

    @property
    def verdict(self) -> Verdict:
        """Return how the schedule stands to the need."""
        if self.pause_s > self.limit_s:
            return Verdict.TOO_RARE
        proposed = self.proposed
        is_often = proposed is not None and longest_pause_s(proposed) >= OFTEN * self.pause_s
        return Verdict.TOO_OFTEN if is_often else Verdict.FITS

    def as_json(self) -> dict[str, Any]:
        """Return it for the result of a report; spans in hours, per-run figures None without a run."""
        runs = self.seen.n_runs
        return {
            "tier": self.tier,
            "interval": self.interval_minutes,
            "schedule": self.schedule,
            "pause_hours": round(self.pause_s / HOUR_S, 2),
            "limit_hours": round(self.limit_s / HOUR_S, 2),
            "runs": runs,
            "calls_per_run": round(self.seen.calls / runs, 1) if runs else None,
            "gaps_per_run": round(self.seen.gaps / runs, 1) if runs else None,
            "candles_lost": self.seen.lost,
            "verdict": self.verdict.value,
            "proposed": self.schedule if self.verdict is Verdict.FITS else self.proposed,
        }

    def sentence(self) -> str:
        """Return the verdict with its figures, a line."""
        said = self.as_json()
        calls = "no run" if said["calls_per_run"] is None else f"{said['calls_per_run']:g} calls per run"
        line = (
            f"{self.tier} at {self.interval_minutes} minutes: schedule '{self.schedule}' {self._judged()}; "
            f"it pauses for up to {said['pause_hours']:g} h, and {said['limit_hours']:g} h would do; "
            f"{DAYS} days: {calls}, {_gaps(said['gaps_per_run'])}, {self.seen.lost} candles lost"
        )
        return line if self.verdict is Verdict.FITS else f"{line}; proposed: '{said['proposed']}'"

    def _judged(self) -> str:
        return "fits" if self.verdict is Verdict.FITS else f"is {self.verdict.value}"


def _gaps(gaps_per_run: float | None) -> str:
    return "no gaps known" if gaps_per_run is None else f"{gaps_per_run:g} gaps per run"


def read_needs(connection: Connection, *, now_s: int) -> list[Need]:
    """Return what each scheduled tier and interval of the plan needs, in tier order.

    :param connection: the ledger
    """
    tiers = read_plan(connection).tiers
    scheduled = {tier: plan for tier, plan in sorted(tiers.items()) if plan.schedule is not None}
    asked = [(tier, interval) for tier, plan in scheduled.items() for interval in sorted(plan.intervals)]
    seen = _seen(connection, asked, since_s=now_s - DAYS * DAY_S, now_s=now_s)
    return [Need.of(tier, scheduled[tier], interval, seen[tier, interval]) for tier, interval in asked]


def _seen(
    connection: Connection, asked: list[tuple[str, int]], *, since_s: int, now_s: int
) -> Mapping[tuple[str, int], Seen]:
    def shape(tier: str, interval_minutes: int, **counts: int) -> tuple[tuple[str, int], Seen]:
        return (tier, interval_minutes), Seen(**counts)

    return dict(
        rows(
            connection,
            "read_schedule_figures",
            shape,
            tiers=[tier for tier, _ in asked],
            dag_ids=[BACKFILL_DAGS[tier] for tier, _ in asked],
            intervals=[interval for _, interval in asked],
            since_s=since_s,
            now_s=now_s,
        )
    )
