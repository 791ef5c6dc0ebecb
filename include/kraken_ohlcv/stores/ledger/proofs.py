"""Proofs of emptiness: read, added and withdrawn here and nowhere else.

Nobody else writes to table ``proven_empty``, so that what stands behind read, add and withdraw can be
replaced; the weekly clean-up, which merges rows that touch, is a matter of this storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence, Sighting
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, fetch


class ProvenRange(NamedTuple):
    """A range of a series in which nothing traded.

    :ivar start_s: epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    :ivar evidence: how it is known
    """

    start_s: int
    end_s: int
    evidence: Evidence

    @property
    def range(self) -> Range:
        """Return the range, epoch seconds UTC."""
        return self.start_s, self.end_s

    @property
    def is_refutable(self) -> bool:
        """Return whether a stored candle withdraws it; against a proof from trades the candle is suspect."""
        return self.evidence is not Evidence.TRADES


def read(
    connection: Connection,
    tickers: Sequence[str],
    intervals: Sequence[int],
    *,
    covered: Range | None = None,
) -> dict[Series, list[ProvenRange]]:
    """Return what is proven empty.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param covered: only what overlaps this half-open range, epoch seconds UTC; None = everything
    :return: by series, ascending, never overlapping; a series without a proof is absent
    """
    start_s, end_s = (None, None) if covered is None else covered
    asked = {"tickers": list(tickers), "intervals": list(intervals), "from_s": start_s, "until_s": end_s}
    found: dict[Series, list[ProvenRange]] = {}
    for row in fetch(connection, "read_proven_empty", **asked):
        series = Series(row["ticker"], row["interval_minutes"])
        proven = ProvenRange(row["start_s"], row["end_s"], Evidence(row["evidence"]))
        found.setdefault(series, []).append(proven)
    return found


def add(
    connection: Connection,
    series: Series,
    proven: list[ProvenRange],
    empty: Sequence[Range],
    *,
    evidence: Evidence,
    seen_s: int,
) -> None:
    """Record ranges as proven empty; stronger evidence replaces weaker, never the other way.

    :param connection: the ledger, inside a transaction of the series
    :param series: ticker and interval, registered before
    :param proven: what is proven empty of it, as read in this transaction; brought up to date
    :param empty: buckets without trades, range set; none of them may be contradicted, see
        :func:`kraken_ohlcv.stores.contradictions.contested`
    :param evidence: how it is known
    :param seen_s: the exchange's time, epoch seconds UTC
    """
    rank = EVIDENCE_RANK[evidence]
    new = ranges.subtract(empty, [one.range for one in proven if EVIDENCE_RANK[one.evidence] >= rank])
    weaker = [one for one in proven if EVIDENCE_RANK[one.evidence] < rank]
    _replace(
        connection, series, proven, new, weaker, [(ProvenRange(*part, evidence), seen_s) for part in new]
    )


def withdraw(
    connection: Connection,
    series: Series,
    proven: list[ProvenRange],
    traded: Sequence[Range],
    *,
    by: Evidence | None = None,
) -> list[Range]:
    """Take buckets that did trade out of what is proven empty.

    :param connection: the ledger, inside a transaction of the series
    :param series: ticker and interval, registered before
    :param proven: what is proven empty of it, as read in this transaction; brought up to date
    :param traded: buckets that a candle contradicts, range set
    :param by: evidence of the source that says so; only trades withdraw what trades have proven, for in any
        other case it is the candle that is suspect
    :return: what was proven empty and no longer is, normal range set
    Rule: a proof lives as long as nothing contradicts it.
    """
    refuted = [one for one in proven if by is Evidence.TRADES or one.is_refutable]
    taken = ranges.intersect([one.range for one in refuted], traded)
    _replace(connection, series, proven, taken, refuted)
    return taken


def _replace(
    connection: Connection,
    series: Series,
    proven: list[ProvenRange],
    taken: Sequence[Range],
    affected: Iterable[ProvenRange],
    new: Iterable[tuple[ProvenRange, int]] = (),
) -> None:
    """Take ranges out of some proofs, and put new ones in, each with when it was seen."""
    gone, added = set(), list(new)
    for one in affected:
        near = ranges.near(taken, one.range)
        if near:
            (row,) = fetch(connection, "delete_proven_empty", series, start_s=one.start_s)
            gone.add(one)
            rest = ranges.subtract([one.range], near)
            added += [(ProvenRange(*part, one.evidence), row["seen_s"]) for part in rest]
    execute_many(
        connection,
        "insert_proven_empty",
        [{**series._asdict(), **one._asdict(), "seen_s": seen_s} for one, seen_s in added],
    )
    proven[:] = sorted([*(one for one in proven if one not in gone), *(one for one, _ in added)])


def replace_sightings(
    connection: Connection, series: Series, old: Sequence[Sighting], new: Sequence[Sighting]
) -> None:
    """Keep other first sightings of a series from now on.

    :param connection: the ledger, inside a transaction of the series
    :param old: as read in this transaction
    :param new: what waits for a second sighting
    """
    if new != old:
        for one in old:
            execute(connection, "delete_sightings", series, one)
        execute_many(connection, "insert_sighting", new, series)
