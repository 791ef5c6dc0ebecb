"""Whether the error budget of a tier burns too fast: two windows over the days that were kept.

Judged with each completeness report, because what it judges are days: more often, nothing would change. The
short window says that the budget still burns, the long one that it is more than a bad moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.objective import (
    BUDGET_DAYS,
    BURN_LIMIT,
    LONG_DAYS,
    SHORT_DAYS,
    Objective,
    ObjectiveDay,
    ObjectiveLine,
    burn_rate,
    last_days,
    lines_of,
)
from kraken_ohlcv.core.problems import key_of_slo
from kraken_ohlcv.core.tiers import Targets
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.objectives import read_days
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection

N_WORST: Final = 5
"""Series that a message names."""


def observe_budgets(connection: Connection, *, now_s: int, url: str | None = None) -> None:
    """Bring the incident of each tier's error budget up to the days that were kept.

    :param now_s: when the days were judged last, the exchange's time, epoch seconds UTC
    :param url: where to look at the run, or None
    """
    seen = {
        key_of_slo(tier): budget_problem(
            tier,
            plan.promised,
            [day for _, day in read_days(connection, tier, last_days(BUDGET_DAYS, now_s))],
            now_s=now_s,
        )
        for tier, plan in read_plan(connection).tiers.items()
    }
    observe(connection, seen, now_s=now_s, url=url)


def budget_problem(
    tier: str, targets: Targets, days: Sequence[ObjectiveDay], *, now_s: int
) -> Problem | None:
    """Return the problem of a tier whose error budget burns too fast, if it does.

    :param tier: ``TIER1`` .. ``TIER4``
    :param days: its days of the budget
    :return: subjects are the targets whose budget burns in both windows at :data:`BURN_LIMIT` or more; a
        target whose long window is not full yet is none of them
    """
    subjects: dict[str, dict[str, Any]] = {}
    since_s = now_s
    long_s = last_days(LONG_DAYS, now_s)[0]
    for objective, target_pct in targets.by_objective.items():
        windows = {
            n: _line(tier, objective, target_pct, days, n, now_s)
            for n in (BUDGET_DAYS, LONG_DAYS, SHORT_DAYS)
        }
        rates = [burn_rate(windows[n]) for n in (LONG_DAYS, SHORT_DAYS)]
        is_full = any(day.day_s <= long_s and day.due_of(objective) for day in days)
        if is_full and all(rate is not None and rate >= BURN_LIMIT for rate in rates):
            subjects[objective.value] = _facts(windows)
            bad_days = [day.day_s for day in days if day.day_s >= long_s and day.bad_of(objective)]
            since_s = min(since_s, *bad_days)
    if not subjects:
        return None
    return Problem(key_of_slo(tier), f"{tier} spends its error budget too fast", since_s, subjects)


def _line(
    tier: str,
    objective: Objective,
    target_pct: float | None,
    days: Sequence[ObjectiveDay],
    n_days: int,
    now_s: int,
) -> ObjectiveLine:
    """Return what all intervals of a tier reached of a target in a window up to now."""
    since_s, until_s = last_days(n_days, now_s)
    those = [day for day in days if since_s <= day.day_s < until_s]
    return lines_of(those, tier, {objective: target_pct})[0]


def _facts(windows: dict[int, ObjectiveLine]) -> dict[str, Any]:
    whole, long = windows[BUDGET_DAYS], windows[LONG_DAYS]
    worst = list(long.bad_by.items())[:N_WORST]
    return {
        "reached_pct": whole.reached_pct,
        "target_pct": whole.target_pct,
        "budget": whole.budget,
        "left": whole.left,
        "bad_of_day": windows[SHORT_DAYS].bad,
        "bad_of_week": long.bad,
        "worst": [f"{ticker} {interval} ({bad})" for (ticker, interval), bad in worst],
    }
