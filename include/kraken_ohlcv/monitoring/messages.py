"""The messages about an incident: opened, grown, recovered. Pure.

Their reader may just have been asleep: short sentences, no words that only this project knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from kraken_ohlcv.core.incident import Incident, IncidentClass, MessageKind, PairProblem, Problem
from kraken_ohlcv.core.wording import capitalised, counted, duration, moment, sentence
from kraken_ohlcv.monitoring.mrkdwn import Content, fitted, laid_out
from kraken_ohlcv.monitoring.subjects import NOUNS, affected, described

MINUTE_S: Final = 60

HEADLINE_CHARACTERS: Final = 400
TRIED_CHARACTERS: Final = 200
KEY_CHARACTERS: Final = 100

REPEAT: Final = "This may be a repeat: Slack never confirmed the first message."
LATE_NEWS: Final = "You are only hearing about this now because no message could be delivered at the time."
NEARLY_OVER: Final = "The last check was clean. One more clean check, and this is over."


@dataclass(frozen=True, slots=True)
class IncidentTexts:
    """The wording for a class of incidents.

    :ivar wrong: title while it lasts, followed by whom it hits; None = the headline is the title
    :ivar over: title when it is over
    :ivar next: what happens next and what to do, while it lasts
    :ivar after: what remains to be done when it is over
    """

    wrong: str | None
    over: str
    next: str
    after: str


WORDS: Final = {
    IncidentClass.STALE: IncidentTexts(
        wrong="candles are late",
        over="no candles are late any more",
        next="Airflow keeps fetching what is missing and reports here when this is over. If it lasts more"
        " than a few hours, open the run.",
        after="Nothing to do.",
    ),
    IncidentClass.SOURCE: IncidentTexts(
        wrong="no new candles are coming in",
        over="new candles are coming in again",
        next="Check https://status.kraken.com. If Kraken is down, just wait: what is missing is fetched once"
        " it is back. If it is up, open the run. Until this is over, other alerts stay quiet.",
        after="The next runs fetch what was missed. Nothing to do.",
    ),
    IncidentClass.RUN: IncidentTexts(
        wrong=None,
        over="works again",
        next="This is over as soon as a run succeeds. If the next one fails too, open it and read its"
        " errors.",
        after="The latest run succeeded. Nothing to do.",
    ),
    IncidentClass.AT_RISK: IncidentTexts(
        wrong="candles may soon be lost",
        over="no candles are at risk any more",
        next="Airflow keeps trying as long as Kraken serves them. If Kraken is up, open the run and read the"
        " errors. After that, they can only come from trades or from Kraken's archive.",
        after="They were fetched in time, or Kraken no longer serves them: see the page Gaps in Airflow.",
    ),
    IncidentClass.PAIR: IncidentTexts(
        wrong=None,
        over="is settled",
        next="Open the run and read its messages about this ticker.",
        after="Kraken serves the pair normally again, or assets.yaml no longer expects it. Nothing to do.",
    ),
    IncidentClass.APPROVAL: IncidentTexts(
        wrong=None,
        over="no longer waits",
        next="Open the run in Airflow, read the ranges under Required Actions, and approve or reject. Without"
        " an answer in time they stay open for a later run. What OHLC calls serve is stored already.",
        after="The answer, or that there was none, stands in the result of the run. Nothing to do.",
    ),
    IncidentClass.SLO: IncidentTexts(
        wrong=None,
        over="no longer spends its error budget too fast",
        next="Open the page Objectives in Airflow: it names the worst series. Backfills keep fetching what"
        " is missing. If candles come late day after day, read the runs of the tier's backfill.",
        after="The last day was good. What was spent stays spent: see the page Objectives in Airflow.",
    ),
    IncidentClass.SEAL: IncidentTexts(
        wrong="sealed days have changed",
        over="all sealed days stand as they were sealed",
        next="These days keep their seals. Find out who wrote to the stores, and compare with a backup. Put"
        " back what was there, or accept the change with param accept_changed_days of the report's DAG.",
        after="The candles are what was sealed again, or somebody has accepted the change. Nothing to do.",
    ),
}

PAIR_NEXT: Final = {
    PairProblem.UNKNOWN: "Nothing can be fetched for it; all other tickers continue. Correct the ticker in"
    " assets.yaml. If Kraken once listed the pair and no longer does, set listed: false on its line.",
    PairProblem.LEFT: "Its candles stay, and nothing more is expected of it. What is still missing from its"
    " history can only come from Kraken's archive. Set listed: false on its line in assets.yaml to end this"
    " incident; one that a rule took needs a line for that.",
    PairProblem.ODD_DATA: "The affected buckets stay open, and each run fetches them again; all"
    " other candles are stored. If it lasts for days, rebuild the range from trades (param repair_range).",
    PairProblem.DISPUTED: "The candles stay, count as disputed and never as verified, and Kraken is not asked"
    " again until they change. Leave them out of your analysis; docs/REPAIR.md says what they may be.",
    PairProblem.BAD_LINE: "The line is skipped, and all others count. Correct it: the next run reads it.",
}
"""What happens next, by what is wrong with a pair."""


def compose(
    incident: Incident,
    kind: MessageKind,
    *,
    as_of_s: int,
    may_be_repeat: bool = False,
    is_known: bool = True,
) -> Content:
    """Return a message about an incident.

    An edit of the first message, while the incident lasts, says what OPENED would say now.

    :param incident: as it stands, or stood when it was over
    :param kind: why a message is sent
    :param as_of_s: when it was last looked at; for RECOVERED when it was over; epoch seconds UTC
    :param may_be_repeat: whether the same message may have arrived before
    :param is_known: whether anything about this incident may have been heard before; only RECOVERED says so
    :return: the message, within the limits of Slack and Discord
    """
    problem, words = incident.problem, WORDS[incident.problem.incident_class]
    is_over = kind is MessageKind.RECOVERED
    headline = fitted(sentence(problem.headline), HEADLINE_CHARACTERS)
    lasted_s = as_of_s - problem.since_s
    notes = [REPEAT] * may_be_repeat
    if is_over:
        notes += [LATE_NEWS] * (not is_known)
        what = [
            f"It lasted {duration(lasted_s)}: from {moment(problem.since_s)} to {moment(as_of_s)}.",
            f"What was wrong: {headline}",
        ]
        subjects, then = partial(affected, incident), [words.after]
    else:
        so_far = f", {duration(lasted_s)} so far" if lasted_s >= MINUTE_S else ""
        what = [headline] * (words.wrong is not None) + [f"Since {moment(problem.since_s)}{so_far}."]
        subjects, then = partial(described, problem), _then(incident, words, as_of_s=as_of_s)
    return laid_out(
        _title(problem, words, kind),
        ["\n".join(notes), "\n".join(what), subjects, "\n".join(then)],
        url=problem.url,
        small=f"{fitted(problem.key, KEY_CHARACTERS)} · as of {moment(as_of_s)}",
    )


def _title(problem: Problem, words: IncidentTexts, kind: MessageKind) -> str:
    if kind is MessageKind.RECOVERED:
        return f"✅ Over: {words.over if words.wrong else f'{problem.name} {words.over}'}"
    title = f"{words.wrong or problem.headline}{_whom(problem)}"
    return f"🔺 It got worse: {title}" if kind is MessageKind.GREW else f"🔴 {capitalised(title)}"


def _whom(problem: Problem) -> str:
    if problem.incident_class not in {IncidentClass.STALE, IncidentClass.AT_RISK} or not problem.subjects:
        return ""
    if len(problem.subjects) == 1:
        return f": {next(iter(problem.subjects))}"
    return f": {counted(len(problem.subjects), NOUNS[problem.incident_class])}"


def _then(incident: Incident, words: IncidentTexts, *, as_of_s: int) -> list[str]:
    problem = incident.problem
    tried = fitted(sentence(problem.tried or ""), TRIED_CHARACTERS)
    lines = [f"Tried so far: {tried}"] if tried else []
    found = [text for kind, text in PAIR_NEXT.items() if kind in problem.subjects]
    is_pair = problem.incident_class is IncidentClass.PAIR
    lines.append(f"What happens next: {' '.join(found) if is_pair and found else words.next}")
    if incident.good_checks:
        lines.append(NEARLY_OVER)
    if incident.snoozed_until_s is not None and incident.snoozed_until_s > as_of_s:
        lines.append(
            f"Quiet until {moment(incident.snoozed_until_s)}, even if it gets worse: somebody acknowledged"
            " it."
        )
    return lines
