"""What is wrong with a pair: Kraken does not know it, it has left, or some of its data is odd. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from kraken_ohlcv.core.incident import IncidentClass, PairProblem, Problem, key_of_pair
from kraken_ohlcv.core.times import iso

HEADLINES: Final = {
    PairProblem.UNKNOWN: "Kraken does not know {}",
    PairProblem.LEFT: "{} has left Kraken",
    PairProblem.ODD_DATA: "Kraken sends odd data for {}",
    PairProblem.DISPUTED: "Stored candles of {} stand where its trades prove that nothing traded",
    PairProblem.BAD_LINE: "The line of {} in assets.yaml cannot be used",
}
MAX_ROWS: Final = 20
"""Odd rows of a pair that an incident keeps; the rest is counted."""


def unknown_pair(
    ticker: str, *, status: str | None = None, suggestion: str | None, now_s: int, url: str | None
) -> Problem:
    """Return the problem of a pair that Kraken never had, as far as is known.

    :param ticker: the ticker as the catalogue spells it
    :param status: its status in AssetPairs, or None when it is absent there
    :param suggestion: a listed ticker that may be meant, or None
    :param now_s: when it was seen, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is ``unknown``; its facts are ``said`` and ``suggestion``
    """
    said = f"Kraken lists it as {status}" if status else "Kraken lists no pair of this name"
    facts = {"said": said, "suggestion": suggestion}
    return _problem(ticker, PairProblem.UNKNOWN, facts, since_s=now_s, url=url)


def left_pair(ticker: str, *, since_s: int, url: str | None) -> Problem:
    """Return the problem of a pair that has left the exchange.

    :param since_s: since when it is gone, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is ``left``; its facts are ``said`` and ``since`` (ISO text, UTC)
    """
    facts = {"said": "Kraken has delisted or renamed it", "since": iso(since_s)}
    return _problem(ticker, PairProblem.LEFT, facts, since_s=since_s, url=url)


def odd_data(ticker: str, rows: Sequence[str], *, now_s: int, url: str | None) -> Problem:
    """Return the problem of a pair for which Kraken sends data that cannot be used.

    :param rows: a sentence per odd row, trade or field, which shows it; n >= 1
    :param now_s: when it was seen, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is ``odd data``; its facts are ``said``, ``rows`` (at most 20) and ``n_rows`` (all)
    """
    facts = {"said": "Some of it cannot be used", "rows": list(rows[:MAX_ROWS]), "n_rows": len(rows)}
    return _problem(ticker, PairProblem.ODD_DATA, facts, since_s=now_s, url=url)


def disputed_candles(ticker: str, rows: Sequence[str], *, since_s: int, url: str | None) -> Problem:
    """Return the problem of a pair with candles that its trades do not bear out.

    :param rows: a line per series and range; n >= 1
    :param since_s: when the first of them was found, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is ``disputed candles``; its facts are ``said``, ``rows`` (at most 20), ``n_rows`` (all)
    """
    said = "Its trades were read twice and contain none in these ranges"
    facts = {"said": said, "rows": list(rows[:MAX_ROWS]), "n_rows": len(rows)}
    return _problem(ticker, PairProblem.DISPUTED, facts, since_s=since_s, url=url)


def bad_line(ticker: str, said: str, *, now_s: int, url: str | None) -> Problem:
    """Return the problem of a line of the catalogue that cannot be used.

    :param ticker: the ticker that it names, or ``line 7`` when it names none
    :param said: what is wrong with it and the cure, a sentence
    :param now_s: when it was seen, epoch seconds UTC
    :param url: where to look at the run, or None
    :return: subject is ``bad line``; its only fact is ``said``
    """
    return _problem(ticker, PairProblem.BAD_LINE, {"said": said}, since_s=now_s, url=url)


def with_others(
    problem: Problem | None, standing: Problem, looked_at: Collection[PairProblem]
) -> Problem | None:
    """Return the problem of a pair after a check that looks at some kinds of it only.

    :param problem: what the check saw, or None when it saw nothing wrong
    :param standing: problem of the open incident
    :param looked_at: kinds that the check judges
    :return: what was seen, together with what stands of the other kinds; None when nothing is wrong at all
    """
    others = {kind: facts for kind, facts in standing.subjects.items() if kind not in looked_at}
    seen = standing if problem is None else problem
    subjects = {**others, **({} if problem is None else problem.subjects)}
    if not subjects:
        return None
    ticker = standing.key.partition(":")[2]
    worst = next(kind for kind in PairProblem if kind in subjects)
    return replace(seen, headline=HEADLINES[worst].format(ticker), subjects=subjects)


def _problem(
    ticker: str, kind: PairProblem, facts: dict[str, Any], *, since_s: int, url: str | None
) -> Problem:
    return Problem(
        key=key_of_pair(ticker),
        incident_class=IncidentClass.PAIR,
        headline=HEADLINES[kind].format(ticker),
        since_s=since_s,
        subjects={kind.value: facts},
        url=url,
    )
