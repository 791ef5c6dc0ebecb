"""Table ``incidents``: what checks saw becomes incidents; the notifier shows them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from kraken_ohlcv.core.incident import Incident, IncidentClass, PairProblem, Problem, open_incident, see
from kraken_ohlcv.core.problems import key_of_pair, with_others
from kraken_ohlcv.stores.ledger.session import Connection, execute, rows, value

log = logging.getLogger(__name__)

INCIDENT_LOCK: Final = 0x4F484C43494E
"""Advisory lock under which incidents change, so that two checks never open the same one twice."""

SOURCE: Final = IncidentClass.SOURCE.value
STALE: Final = IncidentClass.STALE.value


def incident_of(
    *,
    key: str,
    headline: str,
    since_s: int,
    subjects: dict[str, Any],
    tried: str | None,
    url: str | None,
    named: list[str],
    **course: Any,
) -> Incident:
    """Return the incident of a row of ``read_open_incidents``."""
    return Incident(Problem(key, headline, since_s, subjects, tried, url), frozenset(named), **course)


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


def observe(
    connection: Connection, seen: Mapping[str, Problem | None], *, now_s: int, url: str | None = None
) -> None:
    """Bring incidents up to what a check saw.

    While the source itself is in trouble, everything else that goes wrong follows from it: no other incident
    is opened or grows until it has recovered. In the same way the error budget of a tier burns because its
    candles are late, while these are an incident.

    :param seen: by incident key: the problem, or None where the check looked and saw nothing wrong; keys that
        the check does not judge are absent
    :param now_s: the exchange's time, or the worker's when that does not answer, epoch seconds UTC
    :param url: where to look at the run that saw it, or None
    """
    with connection.transaction():
        execute(connection, "lock_incidents", lock=INCIDENT_LOCK)
        outstanding = read_open(connection)
        for key in sorted(seen, key=lambda key: key != SOURCE):
            problem, is_absorbed = seen[key], _is_absorbed(key, outstanding)
            if problem is not None and problem.url is None:
                problem = replace(problem, url=url)
            if key in outstanding:
                incident_id, before = outstanding[key]
                after = see(before, problem, now_s=now_s, is_absorbed=is_absorbed)
                _update(connection, incident_id, after, now_s=now_s)
                if after.is_over:
                    log.info("incident %s is over", key)
                    del outstanding[key]
            elif problem is not None and not is_absorbed:
                named = sorted(problem.subjects)
                incident_id = value(connection, "insert_incident", problem, named=named, now_s=now_s)
                log.warning("incident %s opened: %s", key, problem.headline)
                outstanding[key] = incident_id, open_incident(problem, now_s=now_s)


def _is_absorbed(key: str, outstanding: Mapping[str, tuple[int, Incident]]) -> bool:
    kind, _, name = key.partition(":")
    if kind != IncidentClass.SLO or STALE not in outstanding:
        return key != SOURCE and SOURCE in outstanding
    late = outstanding[STALE][1].problem.subjects.values()
    return SOURCE in outstanding or any(facts.get("tier") == name for facts in late)


def _update(connection: Connection, incident_id: int, incident: Incident, *, now_s: int) -> None:
    execute(
        connection,
        "update_incident",
        incident.problem,
        incident,
        incident_id=incident_id,
        named=sorted(incident.named),
        now_s=now_s,
        recovered_s=now_s if incident.is_over else None,
    )


def observe_pairs(
    connection: Connection,
    seen: Mapping[str, Problem | None],
    looked_at: Collection[PairProblem],
    *,
    now_s: int,
    url: str | None = None,
) -> None:
    """Bring the incidents of pairs up to what a check saw, which judges some kinds of problem only.

    :param seen: by ticker: the problem, or None where the check looked and saw nothing wrong
    :param looked_at: kinds that the check judges; what is open of the others is left as it is
    :param now_s: as in :func:`observe`
    :param url: as in :func:`observe`
    """
    judged: dict[str, Problem | None] = {}
    with connection.transaction():
        execute(connection, "lock_incidents", lock=INCIDENT_LOCK)
        outstanding = read_open(connection)
        for ticker, problem in seen.items():
            key = key_of_pair(ticker)
            if key not in outstanding:
                judged[key] = problem
                continue
            before = outstanding[key][1].problem
            if problem is not None or any(kind in looked_at for kind in before.subjects):
                judged[key] = with_others(problem, before, looked_at)
        observe(connection, judged, now_s=now_s, url=url)


def snooze(connection: Connection, keys: Iterable[str], *, until_s: int | None, by: str) -> list[str]:
    """Report no growth of some open incidents before a time.

    :param keys: incident keys
    :param until_s: epoch seconds UTC; None = growth is reported again at once
    :param by: who asked for it
    :return: the keys among them that are open
    """
    return [
        key for key in keys if execute(connection, "snooze_incident", key=key, until_s=until_s, snoozed_by=by)
    ]
