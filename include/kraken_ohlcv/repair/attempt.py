"""The ledger's side of an attempt: begun, failed, given up with its pair, or left by a task that died."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kraken_ohlcv.core.gap import Gap, GapSegment, GapStatus, Outcome, Series, UnfillableReason
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.schedules import backfill_cron
from kraken_ohlcv.repair.resolve import failed_segment
from kraken_ohlcv.stores.ledger.assets import mark_delisted, read_assets
from kraken_ohlcv.stores.ledger.gaps import (
    DIED,
    TakenUp,
    read_taken_up,
    record_outcome,
    split_gap,
    start_attempt,
    stranded_series,
)
from kraken_ohlcv.stores.ledger.series_state import bump_revision, read_state
from kraken_ohlcv.stores.ledger.session import Connection, is_being_filled, series_transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.core.run import RunKey
    from kraken_ohlcv.repair.context import RunContext


def is_within_reach(gap: Gap, *, now_s: int) -> bool:
    """Return whether the OHLC call may serve some of a gap.

    :param gap: open gap
    :param now_s: the exchange's time, epoch seconds UTC
    """
    return gap.status is not GapStatus.UNFILLABLE and gap.end_s > api_window_start_s(
        now_s, gap.series.interval_minutes
    )


def _is_to_be_tried(gap: Gap, before: TakenUp, *, now_s: int) -> bool:
    if before.tries == 0:
        return True
    # A second try in the same run repeats what failed for a passing reason, and nothing that waits, unless
    # the run was cleared and has planned it again.
    if gap.status in {GapStatus.FAILED, GapStatus.UNFILLABLE}:
        is_passing = before.outcome is Outcome.FAILED and gap.next_attempt_s is not None
        return is_passing or before.outcome is Outcome.DEFERRED
    return gap.is_eligible(now_s, retry_failed=False)


def begin(context: RunContext, series: Series, series_id: int, is_ours: Callable[[Gap], bool]) -> set[int]:
    """Mark the gaps that the run has planned for a series as being filled.

    :param context: what to work with; the fill lock of the series is held
    :param series: ticker and interval
    :param series_id: its primary key
    :param is_ours: whether the source that is about to be asked may serve a gap
    :return: ids of the gaps tried now; empty when others have closed them meanwhile
    """
    attempted = set()
    with series_transaction(context.connection, series_id):
        taken_up = read_taken_up(context.connection, context.run, series)
        for gap in read_state(context.connection, series).gaps:
            before = taken_up.pop(gap.gap_id, None)
            if before is not None and is_ours(gap) and _is_to_be_tried(gap, before, now_s=context.now_s):
                start_attempt(
                    context.connection, context.run, gap, now_s=context.now_s, is_first_try=before.tries == 0
                )
                attempted.add(gap.gap_id)
        for gap_id, before in taken_up.items():
            if before.outcome is not Outcome.FILLED:
                # No longer among the open gaps: another run has closed it.
                record_outcome(context.connection, context.run, gap_id, Outcome.FILLED)
        if attempted:
            bump_revision(context.connection, series_id)
    return attempted


def _redraw(
    context: RunContext,
    series: Series,
    series_id: int,
    attempted: set[int],
    segment_of: Callable[[Gap], GapSegment],
) -> None:
    with series_transaction(context.connection, series_id):
        for gap in read_state(context.connection, series).gaps:
            if gap.gap_id in attempted:
                split_gap(context.connection, context.run, gap, [segment_of(gap)], take_up=True)
        bump_revision(context.connection, series_id)


def fail(
    context: RunContext,
    series: Series,
    series_id: int,
    attempted: set[int],
    error: str,
    *,
    is_permanent: bool,
    cron: str | None,
) -> None:
    """Put the gaps of an attempt back as FAILED.

    :param context: what to work with
    :param series: ticker and interval
    :param series_id: its primary key
    :param attempted: ids of the gaps tried
    :param error: one sentence
    :param is_permanent: whether the same request would fail again
    :param cron: schedule that repairs the series, or None
    """
    _redraw(
        context,
        series,
        series_id,
        attempted,
        lambda gap: failed_segment(
            gap, gap.range, error=error, is_permanent=is_permanent, now_s=context.now_s, cron=cron
        ),
    )


def give_up_pair(
    context: RunContext, series: Series, series_id: int, attempted: set[int], error: str, *, cron: str | None
) -> None:
    """Mark a pair as gone, and the gaps of an attempt as waiting for the archive.

    :param context: what to work with
    :param series: ticker and interval
    :param series_id: its primary key
    :param attempted: ids of the gaps tried
    :param error: what Kraken said
    :param cron: schedule that repairs the series, or None
    """
    mark_delisted(context.connection, series.ticker, now_s=context.now_s)
    _redraw(
        context,
        series,
        series_id,
        attempted,
        lambda gap: replace(
            failed_segment(gap, gap.range, error=error, is_permanent=False, now_s=context.now_s, cron=cron),
            status=GapStatus.UNFILLABLE,
            unfillable_reason=UnfillableReason.PAIR_DELISTED,
        ),
    )


def close_stranded(connection: Connection, run: RunKey, *, now_s: int) -> None:
    """Fail the gaps that tasks of a run left in BACKFILLING when they died.

    :param connection: the ledger
    :param run: the run, all of whose fills have ended
    :param now_s: the exchange's time, epoch seconds UTC
    """
    for series_id, series in stranded_series(connection, run):
        (asset,) = read_assets(connection, tickers=[series.ticker], tier="ALL")
        cron = backfill_cron(asset.tier, series.interval_minutes)
        with series_transaction(connection, series_id):
            if is_being_filled(connection, series_id):
                continue
            taken_up = read_taken_up(connection, run, series)
            for gap in read_state(connection, series).gaps:
                if gap.status is GapStatus.BACKFILLING and gap.gap_id in taken_up:
                    segment = failed_segment(
                        gap, gap.range, error=DIED, is_permanent=False, now_s=now_s, cron=cron
                    )
                    split_gap(connection, run, gap, [segment], take_up=True)
            bump_revision(connection, series_id)
