"""When the error budget of a tier is an incident: it burns too fast in both windows, and only then."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.objective import ObjectiveDay
from kraken_ohlcv.core.tiers import NO_TARGETS, Targets
from kraken_ohlcv.monitoring.slo import budget_problem

MIDNIGHT = 1_795_392_000  # 2026-11-23T00:00:00Z
NOW = MIDNIGHT + 8 * 3600
LONG_KEPT = 30
DUE = 1000
"""Buckets a day: 99.9 % allows one of them, 99 % ten."""


def days(
    missing: dict[int, int], late: dict[int, int] | None = None, *, n_days: int = LONG_KEPT
) -> list[ObjectiveDay]:
    """Return the days up to today; what is bad of a day is given by how many days ago it was."""
    return [
        ObjectiveDay(
            "TIER1",
            60,
            MIDNIGHT - ago * DAY_S,
            DUE,
            {"XBTUSD": missing[ago]} if ago in missing else {},
            DUE,
            {"ETHUSD": late[ago]} if late and ago in late else {},
            is_final=True,
        )
        for ago in range(n_days + 1)
    ]


CASES = [
    pytest.param(days({}), set(), id="a good month is quiet"),
    pytest.param(days(dict.fromkeys(range(8), 1)), set(), id="spent as fast as it comes"),
    pytest.param(days(dict.fromkeys(range(8), 2)), {"verified"}, id="twice as fast, for a week and still"),
    pytest.param(days(dict.fromkeys(range(2, 8), 9)), set(), id="a bad week that is over"),
    pytest.param(days({0: 4, 1: 4}), set(), id="a bad day spends little of it"),
    pytest.param(days({0: 8, 1: 8}), {"verified"}, id="a day so bad that it counts for the week"),
    pytest.param(days({}, {0: 80, 1: 80}), {"fresh"}, id="candles that are here, but late"),
    pytest.param(days({0: 8, 1: 8}, {0: 80, 1: 80}), {"verified", "fresh"}, id="both"),
    pytest.param(days({0: 99, 1: 99}, n_days=6), set(), id="the first days of an installation"),
    pytest.param(days({0: 99, 1: 99}, n_days=7), {"verified"}, id="once the week is full"),
    pytest.param([], set(), id="no data"),
]


@pytest.mark.parametrize(("found", "burning"), CASES)
def test_a_budget_burns_when_both_windows_say_so(found: list[ObjectiveDay], burning: set[str]) -> None:
    problem = budget_problem("TIER1", Targets(), found, now_s=NOW)
    assert (set() if problem is None else set(problem.subjects)) == burning
    assert budget_problem("TIER1", NO_TARGETS, found, now_s=NOW) is None


def test_the_problem_says_since_when_how_much_is_left_and_who_is_worst() -> None:
    problem = budget_problem("TIER1", Targets(), days({0: 5, 1: 5, 4: 9, 20: 3}), now_s=NOW)
    assert problem is not None
    assert (problem.key, problem.since_s) == ("slo:TIER1", MIDNIGHT - 4 * DAY_S)
    assert problem.subjects == {
        "verified": {
            "reached_pct": 99.929,
            "target_pct": 99.9,
            "budget": 31.0,
            "left": 9.0,
            "bad_of_day": 10,
            "bad_of_week": 19,
            "worst": ["XBTUSD 60 (19)"],
        }
    }


def test_a_target_of_100_burns_with_the_first_bad_bucket() -> None:
    found = days({0: 1})
    assert budget_problem("TIER1", Targets(verified_pct=100), found, now_s=NOW) is not None
    assert budget_problem("TIER1", Targets(verified_pct=100), days({}), now_s=NOW) is None
