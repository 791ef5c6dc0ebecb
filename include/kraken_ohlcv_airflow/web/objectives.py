"""The page of objectives and its JSON twin: what each tier reached, from the days that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.objective import (
    BUDGET_DAYS,
    Objective,
    ObjectiveDay,
    ObjectiveLine,
    last_days,
    lines_of,
)
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import TIERS, TierPlan
from kraken_ohlcv.core.times import Utc, midnight_s, utc
from kraken_ohlcv.stores.ledger.objectives import read_days, read_months
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv_airflow.web.queries import Absent, PageQuery
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.sparkline import HEIGHT, PITCH, DailyShare, bars
from kraken_ohlcv_airflow.web.stores import ledger

router = APIRouter()

MAX_WORST: Final = 5
"""Series named of each period, the worst first."""


class ObjectivesQuery(PageQuery):
    """Which month.

    :ivar month: for example ``2026-11``; by default the one that goes on
    """

    month: Annotated[str | None, Absent] = Field(
        default=None, pattern=r"^(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])$", examples=["2026-11"]
    )

    def covered(self, now_s: int) -> Range:
        """Return the month, half-open, epoch seconds UTC."""
        return month_of(now_s if self.month is None else midnight_s(date.fromisoformat(f"{self.month}-01")))


class Reached(BaseModel):
    """What was reached of a target; counts are candles. All but the counts are null where nothing is due.

    ``budget`` is how many may be bad, ``left`` what is left of that, negative when it is overspent, and
    ``left_pct`` the same in percent of it.
    """

    interval: int | None
    due: int
    bad: int
    reached_pct: float | None
    is_met: bool | None
    budget: float | None
    left: float | None
    left_pct: float | None

    @classmethod
    def of(cls, line: ObjectiveLine) -> Reached:
        """Return what a line says."""
        names = ("due", "bad", "reached_pct", "is_met", "budget", "left", "left_pct")
        return cls(interval=line.interval_minutes, **{name: getattr(line, name) for name in names})


class WorstSeries(BaseModel):
    """A series with bad candles."""

    ticker: str
    interval: int
    bad: int


class PeriodView(BaseModel):
    """A target in a period: from its first day to the last one, UTC.

    ``total`` is the tier's, ``intervals`` those of its intervals; ``n_series`` counts the series with bad
    candles, and ``worst`` names some of them.
    """

    first_day: date
    last_day: date
    total: Reached
    intervals: list[Reached]
    n_series: int
    worst: list[WorstSeries]
    days: list[DailyShare]


class ObjectiveView(BaseModel):
    """A target of a tier: in the last 30 days, today on top of them, and in a calendar month."""

    objective: Objective
    target_pct: float | None
    last_30_days: PeriodView
    month: PeriodView


class TierView(BaseModel):
    """A tier: ``is_scheduled`` says whether the plan keeps it by a schedule."""

    tier: str
    is_scheduled: bool
    fresh_within_minutes: int
    objectives: list[ObjectiveView]


class ObjectivesPage(BaseModel):
    """What each tier reached, as of the newest report (null: none was made yet), and the months with days."""

    as_of: Utc | None
    month: str
    months: list[str]
    tiers: list[TierView]


def view(query: ObjectivesQuery, now_s: int) -> ObjectivesPage:
    """Return what each tier reached.

    :param query: the request
    :raises StoreError: if the ledger cannot be read
    """
    month, recent = query.covered(now_s), last_days(BUDGET_DAYS, now_s)
    judged: list[int] = []
    tiers = []
    with ledger() as connection:
        months = [f"{utc(month_s):%Y-%m}" for month_s in read_months(connection)]
        plans = read_plan(connection).tiers
        for tier in TIERS:
            days: dict[Range, list[ObjectiveDay]] = {}
            for period in (recent, month):
                found = read_days(connection, tier, period)
                judged += [judged_s for judged_s, _ in found]
                days[period] = [day for _, day in found]
            if plans[tier].schedule is not None or any(days.values()):
                tiers.append(_tier(tier, plans[tier], days, recent, month))
    chosen = f"{utc(month[0]):%Y-%m}"
    return ObjectivesPage(
        as_of=utc(max(judged)) if judged else None,
        month=chosen,
        months=sorted({*months, chosen, f"{utc(now_s):%Y-%m}"}, reverse=True),
        tiers=tiers,
    )


def _tier(
    tier: str, plan: TierPlan, days: dict[Range, list[ObjectiveDay]], recent: Range, month: Range
) -> TierView:
    targets = plan.promised.by_objective
    return TierView(
        tier=tier,
        is_scheduled=plan.schedule is not None,
        fresh_within_minutes=plan.targets.fresh_within_minutes,
        objectives=[
            ObjectiveView(
                objective=objective,
                target_pct=target_pct,
                last_30_days=_period(tier, objective, target_pct, days[recent], recent),
                month=_period(tier, objective, target_pct, days[month], month),
            )
            for objective, target_pct in targets.items()
        ],
    )


def _period(
    tier: str, objective: Objective, target_pct: float | None, days: Sequence[ObjectiveDay], period: Range
) -> PeriodView:
    total, *intervals = lines_of(days, tier, {objective: target_pct})
    by_day: dict[int, list[ObjectiveDay]] = {day_s: [] for day_s in range(*period, DAY_S)}
    for day in days:
        by_day[day.day_s].append(day)
    shares = []
    for day_s, those in by_day.items():
        line = lines_of(those, tier, {objective: target_pct})[0]
        one = DailyShare(
            day=utc(day_s).date(),
            due=line.due,
            bad=line.bad,
            reached_pct=line.reached_pct,
            is_met=line.is_met,
        )
        shares.append(one)
    return PeriodView(
        first_day=utc(period[0]).date(),
        last_day=utc(period[1] - DAY_S).date(),
        total=Reached.of(total),
        intervals=[Reached.of(line) for line in intervals],
        n_series=len(total.bad_by),
        worst=[
            WorstSeries(ticker=ticker, interval=interval, bad=bad)
            for (ticker, interval), bad in list(total.bad_by.items())[:MAX_WORST]
        ],
        days=shares,
    )


@router.get("/api/objectives", tags=["objectives"])
def read_objectives(request: Request, query: Annotated[ObjectivesQuery, Query()]) -> ObjectivesPage:
    """Return what each tier reached of its targets in the last 30 days and in a calendar month."""
    return view(query, int(request.app.state.clock()))


@router.get("/objectives", include_in_schema=False)
def show_objectives(request: Request, query: Annotated[ObjectivesQuery, Query()]) -> Response:
    """Show what each tier reached."""
    now_s = int(request.app.state.clock())
    return page(
        "objectives.html",
        active="objectives",
        now=utc(now_s),
        view=view(query, now_s),
        month_name=f"{utc(query.covered(now_s)[0]):%B %Y}",
        bars=bars,
        chart={"height": HEIGHT, "pitch": PITCH},
    )
