"""What the log of seals says of a tier and a range: the root of each day, and why days were sealed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kraken_ohlcv.completeness.buckets import SeriesBuckets
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.seal import DaySeal, day_root
from kraken_ohlcv.statement.facts import SealedDay, SealHead, Seals
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.disagreements import read_disagreements
from kraken_ohlcv.stores.ledger.seals import StoredSeal, day_seals, head
from kraken_ohlcv.stores.ledger.session import Connection

MAX_REVISIONS: Final = 300
"""Revisions that are listed one by one."""


def seals_of(connection: Connection, found: Sequence[SeriesBuckets], period: Period) -> Seals:
    """Return what is sealed of the days of a range.

    :param found: what the buckets of each series of the tier are, of the range
    :return: the root of a day is over the newest seals of all series of the ledger, as the verifiers take it;
        how many series of the tier it holds, and of how many it is due and has no seal
    """
    newest = head(connection)
    log = day_seals(connection, first_s=period.start_s, last_s=period.end_s - DAY_S)
    seals, unreadable = _readable(log)
    by_day: dict[int, dict[Series, DaySeal]] = {day_s: {} for day_s in period.days}
    for seal in seals:
        # In the order of the log: the last revision stays.
        by_day[seal.day_s][seal.series] = seal
    ours = {one.row.series for one in found}
    expected = _due_days(found, period)
    again = [seal for seal in seals if seal.revision > 1 and seal.series in ours]
    return Seals(
        head=None if newest.as_of_us is None else SealHead(newest.number, newest.hash, newest.as_of_us),
        days=[
            SealedDay(
                day_s=day_s,
                # Of a log that was altered no root is worth anything.
                root=day_root(those.values()) if those and not unreadable else None,
                sealed=len(ours & those.keys()),
                unsealed=len(expected[day_s] - those.keys()),
                all_series=len(those),
            )
            for day_s, those in by_day.items()
        ],
        revisions=again[::-1][:MAX_REVISIONS],
        n_revisions=len(again),
        unreadable=unreadable,
        disagreements=[
            one for one in read_disagreements(connection) if one.series in ours and one.day_s in period.days
        ],
    )


def _readable(log: Iterable[StoredSeal]) -> tuple[list[DaySeal], list[int]]:
    """Return the entries, and the numbers of those that cannot be read."""
    found, unreadable = [], []
    for one in log:
        try:
            found.append(one.day)
        except ValueError:
            unreadable.append(one.number)
    return found, unreadable


def _due_days(found: Iterable[SeriesBuckets], period: Period) -> Mapping[int, set[Series]]:
    """Return which series have buckets of a day that are all due, by first second of the day."""
    due = {one.row.series: one.grid.due_days(one.row.interval_minutes) for one in found}
    return {day_s: {series for series, days in due.items() if day_s in days} for day_s in period.days}
