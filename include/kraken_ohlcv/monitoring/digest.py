"""The digest: what has changed in completeness since the report before; sent at most once a report.

A digest is no incident: nobody waits for it, so it is better lost than sent twice. It is noted as attempted,
and that is committed, before it goes out. Only when Slack has certainly not taken it may another try send it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from textwrap import shorten
from typing import Any, Final

from kraken_ohlcv.core.errors import SlackAnswerLostError, SlackRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.wording import counted, moment
from kraken_ohlcv.monitoring.channel import Channel
from kraken_ohlcv.monitoring.mrkdwn import Content, escaped, laid_out, listed
from kraken_ohlcv.stores.ledger.reports import KeptLine, KeptReport
from kraken_ohlcv.stores.ledger.seals import Head, head
from kraken_ohlcv.stores.ledger.session import Connection, by_series, execute, first, rows

log = logging.getLogger(__name__)

LINE_CHARACTERS: Final = 300
"""Of one change with the series it names: all lines together fit in a message."""


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


def compare(
    before: Mapping[Series, KeptLine], now: Mapping[Series, KeptLine]
) -> dict[str, dict[Series, int]]:
    """Return what differs between two reports.

    :param before: series of the report before
    :param now: series of this report
    :return: by kind of change (see :data:`WORDS`) and series: how many buckets or candles it is about, or 0
    """
    changes: dict[str, dict[Series, int]] = {kind: {} for kind in WORDS}
    for series in {**now, **before}:
        for kind, n in _changes(before.get(series), now.get(series)).items():
            changes[kind][series] = n
    return changes


def _changes(old: KeptLine | None, now: KeptLine | None) -> dict[str, int]:
    """Return how a series has changed; more than one kind may fit."""
    if now is None:
        return {"dropped": 0}
    if old is None:
        return {"added": now.missing}
    if not now.expected:
        return {"emptied": 0} if old.expected else {}
    more = {"lost": now.unfillable - old.unfillable, "restated": now.restated - old.restated}
    changes = {kind: n for kind, n in more.items() if n > 0}
    if now.missing > old.missing:
        changes["worse" if old.missing else "broken"] = now.missing - old.missing
    elif now.missing < old.missing:
        changes["better" if now.missing else "whole"] = old.missing - now.missing if now.missing else 0
    return changes


def compose(
    report: KeptReport,
    before: KeptReport | None,
    lines: Mapping[Series, KeptLine],
    old_lines: Mapping[Series, KeptLine],
    *,
    taken: Sequence[tuple[str, str]] = (),
    seals: Head | None = None,
    url: str | None,
) -> Content:
    """Return the message.

    :param report: this report
    :param before: the one before it on the same tier and intervals, or None
    :param lines: series of this report
    :param old_lines: series of the one before
    :param taken: ticker and tier of pairs that a rule took since then
    :param seals: the newest entry of the log of seals, so that its hash is known outside, too; None = none
    :param url: of the run, or None
    :return: the message, within the limits of Slack and Discord
    """
    body = report.body
    expected = sum(line.expected for line in lines.values())
    missing = sum(line.missing for line in lines.values())
    incomplete = sum(line.missing > 0 for line in lines.values())
    n_empty = sum(not line.expected for line in lines.values())
    said = f"{counted(missing, 'candle')} missing" if missing else "nothing is missing"
    title = f"📊 {report.tier}: {said if expected else 'no data'}"
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
    # A report of an earlier version has none.
    state += _accepted(body.get("accepted"))
    if seals is not None and seals.number:
        state.append(f"Log of seals: entry {seals.number}, {seals.hash}")
    if before is None:
        news = ["This is the first report on these series: the next one says what has changed."]
    else:
        when, changes = moment(before.reported_s), _worded(compare(old_lines, lines))
        news = [f"Since {when}:", *changes] if changes else [f"Nothing has changed since {when}."]
    news += _taken(taken)
    return laid_out(
        title,
        ["\n".join(state), partial(listed, news, separator="\n")],
        url=url,
        small=f"completeness report · {moment(report.reported_s)}",
    )


def _accepted(accepted: Mapping[str, Any] | None) -> list[str]:
    """Return what stays missing because somebody decided so, in a line."""
    if not accepted or not accepted["holes"]:
        return []
    begin = f"Accepted and still missing, {counted(accepted['candles'], 'candle')}: "
    items = [
        escaped(
            f"{one['ticker']} {one['interval']} from {one['from']} ({one['candles']}, by"
            f" {shorten(one['accepted_by'], 40)} on {one['accepted_at'][:10]}: {shorten(one['reason'], 80)})"
        )
        for one in accepted["newest"]
    ]
    return [begin + listed(items, LINE_CHARACTERS - len(begin))]


def _taken(taken: Sequence[tuple[str, str]]) -> list[str]:
    """Return which pairs rules of the plan have taken, in a line."""
    if not taken:
        return []
    begin = f"🆕 Listed and taken by a rule, {counted(len(taken), 'pair')}: "
    items = [f"{ticker} ({tier})" for ticker, tier in taken]
    return [begin + listed(items, LINE_CHARACTERS - len(begin))]


def _worded(changes: Mapping[str, Mapping[Series, int]]) -> list[str]:
    lines = []
    for kind, words in WORDS.items():
        if those := changes[kind]:
            ordered = sorted(those.items(), key=lambda item: -item[1])
            items = [escaped(f"{series} ({n})" if n else str(series)) for series, n in ordered]
            begin = f"{words}, {counted(len(those), 'series')}: "
            lines.append(begin + listed(items, LINE_CHARACTERS - len(begin)))
    return lines


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
        taken=[] if before is None else rows(connection, "list_taken", _pair, before),
        seals=head(connection),
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


def _pair(ticker: str, tier: str) -> tuple[str, str]:
    return ticker, tier


def _lines(connection: Connection, report: KeptReport) -> dict[Series, KeptLine]:
    return dict(rows(connection, "read_report_lines", by_series(KeptLine), report))
