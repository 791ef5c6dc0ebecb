"""Tables ``proven_empty`` and ``empty_sightings``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.ohlcv import ranges
from include.ohlcv.evidence import EVIDENCE_RANK, Evidence, Sighting
from include.ohlcv.ledger.session import Connection, execute, execute_many, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from include.ohlcv.gaps import Series
    from include.ohlcv.ledger.books import ProvenRange
    from include.ohlcv.ranges import Range


def _insert(
    connection: Connection, series: Series, rows: Iterable[Range], evidence: str, seen_s: int
) -> None:
    execute_many(
        connection,
        "insert_proven_empty",
        [
            {**series._asdict(), "start_s": start, "end_s": end, "evidence": evidence, "seen_s": seen_s}
            for start, end in rows
        ],
    )


def _carve(
    connection: Connection, series: Series, standing: Iterable[ProvenRange], taken: Sequence[Range]
) -> None:
    all_taken = ranges.union(taken)
    for proven in standing:
        near = ranges.near(all_taken, proven.range)
        if not near:
            continue
        (row,) = fetch(connection, "delete_proven_empty", range_id=proven.range_id)
        _insert(connection, series, ranges.subtract([proven.range], near), proven.evidence, row["seen_s"])


def prove_empty(
    connection: Connection,
    series: Series,
    empty: Sequence[Range],
    *,
    evidence: Evidence,
    standing: Sequence[ProvenRange],
    seen_s: int,
) -> None:
    """Record ranges as proven empty; stronger evidence replaces weaker, never the other way.

    :param connection: the ledger, inside a series transaction
    :param series: ticker and interval
    :param empty: ranges without trades, range set
    :param evidence: how it is known
    :param standing: the ranges proven so far
    :param seen_s: the exchange's time, epoch seconds UTC
    """
    weaker = [p for p in standing if EVIDENCE_RANK[p.evidence] < EVIDENCE_RANK[evidence]]
    as_strong = [p.range for p in standing if EVIDENCE_RANK[p.evidence] >= EVIDENCE_RANK[evidence]]
    new = ranges.subtract(empty, as_strong)
    _carve(connection, series, weaker, new)
    _insert(connection, series, new, evidence, seen_s)


def disprove_empty(
    connection: Connection, series: Series, traded: Sequence[Range], *, standing: Sequence[ProvenRange]
) -> None:
    """Take buckets that did trade out of the proven-empty ranges.

    :param connection: the ledger, inside a series transaction
    :param series: ticker and interval
    :param traded: buckets with a real candle, range set
    :param standing: the ranges proven so far
    """
    _carve(connection, series, standing, traded)


def read_sightings(connection: Connection, series: Series) -> list[Sighting]:
    """Return the first sightings of a series that wait for a second.

    :param connection: the ledger
    :param series: ticker and interval
    :return: oldest range first
    """
    return [Sighting(**row) for row in fetch(connection, "read_sightings", **series._asdict())]


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
    :param series: ticker and interval
    :param covered: the range the answer speaks about, epoch seconds UTC
    :param standing: first sightings so far
    :param waiting: ranges seen empty and not proven yet
    :param now_s: the exchange's time, epoch seconds UTC
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
        execute(connection, "delete_sightings", **series._asdict(), start_s=old.start_s, end_s=old.end_s)
    execute_many(
        connection,
        "insert_sighting",
        [
            {**series._asdict(), "start_s": s.start_s, "end_s": s.end_s, "first_seen_s": s.first_seen_s}
            for s in wanted
        ],
    )
