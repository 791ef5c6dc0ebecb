"""Whether a tier has reached its targets in a range, and why, in words; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.objective import Objective, ObjectiveLine
from kraken_ohlcv.core.tiers import Targets
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.statement.facts import TargetFacts

MOST_NAMED: Final = 5


def targets_of(lines: Iterable[ObjectiveLine], targets: Targets) -> list[TargetFacts]:
    """Return what was reached of each target.

    :param lines: of the tier and its intervals, as
        :func:`kraken_ohlcv.completeness.objectives.read_objectives` gives them
    :param targets: what the plan says now
    """
    return [
        TargetFacts(
            name=line.objective.value,
            target_pct=line.target_pct,
            reached_pct=line.reached_pct,
            is_met=line.is_met,
            due=line.due,
            bad=line.bad,
            budget=line.budget,
            days=line.n_days,
            why=_why(line, targets),
        )
        for line in lines
        if line.interval_minutes is None
    ]


def _why(line: ObjectiveLine, targets: Targets) -> str:
    here, short = _words(line.objective, targets)
    if not line.due:
        return f"Unknown: no bucket of this range counts, so that nobody can say how many {here}."
    if not line.bad:
        return f"All {line.due:,} buckets that count {here}."
    may_be = "" if line.budget is None else f", {line.budget:,.10g} may be"
    is_or_are = "is" if line.bad == 1 else "are"
    if line.objective is Objective.FRESH:
        is_or_are = "was" if line.bad == 1 else "were"
    places = _places(line.bad_by)
    return f"{line.bad:,} of {line.due:,} buckets that count {is_or_are} {short}{may_be}: {places}."


def _words(objective: Objective, targets: Targets) -> tuple[str, str]:
    if objective is Objective.VERIFIED:
        return "are stored or proven empty", "missing or disputed"
    within = counted(targets.fresh_within_minutes, "minute")
    return f"were here within {within} after they were due", f"not here within {within} after being due"


def _places(bad_by: Mapping[tuple[str, int], int]) -> str:
    named = [f"{Series(*series)} ({n:,})" for series, n in list(bad_by.items())[:MOST_NAMED]]
    left = len(bad_by) - len(named)
    return ", ".join(named) + (f" and {counted(left, 'series')} more" if left > 0 else "")
