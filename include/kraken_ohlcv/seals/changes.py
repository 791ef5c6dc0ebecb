"""Which sealed days are looked at again: those with anything written since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.verified_day import day_of, day_ranges, days_between
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.seals.kept import KeptSeries, starts_at
from kraken_ohlcv.stores.ledger.coverage import of_log
from kraken_ohlcv.stores.ledger.history import records_began_us
from kraken_ohlcv.stores.ledger.seals import newest_of
from kraken_ohlcv.stores.ledger.session import fetch
from kraken_ohlcv.stores.queries import MICROSECONDS, statement

ALWAYS: Final = 1 << 62
"""A moment after every seal: the day is looked at, whenever it was sealed."""


def changed_days(
    stores: Stores, kept: Mapping[Series, KeptSeries], *, after_us: int, until_us: int
) -> dict[tuple[Series, int], int]:
    """Return days with anything written between two moments, sealed or not.

    :param kept: the series that are sealed
    :param after_us: up to here all was looked at before, epoch microseconds
    :param until_us: the moment of the sealing
    :return: the newest moment of a write, or :data:`ALWAYS`, by series and first second of the day
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found: dict[tuple[Series, int], int] = {}

    def note(series: Series, days: Iterable[int], moment_us: int) -> None:
        if series in kept:
            for day_s in days:
                found[series, day_s] = max(moment_us, found.get((series, day_s), 0))

    began_us = records_began_us(stores.ledger)
    stored = stores.questdb.query(
        statement("candles_stored_since"), {"after_us": after_us, "began_us": began_us}
    )
    for ticker, interval, first_us, stored_us, unmarked in stored:
        series = Series(ticker, int(interval))
        day_s = day_of(first_us // MICROSECONDS, step_s(series.interval_minutes))
        note(series, [day_s], ALWAYS if unmarked or stored_us is None else stored_us)
    between = {"after_us": after_us, "until_us": until_us}
    for row in fetch(stores.ledger, "read_changed_buckets", between):
        series = Series(row["ticker"], row["interval_minutes"])
        for first_s, last_s in day_ranges(of_log(row, step_s(series.interval_minutes))):
            note(series, days_between(first_s, last_s), row["moment_us"])
    before = starts_at(stores, after_us)
    for series, one in kept.items():
        start_s = before.get(series, one.grid.start_s)
        if start_s != one.grid.start_s:
            step = step_s(series.interval_minutes)
            starts = (ceil_s(moment_s, series.interval_minutes) for moment_s in (start_s, one.grid.start_s))
            first_s, last_s = sorted(day_of(moment_s, step) for moment_s in starts)
            note(series, days_between(first_s, last_s), ALWAYS)
    return found


def moved_ends(
    stores: Stores, kept: Mapping[Series, KeptSeries], sealed: Mapping[Series, Sequence[range]]
) -> dict[tuple[Series, int], int]:
    """Return sealed days that do not hold the buckets that they are to have, because a pair left or is back.

    :param kept: the series that are sealed
    :param sealed: which days are sealed
    :return: as of :func:`changed_days`
    """
    found: dict[tuple[Series, int], int] = {}
    newest = [(series, sealed[series][-1][-1]) for series in kept if series in sealed]
    for (series, day_s), stored in newest_of(stores.ledger, newest).items():
        one = kept[series]
        start_s, end_s = one.covered(range(day_s, day_s + 1))
        if stored.day.buckets == (end_s - start_s) // step_s(series.interval_minutes):
            continue
        # All that lies behind the end.
        end_day_s = day_of(one.grid.closed_s - 1, 1)
        for days in sealed[series]:
            found.update(((series, at_s), ALWAYS) for at_s in days if min(end_day_s, day_s) <= at_s <= day_s)
    return found
