"""Deletes what nobody asks for any more from the ledger, in small transactions, and keeps its figures.

A gap that is FAILED and still missing is found again by the next detection, as a new record: deleting it
forgets its attempts, not the hole. UNFILLABLE gaps are kept, whatever their age: they wait for a source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import GapStatus, Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.coverage import read_months, save
from kraken_ohlcv.stores.ledger.series_state import bump_revision, every_series
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    being_filled,
    execute,
    one,
    series_transaction,
    value,
)

BATCH: Final = 3000
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
    """

    filled_deleted: int = 0
    failed_deleted: int = 0
    incidents_deleted: int = 0
    reports_deleted: int = 0
    cursors_deleted: int = 0

    def in_words(self, *, days: int, dry_run: bool) -> list[str]:
        """Return it for people who read the log.

        :param days: age that was asked for, days
        :param dry_run: whether nothing was deleted
        :return: lines
        """
        verb = "would be deleted (dry run)" if dry_run else "deleted"
        return [
            f"{verb}: {counted(self.filled_deleted, 'FILLED gap record')} and"
            f" {counted(self.failed_deleted, 'FAILED one')} older than {counted(days, 'day')},"
            f" {counted(self.incidents_deleted, 'incident')} that are over,"
            f" {counted(self.reports_deleted, 'report')} older than {REPORT_DAYS} days,"
            f" {counted(self.cursors_deleted, 'checkpoint')} of walks that nobody continues"
        ]


class Deleted(NamedTuple):
    """Gap records of one transaction that are gone.

    :ivar gaps: how many, >= 0
    :ivar starts_s: where those began that were open, ascending, epoch seconds UTC; None = none was
    :ivar ends_s: where they ended, in the same order
    """

    gaps: int
    starts_s: list[int] | None
    ends_s: list[int] | None


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
        while n := _roll_up(connection, series_id, series, GapStatus.FILLED, old, now_s):
            cleaned.filled_deleted += n
        while n := _roll_up(connection, series_id, series, GapStatus.FAILED, old, now_s):
            cleaned.failed_deleted += n
    while n := value(connection, "delete_old_incidents", old):
        cleaned.incidents_deleted += n
    while n := value(connection, "thin_reports", before_s=reports_before_s, at_most=REPORT_BATCH):
        cleaned.reports_deleted += n
    return cleaned


def _roll_up(
    connection: Connection,
    series_id: int,
    series: Series,
    status: GapStatus,
    old: Mapping[str, int],
    now_s: int,
) -> int:
    # Under the lock, because a child that is still open loses its parent, and a fill may hold the child.
    with series_transaction(connection, series_id):
        is_open = status is not GapStatus.FILLED
        if is_open and being_filled(connection, [series_id]):
            return 0
        gone = one(connection, "roll_up_gaps", Deleted, series, old, status=status)
        if gone.starts_s and gone.ends_s:
            _forget(connection, series, list(zip(gone.starts_s, gone.ends_s, strict=True)), now_s)
            # Who has read the open gaps is to read again.
            bump_revision(connection, series_id)
        return gone.gaps


def _forget(connection: Connection, series: Series, parts: Sequence[Range], now_s: int) -> None:
    """Let the next detection look again at what the deleted gaps of a series were missing."""
    buckets = BucketSet.of_ranges(parts, step=step_s(series.interval_minutes))
    coverage = read_months(connection, series, parts)
    coverage.missing -= buckets
    coverage.read_again(buckets)
    save(connection, [coverage], run=None, now_s=now_s)
