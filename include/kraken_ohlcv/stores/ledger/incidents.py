"""Table ``incidents``: what checks saw becomes incidents; the notifier shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from kraken_ohlcv.core.incident import (
    Incident,
    IncidentClass,
    MessageKind,
    PairProblem,
    Problem,
    key_of_pair,
    open_incident,
    see_nothing,
    see_problem,
)
from kraken_ohlcv.core.pair_problems import with_others
from kraken_ohlcv.stores.ledger.session import Connection, execute, rows, value

INCIDENT_LOCK: Final = 0x4F484C43494E
"""Advisory lock under which incidents change, so that two checks never open the same one twice."""

SOURCE_KEY: Final = IncidentClass.SOURCE.value


def incident_of(  # noqa: PLR0913 (the columns)
    *,
    key: str,
    incident_class: str,
    headline: str,
    since_s: int,
    subjects: dict[str, Any],
    tried: str | None,
    url: str | None,
    told: list[str],
    growths: int,
    **course: Any,
) -> Incident:
    """Return the incident of a row of ``read_open_incidents``."""
    problem = Problem(key, IncidentClass(incident_class), headline, since_s, subjects, tried, url)
    return Incident(problem, told=frozenset(told), n_growths=growths, **course)


def read_open(connection: Connection) -> dict[str, tuple[int, Incident]]:
    """Return all open incidents.

    :return: id and incident, by key
    """
    found = rows(
        connection,
        "read_open_incidents",
        lambda incident_id, **row: (row["key"], (incident_id, incident_of(**row))),
    )
    return dict(found)


def observe(connection: Connection, seen: Mapping[str, Problem | None], *, now_s: int) -> list[MessageKind]:
    """Bring incidents up to what a check saw.

    While the source itself is in trouble, everything else that goes wrong follows from it: no other incident
    is opened or grows until it has recovered.

    :param seen: by incident key: the problem, or None where the check looked and saw nothing wrong; keys that
        the check does not judge are absent
    :param now_s: the exchange's time, or the worker's when that does not answer, epoch seconds UTC
    :return: what has happened to incidents of which people are to be notified
    """
    kinds: list[MessageKind] = []
    with connection.transaction():
        execute(connection, "lock_incidents", lock=INCIDENT_LOCK)
        standing = read_open(connection)
        for key in sorted(seen, key=lambda key: key != SOURCE_KEY):
            problem = seen[key]
            is_absorbed = key != SOURCE_KEY and _is_source_down(seen, standing)
            if key in standing:
                incident_id, incident = standing[key]
                kind = _go_on(
                    connection, incident_id, incident, problem, is_absorbed=is_absorbed, now_s=now_s
                )
                if kind is MessageKind.RECOVERED:
                    del standing[key]
            elif problem is not None and not is_absorbed:
                standing[key] = (_open(connection, problem, now_s=now_s), open_incident(problem, now_s=now_s))
                kind = MessageKind.OPENED
            else:
                continue
            if kind is not None:
                kinds.append(kind)
    return kinds


def observe_pairs(
    connection: Connection,
    seen: Mapping[str, Problem | None],
    looked_at: Collection[PairProblem],
    *,
    now_s: int,
) -> list[MessageKind]:
    """Bring the incidents of pairs up to what a check saw, which judges some kinds of problem only.

    :param seen: by ticker: the problem, or None where the check looked and saw nothing wrong
    :param looked_at: kinds that the check judges; what stands of the others is left as it is
    :param now_s: as in :func:`observe`
    :return: what has happened to incidents of which people are to be notified
    """
    judged: dict[str, Problem | None] = {}
    with connection.transaction():
        execute(connection, "lock_incidents", lock=INCIDENT_LOCK)
        standing = read_open(connection)
        for ticker, problem in seen.items():
            key = key_of_pair(ticker)
            if key not in standing:
                judged[key] = problem
                continue
            before = standing[key][1].problem
            if problem is not None or any(kind in looked_at for kind in before.subjects):
                judged[key] = with_others(problem, before, looked_at)
        return observe(connection, judged, now_s=now_s)


def _is_source_down(seen: Mapping[str, Problem | None], standing: Mapping[str, Any]) -> bool:
    return SOURCE_KEY in standing or seen.get(SOURCE_KEY) is not None


def _open(connection: Connection, problem: Problem, *, now_s: int) -> int:
    told = sorted(problem.subjects)
    return int(
        value(
            connection,
            "insert_incident",
            problem,
            subjects=_plain(problem.subjects),
            told=told,
            now_s=now_s,
        )
    )


def _plain(subjects: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {key: dict(facts) for key, facts in subjects.items()}


def _go_on(
    connection: Connection,
    incident_id: int,
    incident: Incident,
    problem: Problem | None,
    *,
    is_absorbed: bool,
    now_s: int,
) -> MessageKind | None:
    kind: MessageKind | None = None
    if problem is None:
        after, kind = see_nothing(incident)
    elif is_absorbed:
        after = replace(incident, good_checks=0)
    else:
        if problem.incident_class is IncidentClass.RUN:
            # Each failed run is another subject; the ones before it are not forgotten.
            problem = replace(problem, subjects={**incident.problem.subjects, **problem.subjects})
        after, kind = see_problem(incident, problem, now_s=now_s)
    execute(
        connection,
        "update_incident",
        after.problem,
        after,
        incident_id=incident_id,
        subjects=_plain(after.problem.subjects),
        now_s=now_s,
        recovered_s=now_s if kind is MessageKind.RECOVERED else None,
        told=sorted(after.told),
        growths=after.n_growths,
    )
    return kind


def snooze(connection: Connection, keys: Iterable[str], *, until_s: int | None, by: str) -> list[str]:
    """Tell no growth of some open incidents before a time.

    :param keys: incident keys
    :param until_s: epoch seconds UTC; None = growth is told again at once
    :param by: who asked for it
    :return: the keys among them that are open
    """
    return [
        key for key in keys if execute(connection, "snooze_incident", key=key, until_s=until_s, snoozed_by=by)
    ]
