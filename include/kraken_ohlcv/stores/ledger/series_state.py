"""What the ledger knows of a series, read in bulk for many or afresh for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kraken_ohlcv.core.gap import Acceptance, Gap, GapStatus, Series, UnfillableReason
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    Row,
    by_series,
    column,
    execute,
    first,
    rows,
    series_transaction,
)


@dataclass(frozen=True, slots=True)
class SeriesState:
    """The ledger of one series.

    :ivar series_id: primary key
    :ivar series: ticker and interval
    :ivar start_s: first open time expected, epoch seconds UTC
    :ivar until_s: buckets of the grid before it are stored, proven empty or known to be missing, epoch
        seconds UTC; None = none are
    :ivar scanned_s: when all its open times were last read, the exchange's time, epoch seconds UTC, or None
    :ivar revision: grows with every change of the series' ledger
    :ivar gaps: open gaps, oldest first
    """

    series_id: int
    series: Series
    start_s: int
    until_s: int | None
    scanned_s: int | None
    revision: int
    gaps: list[Gap]


def _gap(
    ticker: str,
    interval_minutes: int,
    status: str,
    unfillable_reason: str | None,
    accepted_by: str | None,
    accepted_s: int | None,
    accepted_reason: str | None,
    **row: Any,
) -> Gap:
    acceptance = None
    if accepted_by is not None and accepted_s is not None and accepted_reason is not None:
        acceptance = Acceptance(accepted_by, accepted_s, accepted_reason)
    return Gap(
        series=Series(ticker, interval_minutes),
        status=GapStatus(status),
        unfillable_reason=UnfillableReason(unfillable_reason) if unfillable_reason else None,
        acceptance=acceptance,
        **row,
    )


def read_states(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int]
) -> dict[Series, SeriesState]:
    """Return the ledgers of all known series among tickers and intervals.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :return: by series; a series never processed is absent
    """
    wanted = {"tickers": list(tickers), "intervals": list(intervals)}
    # Read before its gaps, so that a change in between shows as an old revision.
    found = rows(connection, "read_series", by_series(Row), wanted)
    states = {series: SeriesState(series=series, gaps=[], **row) for series, row in found}
    for gap in rows(connection, "read_open_gaps", _gap, wanted):
        if gap.series in states:
            states[gap.series].gaps.append(gap)
    return states


def read_state(connection: Connection, series: Series) -> SeriesState:
    """Return the ledger of one known series.

    :param series: ticker and interval, registered before
    :return: its ledger
    """
    return read_states(connection, [series.ticker], [series.interval_minutes])[series]


def find_series(connection: Connection, series: Series) -> Row | None:
    """Return what the ledger says of a series itself, without its gaps, or None if it was never processed.

    :param series: ticker and interval
    :return: ``series_id``, ``start_s``, ``until_s``, ``scanned_s``, ``revision``, as of :class:`SeriesState`
    """
    wanted = {"tickers": [series.ticker], "intervals": [series.interval_minutes]}
    return first(connection, "read_series", Row, wanted)


def series_id_of(connection: Connection, series: Series) -> int:
    """Return the primary key of a series, without its gaps.

    :param series: ticker and interval, registered before
    """
    wanted = {"tickers": [series.ticker], "intervals": [series.interval_minutes]}
    (series_id,) = column(connection, "read_series", wanted)
    return int(series_id)


@contextmanager
def locked_state(connection: Connection, series: Series) -> Iterator[SeriesState]:
    """Open a transaction that alone may change the ledger of a series, and read that ledger, once.

    Code that changes it calls :func:`bump_revision` in it; its coverage months are read and saved in it, see
    :mod:`kraken_ohlcv.stores.ledger.coverage`.

    :param series: ticker and interval, registered before
    :return: context manager of the ledger of the series, as it stands under the lock
    """
    with series_transaction(connection, series_id_of(connection, series)):
        yield read_state(connection, series)


def register_series(connection: Connection, starts: Mapping[Series, int]) -> dict[Series, int]:
    """Make series known with their starts, in one statement.

    :param starts: first open time expected of each, epoch seconds UTC
    :return: the revision of each; one that is known already is absent
    """
    if not starts:
        return {}
    columns = {
        "tickers": [series.ticker for series in starts],
        "intervals": [series.interval_minutes for series in starts],
        "starts_s": list(starts.values()),
    }
    new = rows(connection, "register_series", by_series(Row), columns)
    return {series: row["revision"] for series, row in new}


def bump_revision(connection: Connection, *series_ids: int) -> None:
    """Tell everybody who read these series' ledgers that they have changed.

    :param connection: the ledger, inside a transaction of these series
    :param series_ids: primary keys
    """
    execute(connection, "bump_revision", series_ids=list(series_ids))


def every_series(connection: Connection) -> list[tuple[int, Series]]:
    """Return every series that was ever processed, with its primary key."""
    return rows(connection, "read_all_series", lambda series_id, **series: (series_id, Series(**series)))
