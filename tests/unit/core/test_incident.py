"""An incident is told when it opens, has doubled, and is over; flaps and snoozes are silent."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.incident import (
    GOOD_CHECKS,
    Incident,
    IncidentClass,
    MessageKind,
    Problem,
    open_incident,
    see_nothing,
    see_problem,
)
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S

NOW = 1_795_437_296


def problem(*names: str, since_s: int = NOW, kind: IncidentClass = IncidentClass.STALE) -> Problem:
    return Problem(kind, kind, "something is wrong", since_s=since_s, subjects={name: {} for name in names})


def test_growth_is_told_when_the_incident_has_doubled() -> None:
    incident = open_incident(problem("A", "B", "C"), now_s=NOW)
    incident, kind = see_problem(incident, problem("A", "B", "C", "D"), now_s=NOW + HOUR_S)
    assert kind is None
    incident, kind = see_problem(incident, problem("D", "E", "F"), now_s=NOW + 2 * HOUR_S)
    assert kind is MessageKind.GREW  # six different subjects by now, though only three at a time
    assert incident.told == frozenset("ABCDEF")


def test_after_one_growth_the_next_is_told_a_day_later_at_the_earliest() -> None:
    incident = open_incident(problem("A"), now_s=NOW)
    incident, _ = see_problem(incident, problem("A", "B"), now_s=NOW + HOUR_S)
    many = problem(*map(str, range(99)))
    _, kind = see_problem(incident, many, now_s=NOW + HOUR_S + DAY_S - 1)
    assert kind is None
    _, kind = see_problem(incident, many, now_s=NOW + HOUR_S + DAY_S)
    assert kind is MessageKind.GREW


def test_a_snoozed_incident_does_not_tell_its_growth_before_its_time() -> None:
    incident = Incident(
        problem("A"),
        opened_s=NOW,
        good_checks=0,
        told=frozenset("A"),
        n_growths=0,
        told_s=NOW,
        snoozed_until_s=NOW + HOUR_S,
    )
    assert see_problem(incident, problem("A", "B"), now_s=NOW + HOUR_S - 1)[1] is None
    assert see_problem(incident, problem("A", "B"), now_s=NOW + HOUR_S)[1] is MessageKind.GREW


def test_since_when_it_lasts_is_never_forgotten() -> None:
    incident = open_incident(problem("A", since_s=NOW - DAY_S), now_s=NOW)
    incident, _ = see_problem(incident, problem("A", since_s=NOW), now_s=NOW + HOUR_S)
    assert incident.problem.since_s == NOW - DAY_S


@pytest.mark.parametrize("kind", list(IncidentClass))
def test_it_takes_the_class_s_number_of_good_checks_in_a_row_to_recover(kind: IncidentClass) -> None:
    incident = open_incident(problem("A", kind=kind), now_s=NOW)
    for _ in range(GOOD_CHECKS[kind] - 1):
        incident, message = see_nothing(incident)
        assert message is None
    assert see_nothing(incident)[1] is MessageKind.RECOVERED


def test_trouble_in_between_starts_the_good_checks_anew() -> None:
    incident = open_incident(problem("A"), now_s=NOW)
    incident, _ = see_nothing(incident)
    incident, _ = see_problem(incident, problem("A"), now_s=NOW + HOUR_S)
    assert see_nothing(incident)[1] is None


@given(st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=24))
def test_a_day_of_trouble_tells_of_growth_once_at_most(sizes: list[int]) -> None:
    incident = open_incident(problem(*map(str, range(sizes[0]))), now_s=NOW)
    kinds: Counter[MessageKind | None] = Counter()
    for hour, size in enumerate(sizes):
        incident, kind = see_problem(incident, problem(*map(str, range(size))), now_s=NOW + hour * HOUR_S)
        kinds[kind] += 1
    assert kinds[MessageKind.GREW] <= 1
    assert kinds[MessageKind.GREW] == (max(sizes) >= 2 * sizes[0])
