"""The days of a target as a small chart: a bar per day, as high as its share of bad candles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import ceil, sqrt
from typing import Final, NamedTuple

from pydantic import BaseModel

HEIGHT: Final = 32
PITCH: Final = 8
BAR: Final = 6
LEAST: Final = 2
"""Height of the bar of a good day; that of a bad one is at least twice as high."""


class DailyShare(BaseModel):
    """A UTC day; a candle belongs to the day of its last second.

    ``bad`` of the ``due`` candles miss the target; ``is_met`` says whether the day alone reaches it.
    """

    day: date
    due: int
    bad: int
    reached_pct: float | None
    is_met: bool | None


class Bar(NamedTuple):
    """A day as it is drawn.

    :ivar x: left edge
    :ivar y: upper edge, from 0 at the top
    :ivar height: > 0
    :ivar kind: ``none`` (nothing due), ``good`` (nothing bad), ``within`` (bad, within the target, or without
        one), ``over`` (the day alone misses the target)
    :ivar share: the day
    """

    x: int
    y: int
    height: int
    kind: str
    share: DailyShare


def bars(days: Sequence[DailyShare]) -> list[Bar]:
    """Return the bars of some days.

    :param days: ascending, without a day left out
    :return: a bar per day; heights grow with the root of the bad share, so that few among many can be seen,
        up to the worst day's
    """
    worst = max((day.bad / day.due for day in days if day.due), default=0.0)
    found = []
    for number, day in enumerate(days):
        height = LEAST
        if day.bad:
            height = max(2 * LEAST, ceil(HEIGHT * sqrt(day.bad / day.due / worst)))
        found.append(Bar(number * PITCH, HEIGHT - height, height, _kind(day), day))
    return found


def _kind(day: DailyShare) -> str:
    if not day.due:
        return "none"
    if not day.bad:
        return "good"
    return "over" if day.is_met is False else "within"
