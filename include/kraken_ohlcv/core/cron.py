"""Five-field cron expressions, UTC: checked, and told in ticks and pauses."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from croniter import croniter

from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, MINUTE_S
from kraken_ohlcv.core.ranges import Range

NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec sun mon tue wed thu fri sat".replace(" ", "|")
FIELD: Final = rf"(?:[0-9*,/-]|{NAMES})+"
FIVE_FIELDS: Final = re.compile(rf"{FIELD}(?: {FIELD}){{4}}", re.IGNORECASE)
STAR_IN_LIST: Final = re.compile(r"[*],|,[*](?!/)")
"""Every value and some more: croniter makes nothing sound of it."""

FIRST_DAY: Final = date(2096, 1, 1)
N_DAYS: Final = 9 * 366
"""So many days hold the longest pause there can be: from 29 February 2096 to the next one in 2104."""


class _Ticks(NamedTuple):
    """The ticks of a schedule: minutes of the day, ascending, and days counted from :data:`FIRST_DAY`."""

    minutes: list[int]
    days: list[int]


def checked_cron(cron: str) -> str:
    """Return a schedule that can be kept.

    :param cron: what somebody wrote
    :raises ValueError: says what a schedule looks like
    """
    if not FIVE_FIELDS.fullmatch(cron) or STAR_IN_LIST.search(cron) or not croniter.is_valid(cron):
        raise ValueError(
            "use five cron fields, UTC: minute, hour, day, month and weekday, such as '0 2 * * *'; null = "
            "by hand only"
        )
    if not _ticks(cron).days:
        raise ValueError("there is no such day; use one that the calendar has, such as '0 2 1 * *'")
    return cron


@lru_cache(maxsize=256)
def longest_pause_s(cron: str) -> int:
    """Return the longest time between two ticks that follow each other.

    :param cron: five-field cron, UTC
    :return: seconds, > 0
    """
    minutes, days = _ticks(cron)
    within = max((later - one for one, later in pairwise(minutes)), default=0)
    over = max((later - one for one, later in pairwise(days)), default=N_DAYS)
    return max(within * MINUTE_S, over * DAY_S - (minutes[-1] - minutes[0]) * MINUTE_S)


def widest_cron(pause_s: int) -> str | None:
    """Return a schedule that ticks as rarely as it may.

    :param pause_s: no pause may be as long, seconds
    :return: every so many hours or minutes, daily or weekly; None when even every minute is too rare
    """
    if pause_s > 7 * DAY_S:
        return "0 2 * * 0"
    if pause_s > DAY_S:
        return "0 2 * * *"
    for hours in (12, 8, 6, 4, 3, 2, 1):
        if hours * HOUR_S < pause_s:
            return f"0 */{hours} * * *" if hours > 1 else "0 * * * *"
    for minutes in (30, 20, 15, 10, 5, 1):
        if minutes * MINUTE_S < pause_s:
            return f"*/{minutes} * * * *"
    return None


@lru_cache(maxsize=4096)
def last_tick_before(cron: str, moment_s: int) -> int:
    """Return the newest tick of a schedule that is not after a moment.

    :param cron: five-field cron, UTC
    :param moment_s: epoch seconds UTC
    :return: epoch seconds UTC, <= ``moment_s``
    """
    # croniter's get_prev is exclusive; one second later makes a tick at the moment itself count.
    start = datetime.fromtimestamp(moment_s + 1, UTC)
    return int(croniter(cron, start).get_prev(float))


@lru_cache(maxsize=4096)
def next_tick_after(cron: str, moment_s: int) -> int:
    """Return the first tick of a schedule later than a moment.

    :param cron: five-field cron, UTC
    :param moment_s: epoch seconds UTC
    :return: epoch seconds UTC, > ``moment_s``
    """
    return int(croniter(cron, datetime.fromtimestamp(moment_s, UTC)).get_next(float))


class TickRun(NamedTuple):
    """Ticks that follow each other at equal distances.

    :ivar first_s: the first one, epoch seconds UTC
    :ivar last_s: the last one
    :ivar pause_s: from one to the next, seconds, > 0
    """

    first_s: int
    last_s: int
    pause_s: int


def tick_runs(cron: str, covered: Range) -> list[TickRun]:
    """Return the ticks around a range, as few runs of equal distances as it takes.

    :param cron: five-field cron, UTC
    :param covered: half-open, not empty, epoch seconds UTC
    :return: ascending; each begins with the last tick of the one before; the first tick is not after the
        range's beginning, the last one not before its end
    """
    ticks = [last_tick_before(cron, covered[0])]
    following = croniter(cron, datetime.fromtimestamp(ticks[0], UTC))
    while ticks[-1] < covered[1]:
        ticks.append(int(following.get_next(float)))
    found: list[TickRun] = []
    for one, later in pairwise(ticks):
        if found and found[-1].pause_s == later - one:
            found[-1] = found[-1]._replace(last_s=later)
        else:
            found.append(TickRun(one, later, later - one))
    return found


@lru_cache(maxsize=256)
def _ticks(cron: str) -> _Ticks:
    fields = croniter.expand(cron)[0]
    minutes, hours, days, months, weekdays = (
        range(*bounds) if field == ["*"] else field
        for field, bounds in zip(fields, ((60,), (24,), (1, 32), (1, 13), (7,)), strict=True)
    )
    minutes_of_day = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    if fields[2:5] == [["*"]] * 3:
        return _Ticks(minutes_of_day, [0, 1])
    is_any_day, is_any_weekday = fields[2] == ["*"], fields[4] == ["*"]
    found = []
    for number in range(N_DAYS):
        day = FIRST_DAY + timedelta(days=number)
        on_day, on_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        # With both given, either will do: so cron and croniter have it.
        either = on_day or on_weekday
        is_chosen = (on_day and on_weekday) if is_any_day or is_any_weekday else either
        if is_chosen and day.month in months:
            found.append(number)
    return _Ticks(minutes_of_day, found)
