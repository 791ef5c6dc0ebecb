"""The life of an incident: opened, grown, recovered; one message each, however long it lasts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from kraken_ohlcv.core.intervals import DAY_S

GROWTH_FACTOR: Final = 2
"""Growth is worth a message when an incident has doubled since it was last told."""
GROWTH_PAUSE_S: Final = DAY_S
"""After the first growth message, the next one waits this long, seconds."""


class IncidentClass(StrEnum):
    """What kind of problem it is, and so its key."""

    STALE = "stale"
    SOURCE = "source"
    RUN = "run"
    AT_RISK = "at_risk"
    PAIR = "pair"


class PairProblem(StrEnum):
    """What can be wrong with a pair of the catalogue: the subjects of its incident."""

    UNKNOWN = "unknown"
    """Kraken does not know it, and never did as far as is known."""
    LEFT = "left"
    """Kraken had it, and no longer has."""
    ODD_DATA = "odd data"
    """Some of what Kraken sends for it cannot be used."""
    DISPUTED = "disputed candles"
    """Candles of it stand where its trades, asked twice, prove that nothing traded."""
    BAD_LINE = "bad line"
    """Its line in the catalogue cannot be used."""


GOOD_CHECKS: Final = {
    IncidentClass.STALE: 2,
    IncidentClass.SOURCE: 2,
    IncidentClass.RUN: 1,
    IncidentClass.AT_RISK: 2,
    IncidentClass.PAIR: 2,
}
"""Good checks in a row that end an incident: two where checks may flap, one where a run succeeds or fails."""


class MessageKind(StrEnum):
    """Why people are notified."""

    OPENED = "opened"
    GREW = "grew"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check saw.

    :ivar key: identity of the incident: ``stale``, ``source``, ``at_risk``, ``run:<dag_id>`` or
        ``pair:<ticker>``
    :ivar incident_class: its class
    :ivar headline: what is wrong, one sentence without the subjects
    :ivar since_s: since when, epoch seconds UTC
    :ivar subjects: what it concerns, with facts: by ticker (``hours_behind`` ...), gap, run, or
        :class:`PairProblem`
    :ivar tried: what was tried against it, one sentence, or None
    :ivar url: where to look, or None
    """

    key: str
    incident_class: IncidentClass
    headline: str
    since_s: int
    subjects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tried: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """An open incident.

    :ivar problem: what was seen last
    :ivar opened_s: when it was opened, epoch seconds UTC
    :ivar good_checks: checks in a row that saw nothing wrong, >= 0
    :ivar told: subjects that messages have named so far
    :ivar n_growths: growth messages so far
    :ivar told_s: when it was last told, epoch seconds UTC
    :ivar snoozed_until_s: no growth is reported before, epoch seconds UTC, or None
    """

    problem: Problem
    opened_s: int
    good_checks: int
    told: frozenset[str]
    n_growths: int
    told_s: int
    snoozed_until_s: int | None = None


def key_of_run(dag_id: str) -> str:
    """Return the key of the incident about a DAG's own runs.

    :param dag_id: DAG id
    :return: ``run:<dag_id>``
    """
    return f"{IncidentClass.RUN}:{dag_id}"


def key_of_pair(ticker: str) -> str:
    """Return the key of the incident about a pair.

    :return: ``pair:<ticker>``
    """
    return f"{IncidentClass.PAIR}:{ticker}"


def open_incident(problem: Problem, *, now_s: int) -> Incident:
    """Return a new incident; it is reported at once.

    :param problem: what was seen
    :return: the incident, told with all its subjects
    """
    return Incident(
        problem, opened_s=now_s, good_checks=0, told=frozenset(problem.subjects), n_growths=0, told_s=now_s
    )


def see_problem(incident: Incident, problem: Problem, *, now_s: int) -> tuple[Incident, MessageKind | None]:
    """Return an open incident after a check that saw the problem again.

    :param incident: as it stands
    :param problem: what was seen now
    :return: the incident, and GREW when it has grown enough since it was last told and is not snoozed; since
        when it lasts is never forgotten
    """
    since_s = min(incident.problem.since_s, problem.since_s)
    seen = replace(incident, problem=replace(problem, since_s=since_s), good_checks=0)
    named = incident.told | problem.subjects.keys()
    is_first_growth = incident.n_growths == 0
    has_grown = len(named) > len(incident.told)
    has_doubled = has_grown and len(named) >= GROWTH_FACTOR * len(incident.told)
    is_snoozed = incident.snoozed_until_s is not None and now_s < incident.snoozed_until_s
    has_paused = now_s - incident.told_s >= GROWTH_PAUSE_S
    if is_snoozed or not (has_doubled if is_first_growth else has_grown and has_paused):
        return seen, None
    return replace(seen, told=named, n_growths=incident.n_growths + 1, told_s=now_s), MessageKind.GREW


def see_nothing(incident: Incident) -> tuple[Incident, MessageKind | None]:
    """Return an open incident after a check that saw nothing wrong.

    :param incident: as it stands
    :return: the incident, and RECOVERED when enough good checks have followed each other
    """
    good = incident.good_checks + 1
    is_over = good >= GOOD_CHECKS[incident.problem.incident_class]
    return replace(incident, good_checks=good), MessageKind.RECOVERED if is_over else None


def stage_of(n_growths: int, *, is_over: bool) -> int:
    """Return how many changes of an incident people are notified of.

    :param n_growths: how often it has grown much worse, >= 0
    :param is_over: whether it is over
    :return: 1 when it is opened, 1 more with each growth and with its end
    """
    return 1 + n_growths + is_over


def news(shown_stage: int, n_growths: int, *, is_over: bool) -> MessageKind | None:
    """Return what people have yet to be notified of; one message is enough, however much they have missed.

    :param shown_stage: the stage that they were notified of, >= 0; see :func:`stage_of`
    :param n_growths: how often the incident has grown much worse, >= 0
    :param is_over: whether it is over
    :return: the end if it is over, else the opening if they know nothing, else the growth; None = nothing
    """
    if shown_stage >= stage_of(n_growths, is_over=is_over):
        return None
    if is_over:
        return MessageKind.RECOVERED
    return MessageKind.GREW if shown_stage else MessageKind.OPENED
