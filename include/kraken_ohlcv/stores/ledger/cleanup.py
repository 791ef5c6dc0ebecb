"""Old rows of several tables: counted, rolled up, deleted, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_ohlcv.core.gap import GapStatus, Series
from kraken_ohlcv.stores.ledger.session import Connection, execute, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator


def every_series(connection: Connection) -> Iterator[tuple[int, Series]]:
    """Give every series that was ever processed.

    :param connection: the ledger
    :return: primary key and series
    """
    for row in fetch(connection, "read_all_series"):
        yield row["series_id"], Series(row["ticker"], row["interval_minutes"])


def count_old(connection: Connection, *, before_s: int, reports_before_s: int) -> dict[str, int]:
    """Return how much is older than a moment.

    :param connection: the ledger
    :param before_s: for gap records and incidents, epoch seconds UTC
    :param reports_before_s: for completeness reports, epoch seconds UTC
    :return: ``filled_deleted``, ``failed_deleted``, ``incidents_deleted``, ``reports_deleted``
    """
    (gaps,) = fetch(connection, "count_old_gaps", before_s=before_s)
    (incidents,) = fetch(connection, "count_old_incidents", before_s=before_s)
    (reports,) = fetch(connection, "count_thin_reports", before_s=reports_before_s)
    return {
        "filled_deleted": gaps["filled"],
        "failed_deleted": gaps["failed"],
        "incidents_deleted": incidents["incidents"],
        "reports_deleted": reports["reports"],
    }


def roll_up(connection: Connection, series: Series, status: GapStatus, *, before_s: int, at_most: int) -> int:
    """Delete old gap records of a series, and add their figures to ``gap_history``.

    :param connection: the ledger, inside a series transaction
    :param series: ticker and interval
    :param status: FILLED or FAILED
    :param before_s: FILLED or last tried before this moment, epoch seconds UTC
    :param at_most: most records to delete, the oldest first
    :return: number of records deleted
    """
    (row,) = fetch(
        connection,
        "roll_up_gaps",
        **series._asdict(),
        status=status,
        before_s=before_s,
        at_most=at_most,
    )
    return int(row["gaps"])


def delete_incidents(connection: Connection, *, before_s: int, at_most: int) -> int:
    """Delete incidents that were over before a moment; one whose message still waits to be sent is kept.

    :param connection: the ledger
    :param before_s: epoch seconds UTC
    :param at_most: most incidents to delete
    :return: number of incidents deleted
    """
    (row,) = fetch(connection, "delete_old_incidents", before_s=before_s, at_most=at_most)
    return int(row["incidents"])


def thin_reports(connection: Connection, *, before_s: int, at_most: int) -> int:
    """Delete old completeness reports with their lines; the first of each month and scope is kept.

    :param connection: the ledger
    :param before_s: reported before this moment, epoch seconds UTC
    :param at_most: most reports to delete
    :return: number of reports deleted
    """
    (row,) = fetch(connection, "thin_reports", before_s=before_s, at_most=at_most)
    return int(row["reports"])


def delete_stale_passes(connection: Connection, *, before_s: int) -> int:
    """Forget how far walks through trades had come with which nobody will go on.

    :param connection: the ledger
    :param before_s: walks through a range that was asked for go when they stopped before this moment, epoch
        seconds UTC; those for gaps go when their gap has
    :return: number of walks forgotten
    """
    (row,) = fetch(connection, "delete_stale_passes", before_s=before_s)
    return int(row["passes"])


def adjacent_series(connection: Connection) -> list[tuple[int, Series, int]]:
    """Return the series with proven-empty ranges that touch and have the same evidence.

    :param connection: the ledger
    :return: primary key, series, number of ranges that could go into their neighbour
    """
    return [
        (row["series_id"], Series(row["ticker"], row["interval_minutes"]), row["ranges"])
        for row in fetch(connection, "count_adjacent_ranges")
    ]


def merge_ranges(connection: Connection, series: Series) -> int:
    """Merge proven-empty ranges of a series that touch and have the same evidence.

    The merged range counts as seen when the last of its parts was: never before it could be known.

    :param connection: the ledger, inside a series transaction
    :param series: ticker and interval
    :return: number of ranges that went into their neighbour
    """
    absorbed = 0
    for row in fetch(connection, "read_adjacent_ranges", **series._asdict()):
        seen_s = row.pop("seen_s")
        # Before the stretching: the database refuses overlapping ranges at once.
        absorbed += execute(connection, "delete_absorbed_ranges", **series._asdict(), **row)
        execute(connection, "stretch_range", range_id=row["range_id"], end_s=row["end_s"], seen_s=seen_s)
    return absorbed
