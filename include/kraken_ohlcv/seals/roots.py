"""Looks for the root of a day that was kept elsewhere: as it stands now, or as it stood after a sealing."""

from __future__ import annotations

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.seal import DaySeal, day_root
from kraken_ohlcv.stores.ledger.seals import day_seals, sealed_days
from kraken_ohlcv.stores.ledger.session import Connection


def day_with_root(connection: Connection, root: str) -> int | None:
    """Return the day that has, or after some sealing had, a root.

    :param root: hexadecimal
    :return: first second of the day, epoch seconds UTC; None if no day has it
    """
    days = {day_s for stretches in sealed_days(connection).values() for part in stretches for day_s in part}
    for day_s in sorted(days, reverse=True):
        newest: dict[Series, DaySeal] = {}
        as_of_us = None
        for stored in day_seals(connection, first_s=day_s, last_s=day_s):
            try:
                seal = stored.day
            except ValueError:
                # Its finding is that of the log.
                continue
            if newest and seal.as_of_us != as_of_us and day_root(newest.values()) == root:
                return day_s
            newest[seal.series], as_of_us = seal, seal.as_of_us
        if newest and day_root(newest.values()) == root:
            return day_s
    return None
