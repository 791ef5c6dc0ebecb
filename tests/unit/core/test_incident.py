"""People are notified when an incident opens, has doubled, and is over; flaps and snoozes are silent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.incident import (
    GOOD_CHECKS,
    IncidentClass,
    Problem,
    open_incident,
    see,
)
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S

NOW = 1_795_437_296


def problem(*names: str, since_s: int = NOW, kind: IncidentClass = IncidentClass.STALE) -> Problem:
    return Problem(kind, "something is wrong", since_s=since_s, subjects={name: {} for name in names})


def test_an_incident_that_has_doubled_has_grown() -> None:
    incident = open_incident(problem("A", "B", "C"), now_s=NOW)
    incident = see(incident, problem("A", "B", "C", "D"), now_s=NOW + HOUR_S)
    assert incident.growths == 0
    incident = see(incident, problem("D", "E", "F"), now_s=NOW + 2 * HOUR_S)
    # The last growth names six different subjects, though only three were seen at a time.
    assert (incident.growths, incident.notified_s) == (1, NOW + 2 * HOUR_S)
    assert incident.named == frozenset("ABCDEF")


def test_after_one_growth_the_next_comes_a_day_later_at_the_earliest() -> None:
    incident = open_incident(problem("A"), now_s=NOW)
    incident = see(incident, problem("A", "B"), now_s=NOW + HOUR_S)
    assert incident.growths == 1
    many = problem(*map(str, range(99)))
    assert see(incident, many, now_s=NOW + HOUR_S + DAY_S - 1).growths == 1
    assert see(incident, many, now_s=NOW + HOUR_S + DAY_S).growths == 2
    assert see(incident, problem("B"), now_s=NOW + HOUR_S + DAY_S).growths == 1


def test_a_snoozed_incident_does_not_grow_before_its_time() -> None:
    incident = replace(open_incident(problem("A"), now_s=NOW), snoozed_until_s=NOW + HOUR_S)
    assert see(incident, problem("A", "B"), now_s=NOW + HOUR_S - 1).growths == 0
    assert see(incident, problem("A", "B"), now_s=NOW + HOUR_S).growths == 1


def test_since_when_it_lasts_is_never_forgotten() -> None:
    incident = open_incident(problem("A", since_s=NOW - DAY_S), now_s=NOW)
    incident = see(incident, problem("A", since_s=NOW), now_s=NOW + HOUR_S)
    assert incident.problem.since_s == NOW - DAY_S


@pytest.mark.parametrize("kind", list(IncidentClass))
def test_it_takes_the_class_s_number_of_good_checks_in_a_row_to_recover(kind: IncidentClass) -> None:
    incident = open_incident(problem("A", kind=kind), now_s=NOW)
    for _ in range(GOOD_CHECKS[kind]):
        assert not incident.is_over
        incident = see(incident, None, now_s=NOW)
    assert incident.is_over


@pytest.mark.parametrize("is_absorbed", [False, True])
def test_trouble_in_between_starts_the_good_checks_anew(is_absorbed: bool) -> None:
    incident = open_incident(problem("A"), now_s=NOW)
    incident = see(incident, None, now_s=NOW)
    incident = see(incident, problem("A"), now_s=NOW + HOUR_S, is_absorbed=is_absorbed)
    assert not see(incident, None, now_s=NOW).is_over


def test_what_follows_from_another_problem_does_not_grow() -> None:
    incident = open_incident(problem("A"), now_s=NOW)
    after = see(incident, problem("A", "B", "C"), now_s=NOW + HOUR_S, is_absorbed=True)
    assert (after.growths, after.problem) == (0, incident.problem)


@given(st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=24))
def test_within_a_day_it_grows_once_at_most(sizes: list[int]) -> None:
    incident = open_incident(problem(*map(str, range(sizes[0]))), now_s=NOW)
    for hour, size in enumerate(sizes):
        incident = see(incident, problem(*map(str, range(size))), now_s=NOW + hour * HOUR_S)
    assert incident.growths == (max(sizes) >= 2 * sizes[0])
