"""What an incident is about, line by line: tickers with hours behind, runs with their errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kraken_ohlcv.core.incident import Incident, IncidentClass, Problem
from kraken_ohlcv.core.wording import capitalised, counted, iso_moment, sentence
from kraken_ohlcv.monitoring.mrkdwn import fitted, listed

if TYPE_CHECKING:
    Facts: TypeAlias = Mapping[str, Any]
    Subject: TypeAlias = tuple[str, Facts]

MAX_NAMED: Final = 50
"""More subjects than this are counted, and only the worst are named."""
N_WORST: Final = 10
MAX_ERRORS: Final = 10
"""Errors of one run, or rows of one pair, that a message names."""

NAME_CHARACTERS: Final = 80
FACT_CHARACTERS: Final = 200
COUNTED_IN_DAYS_H: Final = 72
"""From so many hours on days are easier to grasp."""
INDENT: Final = "    ◦ "

TARGET_WORDS: Final = {
    "verified": "of the due candles are verified",
    "fresh": "of the due candles came in time",
}
"""What the share of each target says."""

NOUNS: Final = {
    IncidentClass.STALE: "ticker",
    IncidentClass.SOURCE: "tier",
    IncidentClass.RUN: "run",
    IncidentClass.AT_RISK: "series",
    IncidentClass.PAIR: "finding",
    IncidentClass.APPROVAL: "run",
    IncidentClass.SLO: "target",
    IncidentClass.SEAL: "series",
}
"""What the subjects of a class are."""


def described(problem: Problem, limit: int) -> str:
    """Return what an open incident is about.

    :param problem: what was seen last
    :param limit: most characters of the result
    :return: escaped; all subjects, or, when they are more than 50 or do not fit, how many they are and the
        worst ten
    """
    subjects = sorted(problem.subjects.items(), key=_worst_first)
    if problem.incident_class is IncidentClass.STALE:
        return _tickers(subjects, limit)
    lines = []
    if len(subjects) > MAX_NAMED:
        lines.append(f"{counted(len(subjects), NOUNS[problem.incident_class])}, the first ten are:")
        subjects = subjects[:N_WORST]
    describe = _DESCRIBE[problem.incident_class]
    for name, facts in subjects:
        lines += describe(fitted(name, NAME_CHARACTERS), facts)
    return listed(lines, limit, separator="\n")


def affected(incident: Incident, limit: int) -> str:
    """Return what an incident was about.

    :param incident: one that is over
    :param limit: most characters of the result
    :return: escaped, for example ``2 tickers were affected: ETHUSD, XBTUSD.``: all subjects that it ever had;
        empty when there are none, or too little room, and for a pair: its one ticker stands in the title
    """
    problem = incident.problem
    names = sorted(incident.named | problem.subjects.keys())
    if not names or problem.incident_class is IncidentClass.PAIR:
        return ""
    noun = counted(len(names), NOUNS[problem.incident_class])
    begin, end = f"{noun} {'was' if len(names) == 1 else 'were'} affected: ", "."
    shown = names if len(names) <= MAX_NAMED else names[:N_WORST]
    items = [fitted(name, NAME_CHARACTERS) for name in shown]
    if len(shown) < len(names):
        items.append(f"and {len(names) - len(shown)} more")
    listing = listed(items, limit - len(begin) - len(end))
    return f"{begin}{listing}{end}" if listing else ""


def _worst_first(subject: Subject) -> tuple[float, str, str]:
    name, facts = subject
    hours = facts.get("hours_behind") or facts.get("hours_overdue")
    return (-hours if isinstance(hours, int | float) else 0, str(facts.get("expires_at", "")), name)


def _tickers(subjects: Sequence[Subject], limit: int) -> str:
    by_tier: dict[str, list[str]] = {}
    for name, facts in subjects:
        by_tier.setdefault(str(facts.get("tier") or "no tier"), []).append(_ticker(name, facts))
    tiers = [(fitted(tier, NAME_CHARACTERS), by_tier[tier]) for tier in sorted(by_tier)]
    if len(subjects) <= MAX_NAMED:
        whole = "\n".join(f"{tier}: {', '.join(tickers)}" for tier, tickers in tiers)
        if len(whole) <= limit:
            return whole
    counts = listed([f"{tier}: {counted(len(tickers), 'ticker')}" for tier, tickers in tiers], limit // 2)
    begin = f"{counts}\nWorst: "
    worst = listed([_ticker(name, facts) for name, facts in subjects[:N_WORST]], limit - len(begin))
    return begin + worst if worst else counts


def _ticker(name: str, facts: Facts) -> str:
    ticker, hours = fitted(name, NAME_CHARACTERS), facts.get("hours_behind")
    return f"{ticker} (no candles yet)" if hours is None else f"{ticker} {_behind(hours)} behind"


def _behind(hours: Any) -> str:
    if not isinstance(hours, int) or hours < COUNTED_IN_DAYS_H:
        return f"{_fact(hours)} h"
    return " ".join(f"{n} {unit}" for n, unit in zip(divmod(hours, 24), "dh", strict=True) if n)


def _tier(name: str, facts: Facts) -> list[str]:
    overdue, series = facts.get("overdue"), facts.get("series")
    if overdue is None or series is None:
        return [f"• {name}"]
    return [f"• {name}: {_fact(overdue)} of {_fact(series)} series are late"]


def _run(name: str, facts: Facts) -> list[str]:
    state, due = facts.get("state"), facts.get("due")
    line = f"• {name}: {_fact(state)}" if state else f"• {name}"
    if due:
        line += f", was due by {_fact(iso_moment(str(due)))}"
    return [line, *_first_of(facts, "errors", more="more, on its page")]


def _waiting(name: str, facts: Facts) -> list[str]:
    until, calls = _fact(iso_moment(str(facts.get("until")))), facts.get("calls")
    wanted = counted(calls, "call") if isinstance(calls, int) else f"{_fact(calls)} calls"
    return [f"• {name}: {wanted} to Kraken, waits until {until}"]


def _first_of(facts: Facts, name: str, *, more: str) -> list[str]:
    """Return the first of many errors or rows, and how many more there are."""
    known, n_all = facts.get(name), facts.get(f"n_{name}")
    shown = known[:MAX_ERRORS] if isinstance(known, list) else []
    lines = [f"{INDENT}{_fact(line)}" for line in shown]
    if isinstance(n_all, int) and n_all > len(shown):
        lines.append(f"{INDENT}{n_all - len(shown)} {more}")
    return lines


def _series(name: str, facts: Facts) -> list[str]:
    ticker, _, minutes = name.partition(" ")
    line = f"• {ticker}, {minutes}-minute candles" if minutes.isdecimal() else f"• {name}"
    if facts.get("expires_at"):
        line += f": Kraken serves them until {_fact(iso_moment(str(facts['expires_at'])))}"
    return [line, f"{INDENT}{_fact(facts['error'])}"] if facts.get("error") else [line]


def _finding(name: str, facts: Facts) -> list[str]:
    said = [sentence(_fact(facts["said"]))] if facts.get("said") else []
    if facts.get("since"):
        said.append(f"Since {_fact(iso_moment(str(facts['since'])))}.")
    if facts.get("suggestion"):
        said.append(f"Did you mean {_fact(facts['suggestion'])}?")
    line = " ".join([f"• {capitalised(name)}:", *said]) if said else f"• {capitalised(name)}"
    return [line, *_first_of(facts, "rows", more="more")]


def _target(name: str, facts: Facts) -> list[str]:
    reached, target, worst = (facts.get(one) for one in ("reached_pct", "target_pct", "worst"))
    budget, left = facts.get("budget"), facts.get("left")
    said = TARGET_WORDS.get(name, f"of the due candles reach {name}")
    lines = [f"• {_fact(reached)} % {said}, over 30 days. The target is {_fact(target)} %."]
    if isinstance(left, int | float) and isinstance(budget, int | float):
        rest = f"{left:,.1f} are left" if left >= 0 else f"it is overspent by {-left:,.1f}"
        lines.append(f"{INDENT}Budget: {budget:,.1f} candles; {rest}.")
    of_day, of_week = (_fact(facts.get(f"bad_of_{span}")) for span in ("day", "week"))
    lines.append(f"{INDENT}Spent since yesterday: {of_day}; within seven days: {of_week}.")
    if isinstance(worst, list) and worst:
        lines.append(f"{INDENT}Worst: {', '.join(_fact(one) for one in worst)}.")
    return lines


def _sealed(name: str, facts: Facts) -> list[str]:
    ticker, _, minutes = name.partition(" ")
    days = facts.get("days")
    changed = counted(days, "day") if isinstance(days, int) else "days"
    line = f"• {ticker}, {minutes}-minute candles: {changed}, the first is {_fact(facts.get('first_day'))}"
    if not minutes.isdigit():
        line = f"• {capitalised(name)}"
    return [line, f"{INDENT}{capitalised(sentence(_fact(facts['said'])))}"] if facts.get("said") else [line]


def _fact(value: Any) -> str:
    return fitted(str(value), FACT_CHARACTERS)


_DESCRIBE: Final = {
    IncidentClass.SOURCE: _tier,
    IncidentClass.RUN: _run,
    IncidentClass.AT_RISK: _series,
    IncidentClass.PAIR: _finding,
    IncidentClass.APPROVAL: _waiting,
    IncidentClass.SLO: _target,
    IncidentClass.SEAL: _sealed,
}
