"""Forms of times."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from pydantic import AfterValidator

Utc = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment as a database gives it, in whatever zone its session has."""


def utc(moment_s: float) -> datetime:
    """Return a moment as an aware time.

    :param moment_s: epoch seconds UTC
    """
    return datetime.fromtimestamp(moment_s, UTC)


def midnight_s(day: date) -> int:
    """Return the beginning of a day.

    :param day: UTC
    :return: epoch seconds UTC
    """
    return int(datetime.combine(day, time(), UTC).timestamp())


def iso(moment_s: float) -> str:
    """Return a moment for people and JSON.

    :param moment_s: epoch seconds UTC
    :return: ``2026-11-23T12:00:00``: UTC, without offset
    """
    return utc(moment_s).replace(tzinfo=None).isoformat()
