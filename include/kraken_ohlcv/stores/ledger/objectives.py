"""Table ``objective_days``: what each UTC day of a tier and interval had, for targets and error budgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kraken_ohlcv.core.objective import ObjectiveDay
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.session import Connection, column, execute_many, rows


def read_days(connection: Connection, tier: str, period: Range) -> list[tuple[int, ObjectiveDay]]:
    """Return the days of a tier as they were judged last.

    :param tier: ``TIER1`` .. ``TIER4``
    :param period: whole UTC days, half-open, epoch seconds UTC
    :return: when each was judged, epoch seconds UTC, and the day; by day and interval
    """

    def judged(judged_s: int, **row: Any) -> tuple[int, ObjectiveDay]:
        return judged_s, ObjectiveDay(**row)

    return rows(connection, "read_objective_days", judged, tier=tier, from_s=period[0], until_s=period[1])


def read_months(connection: Connection) -> list[int]:
    """Return the first seconds of the UTC months with days on which something was due, the newest first."""
    return column(connection, "list_objective_months")


def write_days(connection: Connection, days: Iterable[ObjectiveDay], *, now_s: int) -> None:
    """Write what is known of days; what was known of them is replaced."""
    execute_many(connection, "write_objective_day", days, now_s=now_s)
