"""What is wrong with a DAG's own run: it failed, or it is not finished in time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kraken_ohlcv.core.incident import IncidentClass, Problem, key_of_run
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso

MAX_ERRORS: Final = 20
"""Sentences about a run that an incident keeps; the rest is counted."""


def failed_run(run: RunKey, errors: Sequence[str], *, now_s: int, url: str | None) -> Problem:
    """Return the problem of a run that failed.

    :param errors: a sentence a series and message, or one that says why the run ended; n >= 1
    :param now_s: when it was seen, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is the run id; its facts are ``state``, ``errors`` (at most 20) and ``n_errors`` (all)
    """
    facts = {"state": "failed", "errors": list(errors[:MAX_ERRORS]), "n_errors": len(errors)}
    return _problem(run, f"{run.dag_id} failed", facts, since_s=now_s, url=url)


def late_run(run: RunKey, *, state: str, due_s: int, url: str | None) -> Problem:
    """Return the problem of a run that is not finished in time.

    :param state: its state as Airflow tells it: ``queued`` or ``running``
    :param due_s: when it had to be finished, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is the run id; its facts are ``state`` and ``due`` (ISO text, UTC)
    """
    facts = {"state": state, "due": iso(due_s)}
    return _problem(run, f"{run.dag_id} is not finished in time", facts, since_s=due_s, url=url)


def _problem(run: RunKey, headline: str, facts: dict[str, Any], *, since_s: int, url: str | None) -> Problem:
    return Problem(
        key=key_of_run(run.dag_id),
        incident_class=IncidentClass.RUN,
        headline=headline,
        since_s=since_s,
        subjects={run.run_id: facts},
        url=url,
    )
