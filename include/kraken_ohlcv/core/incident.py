"""The life of an incident: opened, grown, recovered; one message each, however long it lasts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from kraken_ohlcv.core.intervals import DAY_S

GROWTH_FACTOR: Final = 2
"""Growth is worth a message when an incident has doubled since the last message."""
GROWTH_PAUSE_S: Final = DAY_S
"""After the first growth message, the next one waits this long, seconds."""
KEY_PATTERN: Final = (
    "^(stale|source|at_risk|seal|slo:TIER[1-4]|run:[A-Za-z0-9_.-]{1,250}|pair:[A-Za-z0-9._ -]{1,32}"
    "|approval:[A-Za-z0-9_.-]{1,250})$"
)
"""What the key of an incident looks like."""


class IncidentClass(StrEnum):
    """What kind of problem it is, and so its key."""

    STALE = "stale"
    SOURCE = "source"
    RUN = "run"
    AT_RISK = "at_risk"
    PAIR = "pair"
    APPROVAL = "approval"
    SLO = "slo"
    SEAL = "seal"


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


class Severity(StrEnum):
    """How soon somebody has to look."""

    CRITICAL = "critical"
    """Candles may be lost for good, none come in, or stored ones are not what was sealed."""
    WARNING = "warning"
    """Something is late or was refused; nothing is lost yet."""


CRITICAL: Final = frozenset({IncidentClass.SOURCE, IncidentClass.AT_RISK, IncidentClass.SEAL})
"""Classes of this severity; all others are warnings."""


def severity_of(incident_class: str) -> Severity:
    """Return how soon somebody has to look at an incident of a class."""
    return Severity.CRITICAL if incident_class in CRITICAL else Severity.WARNING


GOOD_CHECKS: Final = {
    IncidentClass.STALE: 2,
    IncidentClass.SOURCE: 2,
    IncidentClass.RUN: 1,
    IncidentClass.AT_RISK: 2,
    IncidentClass.PAIR: 2,
    IncidentClass.APPROVAL: 1,
    IncidentClass.SLO: 1,
    IncidentClass.SEAL: 1,
}
"""Good checks in a row that end an incident: two where checks may flap, one where a run succeeds or fails, or
whole days are judged."""


class MessageKind(StrEnum):
    """Why people are notified."""

    OPENED = "opened"
    GREW = "grew"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check saw.

    :ivar key: identity of the incident: ``stale``, ``source``, ``at_risk``, ``run:<dag_id>``,
        ``pair:<ticker>``, ``approval:<dag_id>``, ``slo:<tier>`` or
        ``seal``
    :ivar headline: what is wrong, one sentence without the subjects
    :ivar since_s: since when, epoch seconds UTC
    :ivar subjects: what it concerns, with facts: by ticker (``hours_behind`` ...), gap, run, target, or
        :class:`PairProblem`
    :ivar tried: what was tried against it, one sentence, or None
    :ivar url: where to look, or None
    """

    key: str
    headline: str
    since_s: int
    subjects: dict[str, dict[str, Any]] = field(default_factory=dict)
    tried: str | None = None
    url: str | None = None

    @property
    def incident_class(self) -> IncidentClass:
        """Its class."""
        return IncidentClass(self.key.partition(":")[0])

    @property
    def name(self) -> str:
        """The DAG, ticker or tier that it is about; empty for the other classes."""
        return self.key.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Incident:
    """An open incident; named like the columns.

    :ivar problem: what was seen last
    :ivar named: subjects that messages have named so far
    :ivar notified_s: when it last opened or grew, epoch seconds UTC
    :ivar growths: how often it has grown much worse
    :ivar good_checks: checks in a row that saw nothing wrong, >= 0
    :ivar snoozed_until_s: no growth is reported before, epoch seconds UTC, or None
    """

    problem: Problem
    named: frozenset[str]
    notified_s: int
    growths: int = 0
    good_checks: int = 0
    snoozed_until_s: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether enough good checks have followed each other."""
        return self.good_checks >= GOOD_CHECKS[self.problem.incident_class]


def open_incident(problem: Problem, *, now_s: int) -> Incident:
    """Return a new incident; its message names all its subjects."""
    return Incident(problem, frozenset(problem.subjects), notified_s=now_s)


def see(incident: Incident, problem: Problem | None, *, now_s: int, is_absorbed: bool = False) -> Incident:
    """Return an open incident after a check.

    :param incident: as it stands
    :param problem: what was seen now; None = nothing wrong
    :param is_absorbed: whether the problem follows from another one: then it neither grows nor recovers
    :return: the incident; it has grown when enough subjects were added since the last message, and it is not
        snoozed; since when it lasts is never forgotten
    """
    if problem is None:
        return replace(incident, good_checks=incident.good_checks + 1)
    if is_absorbed:
        return replace(incident, good_checks=0)
    before = incident.problem
    # Each failed run is another subject; the ones before it are not forgotten.
    kept = before.subjects if before.incident_class is IncidentClass.RUN else {}
    subjects = {**kept, **problem.subjects}
    problem = replace(problem, since_s=min(before.since_s, problem.since_s), subjects=subjects)
    seen = replace(incident, problem=problem, good_checks=0)
    named = incident.named | subjects.keys()
    is_larger = len(named) > len(incident.named)
    has_doubled = len(named) >= GROWTH_FACTOR * len(incident.named)
    has_paused = now_s - incident.notified_s >= GROWTH_PAUSE_S
    is_snoozed = incident.snoozed_until_s is not None and now_s < incident.snoozed_until_s
    if is_snoozed or not is_larger or not (has_paused if incident.growths else has_doubled):
        return seen
    return replace(seen, named=named, growths=incident.growths + 1, notified_s=now_s)


def stage_of(growths: int, *, is_over: bool) -> int:
    """Return how many changes of an incident people are notified of.

    :param growths: how often it has grown much worse, >= 0
    :param is_over: whether it is over
    :return: 1 when it is opened, 1 more with each growth and with its end
    """
    return 1 + growths + is_over


def news(shown_stage: int, growths: int, *, is_over: bool) -> MessageKind | None:
    """Return what people have yet to be notified of; one message is enough, however much they have missed.

    :param shown_stage: the stage that they were notified of, >= 0; see :func:`stage_of`
    :param growths: how often the incident has grown much worse, >= 0
    :param is_over: whether it is over
    :return: the end if it is over, else the opening if they know nothing, else the growth; None = nothing
    """
    if shown_stage >= stage_of(growths, is_over=is_over):
        return None
    if is_over:
        return MessageKind.RECOVERED
    return MessageKind.GREW if shown_stage else MessageKind.OPENED
