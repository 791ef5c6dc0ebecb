"""Verifies a part of the sealed history each day, so that all of it is looked at again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.reader.scope import Asked
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.seals.finding import Finding
from kraken_ohlcv.seals.verify import Verifier
from kraken_ohlcv.stores.ledger.disagreements import Disagreement
from kraken_ohlcv.stores.ledger.seals import sealed_days

NEWEST_DAYS: Final = 2
"""Days that are verified each time: the last ones of each series that are sealed."""


@dataclass(slots=True)
class Turn:
    """What one verification has looked at, and found.

    :ivar days: sealed days of series that were compared
    :ivar of: that there are
    :ivar disagreements: those that are not as sealed, one per day of a series
    :ivar of_log: what is wrong with the log and concerns no day, a sentence each without its full stop
    """

    days: int = 0
    of: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)
    of_log: list[str] = field(default_factory=list)


def verify_turn(stores: Stores, *, now_s: int, every_days: int, also: Iterable[Disagreement] = ()) -> Turn:
    """Verify the log, the newest sealed days, and those older ones whose turn is today.

    Within so many days each month of a series has its turn once.

    :param now_s: epoch seconds UTC
    :param every_days: within how many days all that is sealed is verified, >= 1
    :param also: days that are verified, too: they were found before
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    sealed = {series: [*_each(days)] for series, days in sealed_days(stores.ledger).items()}
    verifier = Verifier(stores, sealed.keys(), Asked())
    turn = Turn(of=sum(map(len, sealed.values())))
    since = {(one.series, one.day_s): one.found_s for one in also}
    findings = [*verifier.log()]
    for series, days in sealed.items():
        wanted = [
            day_s
            for day_s in days
            if day_s in days[-NEWEST_DAYS:]
            or (series, day_s) in since
            or is_turn(series, day_s, now_s=now_s, every_days=every_days)
        ]
        for stretch in _stretches(wanted):
            findings += verifier.sealed(series, Asked(*stretch))
    turn.days = verifier.done.days
    _sort(findings, since, turn)
    return turn


def is_turn(series: Series, day_s: int, *, now_s: int, every_days: int) -> bool:
    """Return whether a sealed day has its turn today: the day of a month as all others of that month.

    :param day_s: first second of the day, epoch seconds UTC
    """
    day = utc(day_s)
    # Series in different order, so that no day has to read the same month of all of them.
    place = day.year * 12 + day.month + crc32(str(series).encode())
    return place % every_days == now_s // DAY_S % every_days


def _each(stretches: Iterable[range]) -> Iterator[int]:
    for days in stretches:
        yield from days


def _stretches(days: Iterable[int]) -> Iterator[Range]:
    """Return days as ranges within a month, from the first second of the first to the end of the last one."""
    found: dict[Range, Range] = {}
    for day_s in days:
        month = month_of(day_s)
        first_s, _ = found.get(month, (day_s, day_s))
        found[month] = first_s, day_s + DAY_S
    yield from found.values()


def _sort(findings: Iterable[Finding], since: Mapping[tuple[Series, int], int | None], turn: Turn) -> None:
    """Keep the first finding of each day of a series, and those that concern none.

    :param since: when those were found that were found before, epoch seconds UTC
    """
    by_day: dict[tuple[Series, int], Disagreement] = {}
    for one in findings:
        if one.series is None or one.day_s is None:
            turn.of_log.append(one.sentence)
            continue
        ts_s = one.day_s if one.ts_s is None else one.ts_s
        key = one.series, one.day_s
        by_day.setdefault(key, Disagreement(*key, ts_s, one.sentence, since.get(key)))
    turn.disagreements = [by_day[key] for key in sorted(by_day)]
