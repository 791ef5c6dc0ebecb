"""Tables ``day_changes``, ``watched_days``, ``verified_days``: days to look at, and what was published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.verified_day import DayChange, DayKey, VerifiedDay
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, rows

VERIFIED_LOCK: Final = 0x4F4B
"""Class of the transaction lock under which days are looked at."""


class Changed(NamedTuple):
    """What has changed of days of a series.

    :ivar series: ticker and interval
    :ivar first_s: first second of the first day, epoch seconds UTC
    :ivar last_s: first second of the last day
    :ivar kind: what has happened
    """

    series: Series
    first_s: int
    last_s: int
    kind: DayChange


class Watched(NamedTuple):
    """The days of a tier and interval that are looked at.

    :ivar since_s: first second of the first one, epoch seconds UTC
    :ivar assets: what was known of the assets when they were last looked at, by ticker
    """

    since_s: int
    assets: dict[str, Any]


@contextmanager
def looking_at_days(connection: Connection) -> Iterator[list[Changed]]:
    """Open a transaction in which nobody else looks at days, and take what has changed of them.

    :return: context manager of what has changed since; it has not, should the transaction fail
    """

    def changed(ticker: str, interval_minutes: int, first_s: int, last_s: int, kind: str) -> Changed:
        return Changed(Series(ticker, interval_minutes), first_s, last_s, DayChange(kind))

    with connection.transaction():
        execute(connection, "lock_verified_days", lock_class=VERIFIED_LOCK)
        yield rows(connection, "take_day_changes", changed)


def note_loss(connection: Connection, series: Series, day_s: int) -> None:
    """Note that a day of a series is not what it was.

    :param series: one that was processed
    :param day_s: first second of the day, epoch seconds UTC
    """
    execute(connection, "note_day_change", series, first_s=day_s, last_s=day_s, kind=DayChange.LOST)


def read_watched(connection: Connection) -> dict[tuple[str, int], Watched]:
    """Return which days are looked at, by tier and interval."""

    def watched(tier: str, interval_minutes: int, **row: Any) -> tuple[tuple[str, int], Watched]:
        return (tier, interval_minutes), Watched(**row)

    return dict(rows(connection, "read_watched_days", watched))


def watch(connection: Connection, tier: str, interval_minutes: int, watched: Watched) -> None:
    """Look at these days of a tier and interval from now on."""
    execute(connection, "watch_days", watched, tier=tier, interval_minutes=interval_minutes)


def leave(connection: Connection, tier: str, interval_minutes: int) -> None:
    """Look no longer at the days of a tier and interval: whether they are complete is not known any more."""
    with connection.transaction():
        execute(connection, "leave_days", tier=tier, interval_minutes=interval_minutes)
        execute(connection, "forget_watched", tier=tier, interval_minutes=interval_minutes)


def read_verified(connection: Connection, keys: Sequence[DayKey]) -> dict[DayKey, VerifiedDay]:
    """Return what is known of those among some days that are or were complete."""
    found = rows(
        connection,
        "read_verified_days",
        VerifiedDay,
        tiers=[key.tier for key in keys],
        intervals=[key.interval_minutes for key in keys],
        days_s=[key.day_s for key in keys],
    )
    return {one.key: one for one in found}


def write_verified(connection: Connection, days: Iterable[VerifiedDay]) -> None:
    """Write what is known of days."""
    execute_many(connection, "write_verified_day", days)


def issue(connection: Connection, *, at_most: int) -> list[VerifiedDay]:
    """Take complete days whose newest revision is not known to be published, the newest days first.

    :param at_most: days, >= 1
    :return: oldest first; noted as handed to a task that publishes them
    """
    taken = rows(connection, "issue_verified_days", VerifiedDay, at_most=at_most)
    return sorted(taken, key=lambda one: (one.day_s, one.tier, one.interval_minutes))


def publish_again(connection: Connection, tier: str, interval_minutes: int, *, since_s: int) -> None:
    """Publish the newest revisions of the days of a tier and interval once more.

    :param since_s: first second of the first day, epoch seconds UTC
    """
    execute(connection, "publish_again", tier=tier, interval_minutes=interval_minutes, since_s=since_s)


def confirm(connection: Connection, published: Mapping[DayKey, int]) -> None:
    """Note that revisions were published.

    :param published: revision by day
    """
    each = [{**key._asdict(), "revision": revision} for key, revision in published.items()]
    execute_many(connection, "confirm_verified_day", each)
