"""Coverage months: what is proven empty and what is missing of a series, read and written only here.

A page of the ledger is a series and a UTC month, a bit per bucket. What is stored is not on it: the buckets
of the grid that are neither missing nor proven empty are stored, as long as QuestDB counts as many candles as
when the page was reconciled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Self

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence, Sighting
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import month_of, months_in, months_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.verified_day import DayChange, day_of, day_ranges
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, fetch


@dataclass(frozen=True, slots=True)
class Emptiness:
    """Buckets proven empty, each by one kind of evidence.

    :ivar step: bucket length, seconds
    :ivar by: buckets by evidence; they never overlap
    """

    step: int
    by: dict[Evidence, BucketSet]

    @classmethod
    def none(cls, step: int) -> Self:
        """Return that nothing is proven."""
        return cls(step, {evidence: BucketSet(step) for evidence in Evidence})

    @property
    def all(self) -> BucketSet:
        """Return what is proven by whatever evidence."""
        return self.by[Evidence.ARCHIVE] | self.by[Evidence.OHLC] | self.by[Evidence.TRADES]

    @property
    def refutable(self) -> BucketSet:
        """Return what a stored candle withdraws; against a proof from trades the candle is suspect."""
        return self.by[Evidence.ARCHIVE] | self.by[Evidence.OHLC]

    def at_least(self, evidence: Evidence) -> BucketSet:
        """Return what is proven by evidence as strong as this, or stronger."""
        found = BucketSet(self.step)
        for one, buckets in self.by.items():
            if EVIDENCE_RANK[one] >= EVIDENCE_RANK[evidence]:
                found |= buckets
        return found

    def with_proof(self, buckets: BucketSet, evidence: Evidence) -> Self:
        """Return it with more proven; stronger evidence replaces weaker, never the other way."""
        new = buckets - self.at_least(evidence)
        by = {one: old - new for one, old in self.by.items()}
        by[evidence] |= new
        return type(self)(self.step, by)

    def without(self, traded: BucketSet, *, by: Evidence | None = None) -> Self:
        """Return it without buckets that did trade.

        :param traded: buckets that a candle contradicts
        :param by: evidence of the source that says so; only trades withdraw what trades have proven, for in
            any other case it is the candle that is suspect
        Rule: a proof lives as long as nothing contradicts it.
        """
        return type(self)(
            self.step,
            {
                one: old if one is Evidence.TRADES and by is not Evidence.TRADES else old - traded
                for one, old in self.by.items()
            },
        )

    def within(self, part: Range) -> Self:
        """Return what of it opens in a range, epoch seconds UTC."""
        return type(self)(self.step, {one: buckets.within(part) for one, buckets in self.by.items()})


@dataclass(slots=True)
class Coverage:
    """Some coverage months of a series, as one; changed in memory, then written by :func:`save`.

    :ivar series: ticker and interval
    :ivar months: those that were read, whether the ledger has a page of them or not, ascending
    :ivar missing: buckets neither stored nor proven empty when the pages were reconciled
    :ivar empty: buckets proven empty
    :ivar disputed: buckets with a candle though trades prove them empty
    :ivar reconciled: by month: candles that QuestDB counted when the page was last compared with them; None
        or absent = the open times are to be read
    :ivar before: as it was read
    """

    series: Series
    months: Sequence[Range]
    missing: BucketSet
    empty: Emptiness
    disputed: BucketSet
    reconciled: dict[Range, int | None]
    before: tuple[BucketSet, Emptiness, BucketSet, dict[Range, int | None]] = field(init=False)

    def __post_init__(self) -> None:
        """Keep what was read beside what it becomes."""
        self.before = (self.missing, self.empty, self.disputed, dict(self.reconciled))

    def accounted(self, grid: Range) -> BucketSet:
        """Return the buckets that were stored as far as the pages tell: neither missing nor proven empty.

        A proof that was withdrawn since they were reconciled leaves its bucket among them, see
        :func:`kraken_ohlcv.stores.ledger.history.without_withdrawn`.

        :param grid: what the pages account for, half-open, epoch seconds UTC
        """
        parts = [
            (max(month[0], grid[0]), min(month[1], grid[1]))
            for month in self.months
            if month in self.reconciled
        ]
        every = BucketSet.opening_in(parts, step=self.missing.step)
        return every - self.without_candle

    @property
    def without_candle(self) -> BucketSet:
        """Return the buckets that were not stored as far as the pages tell: missing or proven empty."""
        return (self.missing | self.empty.all) - self.disputed

    def holds(self, part: Range) -> bool:
        """Return whether all months of a range, epoch seconds UTC, were read."""
        return set(months_in([part])).issubset(self.months)

    def prove(self, buckets: BucketSet, evidence: Evidence) -> None:
        """Record buckets as proven empty; they are missing no longer.

        :param buckets: none of them may be contradicted, see
            :func:`kraken_ohlcv.stores.contradictions.contested`
        """
        self.empty = self.empty.with_proof(buckets, evidence)
        self.missing -= buckets

    def withdraw(self, traded: BucketSet, *, by: Evidence | None = None) -> BucketSet:
        """Take buckets that did trade out of what is proven empty, and have their pages read again.

        :param traded: buckets that a candle contradicts
        :param by: evidence of the source that says so
        :return: what was proven empty and no longer is
        """
        before = self.empty.all
        self.empty = self.empty.without(traded, by=by)
        taken = before - self.empty.all
        if taken:
            self.disputed &= self.empty.by[Evidence.TRADES]
            self.read_again(taken)
        return taken

    def read_again(self, buckets: BucketSet) -> None:
        """Have the open times of the months of some buckets read by the next detection."""
        for month in months_of(buckets):
            self.reconciled[month] = None


def read_coverage(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int], covered: Range | None = None
) -> dict[Series, Coverage]:
    """Return the coverage months of many series.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param covered: only months that this half-open range touches, epoch seconds UTC; None = all pages
    :return: by series; one without a page is absent
    """
    months = None if covered is None else [date_of(month) for month in months_in([covered])]
    rows = fetch(connection, "read_coverage", tickers=list(tickers), intervals=list(intervals), months=months)
    found: dict[Series, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(Series(row["ticker"], row["interval_minutes"]), []).append(row)
    return {
        series: _coverage(series, those, [month_of(row["month_s"]) for row in those])
        for series, those in found.items()
    }


def read_pages(connection: Connection, wanted: Mapping[Series, Sequence[Range]]) -> dict[Series, Coverage]:
    """Return some coverage months of each of many series.

    :param wanted: months by series, ascending
    :return: by series, every one; nothing is known about a month without a page
    """
    each = [(series, month) for series, months in wanted.items() for month in months]
    rows = fetch(
        connection,
        "read_coverage_months",
        tickers=[series.ticker for series, _ in each],
        intervals=[series.interval_minutes for series, _ in each],
        months=[date_of(month) for _, month in each],
    )
    found: dict[Series, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(Series(row["ticker"], row["interval_minutes"]), []).append(row)
    return {series: _coverage(series, found.get(series, []), months) for series, months in wanted.items()}


def read_months(connection: Connection, series: Series, parts: Iterable[Range]) -> Coverage:
    """Return the coverage of a series in the months that some ranges touch.

    :param parts: range set, epoch seconds UTC
    :return: the coverage; nothing is known about a month without a page
    """
    return read_pages(connection, {series: months_in(parts)})[series]


def proven_spans(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int], covered: Range | None = None
) -> dict[Series, Range]:
    """Return the months in which buckets of series are proven empty, from the first to the last.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param covered: only months that this half-open range touches, epoch seconds UTC; None = all
    :return: by series, epoch seconds UTC; one without a proof is absent
    """
    months = None if covered is None else [date_of(month) for month in months_in([covered])]
    found = fetch(
        connection, "read_proven_spans", tickers=list(tickers), intervals=list(intervals), months=months
    )
    return {
        Series(row["ticker"], row["interval_minutes"]): (row["first_s"], month_of(row["last_s"])[1])
        for row in found
    }


def _coverage(series: Series, pages: Sequence[dict[str, Any]], months: Sequence[Range]) -> Coverage:
    step = step_s(series.interval_minutes)

    def merged(column: str) -> BucketSet:
        pieces = [(row["month_s"], row[column]) for row in pages if row[column] is not None]
        if not pieces:
            return BucketSet(step)
        first = -(-pieces[0][0] // step)
        text: list[str] = []
        at = first
        for month_s, bits in pieces:
            start = -(-month_s // step)
            text += ("0" * (start - at), bits)
            at = start + len(bits)
        return BucketSet.of_text("".join(text), first=first, step=step)

    return Coverage(
        series=series,
        months=months,
        missing=merged("missing"),
        empty=Emptiness(step, {evidence: merged(f"empty_{evidence}") for evidence in Evidence}),
        disputed=merged("disputed"),
        reconciled={month_of(row["month_s"]): row["reconciled"] for row in pages},
    )


def save(
    connection: Connection, coverages: Iterable[Coverage], *, run: RunKey | None, now_s: int
) -> set[Series]:
    """Write what has changed of coverage months, and log what has changed of the proofs.

    :param connection: the ledger, inside a transaction of their series
    :param run: the run that changes them, or None outside of runs
    :param now_s: the exchange's time, epoch seconds UTC
    :return: the series with pages that were written
    """
    pages, changes, days = [], [], []
    # In order, so that two writers wait for each other and do not deadlock.
    for coverage in sorted(coverages, key=lambda one: one.series):
        for month in coverage.months:
            page = _changed_page(coverage, month)
            if page is not None:
                pages.append(page)
                changes += _changes(coverage, month)
                days += _changed_days(coverage, month)
    execute_many(connection, "write_coverage", pages)
    execute_many(connection, "note_day_change", days)
    who = {"dag_id": run.dag_id, "run_id": run.run_id} if run else {"dag_id": None, "run_id": None}
    execute_many(connection, "log_coverage_change", changes, who, now_s=now_s)
    return {Series(page["ticker"], page["interval_minutes"]) for page in pages}


@lru_cache(maxsize=4096)
def date_of(month: Range) -> date:
    """Return a month as the ledger names it: by its first day."""
    return utc(month[0]).date()


def _named(coverage: Coverage, month: Range) -> dict[str, Any]:
    return {**coverage.series._asdict(), "month": date_of(month)}


def _changed_page(coverage: Coverage, month: Range) -> dict[str, Any] | None:
    missing, empty, disputed, reconciled = coverage.before
    now = _bitmaps(coverage.missing, coverage.empty, coverage.disputed, month)
    before = _bitmaps(missing, empty, disputed, month)
    count = coverage.reconciled.get(month)
    if now == before and count == reconciled.get(month) and (month in coverage.reconciled or not any(now)):
        return None
    texts = {name: buckets.text(month) if buckets else None for name, buckets in now.items()}
    return {**_named(coverage, month), **texts, "reconciled": count}


def _bitmaps(missing: BucketSet, empty: Emptiness, disputed: BucketSet, month: Range) -> dict[str, BucketSet]:
    return {
        "missing": missing.within(month),
        **{f"empty_{evidence}": buckets.within(month) for evidence, buckets in empty.by.items()},
        "disputed": disputed.within(month),
    }


def _changes(coverage: Coverage, month: Range) -> list[dict[str, Any]]:
    _, before, _, _ = coverage.before
    old, new = before.within(month), coverage.empty.within(month)
    changed: list[tuple[Evidence | None, BucketSet]] = [
        (evidence, new.by[evidence] - old.by[evidence]) for evidence in Evidence
    ]
    changed.append((None, old.all - new.all))
    return [
        {**place, "evidence": evidence}
        for evidence, buckets in changed
        for place in by_month(coverage.series, buckets)
    ]


def by_month(series: Series, buckets: BucketSet) -> Iterator[dict[str, Any]]:
    """Return buckets as the ledger logs them: month by month, from the first to the last, a character each.

    :return: ``ticker``, ``interval_minutes``, ``month``, ``first_bucket`` (of the month, from 0), ``buckets``
    """
    for month in months_of(buckets):
        part = buckets.within(month)
        start_s, end_s = part.start_s, part.end_s
        if start_s is not None and end_s is not None:
            yield {
                **series._asdict(),
                "month": date_of(month),
                "first_bucket": start_s // part.step - -(-month[0] // part.step),
                "buckets": part.text((start_s, end_s)),
            }


def of_log(row: Mapping[str, Any], step: int) -> BucketSet:
    """Return the buckets of a row of the log, see :func:`by_month`; ``month_s`` is in epoch seconds."""
    first = -(-row["month_s"] // step) + row["first_bucket"]
    return BucketSet.of_text(row["buckets"], first=first, step=step)


def _changed_days(coverage: Coverage, month: Range) -> list[dict[str, Any]]:
    """Return the days that hold buckets of a changed page, and those of them that have lost some."""
    missing, empty, disputed, reconciled = coverage.before
    # Of a page that is new nothing was known that could be lost.
    lost = BucketSet(missing.step)
    if month in reconciled:
        lost = (
            (coverage.missing - missing) | (empty.all - coverage.empty.all) | (coverage.disputed - disputed)
        ).within(month)
    first, behind = (-(-border // missing.step) * missing.step for border in month)
    changed = [(DayChange.LOST, one) for one in day_ranges(lost)]
    if first < behind:
        days = day_of(first, missing.step), day_of(behind - missing.step, missing.step)
        changed.append((DayChange.ACCOUNTED, days))
    return [
        {**coverage.series._asdict(), "first_s": first_s, "last_s": last_s, "kind": kind}
        for kind, (first_s, last_s) in changed
    ]


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
