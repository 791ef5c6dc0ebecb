"""Deletes what nobody asks for any more from the ledger, in small transactions, and keeps its figures.

A gap that is FAILED and still missing is found again by the next detection, as a new record: deleting it
forgets its attempts, not the hole. UNFILLABLE gaps are kept, whatever their age: they wait for a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kraken_ohlcv.core.gap import GapStatus, Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.stores.ledger.series_state import bump_revision, every_series
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    being_filled,
    execute,
    fetch,
    one,
    rows,
    series_transaction,
    value,
)

BATCH: Final = 2000
"""Gap records or incidents of one transaction: tens of milliseconds, during which one series is locked."""

REPORT_DAYS: Final = 400
"""Every completeness report is kept for so long, so that a day can be compared with that of a year before."""
REPORT_BATCH: Final = 20
"""Reports of one transaction; each has one line per series."""


@dataclass(slots=True)
class Cleaned:
    """What a clean-up has deleted, or would delete.

    :ivar filled_deleted: gap records that were FILLED
    :ivar failed_deleted: gap records that were FAILED
    :ivar incidents_deleted: incidents that were over
    :ivar reports_deleted: completeness reports older than :data:`REPORT_DAYS`; one per month is kept
    :ivar cursors_deleted: places where walks through trades stood with which nobody will go on
    :ivar ranges_merged: proven-empty ranges that went into their neighbour
    """

    filled_deleted: int = 0
    failed_deleted: int = 0
    incidents_deleted: int = 0
    reports_deleted: int = 0
    cursors_deleted: int = 0
    ranges_merged: int = 0


def foresee(connection: Connection, *, days: int, now_s: int) -> Cleaned:
    """Return what :func:`clean_up` would do, and change nothing.

    :param days: age in days, >= 1
    :return: the figures
    """
    before_s = now_s - days * DAY_S
    reports_before_s = now_s - REPORT_DAYS * DAY_S
    with connection.transaction(force_rollback=True):
        cursors_deleted = execute(connection, "delete_stale_cursors", before_s=before_s)
    return Cleaned(
        **one(connection, "count_old", dict, before_s=before_s, reports_before_s=reports_before_s),
        cursors_deleted=cursors_deleted,
        ranges_merged=sum(ranges for _, _, ranges in _adjacent(connection)),
    )


def clean_up(connection: Connection, *, days: int, now_s: int, batch: int = BATCH) -> Cleaned:
    """Delete old records of the ledger; stopped in between, the next run goes on.

    :param connection: the ledger, in autocommit
    :param days: age in days, >= 1: FILLED by the time it was filled, FAILED by its last attempt, incidents by
        their recovery
    :param batch: most records of one transaction, >= 1
    :return: what was deleted
    """
    before_s = now_s - days * DAY_S
    reports_before_s = now_s - REPORT_DAYS * DAY_S
    old = {"before_s": before_s, "at_most": batch}
    # What of walks through a range that was asked for stopped before this moment; of those for gaps, what has
    # no gap any more.
    cleaned = Cleaned(cursors_deleted=execute(connection, "delete_stale_cursors", before_s=before_s))
    for series_id, series in every_series(connection):
        while n := _roll_up(connection, series_id, series, GapStatus.FILLED, **old):
            cleaned.filled_deleted += n
        while n := _roll_up(connection, series_id, series, GapStatus.FAILED, **old):
            cleaned.failed_deleted += n
    while n := value(connection, "delete_old_incidents", old):
        cleaned.incidents_deleted += n
    while n := value(connection, "thin_reports", before_s=reports_before_s, at_most=REPORT_BATCH):
        cleaned.reports_deleted += n
    for series_id, series, _ in _adjacent(connection):
        with series_transaction(connection, series_id):
            cleaned.ranges_merged += _merge_ranges(connection, series)
            bump_revision(connection, series_id)
    return cleaned


def _roll_up(connection: Connection, series_id: int, series: Series, status: GapStatus, **old: int) -> int:
    # Under the lock, because a child that is still open loses its parent, and a fill may hold the child.
    with series_transaction(connection, series_id):
        is_open = status is not GapStatus.FILLED
        if is_open and being_filled(connection, [series_id]):
            return 0
        deleted: int = value(connection, "roll_up_gaps", series, old, status=status)
        if deleted and is_open:
            # Who has read the open gaps is to read again.
            bump_revision(connection, series_id)
        return deleted


def _adjacent(connection: Connection) -> list[tuple[int, Series, int]]:
    """Return the series with proven-empty ranges that could go into their neighbour, and how many."""
    return rows(
        connection,
        "count_adjacent_ranges",
        lambda series_id, ranges, **series: (series_id, Series(**series), ranges),
    )


def _merge_ranges(connection: Connection, series: Series) -> int:
    """Merge proven-empty ranges that touch and have the same evidence; return how many are gone.

    The merged range counts as seen when the last of its parts was: never before it could be known.
    """
    absorbed = 0
    for row in fetch(connection, "read_adjacent_ranges", series):
        # Before the stretching: the database refuses overlapping ranges at once.
        absorbed += execute(connection, "delete_absorbed_ranges", series, row)
        execute(connection, "stretch_range", row)
    return absorbed
