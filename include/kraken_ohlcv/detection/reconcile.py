"""Makes the ledgers of series say what their candles say, each all or nothing; a no-op where they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.regroup import GapChanges, regroup
from kraken_ohlcv.detection.snapshot import SeriesSnapshot
from kraken_ohlcv.stores.ledger.coverage import Coverage, save
from kraken_ohlcv.stores.ledger.gaps import NewGap, absorb_gap, change_gap, close_gap, insert_gaps
from kraken_ohlcv.stores.ledger.history import log_unwitnessed, without_withdrawn
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, read_state
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    being_filled,
    execute,
    free_series_transaction,
    series_transaction,
)

SERIES_AT_ONCE: Final = 200
"""Series of one transaction: tens of milliseconds, and few of the 6,400 locks PostgreSQL has room for."""

Seen = tuple[SeriesState, SeriesSnapshot]


class _Write(NamedTuple):
    """What is to be written of a series."""

    state: SeriesState
    snapshot: SeriesSnapshot
    coverage: Coverage
    changes: GapChanges
    unwitnessed: tuple[BucketSet, BucketSet]


def reconcile(
    connection: Connection,
    run: RunKey,
    seen: Sequence[Seen],
    look: Callable[[SeriesState], SeriesSnapshot],
    *,
    now_s: int,
) -> None:
    """Bring the ledgers of series up to their candles, in the months that were looked at.

    Proofs that a stored candle contradicts are withdrawn. New gaps are inserted; open ones are trimmed,
    joined with a neighbour, split at the API edge, closed, or taken back from a task that died. A gap that
    another task is filling right now is left to it. A ledger that nobody has changed since it was read, as
    nearly all, is written together with others; the rest one by one.

    :param run: the run; it claims what it inserts, splits off or closes
    :param seen: of each series its ledger, as read before the candles were, and what the candles said
    :param look: reads the candles of a series again; called when its ledger has changed since
    """
    for start in range(0, len(seen), SERIES_AT_ONCE):
        batch = seen[start : start + SERIES_AT_ONCE]
        with free_series_transaction(connection, [state.series_id for state, _ in batch]) as revisions:
            unchanged = [one for one in batch if revisions.get(one[0].series_id) == one[0].revision]
            _write(connection, run, unchanged, now_s=now_s)
        done = {state.series_id for state, _ in unchanged}
        for state, _ in batch:
            if state.series_id not in done:
                _reconcile_one(connection, run, state, look, now_s=now_s)


def _reconcile_one(
    connection: Connection,
    run: RunKey,
    state: SeriesState,
    look: Callable[[SeriesState], SeriesSnapshot],
    *,
    now_s: int,
) -> None:
    """Write what is new of one series, after those who change it now."""
    with series_transaction(connection, state.series_id):
        # A fill has changed it in between; the candles read before it prove nothing any more.
        fresh = read_state(connection, state.series)
        _write(connection, run, [(fresh, look(fresh))], now_s=now_s)


def _write(connection: Connection, run: RunKey, seen: Sequence[Seen], *, now_s: int) -> None:
    filled_now = being_filled(connection, [state.series_id for state, _ in seen])
    work = [_planned(connection, state, snapshot, state.series_id in filled_now) for state, snapshot in seen]
    new: list[NewGap] = []
    changed = []
    # Nothing is read any more: the statements follow each other without waiting for answers.
    with connection.pipeline():
        is_saved = save(connection, (one.coverage for one in work), run=run, now_s=now_s)
        log_unwitnessed(connection, {one.state.series: one.unwitnessed for one in work})
        for one in work:
            new += _change_gaps(connection, run, one, now_s=now_s)
            clock = one.snapshot.clock
            is_grown = one.state.until_s != clock.end_s
            if one.changes or one.coverage.series in is_saved or is_grown:
                changed.append((one.state.series_id, clock.end_s))
        insert_gaps(connection, run, new)
        execute(
            connection,
            "note_until",
            series_ids=[series_id for series_id, _ in changed],
            untils_s=[end_s for _, end_s in changed],
        )
        bump_revision(connection, *(series_id for series_id, _ in changed))


def _planned(
    connection: Connection, state: SeriesState, snapshot: SeriesSnapshot, is_filled_now: bool
) -> _Write:
    gone, come = snapshot.unwitnessed(state.until_s)
    gone = without_withdrawn(connection, snapshot.looked.coverage, gone)
    coverage = snapshot.corrected()
    gaps = [gap for gap in state.gaps if coverage.holds(gap.range)]
    under_way = {gap.gap_id for gap in gaps if is_filled_now and gap.status is GapStatus.BACKFILLING}
    changes = regroup(gaps, coverage.missing, snapshot.clock, left_alone=under_way)
    return _Write(state, snapshot, coverage, changes, (gone, come))


def _change_gaps(connection: Connection, run: RunKey, one: _Write, *, now_s: int) -> list[NewGap]:
    """Write what becomes of the gaps of a series; return those to be inserted after all others."""
    changes = one.changes
    # Before others grow over them: the database refuses overlapping open gaps at once.
    for gap, survivor in changes.absorbed:
        absorb_gap(connection, gap, survivor)
    for gap in changes.closed:
        close_gap(connection, run, gap, filled_from=one.snapshot.filled_from(gap, one.coverage), now_s=now_s)
    shrinking = [
        (gap, segment)
        for gap, segment in changes.changed
        if gap.start_s <= segment.start_s and segment.end_s <= gap.end_s
    ]
    growing = [change for change in changes.changed if change not in shrinking]
    for gap, segment in [*shrinking, *growing]:
        became_unfillable = gap.status is not GapStatus.UNFILLABLE and segment.status is GapStatus.UNFILLABLE
        is_claimed = became_unfillable and segment.acceptance is None
        change_gap(connection, run, gap, segment, is_claimed=is_claimed)
    return [
        NewGap(one.state.series, segment, now_s if parent is None else parent.detected_s, parent)
        for parent, segment in changes.new
    ]
