"""What an incident says about a run of our own, or about a pair."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.incident import IncidentClass, PairProblem, open_incident, see
from kraken_ohlcv.core.problems import MAX_LINES, failed_run, late_run, pair_problem
from kraken_ohlcv.core.run import RunKey

RUN = RunKey("backfill_tier1_daily", "manual__1")
NOW_S = 1_795_437_296


def test_a_failed_run_is_one_subject_with_its_errors() -> None:
    problem = failed_run(RUN, ["XBTUSD 60: 1 gap not filled: EService:Busy"], now_s=NOW_S)

    assert (problem.key, problem.incident_class) == ("run:backfill_tier1_daily", IncidentClass.RUN)
    assert (problem.headline, problem.since_s) == ("backfill_tier1_daily failed", NOW_S)
    assert problem.subjects == {
        "manual__1": {
            "state": "failed",
            "errors": ["XBTUSD 60: 1 gap not filled: EService:Busy"],
            "n_errors": 1,
        }
    }


def test_of_very_many_errors_the_first_are_kept_and_all_are_counted() -> None:
    errors = [f"T{number:03}USD 60: 1 gap not filled: EService:Busy" for number in range(1400)]

    facts = failed_run(RUN, errors, now_s=NOW_S).subjects["manual__1"]

    assert (facts["errors"], facts["n_errors"]) == (errors[:MAX_LINES], 1400)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_late_run_is_in_trouble_since_it_was_due(state: str) -> None:
    problem = late_run(RUN, state=state, due_s=NOW_S)

    assert problem.headline == "backfill_tier1_daily is not finished in time"
    assert problem.since_s == NOW_S
    assert problem.subjects == {"manual__1": {"state": state, "due": "2026-11-23T12:34:56"}}


def test_a_late_run_that_then_fails_is_the_same_subject_and_tells_nobody_again() -> None:
    incident = open_incident(late_run(RUN, state="running", due_s=NOW_S), now_s=NOW_S)

    failed = failed_run(RUN, ["prepare: broken"], now_s=NOW_S + 60)
    after = see(incident, failed, now_s=NOW_S + 60)

    assert after.growths == 0
    assert (after.problem.headline, after.problem.since_s) == ("backfill_tier1_daily failed", NOW_S)
    assert list(after.problem.subjects) == ["manual__1"]


def test_another_failed_run_is_growth() -> None:
    incident = open_incident(failed_run(RUN, ["broken"], now_s=NOW_S), now_s=NOW_S)
    next_run = failed_run(RUN._replace(run_id="manual__2"), ["broken"], now_s=NOW_S + 60)

    after = see(incident, next_run, now_s=NOW_S + 60)

    assert after.growths == 1
    assert list(after.problem.subjects) == ["manual__1", "manual__2"]


@pytest.mark.parametrize("kind", list(PairProblem))
def test_the_key_of_a_problem_says_its_class_and_what_it_is_about(kind: PairProblem) -> None:
    problem = pair_problem("XBTUSD", kind, since_s=NOW_S)

    assert (problem.key, problem.incident_class, problem.name) == (
        "pair:XBTUSD",
        IncidentClass.PAIR,
        "XBTUSD",
    )
    assert list(problem.subjects) == [kind]


def test_of_very_many_odd_rows_the_first_are_kept_and_all_are_counted() -> None:
    rows = [f"row {n}" for n in range(25)]
    problem = pair_problem("XBTUSD", PairProblem.ODD_DATA, rows=rows, since_s=NOW_S)

    facts = problem.subjects["odd data"]
    assert (facts["rows"], facts["n_rows"]) == (rows[:MAX_LINES], 25)


def test_a_line_without_a_ticker_is_called_by_its_number() -> None:
    problem = pair_problem("line 7", PairProblem.BAD_LINE, said="tier is 4", since_s=NOW_S)
    assert (problem.key, problem.headline) == ("pair:line 7", "Line 7 of assets.yaml cannot be used")
    named = pair_problem("XBTUSD", PairProblem.BAD_LINE, said="tier is 4", since_s=NOW_S)
    assert named.headline == "The line of XBTUSD in assets.yaml cannot be used"
