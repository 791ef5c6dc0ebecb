"""Schedule by need: the pause that will do, and the schedule proposed."""

from __future__ import annotations

import pytest

from kraken_ohlcv.completeness.need import Need, Seen, Verdict
from kraken_ohlcv.core.tiers import SHIPPED, TierPlan

NOTHING = Seen(n_runs=0, calls=0, gaps=0, lost=0)
QUIET = Seen(n_runs=30, calls=1200, gaps=1200, lost=0)

CASES = [
    pytest.param(
        SHIPPED["TIER1"], 60, QUIET, Verdict.FITS, "0 2 * * *", id="TIER1 hourly candles as shipped"
    ),
    pytest.param(
        SHIPPED["TIER1"], 1440, QUIET, Verdict.FITS, "0 2 * * *", id="TIER1 daily candles as shipped"
    ),
    pytest.param(SHIPPED["TIER2"], 1440, NOTHING, Verdict.FITS, "0 3 * * *", id="TIER2 before its first run"),
    pytest.param(
        TierPlan(intervals=(1,), schedule="0 2 * * *"),
        1,
        QUIET,
        Verdict.TOO_RARE,
        "0 */6 * * *",
        id="minutes daily",
    ),
    pytest.param(
        TierPlan(intervals=(5,), schedule="0 2 */2 * *"),
        5,
        QUIET,
        Verdict.TOO_RARE,
        "0 2 * * *",
        id="every two days",
    ),
    pytest.param(
        TierPlan(schedule="0 5 * * 0"),
        1440,
        QUIET,
        Verdict.TOO_RARE,
        "0 2 * * *",
        id="weekly, but 24 hours wanted",
    ),
    pytest.param(
        TierPlan(schedule="0 5 * * 0", hours=200),
        1440,
        QUIET,
        Verdict.FITS,
        "0 5 * * 0",
        id="weekly, 200 hours",
    ),
    pytest.param(
        TierPlan(schedule="0 * * * *"), 1440, QUIET, Verdict.TOO_OFTEN, "0 2 * * *", id="daily candles hourly"
    ),
    pytest.param(
        TierPlan(schedule="0 * * * *", intervals=(60,), hours=2),
        60,
        QUIET,
        Verdict.TOO_OFTEN,
        "0 */2 * * *",
        id="hourly where two hours will do",
    ),
    pytest.param(
        TierPlan(schedule="0 2 * * *"),
        1440,
        QUIET._replace(lost=3),
        Verdict.TOO_RARE,
        "0 */12 * * *",
        id="candles that were lost halve the pause",
    ),
    pytest.param(
        TierPlan(intervals=(1,), schedule="* * * * *"),
        1,
        QUIET._replace(lost=3),
        Verdict.FITS,
        "* * * * *",
        id="nothing runs more often than every minute",
    ),
]


@pytest.mark.parametrize(("plan", "interval", "seen", "verdict", "proposed"), CASES)
def test_a_schedule_is_judged_by_window_freshness_and_loss(
    plan: TierPlan, interval: int, seen: Seen, verdict: Verdict, proposed: str
) -> None:
    need = Need.of("TIER1", plan, interval, seen)
    said = need.as_json()
    assert (need.verdict, said["proposed"]) == (verdict, proposed)
    assert ("proposed" in need.sentence()) == (verdict is not Verdict.FITS)
    assert Need.of("TIER1", plan.model_copy(update={"schedule": proposed}), interval, seen).verdict is not (
        Verdict.TOO_OFTEN
    )


def test_figures_per_run_are_those_of_the_runs_and_null_without_one() -> None:
    said = Need.of("TIER1", SHIPPED["TIER1"], 60, QUIET).as_json()
    assert (said["runs"], said["calls_per_run"], said["gaps_per_run"]) == (30, 40.0, 40.0)
    none = Need.of("TIER1", SHIPPED["TIER1"], 60, NOTHING).as_json()
    assert (none["runs"], none["calls_per_run"], none["gaps_per_run"]) == (0, None, None)
