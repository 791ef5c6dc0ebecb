"""Makes the ledgers of series say what their candles say, each all or nothing; a no-op where they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from kraken_ohlcv.core.gap import GapSegment, GapStatus, Series, unchanged_segment
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.snapshot import SeriesSnapshot
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.gaps import close_gap, insert_gaps, split_gap
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, read_state
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    being_filled,
    free_series_transaction,
    series_transaction,
)

SERIES_AT_ONCE: Final = 200
"""Series of one transaction: tens of milliseconds, and few of the 6,400 locks PostgreSQL has room for."""


def reconcile(
    connection: Connection,
    run: RunKey,
    seen: Sequence[tuple[SeriesState, SeriesSnapshot]],
    look: Callable[[SeriesState], SeriesSnapshot],
    *,
    now_s: int,
) -> None:
    """Bring the ledgers of series up to their candles.

    Proofs that a stored candle contradicts are withdrawn. New gaps are inserted; open ones are trimmed, split
    at the API edge, closed, or taken back from a task that died. A gap that another task is filling right now
    is left to it. A ledger that nobody has changed since it was read, as nearly all, is written together with
    others; the rest one by one.

    :param run: the run; it claims what it inserts, splits off or closes
    :param seen: of each series its ledger, as read before the candles were, and what the candles said
    :param look: reads the candles of a series again; called when its ledger has changed since
    """
    changed = [(state, snapshot) for state, snapshot in seen if not snapshot.matches(state)]
    for start in range(0, len(changed), SERIES_AT_ONCE):
        batch = changed[start : start + SERIES_AT_ONCE]
        done = _record_unchanged(connection, run, batch, now_s=now_s)
        for state, snapshot in batch:
            if state.series_id not in done:
                _record(connection, run, state, snapshot, look, now_s=now_s)


def _record_unchanged(
    connection: Connection, run: RunKey, batch: Sequence[tuple[SeriesState, SeriesSnapshot]], *, now_s: int
) -> set[int]:
    """Write what is new of the series that nobody changes or has changed; return their primary keys."""
    with free_series_transaction(connection, [state.series_id for state, _ in batch]) as revisions:
        unchanged = [
            (state, snap) for state, snap in batch if revisions.get(state.series_id) == state.revision
        ]
        _write(connection, run, unchanged, now_s=now_s)
    return {state.series_id for state, _ in unchanged}


def _record(
    connection: Connection,
    run: RunKey,
    state: SeriesState,
    snapshot: SeriesSnapshot,
    look: Callable[[SeriesState], SeriesSnapshot],
    *,
    now_s: int,
) -> None:
    """Write what is new of one series, after those who change it now."""
    with series_transaction(connection, state.series_id) as revision:
        if revision != state.revision:
            # A fill has changed it in between; the candles read before it prove nothing any more.
            state = read_state(connection, state.series)
            snapshot = look(state)
            if snapshot.matches(state):
                return
        _write(connection, run, [(state, snapshot)], now_s=now_s)


def _write(
    connection: Connection, run: RunKey, seen: Sequence[tuple[SeriesState, SeriesSnapshot]], *, now_s: int
) -> None:
    series_ids = [state.series_id for state, _ in seen]
    filled_now = being_filled(connection, series_ids)
    new: list[tuple[Series, GapSegment]] = []
    for state, snapshot in seen:
        proofs.withdraw(connection, state.series, state.proven, snapshot.contradicted(state))
    # Nothing is read any more: the statements follow each other without waiting for answers.
    with connection.pipeline():
        for state, snapshot in seen:
            missing = snapshot.missing(state)
            is_filled_now = state.series_id in filled_now
            _change_gaps(connection, run, state, snapshot, missing, is_filled_now=is_filled_now, now_s=now_s)
            new += [(state.series, segment) for segment in snapshot.unrecorded(state, missing)]
        insert_gaps(connection, run, new, detected_s=now_s)
        bump_revision(connection, *series_ids)


def _change_gaps(
    connection: Connection,
    run: RunKey,
    state: SeriesState,
    snapshot: SeriesSnapshot,
    missing: list[Range],
    *,
    is_filled_now: bool,
    now_s: int,
) -> None:
    for gap in state.gaps:
        if gap.status is GapStatus.BACKFILLING and is_filled_now:
            continue
        segments = snapshot.changes_to(gap, missing)
        if not segments:
            source = snapshot.filled_from(gap, state)
            close_gap(connection, run, gap, filled_from=source, now_s=now_s)
        elif segments != [unchanged_segment(gap, gap.range)]:
            became_unfillable = (
                gap.status is not GapStatus.UNFILLABLE and segments[0].status is GapStatus.UNFILLABLE
            )
            split_gap(connection, run, gap, segments, is_claimed=became_unfillable)
