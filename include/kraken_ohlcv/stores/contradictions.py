"""What contradicts a proof of emptiness: a candle in its bucket, or a shorter candle inside it.

Every candle passes through :func:`admitted` on its way into the store, from any source: calls, trades,
files or the importer. :func:`contested` is asked about every proof before it is added, but for those from
trades.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import INTERVALS, divided_by, dividing, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.proofs import ProvenRange
from kraken_ohlcv.stores.ledger.series_state import bump_revision, locked_state
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.other_intervals import SUCCESSIVE, copied
from kraken_ohlcv.stores.queries import BLOCK_BUCKETS, MICROSECONDS, bounds, rendered, statement

MAX_LOOKED_UP: Final = 100
"""Contradictions for which the intervals with candles there are looked up."""


@contextmanager
def admitted(
    connection: Connection, series: Series, candles: Sequence[Range], *, by: Evidence | None = None
) -> Iterator[list[tuple[Series, Range]]]:
    """Let candles into the store: withdraw what they prove wrong, in their series and in all longer ones.

    It is withdrawn before, because a task that dies with the candles written must not leave the proof behind;
    and after, because another task may have added one before it could see them.

    :param connection: the ledger, in autocommit
    :param series: ticker and interval of the candles
    :param candles: buckets that get a candle, range set
    :param by: evidence of the source that brings them, or None
    :return: context manager of what was withdrawn; write and read back inside of it
    Rule: a candle withdraws the proofs of its bucket, and of every longer bucket around it, that calls and
    files gave; against a proof from trades it is the candle that is suspect.
    """
    withdrawn = withdraw_contradicted(connection, series, candles, by=by)
    yield withdrawn
    withdrawn += withdraw_contradicted(connection, series, candles, by=by)


def withdraw_contradicted(
    connection: Connection, series: Series, candles: Sequence[Range], *, by: Evidence | None = None
) -> list[tuple[Series, Range]]:
    """Withdraw the proofs that candles contradict; the buckets are missing again, unless they are stored.

    :param connection: the ledger, in autocommit
    :param series: ticker and interval of the candles
    :param candles: buckets with a candle, range set
    :param by: evidence of the source that brought them; only trades withdraw what trades have proven
    :return: the ranges withdrawn, of whatever series
    """
    parts = ranges.union(candles)
    if not parts:
        return []
    intervals = [series.interval_minutes, *divided_by(series.interval_minutes)]
    covered = (parts[0][0], parts[-1][1])
    withdrawn: list[tuple[Series, Range]] = []
    for other, existing in proofs.read(connection, [series.ticker], intervals, covered=covered).items():
        traded = ranges.widened(parts, step=step_s(other.interval_minutes))
        refutable = [one.range for one in existing if one.is_refutable or by is Evidence.TRADES]
        if not ranges.intersect(refutable, traded):
            continue
        # One series after the other: a process that holds the lock of one may wait for that of another.
        with locked_state(connection, other) as state:
            parts_withdrawn = proofs.withdraw(connection, other, state.proven, traded, by=by)
            withdrawn += [(other, part) for part in parts_withdrawn]
            bump_revision(connection, state.series_id)
    return withdrawn


def contested(questdb: QuestDBClient, series: Series, empty: Sequence[Range]) -> list[Range]:
    """Return the buckets inside which shorter candles are stored: nothing but trades proves them empty.

    :param empty: buckets that a source says are empty, range set
    :return: those of them that shorter candles contradict, normal range set
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    return _traded(questdb, series, empty, dividing(series.interval_minutes))


def _traded(
    questdb: QuestDBClient, series: Series, empty: Sequence[Range], intervals: Sequence[int]
) -> list[Range]:
    """Return those of some buckets inside which candles of some intervals of the ticker are stored."""
    parts = ranges.union(empty)
    if not parts or not intervals:
        return []
    step = step_s(series.interval_minutes)
    rows = questdb.query(
        rendered("traded_inside", n_intervals=len(intervals)),
        {
            "ticker": series.ticker,
            "step_us": step * MICROSECONDS,
            "block_us": BLOCK_BUCKETS * step * MICROSECONDS,
            **bounds((parts[0][0], parts[-1][1])),
            **{f"interval_{n}": str(interval) for n, interval in enumerate(intervals)},
        },
    )
    opens = (
        (block * BLOCK_BUCKETS + bit) * step
        for block, bits in rows
        for bit in range(BLOCK_BUCKETS)
        if bits >> bit & 1
    )
    return ranges.intersect(parts, ranges.from_points(opens, step=step))


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A proof of emptiness and the candles that contradict it.

    :ivar series: ticker and interval of the proof
    :ivar start_s: first bucket contradicted, epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    :ivar evidence: of the proof
    :ivar intervals: intervals that have candles there, minutes, ascending; looked up for the first
        :data:`MAX_LOOKED_UP` only, else empty
    :ivar candles: number, trades and volume of the candles there, by interval, as text; empty likewise
    :ivar is_withdrawn: whether the proof fell; one from trades stands, and the candles are suspect
    """

    series: Series
    start_s: int
    end_s: int
    evidence: Evidence
    intervals: list[int]
    candles: str
    is_withdrawn: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ticker": self.series.ticker,
            "interval": self.series.interval_minutes,
            "from": iso(self.start_s),
            "to": iso(self.end_s),
            "evidence": self.evidence,
            "candles_of": self.intervals,
            "proof": "withdrawn" if self.is_withdrawn else "stands: the candles are suspect",
        }


def sweep(
    connection: Connection, questdb: QuestDBClient, tickers: Sequence[str], *, covered: Range | None = None
) -> list[Contradiction]:
    """Hold every proof against the candles stored; withdraw those contradicted, but for those from trades.

    Beside candles in or inside its bucket, what contradicts the proof of a shorter bucket is a longer candle
    that was stored as a shorter one: the answer that brought it has proven all others of its bucket empty.
    Takes one statement per series with proofs, which returns a number per 48 buckets in which something
    traded, and one per pair of intervals.

    :param connection: the ledger, in autocommit
    :param tickers: Kraken's altnames
    :param covered: only proofs in this half-open range, epoch seconds UTC; None = all of them
    :return: what was contradicted, by series and time
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found: list[Contradiction] = []
    proven = proofs.read(connection, tickers, INTERVALS, covered=covered)
    copies = _copies(questdb, proven)
    for series, existing in proven.items():
        window = [covered] if covered else [(existing[0].start_s, existing[-1].end_s)]
        # Whole buckets: the border of the range may lie in a long one.
        window = ranges.widened(window, step=step_s(series.interval_minutes))
        empty = ranges.intersect((one.range for one in existing), window)
        intervals = [*dividing(series.interval_minutes), series.interval_minutes]
        traded = _traded(questdb, series, empty, intervals)
        behind_copies = ranges.intersect(copies.get(series, []), empty)
        if not traded and not behind_copies:
            continue
        with locked_state(connection, series) as state:
            proofs.withdraw(connection, series, state.proven, ranges.union(traded, behind_copies))
            bump_revision(connection, state.series_id)
        for one in existing:
            against = [*traded, *behind_copies] if one.is_refutable else traded
            for part in ranges.intersect([one.range], against):
                there = _candles(questdb, series, part) if len(found) < MAX_LOOKED_UP else {}
                candles_there = "; ".join(f"{interval}: {figures}" for interval, figures in there.items())
                found.append(
                    Contradiction(series, *part, one.evidence, [*there], candles_there, one.is_refutable)
                )
    return found


def _copies(
    questdb: QuestDBClient, proven: Mapping[Series, Sequence[ProvenRange]]
) -> dict[Series, list[Range]]:
    """Return the longer buckets whose candle was stored as a shorter one, by the series it was stored in."""
    tickers: dict[int, list[str]] = {}
    for series in proven:
        tickers.setdefault(series.interval_minutes, []).append(series.ticker)
    begin_s = min((those[0].start_s for those in proven.values()), default=0)
    end_s = max((those[-1].end_s for those in proven.values()), default=0)
    found: dict[Series, list[Range]] = {}
    for shorter, those in tickers.items():
        for longer in divided_by(shorter):
            # A run of copies may begin before the proofs and end after them.
            around = SUCCESSIVE * step_s(longer)
            covered = (floor_s(begin_s, longer) - around, end_s + around)
            for ticker, parts in copied(questdb, those, shorter, longer, covered).items():
                series = Series(ticker, shorter)
                found[series] = ranges.union(found.get(series, []), parts)
    return found


def _candles(questdb: QuestDBClient, series: Series, part: Range) -> dict[int, str]:
    """Return what stands of a ticker in a range: number, trades and volume of the candles, by interval."""
    rows = questdb.query(statement("intervals_inside"), {"ticker": series.ticker, **bounds(part)})
    found = {int(interval): f"{n} candles, {trades} trades, {volume}" for interval, n, trades, volume in rows}
    return dict(sorted(found.items()))
