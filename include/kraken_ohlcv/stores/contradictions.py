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
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import INTERVALS, divided_by, dividing, step_s
from kraken_ohlcv.core.months import months_in, months_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.coverage import proven_spans, read_coverage, read_months, save
from kraken_ohlcv.stores.ledger.history import log_added, log_unwitnessed, without_withdrawn
from kraken_ohlcv.stores.ledger.moments import open_write
from kraken_ohlcv.stores.ledger.series_state import bump_revision, find_series, locked_state
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.other_intervals import SUCCESSIVE, copied
from kraken_ohlcv.stores.queries import (
    BLOCK_BUCKETS,
    MICROSECONDS,
    bounds,
    of_blocks,
    rendered,
    statement,
)

MAX_LOOKED_UP: Final = 100
"""Contradictions for which the intervals with candles there are looked up."""

BUCKETS_AT_ONCE: Final = 500_000
"""Buckets of a series that are looked at together, but for whole months: nearly a year of minutes."""


@dataclass(slots=True)
class Admission:
    """A write of candles that may go on.

    :ivar connection: the ledger
    :ivar series: ticker and interval of the candles
    :ivar moment_us: of the write, epoch microseconds: the ``stored_at`` of its candles, and the end of the
        proofs that they contradict
    :ivar accounted: buckets that were stored when the pages were last reconciled
    :ivar withdrawn: buckets that were proven empty and no longer are, by series
    """

    connection: Connection
    series: Series
    moment_us: int
    accounted: BucketSet
    withdrawn: list[tuple[Series, BucketSet]]

    def note_new(self, buckets: BucketSet) -> None:
        """Note those new candles that lie in sealed days, and those in whose buckets others were.

        The latter are gone, and no write of ours did it.

        :param buckets: that hold no candle and are about to get one
        """
        gone = buckets & self.accounted
        with self.connection.transaction():
            log_added(self.connection, self.series, buckets)
            if gone:
                log_unwitnessed(self.connection, {self.series: (gone, BucketSet(gone.step))})


@contextmanager
def admitted(
    connection: Connection,
    series: Series,
    candles: BucketSet,
    *,
    now_s: int,
    by: Evidence | None = None,
    run: RunKey | None = None,
) -> Iterator[Admission]:
    """Let candles into the store: withdraw what they prove wrong, in their series and in all longer ones.

    The write is open from here until its candles are readable, see :mod:`kraken_ohlcv.stores.ledger.moments`.

    It is withdrawn before, because a task that dies with the candles written must not leave the proof behind;
    and after, because another task may have added one before it could see them.

    :param connection: the ledger, in autocommit
    :param series: ticker and interval of the candles
    :param candles: buckets that get a candle
    :param by: evidence of the source that brings them, or None
    :return: context manager of the write; keep what it replaces, write and read back inside of it
    Rule: a candle withdraws the proofs of its bucket, and of every longer bucket around it, that calls and
    files gave; against a proof from trades it is the candle that is suspect.
    """
    with open_write(connection) as moment_us:
        accounted = _accounted(connection, series, candles)
        withdrawn = withdraw_contradicted(connection, series, candles, by=by, run=run, now_s=now_s)
        yield Admission(connection, series, moment_us, accounted, withdrawn)
        withdrawn += withdraw_contradicted(connection, series, candles, by=by, run=run, now_s=now_s)


def _accounted(connection: Connection, series: Series, candles: BucketSet) -> BucketSet:
    """Return those of some buckets that were stored as far as the pages tell."""
    known = find_series(connection, series)
    if known is None or known["until_s"] is None:
        return BucketSet(candles.step)
    grid = (known["start_s"], known["until_s"])
    coverage = read_months(connection, series, months_of(candles))
    return without_withdrawn(connection, coverage, coverage.accounted(grid) & candles)


def withdraw_contradicted(
    connection: Connection,
    series: Series,
    candles: BucketSet,
    *,
    now_s: int,
    by: Evidence | None = None,
    run: RunKey | None = None,
) -> list[tuple[Series, BucketSet]]:
    """Withdraw the proofs that candles contradict; the next detection records what is missing there now.

    :param connection: the ledger, in autocommit
    :param series: ticker and interval of the candles
    :param candles: buckets with a candle
    :param by: evidence of the source that brought them; only trades withdraw what trades have proven
    :return: the buckets withdrawn, of whatever series
    """
    intervals = [series.interval_minutes, *divided_by(series.interval_minutes)]
    longest = step_s(intervals[-1])
    withdrawn: list[tuple[Series, BucketSet]] = []
    for covered in _slices(candles):
        inside = candles.within(covered)
        # A longer bucket may open in an earlier month.
        around = (covered[0] // longest * longest, covered[1])
        for other, known in read_coverage(connection, [series.ticker], intervals, around).items():
            traded = inside.widened(step_s(other.interval_minutes))
            refutable = known.empty.all if by is Evidence.TRADES else known.empty.refutable
            if not refutable & traded:
                continue
            # One series after the other: a process that holds the lock of one may wait for that of another.
            taken = _withdraw(connection, other, traded, by=by, run=run, now_s=now_s)
            if taken:
                withdrawn.append((other, taken))
    return withdrawn


def _withdraw(
    connection: Connection,
    series: Series,
    traded: BucketSet,
    *,
    by: Evidence | None = None,
    run: RunKey | None,
    now_s: int,
) -> BucketSet:
    with locked_state(connection, series) as state:
        coverage = read_months(connection, series, months_of(traded))
        taken = coverage.withdraw(traded, by=by)
        if taken:
            save(connection, [coverage], run=run, now_s=now_s)
            bump_revision(connection, state.series_id)
    return taken


def _slices(buckets: BucketSet) -> Iterator[Range]:
    """Yield the whole months in which buckets lie, so many at once that memory stays bounded."""
    start_s, end_s = buckets.start_s, buckets.end_s
    if start_s is not None and end_s is not None:
        yield from slices((start_s, end_s), step=buckets.step)


def slices(part: Range, *, step: int) -> Iterator[Range]:
    """Yield the whole months that a range touches, some at once.

    :param part: half-open, epoch seconds UTC
    :param step: bucket length, seconds
    :return: ranges of months, each of about :data:`BUCKETS_AT_ONCE` buckets at most
    """
    begin_s: int | None = None
    end_s = 0
    for month in months_in([part]):
        if begin_s is not None and month[1] - begin_s > BUCKETS_AT_ONCE * step:
            yield begin_s, end_s
            begin_s = None
        begin_s = month[0] if begin_s is None else begin_s
        end_s = month[1]
    if begin_s is not None:
        yield begin_s, end_s


def contested(questdb: QuestDBClient, series: Series, empty: BucketSet) -> BucketSet:
    """Return the buckets inside which shorter candles are stored: nothing but trades proves them empty.

    :param empty: buckets that a source says are empty
    :return: those of them that shorter candles contradict
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    return _traded(questdb, series, empty, dividing(series.interval_minutes))


def _traded(questdb: QuestDBClient, series: Series, empty: BucketSet, intervals: Sequence[int]) -> BucketSet:
    """Return those of some buckets inside which candles of some intervals of the ticker are stored."""
    start_s, end_s = empty.start_s, empty.end_s
    if start_s is None or end_s is None or not intervals:
        return BucketSet(empty.step)
    rows = questdb.query(
        rendered("traded_inside", n_intervals=len(intervals)),
        {
            "ticker": series.ticker,
            "step_us": empty.step * MICROSECONDS,
            "block_us": BLOCK_BUCKETS * empty.step * MICROSECONDS,
            **bounds((start_s, end_s)),
            **{f"interval_{n}": str(interval) for n, interval in enumerate(intervals)},
        },
    )
    return empty & of_blocks(rows, step=empty.step)


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
    connection: Connection,
    questdb: QuestDBClient,
    tickers: Sequence[str],
    *,
    now_s: int,
    covered: Range | None = None,
    run: RunKey | None = None,
) -> list[Contradiction]:
    """Hold every proof against the candles stored; withdraw those contradicted, but for those from trades.

    Beside candles in or inside its bucket, what contradicts the proof of a shorter bucket is a longer candle
    that was stored as a shorter one: the answer that brought it has proven all others of its bucket empty.
    Takes one statement per series with proofs, or several of a long history, which returns a number per 48
    buckets in which something traded, and one per pair of intervals.

    :param connection: the ledger, in autocommit
    :param tickers: Kraken's altnames
    :param covered: only proofs in this half-open range, epoch seconds UTC; None = all of them
    :return: what was contradicted, by series and time
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found: list[Contradiction] = []
    longest = step_s(INTERVALS[-1])
    window = next(iter(ranges.widened([covered] if covered else [], step=longest)), None)
    proven = proven_spans(connection, tickers, INTERVALS, window)
    copies = _copies(questdb, proven)
    for series, span in proven.items():
        step = step_s(series.interval_minutes)
        # Whole buckets: the border of the range may lie in a long one.
        ((start_s, end_s),) = ranges.widened([covered or span], step=step)
        intervals = [*dividing(series.interval_minutes), series.interval_minutes]
        behind_copies = BucketSet.of_ranges(copies.get(series, []), step=step)
        for months in slices((max(start_s, span[0]), min(end_s, span[1])), step=step):
            part = max(months[0], start_s), min(months[1], end_s)
            for known in read_coverage(
                connection, [series.ticker], [series.interval_minutes], months
            ).values():
                empty = known.empty.within(part)
                traded = _traded(questdb, series, empty.all, intervals)
                refuted = traded | (behind_copies & empty.refutable)
                if refuted & empty.refutable:
                    _withdraw(connection, series, refuted, run=run, now_s=now_s)
                for stretch, evidence in sorted(
                    (stretch, evidence)
                    for evidence, buckets in empty.by.items()
                    for stretch in (buckets & refuted).ranges()
                ):
                    there = _candles(questdb, series, stretch) if len(found) < MAX_LOOKED_UP else {}
                    said = "; ".join(f"{interval}: {figures}" for interval, figures in there.items())
                    is_withdrawn = evidence is not Evidence.TRADES
                    found.append(Contradiction(series, *stretch, evidence, [*there], said, is_withdrawn))
    return found


def _copies(questdb: QuestDBClient, proven: Mapping[Series, Range]) -> dict[Series, list[Range]]:
    """Return the longer buckets whose candle was stored as a shorter one, by the series it was stored in."""
    tickers: dict[int, list[str]] = {}
    for series in proven:
        tickers.setdefault(series.interval_minutes, []).append(series.ticker)
    begin_s = min((start_s for start_s, _ in proven.values()), default=0)
    end_s = max((end_s for _, end_s in proven.values()), default=0)
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
