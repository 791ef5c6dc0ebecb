"""Table ``empty_sightings``: what was seen empty once in a busy series, and is no proof yet."""

from __future__ import annotations

from collections.abc import Sequence

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import Sighting
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many


def replace_sightings(
    connection: Connection,
    series: Series,
    *,
    covered: Range,
    standing: Sequence[Sighting],
    waiting: Sequence[Range],
    now_s: int,
) -> None:
    """Keep of the first sightings those that still wait, and add the new ones.

    :param connection: the ledger, inside a series transaction
    :param covered: the range the answer speaks about, epoch seconds UTC
    :param standing: first sightings so far
    :param waiting: ranges seen empty and not proven yet
    """
    kept = [
        Sighting(start, end, old.first_seen_s)
        for old in standing
        # Outside the answer nothing new is known about an old sighting.
        for start, end in ranges.union(
            ranges.intersect([old.range], waiting), ranges.subtract([old.range], [covered])
        )
    ]
    new = ranges.subtract(waiting, [old.range for old in standing])
    wanted = [*kept, *(Sighting(start, end, now_s) for start, end in new)]
    if wanted == list(standing):
        return
    for old in standing:
        execute(connection, "delete_sightings", series, old)
    execute_many(connection, "insert_sighting", wanted, series)
