"""The digest: what has changed in completeness since the report before; sent at most once a report.

A digest is no incident: nobody waits for it, so it is better lost than told twice. It is noted as attempted,
and that is committed, before it goes out. Only when Slack has certainly not taken it may another try send it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from kraken_ohlcv.core.errors import SlackAnswerLostError, SlackRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.wording import counted, moment
from kraken_ohlcv.monitoring.channel import Channel
from kraken_ohlcv.monitoring.mrkdwn import (
    HEADER_CHARACTERS,
    SECTION_CHARACTERS,
    TEXT_CHARACTERS,
    Content,
    address_of,
    context,
    escaped,
    fitted,
    header,
    listed,
    section,
)
from kraken_ohlcv.stores.ledger.reports import KeptLine, KeptReport
from kraken_ohlcv.stores.ledger.session import Connection, by_series, execute, first, rows

log = logging.getLogger(__name__)

LINE_CHARACTERS: Final = 300
"""Of one change with the series it names: all lines together fit in a message."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two reports, series by series.

    :ivar broken: complete before, not now; with missing buckets
    :ivar worse: more missing than before; with buckets more
    :ivar better: fewer missing than before, but some; with buckets fewer
    :ivar whole: complete now, not before
    :ivar lost: more buckets that only trades or Kraken's archive can bring; with buckets more
    :ivar emptied: something was expected before, and nothing now
    :ivar restated: more restated candles; with candles more
    :ivar added: not in the report before
    :ivar dropped: not in this report
    """

    broken: dict[Series, int] = field(default_factory=dict)
    worse: dict[Series, int] = field(default_factory=dict)
    better: dict[Series, int] = field(default_factory=dict)
    whole: dict[Series, int] = field(default_factory=dict)
    lost: dict[Series, int] = field(default_factory=dict)
    emptied: dict[Series, int] = field(default_factory=dict)
    restated: dict[Series, int] = field(default_factory=dict)
    added: dict[Series, int] = field(default_factory=dict)
    dropped: dict[Series, int] = field(default_factory=dict)


WORDS: Final = {
    "broken": "🔴 No longer complete",
    "worse": "🔺 More is missing",
    "lost": "⛔ Newly outside the API window",
    "better": "🔹 Less is missing",
    "whole": "✅ Complete again",
    "emptied": "No data any more: nothing is expected",
    "restated": "♻️ Restated",
    "added": "New",
    "dropped": "No longer reported",
}
"""How each kind of change is worded, in this order."""


def compare(before: Mapping[Series, KeptLine], now: Mapping[Series, KeptLine]) -> Changes:
    """Return what differs between two reports.

    :param before: series of the report before
    :param now: series of this report
    :return: each series in every list that fits
    """
    changes = Changes()
    for series, line in now.items():
        old = before.get(series)
        if old is None:
            changes.added[series] = line.missing
            continue
        if not line.expected:
            if old.expected:
                changes.emptied[series] = 0
            continue
        if line.missing and not old.missing:
            changes.broken[series] = line.missing
        elif old.missing and not line.missing:
            changes.whole[series] = 0
        elif line.missing > old.missing:
            changes.worse[series] = line.missing - old.missing
        elif line.missing < old.missing:
            changes.better[series] = old.missing - line.missing
        if line.unfillable > old.unfillable:
            changes.lost[series] = line.unfillable - old.unfillable
        if line.restated > old.restated:
            changes.restated[series] = line.restated - old.restated
    changes.dropped.update((series, 0) for series in before if series not in now)
    return changes


def compose(
    report: KeptReport,
    before: KeptReport | None,
    lines: Mapping[Series, KeptLine],
    old_lines: Mapping[Series, KeptLine],
    *,
    url: str | None,
) -> Content:
    """Return the message.

    :param report: this report
    :param before: the one before it on the same tier and intervals, or None
    :param lines: series of this report
    :param old_lines: series of the one before
    :param url: of the run, or None
    :return: the message, within the limits of Slack and Discord
    """
    body = report.body
    expected = sum(line.expected for line in lines.values())
    missing = sum(line.missing for line in lines.values())
    incomplete = sum(line.missing > 0 for line in lines.values())
    n_empty = sum(not line.expected for line in lines.values())
    said = f"{counted(missing, 'candle')} missing" if missing else "nothing is missing"
    title = fitted(f"📊 {report.tier}: {said if expected else 'no data'}", HEADER_CHARACTERS)
    state = []
    if expected:
        state.append(
            f"{incomplete} of {counted(len(lines) - n_empty, 'series')} incomplete: of {expected:,} candles"
            f" that are due, {missing:,} are neither stored nor proven empty."
        )
    if n_empty:
        state.append(f"No data: nothing is expected of {counted(n_empty, 'series')}.")
    if body["completeness_pct"] is not None:
        state.append(
            f"{body['completeness_pct']} % of the assets that should have data have it, and no open gap."
        )
    check = body["cross_check"]
    if check and check["days_mismatched"]:
        state.append(
            f"On {check['days_mismatched']} of {counted(check['days_compared'], 'day')} the hourly candles do"
            " not add up to the daily one: the run's log names them."
        )
    if before is None:
        told = ["This is the first report on these series: the next one says what has changed."]
    else:
        changes = _told(compare(old_lines, lines))
        told = [f"Since {moment(before.reported_s)}:" if changes else _unchanged(before), *changes]
    address = address_of(url)
    small = f"completeness report · {moment(report.reported_s)}"
    sections = [state, told, [f"<{address}|Open the run in Airflow>"] if address else []]
    blocks = [section(fitted_lines(part, SECTION_CHARACTERS)) for part in sections if part]
    end = [*([address] if address else []), small]
    room = TEXT_CHARACTERS - sum(len(line) + 1 for line in (title, *end))
    text = "\n".join([title, fitted_lines([*state, *told], room), *end])
    return Content(text, [header(title), *blocks, context(small)])


def fitted_lines(lines: list[str], limit: int) -> str:
    """Return as many whole lines as fit, and say that there are more.

    :param lines: escaped texts, each shorter than the limit
    :param limit: most characters
    :return: one text
    """
    return listed(lines, limit, separator="\n")


def _unchanged(before: KeptReport) -> str:
    return f"Nothing has changed since {moment(before.reported_s)}."


def _told(changes: Changes) -> list[str]:
    told = []
    for name, words in WORDS.items():
        those: dict[Series, int] = getattr(changes, name)
        if those:
            items = [
                escaped(f"{series} ({n})" if n else str(series))
                for series, n in sorted(those.items(), key=lambda item: -item[1])
            ]
            begin = f"{words}, {counted(len(those), 'series')}: "
            told.append(begin + listed(items, LINE_CHARACTERS - len(begin)))
    return told


def send_digest(connection: Connection, channel: Channel, run: RunKey, *, url: str | None, now_s: int) -> str:
    """Send the digest of a run's report, unless it was sent, or may have been sent, before.

    :param connection: the ledger, in autocommit
    :param channel: where to
    :param run: the run, whose report is kept
    :param url: of the run, or None
    :return: what was done, a sentence
    :raises SlackRefusedError: if Slack has certainly not taken it; another try may send it
    :raises SlackAnswerLostError: if nobody knows whether it arrived; no try sends it again
    """
    report = first(connection, "read_report", KeptReport, run)
    if report is None:
        return "no digest: the run made no report"
    before = first(connection, "read_report_before", KeptReport, report)
    content = compose(
        report,
        before,
        _lines(connection, report),
        {} if before is None else _lines(connection, before),
        url=url,
    )
    # Committed before the call: it may then have been sent.
    if not execute(connection, "claim_digest", report, now_s=now_s):
        return "the digest of this run was sent before, or may have been: it is not sent again"
    close = partial(
        execute, connection, "close_digest", report, {"sent_s": None, "error": None, "may_have_arrived": True}
    )
    try:
        channel.post(content)
    except SlackRefusedError as refusal:
        close(error=str(refusal), may_have_arrived=False)
        raise
    except SlackAnswerLostError as lost:
        close(error=str(lost))
        raise SlackAnswerLostError(f"the digest may have arrived and is not sent again: {lost}") from None
    close(sent_s=now_s)
    return "the digest was sent"


def _lines(connection: Connection, report: KeptReport) -> dict[Series, KeptLine]:
    return dict(rows(connection, "read_report_lines", by_series(KeptLine), report))
