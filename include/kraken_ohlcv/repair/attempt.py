"""The ledger's side of an attempt: begun, failed, given up with its pair, or left by a task that died."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from kraken_ohlcv.core.errors import FillError, FillRefusedError
from kraken_ohlcv.core.gap import (
    Gap,
    GapPart,
    GapSegment,
    GapStatus,
    Outcome,
    Series,
    UnfillableReason,
    parts_of,
)
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.resolve import failed_segment
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.gaps import (
    DIED,
    Claim,
    claim_gaps,
    read_claims,
    record_outcome,
    split_gap,
    start_attempt,
)
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, locked_state
from kraken_ohlcv.stores.ledger.session import Connection, being_filled, execute, rows

log = logging.getLogger(__name__)


def attempt_all(
    jobs: Iterable[Callable[[], object]], progress: Progress, *, waits: Callable[[], bool] = lambda: False
) -> None:
    """Do some jobs one after the other; a failure of one does not keep the next from its turn.

    :param jobs: fills or files of one asset or several
    :param progress: counts the jobs tried
    :param waits: asked after them, whether others wait for another stretch of calls
    :raises FillError: if something stays undone for a transient reason, or because it waits; doing it again
        tries only that
    :raises FillRefusedError: if all that stays undone would fail again
    """
    transient: list[str] = []
    permanent: list[str] = []
    for job in jobs:
        try:
            job()
        except FillError as error:
            log.error("%s", error)
            transient.append(str(error))
        except FillRefusedError as error:
            log.error("%s", error)
            permanent.append(str(error))
        progress.add()
    if transient or permanent:
        raised = FillError if transient or waits() else FillRefusedError
        raise raised("; ".join([*transient, *permanent]))


def is_within_reach(gap: Gap, *, now_s: int) -> bool:
    """Return whether the OHLC call may serve some of a gap.

    :param gap: open gap
    """
    return gap.status is not GapStatus.UNFILLABLE and gap.end_s > api_window_start_s(
        now_s, gap.series.interval_minutes
    )


def _is_to_be_tried(gap: Gap, before: Claim, *, now_s: int) -> bool:
    if gap.acceptance is not None:
        return False
    if before.tries == 0:
        return True
    # A second try in the same run repeats what failed for a passing reason, and nothing that waits, unless
    # the run was cleared and has planned it again.
    if gap.status in {GapStatus.FAILED, GapStatus.UNFILLABLE}:
        is_passing = before.outcome is Outcome.FAILED and gap.next_attempt_s is not None
        return is_passing or before.outcome is Outcome.DEFERRED
    return gap.is_eligible(now_s, retry_failed=False)


def begin(
    context: RunContext,
    series: Series,
    is_ours: Callable[[Gap], bool],
    *,
    is_due: Callable[[Gap], bool] = lambda _: False,
) -> tuple[SeriesState, set[int]]:
    """Mark the gaps that the run has claimed of a series as being filled.

    :param context: what to work with; the fill lock of the series is held
    :param is_ours: whether the source that is about to be asked may serve a gap
    :param is_due: which gaps the run claims before that
    :return: ledger of the series before that, and ids of the gaps tried now: none when others have closed
        them meanwhile
    """
    connection, run = context.connection, context.run
    attempted = set()
    with locked_state(connection, series) as state:
        claim_gaps(connection, run, (gap for gap in state.gaps if is_due(gap)))
        claimed = read_claims(connection, run, series)
        for gap in state.gaps:
            before = claimed.pop(gap.gap_id, None)
            if before is not None and is_ours(gap) and _is_to_be_tried(gap, before, now_s=context.now_s):
                start_attempt(connection, run, gap, now_s=context.now_s, is_first_try=before.tries == 0)
                attempted.add(gap.gap_id)
        for gap_id, before in claimed.items():
            if before.outcome is not Outcome.FILLED:
                # No longer among the open gaps: another run has closed it.
                record_outcome(connection, run, gap_id, Outcome.FILLED)
        if attempted:
            bump_revision(connection, state.series_id)
    return state, attempted


def put_back(
    context: RunContext,
    series: Series,
    attempted: Collection[int],
    segment_of: Callable[[Gap, GapPart], GapSegment],
) -> None:
    """Take the gaps of an attempt back to where they can be planned again.

    :param context: what to work with; the fill lock of the series is held
    :param attempted: ids of the gaps tried
    :param segment_of: what becomes of each part of a gap that is still missing; nothing is closed here
    """
    if not attempted:
        return
    with locked_state(context.connection, series) as state:
        tried = [gap for gap in state.gaps if gap.gap_id in attempted]
        _put_back(context.connection, context.run, series, tried, segment_of)
        bump_revision(context.connection, state.series_id)


def _put_back(
    connection: Connection,
    run: RunKey,
    series: Series,
    tried: Sequence[Gap],
    segment_of: Callable[[Gap, GapPart], GapSegment],
) -> None:
    coverage = read_months(connection, series, [gap.range for gap in tried])
    for gap in tried:
        # What is whole after all, the next detection closes.
        parts = parts_of(coverage.missing.within(gap.range)) or [GapPart(*gap.range, gap.missing_candles)]
        segments = [segment_of(gap, part) for part in parts]
        split_gap(connection, run, gap, segments, is_claimed=True)


def fail(
    context: RunContext,
    series: Series,
    attempted: Collection[int],
    error: str,
    *,
    is_permanent: bool,
    cron: str | None,
) -> None:
    """Put the gaps of an attempt back as FAILED.

    :param context: what to work with
    :param attempted: ids of the gaps tried
    :param error: one sentence
    :param is_permanent: whether the same request would fail again
    :param cron: schedule that repairs the series, or None
    """
    facts: Any = {"error": error, "is_permanent": is_permanent, "now_s": context.now_s, "cron": cron}
    put_back(context, series, attempted, lambda gap, part: failed_segment(gap, part, **facts))


def give_up_pair(
    context: RunContext, series: Series, attempted: Collection[int], error: str, *, cron: str | None
) -> None:
    """Mark a pair as delisted, and the gaps of an attempt as waiting for the archive.

    :param context: what to work with
    :param attempted: ids of the gaps tried
    :param error: what Kraken said
    :param cron: schedule that repairs the series, or None
    """
    execute(context.connection, "mark_delisted", series, now_s=context.now_s)

    def delisted(gap: Gap, part: GapPart) -> GapSegment:
        segment = failed_segment(gap, part, error=error, is_permanent=False, now_s=context.now_s, cron=cron)
        reason = UnfillableReason.PAIR_DELISTED
        return replace(segment, status=GapStatus.UNFILLABLE, unfillable_reason=reason)

    put_back(context, series, attempted, delisted)


def close_stranded(connection: Connection, run: RunKey, *, now_s: int) -> None:
    """Fail the gaps that tasks of a run left in BACKFILLING when they died.

    :param run: the run, all of whose fills have ended
    """
    for series in rows(connection, "read_stranded", Series, run):
        (asset,) = read_assets(connection, tickers=[series.ticker], tier="ALL")
        cron = asset.upkeep.cron(series.interval_minutes)
        with locked_state(connection, series) as state:
            if being_filled(connection, [state.series_id]):
                continue
            claimed = read_claims(connection, run, series)
            died = partial(failed_segment, error=DIED, is_permanent=False, now_s=now_s, cron=cron)
            left = [
                gap for gap in state.gaps if gap.status is GapStatus.BACKFILLING and gap.gap_id in claimed
            ]
            _put_back(connection, run, series, left, died)
            bump_revision(connection, state.series_id)
