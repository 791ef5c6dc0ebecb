"""Tells in the ledger that gaps wait for a quarter that is not published yet."""

from __future__ import annotations

from dataclasses import replace

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import WAITING, GapStatus, Series, UnfillableReason, unchanged_segment
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.sources.archive.names import Release
from kraken_ohlcv.stores.ledger.gaps import split_gap
from kraken_ohlcv.stores.ledger.series_state import bump_revision, locked_state, read_states
from kraken_ohlcv.stores.ledger.session import Connection


def mark_not_published(
    connection: Connection, run: RunKey, series: Series, release: Release, *, now_s: int
) -> None:
    """Give the gaps past the edge that a quarter may close the reason ``not_published``.

    :param run: the run; it claims what it changes
    :param series: ticker and interval; one never processed has no gaps
    :param release: the quarter
    :param now_s: the exchange's time, epoch seconds UTC; a quarter still running counts up to it
    """
    known = read_states(connection, [series.ticker], [series.interval_minutes])
    if series not in known or release.start_s is None or release.end_s is None:
        return
    quarter = (release.start_s, min(release.end_s, now_s))
    with locked_state(connection, series) as state:
        is_changed = False
        for gap in state.gaps:
            if gap.status is not GapStatus.UNFILLABLE or gap.unfillable_reason not in WAITING:
                continue
            segments = [
                replace(one, unfillable_reason=UnfillableReason.NOT_PUBLISHED)
                if quarter[0] <= one.start_s and one.end_s <= quarter[1]
                else one
                for one in (unchanged_segment(gap, part) for part in ranges.cut_at([gap.range], quarter))
            ]
            if any(one.unfillable_reason is not gap.unfillable_reason for one in segments):
                split_gap(connection, run, gap, segments, is_claimed=True)
                is_changed = True
        if is_changed:
            bump_revision(connection, state.series_id)
