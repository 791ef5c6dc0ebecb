"""What is wrong with a run of our own, or with a pair: the problems of their incidents. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from kraken_ohlcv.core.incident import IncidentClass, PairProblem, Problem
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import capitalised

MAX_LINES: Final = 20
"""Errors of a run, or odd rows of a pair, that an incident keeps; the rest is counted."""

HEADLINES: Final = {
    PairProblem.UNKNOWN: "Kraken does not know {}",
    PairProblem.LEFT: "{} has left Kraken",
    PairProblem.ODD_DATA: "Kraken sends odd data for {}",
    PairProblem.DISPUTED: "Stored candles of {} stand where its trades prove that nothing traded",
    PairProblem.BAD_LINE: "The line of {} in assets.yaml cannot be used",
}
SAID: Final = {
    PairProblem.UNKNOWN: "Kraken lists no pair of this name",
    PairProblem.LEFT: "Kraken has delisted or renamed it",
    PairProblem.ODD_DATA: "Some of it cannot be used",
    PairProblem.DISPUTED: "Its trades were read twice and contain none in these ranges",
}


def key_of_run(dag_id: str) -> str:
    """Return the key of the incident about a DAG's own runs."""
    return f"{IncidentClass.RUN}:{dag_id}"


def key_of_pair(ticker: str) -> str:
    """Return the key of the incident about a pair."""
    return f"{IncidentClass.PAIR}:{ticker}"


def key_of_approval(dag_id: str) -> str:
    """Return the key of the incident about a run of a DAG that waits for an approval."""
    return f"{IncidentClass.APPROVAL}:{dag_id}"


def key_of_slo(tier: str) -> str:
    """Return the key of the incident about the error budget of a tier."""
    return f"{IncidentClass.SLO}:{tier}"


def waiting_run(run: RunKey, *, calls: int, asked_s: int, until_s: int) -> Problem:
    """Return the problem of a run that waits for an approval.

    :param calls: calls that wait
    :param asked_s: since when, epoch seconds UTC
    :param until_s: when it goes on without them, epoch seconds UTC
    :return: subject is the run id; its facts are ``calls`` and ``until`` (ISO text, UTC)
    """
    headline = f"{run.dag_id} waits for an approval"
    subjects = {run.run_id: {"calls": calls, "until": iso(until_s)}}
    return Problem(key_of_approval(run.dag_id), headline, asked_s, subjects)


def failed_run(run: RunKey, errors: Sequence[str], *, now_s: int) -> Problem:
    """Return the problem of a run that failed.

    :param errors: a sentence per series and message, or one that says why the run ended; n >= 1
    :param now_s: when it was seen, epoch seconds UTC
    :return: subject is the run id; its facts are ``state``, ``errors`` (at most 20) and ``n_errors`` (all)
    """
    facts = {"state": "failed", **_first_lines("errors", errors)}
    return Problem(key_of_run(run.dag_id), f"{run.dag_id} failed", now_s, {run.run_id: facts})


def late_run(run: RunKey, *, state: str, due_s: int) -> Problem:
    """Return the problem of a run that is not finished in time.

    :param state: its state as Airflow reports it: ``queued`` or ``running``
    :param due_s: when it had to be finished, epoch seconds UTC
    :return: subject is the run id; its facts are ``state`` and ``due`` (ISO text, UTC)
    """
    headline = f"{run.dag_id} is not finished in time"
    subjects = {run.run_id: {"state": state, "due": iso(due_s)}}
    return Problem(key_of_run(run.dag_id), headline, due_s, subjects)


def pair_problem(
    ticker: str,
    kind: PairProblem,
    *,
    since_s: int,
    said: str | None = None,
    rows: Sequence[str] = (),
    **facts: str | None,
) -> Problem:
    """Return a problem of a pair.

    :param ticker: as the catalogue spells it; ``line 7`` when a line of it names none, or ``other lines``
    :param since_s: since when, epoch seconds UTC
    :param said: a sentence in place of the usual one of the kind
    :param rows: a sentence per odd row, or a line per disputed range
    :param facts: ``since``, ISO text, UTC; ``suggestion``, a listed ticker that may be meant
    :return: subject is the kind; its facts are those given, ``rows`` (at most 20) and ``n_rows`` (all)
    """
    shown: dict[str, Any] = {
        "said": said or SAID.get(kind),
        **facts,
        **(_first_lines("rows", rows) if rows else {}),
    }
    return Problem(key_of_pair(ticker), _headline(kind, ticker), since_s, {kind.value: shown})


def _headline(kind: PairProblem, name: str) -> str:
    if kind is PairProblem.BAD_LINE and " " in name:
        return f"{capitalised(name)} of assets.yaml cannot be used"
    return HEADLINES[kind].format(name)


def with_others(
    problem: Problem | None, outstanding: Problem, looked_at: Collection[PairProblem]
) -> Problem | None:
    """Return the problem of a pair after a check that looks at some kinds of it only.

    :param problem: what the check saw, or None when it saw nothing wrong
    :param outstanding: problem of the open incident
    :param looked_at: kinds that the check judges
    :return: what was seen, together with what is open of the other kinds; None when nothing is wrong at all
    """
    seen = problem or replace(outstanding, subjects={})
    others = {kind: facts for kind, facts in outstanding.subjects.items() if kind not in looked_at}
    subjects = {**others, **seen.subjects}
    if not subjects:
        return None
    worst = next(kind for kind in PairProblem if kind in subjects)
    return replace(seen, headline=_headline(worst, outstanding.name), subjects=subjects)


def _first_lines(name: str, lines: Sequence[str]) -> dict[str, Any]:
    return {name: list(lines[:MAX_LINES]), f"n_{name}": len(lines)}
