"""Proofs of emptiness: read, added and withdrawn here and nowhere else.

Nobody else writes to table ``proven_empty``, so that what stands behind these three functions can be
replaced; the weekly clean-up, which merges rows that touch, is a matter of this storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import Connection, execute_many, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.core.ranges import Range


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

    :param connection: the ledger
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
    connection: Connection, series: Series, empty: Sequence[Range], *, evidence: Evidence, seen_s: int
) -> None:
    """Record ranges as proven empty; stronger evidence replaces weaker, never the other way.

    :param connection: the ledger, inside a transaction of the series
    :param series: ticker and interval, registered before
    :param empty: buckets without trades, range set; none of them may be contradicted, see
        :func:`kraken_ohlcv.stores.contradictions.contested`
    :param evidence: how it is known
    :param seen_s: the exchange's time, epoch seconds UTC
    """
    standing = _near(connection, series, empty)
    as_strong = [one.range for one in standing if EVIDENCE_RANK[one.evidence] >= EVIDENCE_RANK[evidence]]
    new = ranges.subtract(empty, as_strong)
    weaker = [one for one in standing if EVIDENCE_RANK[one.evidence] < EVIDENCE_RANK[evidence]]
    _carve(connection, series, weaker, new)
    _insert(connection, series, new, evidence, seen_s)


def withdraw(
    connection: Connection, series: Series, traded: Sequence[Range], *, by: Evidence | None = None
) -> list[Range]:
    """Take buckets that did trade out of what is proven empty.

    :param connection: the ledger, inside a transaction of the series
    :param series: ticker and interval, registered before
    :param traded: buckets that a candle contradicts, range set
    :param by: evidence of the source that says so; only trades withdraw what trades have proven, for in any
        other case it is the candle that is suspect
    :return: what was proven empty and no longer is, normal range set
    Rule: a proof lives as long as nothing contradicts it.
    """
    standing = [one for one in _near(connection, series, traded) if by is Evidence.TRADES or one.is_refutable]
    taken = ranges.intersect([one.range for one in standing], traded)
    _carve(connection, series, standing, taken)
    return taken


def _near(connection: Connection, series: Series, parts: Sequence[Range]) -> list[ProvenRange]:
    if not parts:
        return []
    covered = min(start for start, _ in parts), max(end for _, end in parts)
    return read(connection, [series.ticker], [series.interval_minutes], covered=covered).get(series, [])


def _carve(
    connection: Connection, series: Series, standing: Iterable[ProvenRange], taken: Sequence[Range]
) -> None:
    all_taken = ranges.union(taken)
    for proven in standing:
        near = ranges.near(all_taken, proven.range)
        if near:
            (row,) = fetch(connection, "delete_proven_empty", **series._asdict(), start_s=proven.start_s)
            rest = ranges.subtract([proven.range], near)
            _insert(connection, series, rest, proven.evidence, row["seen_s"])


def _insert(
    connection: Connection, series: Series, rows: Iterable[Range], evidence: Evidence, seen_s: int
) -> None:
    execute_many(
        connection,
        "insert_proven_empty",
        [
            {**series._asdict(), "start_s": start, "end_s": end, "evidence": evidence, "seen_s": seen_s}
            for start, end in rows
        ],
    )
