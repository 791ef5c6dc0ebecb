"""Repairs gaps of a backfill from published quarters, each asked for when it may be out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import (
    WAITING,
    Gap,
    GapStatus,
    Series,
    UnfillableReason,
    parts_of,
    unchanged_segment,
)
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.quarters import quarters_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.found import Found
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Member
from kraken_ohlcv.sources.archive.names import Release
from kraken_ohlcv.stores.ledger.archive import (
    read_quarters,
)
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.gaps import split_gap
from kraken_ohlcv.stores.ledger.series_state import bump_revision, locked_state, read_states
from kraken_ohlcv.stores.ledger.session import execute, value

SHORTEST_LAG_S: Final = 28 * DAY_S
"""No quarter has been published sooner after its end, so until then nobody is asked."""
LONGEST_LAG_S: Final = 26 * 7 * DAY_S
"""A quarter that is still not there so long after its end is not waited for."""
ASK_AGAIN_S: Final = DAY_S
ASK_LATE_AGAIN_S: Final = 7 * DAY_S
FINAL: Final = UnfillableReason.NOBODY_HAS_IT


def quarters_of(wanted: Range, *, now_s: int) -> list[Release]:
    """Return the quarters that may hold a range and may be published by now.

    :param wanted: half-open, epoch seconds UTC
    :return: oldest first
    """
    return [Release(*one) for one in quarters_in([wanted]) if one.end_s + SHORTEST_LAG_S <= now_s]


def plan_fetch(context: RunContext, locator: ArchiveLocator, gaps: Iterable[Gap]) -> list[Member]:
    """Choose the members of published quarters that may close gaps past the edge.

    A quarter that is not published is asked for once a day at most, one long overdue once a week. A member
    that was ingested after the gap was found does not have it: it is not fetched again.

    :param context: what the run works with
    :param locator: where files come from
    :param gaps: open gaps of the series processed
    :return: members, those of a ticker together
    :raises ArchiveServerError: if the server does not give a usable answer
    """
    waiting: dict[str, list[Gap]] = defaultdict(list)
    releases: dict[str, Release] = {}
    for gap in gaps:
        if gap.status is GapStatus.UNFILLABLE and gap.unfillable_reason is not FINAL:
            for release in quarters_of(gap.range, now_s=context.now_s):
                waiting[release.name].append(gap)
                releases[release.name] = release
    members: list[Member] = []
    for name, release in sorted(releases.items()):
        try:
            published = _published_name(context, locator, release)
            found = _members(context, locator, published, waiting[name]) if published is not None else []
        except ArchiveRefusedError as error:
            # One quarter that cannot be opened keeps no other from its turn.
            _record_lost(context, {name: str(error)})
            continue
        members += found
        if published is None and context.now_s < (release.end_s or 0) + LONGEST_LAG_S:
            for series in dict.fromkeys(gap.series for gap in waiting[name]):
                mark_not_published(context, series, release)
    return sorted(members, key=lambda member: (member.series, member.archive))


def mark_not_published(context: RunContext, series: Series, release: Release) -> None:
    """Give the gaps past the edge that a quarter may close the reason ``not_published``.

    :param context: what to work with; the run claims what it changes
    :param series: ticker and interval; one never processed has no gaps
    :param release: the quarter; one still running counts up to now
    """
    known = read_states(context.connection, [series.ticker], [series.interval_minutes])
    if series not in known or release.start_s is None or release.end_s is None:
        return
    quarter = (release.start_s, min(release.end_s, context.now_s))
    with locked_state(context.connection, series) as state:
        waiting = [
            gap
            for gap in state.gaps
            if gap.status is GapStatus.UNFILLABLE
            and gap.acceptance is None
            and gap.unfillable_reason in WAITING
            and ranges.intersect([gap.range], [quarter])
        ]
        missing = read_months(context.connection, series, [gap.range for gap in waiting]).missing
        is_changed = False
        for gap in waiting:
            segments = [
                replace(one, unfillable_reason=UnfillableReason.NOT_PUBLISHED)
                if quarter[0] <= one.start_s and one.end_s <= quarter[1]
                else one
                for one in (
                    unchanged_segment(gap, part) for part in parts_of(missing.within(gap.range), quarter)
                )
            ]
            if any(one.unfillable_reason is not gap.unfillable_reason for one in segments):
                split_gap(context.connection, context.run, gap, segments, is_claimed=True)
                is_changed = True
        if is_changed:
            bump_revision(context.connection, state.series_id)


def _published_name(context: RunContext, locator: ArchiveLocator, release: Release) -> str | None:
    """Return under which name a quarter is published, as far as that is to be asked now."""
    known = read_quarters(context.connection).get(release.name)
    if known is not None and (known.name is not None or context.now_s < known.ask_again_s):
        return known.name
    name = locator.published_name(release)
    is_late = context.now_s >= (release.end_s or 0) + LONGEST_LAG_S
    ask_again_s = context.now_s + (ASK_LATE_AGAIN_S if is_late else ASK_AGAIN_S)
    execute(
        context.connection,
        "record_archive_quarter",
        context,
        quarter=release.name,
        name=name,
        ask_again_s=ask_again_s,
    )
    return name


def _members(context: RunContext, locator: ArchiveLocator, name: str, gaps: Sequence[Gap]) -> list[Member]:
    """Return the members of a published quarter that may close gaps."""
    newest: dict[Series, int] = {}
    for gap in gaps:
        newest[gap.series] = max(gap.detected_s, newest.get(gap.series, 0))
    ingested = {
        series: value(context.connection, "read_archive_ingests", series, prefix=f"{name}!") or 0
        for series in newest
    }
    lacking = [series for series, found_s in newest.items() if ingested[series] < found_s]
    if not lacking:
        return []
    found = Found(
        tickers=list(dict.fromkeys(series.ticker for series in newest)),
        intervals=list({series.interval_minutes for series in newest}),
    )
    with locator.open(name, is_remote=True) as archive:
        found.add(archive, is_published=not locator.is_mirror)
    _record_lost(context, found.lost)
    return [member for member in found.members if member.series in lacking]


def _record_lost(context: RunContext, lost: Mapping[str, str]) -> None:
    """Record what may be wanted and cannot be read: errors of the run."""
    for name, why in lost.items():
        result = {"file": name, "status": "refused", "error": why}
        execute(context.connection, "record_archive_result", context.run, name=name, result=result)
