"""Incidents in sentences: the headline with its cause, and what is said of each subject, never cut. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from kraken_ohlcv.core.incident import IncidentClass
from kraken_ohlcv.core.wording import capitalised, counted, interval_name, iso_moment, sentence, tier_name
from kraken_ohlcv.monitoring.subjects import NOUNS, TARGET_WORDS

Facts: TypeAlias = Mapping[str, Any]
Subjects: TypeAlias = Mapping[str, Facts]

ON_ITS_PAGE: Final = "on the run's page"


def full_headline(headline: str, incident_class: str, subjects: Subjects) -> str:
    """Return what is wrong and why, one sentence.

    :param headline: as the check put it
    :param incident_class: of :class:`kraken_ohlcv.core.incident.IncidentClass`
    :param subjects: what it concerns, with facts
    :return: the headline alone where it has the cause, or none is known
    """
    cause = cause_of(incident_class, subjects)
    if cause is None or cause in headline:
        return sentence(headline)
    return sentence(f"{headline.rstrip('. ')}: {cause}")


def cause_of(incident_class: str, subjects: Subjects) -> str | None:
    """Return the cause that stands in the facts of the worst subject, or None.

    :param incident_class: of :class:`kraken_ohlcv.core.incident.IncidentClass`
    :param subjects: what it concerns, with facts
    """
    if not subjects or incident_class not in _CAUSES:
        return None
    return _CAUSES[IncidentClass(incident_class)](subjects)


def subject_lines(incident_class: str, name: str, facts: Facts) -> list[str]:
    """Return what is said of a subject: a sentence, then what belongs below it.

    :param incident_class: of :class:`kraken_ohlcv.core.incident.IncidentClass`
    :param name: of the subject
    :param facts: of the subject
    :return: at least one
    """
    return _LINES[IncidentClass(incident_class)](name, facts)


def noun_of(incident_class: str) -> str:
    """Return what the subjects of a class are, in the singular."""
    return NOUNS[IncidentClass(incident_class)]


def worst_first(subjects: Subjects) -> list[tuple[str, Facts]]:
    """Return the subjects, those furthest behind or nearest to their end first."""
    return sorted(
        subjects.items(),
        key=lambda one: (-_number(one[1], "hours_behind"), str(one[1].get("expires_at", "")), one[0]),
    )


def _number(facts: Facts, name: str) -> float:
    found = facts.get(name)
    return found if isinstance(found, int | float) else 0


def _series(name: str) -> str:
    ticker, _, minutes = name.partition(" ")
    return f"{ticker} {interval_name(int(minutes))}" if minutes.isdecimal() and int(minutes) else name


def _late_cause(subjects: Subjects) -> str:
    name, facts = worst_first(subjects)[0]
    if len(subjects) == 1:
        return f"{_series(name)} {_how_late(facts)}"
    return f"of {counted(len(subjects), 'ticker')}, {_series(name)} is the worst and {_how_late(facts)}"


def _how_late(facts: Facts) -> str:
    hours = facts.get("hours_behind")
    return "has no candles yet" if hours is None else f"is {counted(hours, 'hour')} behind"


def _late(name: str, facts: Facts) -> list[str]:
    tier = f" of {tier_name(str(facts['tier']))}" if facts.get("tier") else ""
    return [sentence(f"{_series(name)}{tier} {_how_late(facts)}")]


def _source(name: str, facts: Facts) -> list[str]:
    overdue, series = facts.get("overdue"), facts.get("series")
    if overdue is None or series is None:
        return [sentence(tier_name(name))]
    return [f"{tier_name(name)}: {overdue} of {series} series are late."]


def _run_cause(subjects: Subjects) -> str | None:
    name = max(subjects, key=lambda run: run.partition("__")[2])  # run ids end with their moment
    facts = subjects[name]
    errors = _texts(facts.get("errors"))
    if errors:
        n_more = max(int(_number(facts, "n_errors")), len(errors)) - 1
        return errors[0].rstrip(".") + (f", and {counted(n_more, 'more error')}" if n_more else "")
    return _due(facts)


def _due(facts: Facts) -> str | None:
    if not facts.get("due"):
        return None
    return f"it was due by {iso_moment(str(facts['due']))} and is {facts.get('state') or 'not finished'}"


def _run(name: str, facts: Facts) -> list[str]:
    due = _due(facts)
    line = f"Run {name}: {due}." if due else f"Run {name} {facts.get('state') or 'failed'}."
    return [line, *_all_of(facts, "errors", more=ON_ITS_PAGE)]


def _lost_cause(subjects: Subjects) -> str | None:
    errors = [str(facts["error"]) for _, facts in worst_first(subjects) if facts.get("error")]
    return errors[0].rstrip(".") if errors else None


def _lost(name: str, facts: Facts) -> list[str]:
    until = (
        f": Kraken serves them until {iso_moment(str(facts['expires_at']))}"
        if facts.get("expires_at")
        else ""
    )
    return [f"{_series(name)}{until}.", *([sentence(str(facts["error"]))] if facts.get("error") else [])]


def _said_cause(subjects: Subjects) -> str | None:
    said = [str(facts["said"]) for facts in subjects.values() if facts.get("said")]
    return _continued(said[0]) if said else None


def _continued(text: str) -> str:
    """Return a sentence as it stands behind a colon."""
    return text.strip().rstrip(".")


def _pair(name: str, facts: Facts) -> list[str]:
    said = [sentence(str(facts["said"]))] if facts.get("said") else []
    if facts.get("since"):
        said.append(f"Since {iso_moment(str(facts['since']))}.")
    if facts.get("suggestion"):
        said.append(f"Did you mean {facts['suggestion']}?")
    return [f"{capitalised(name)}: {' '.join(said)}" if said else sentence(name), *_all_of(facts, "rows")]


def _approval_cause(subjects: Subjects) -> str:
    facts = next(iter(subjects.values()))
    verb = "waits" if facts.get("calls") == 1 else "wait"
    return f"{_calls(facts)} to Kraken {verb} until {iso_moment(str(facts.get('until')))}"


def _calls(facts: Facts) -> str:
    calls = facts.get("calls")
    return counted(calls, "call") if isinstance(calls, int) else "some calls"


def _approval(name: str, facts: Facts) -> list[str]:
    return [f"Run {name}: {_calls(facts)} to Kraken, it waits until {iso_moment(str(facts.get('until')))}."]


def _target_cause(subjects: Subjects) -> str:
    name, facts = next(iter(subjects.items()))
    return f"{_reached(name, facts)}, and the target is {facts.get('target_pct')} %"


def _reached(name: str, facts: Facts) -> str:
    said = TARGET_WORDS.get(name, f"of the due candles reach {name}")
    return f"{facts.get('reached_pct')} % {said}, over 30 days"


def _target(name: str, facts: Facts) -> list[str]:
    lines = [f"{_reached(name, facts)}. The target is {facts.get('target_pct')} %."]
    budget, left = facts.get("budget"), facts.get("left")
    if isinstance(left, int | float) and isinstance(budget, int | float):
        rest = f"{left:,.1f} are left" if left >= 0 else f"it is overspent by {-left:,.1f}"
        lines.append(f"The budget is {budget:,.1f} candles; {rest}.")
    lines.append(
        f"Spent since yesterday: {facts.get('bad_of_day')}; within seven days: {facts.get('bad_of_week')}."
    )
    worst = _texts(facts.get("worst"))
    return [*lines, *([f"Worst: {', '.join(worst)}."] if worst else [])]


def _sealed(name: str, facts: Facts) -> list[str]:
    days = facts.get("days")
    changed = counted(days, "day") if isinstance(days, int) else "days"
    line = f"{_series(name)}: {changed}, the first is {facts.get('first_day')}."
    return [line, *([capitalised(sentence(str(facts["said"])))] if facts.get("said") else [])]


def _all_of(facts: Facts, name: str, *, more: str | None = None) -> list[str]:
    """Return the lines that an incident keeps, and how many more there were."""
    known = _texts(facts.get(name))
    n_more = int(_number(facts, f"n_{name}")) - len(known)
    rest = [f"And {n_more} more{f', {more}' if more else ''}."] if n_more > 0 else []
    return [*map(sentence, known), *rest]


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


_CAUSES: Final[dict[IncidentClass, Callable[[Subjects], str | None]]] = {
    IncidentClass.STALE: _late_cause,
    IncidentClass.RUN: _run_cause,
    IncidentClass.AT_RISK: _lost_cause,
    IncidentClass.PAIR: _said_cause,
    IncidentClass.APPROVAL: _approval_cause,
    IncidentClass.SLO: _target_cause,
    IncidentClass.SEAL: _said_cause,
}
"""Of the source, the headline is the cause."""
_LINES: Final[dict[IncidentClass, Callable[[str, Facts], list[str]]]] = {
    IncidentClass.STALE: _late,
    IncidentClass.SOURCE: _source,
    IncidentClass.RUN: _run,
    IncidentClass.AT_RISK: _lost,
    IncidentClass.PAIR: _pair,
    IncidentClass.APPROVAL: _approval,
    IncidentClass.SLO: _target,
    IncidentClass.SEAL: _sealed,
}
