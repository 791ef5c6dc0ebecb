"""Whether the coverage months of a series say what their logged changes, their gaps and the candles give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Gap, Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.seals.finding import Finding, FindingKind
from kraken_ohlcv.stores.bucket_arrays import opening_at
from kraken_ohlcv.stores.history import Records
from kraken_ohlcv.stores.ledger.coverage import Coverage, date_of, read_pages
from kraken_ohlcv.stores.ledger.series_state import read_states
from kraken_ohlcv.stores.ledger.session import Connection, Row, fetch
from kraken_ohlcv.stores.partitions import MonthCount, count_candles
from kraken_ohlcv.stores.queries import MICROSECONDS

NOTHING: Final = MonthCount(0, 0, 0, 0)
LOOKS: Final = 3
"""Looks at pages that do not add up, before they are taken to be altered: a task may be writing."""


def check_pages(
    questdb: QuestDBClient, connection: Connection, series: Series, months: Sequence[Range], records: Records
) -> list[Finding]:
    """Return what is wrong with the coverage months of a series.

    :param series: one that the ledger knows
    :param months: ascending, at least one
    :param records: just read, of a range that holds them; read again where they do not agree with the months
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found: list[Finding] = []
    for look in range(LOOKS):
        if look:
            records = Records.read(questdb, connection, series, records.covered)
        pages = Pages.read(questdb, connection, series, months, records)
        found = [] if pages is None else pages.findings()
        if pages is not None and not found:
            break
    return found


@dataclass(frozen=True, slots=True)
class Pages:
    """The coverage months of a series, and what they are to agree with.

    :ivar series: ticker and interval
    :ivar start_s: where the series begins, epoch seconds UTC
    :ivar until_s: up to where its grid is accounted for, or None
    :ivar gaps: open ones that lie in the months
    :ivar coverage: the months
    :ivar counts: by month: what was counted of it
    :ivar records: candles stored now, and what is logged of those before and of proofs
    """

    series: Series
    start_s: int
    until_s: int | None
    gaps: Sequence[Gap]
    coverage: Coverage
    counts: Mapping[Range, Row]
    records: Records

    @classmethod
    def read(
        cls,
        questdb: QuestDBClient,
        connection: Connection,
        series: Series,
        months: Sequence[Range],
        records: Records,
    ) -> Pages | None:
        """Read them; return None if they were changed meanwhile, or the series is not known."""
        of_series = [series.ticker], [series.interval_minutes]
        state = read_states(connection, *of_series).get(series)
        coverage = read_pages(connection, {series: months})[series]
        named = [date_of(month) for month in months]
        counted = fetch(connection, "read_month_counts", series, months=named)
        by_start = {month[0]: month for month in months}
        after = read_states(connection, *of_series).get(series)
        if state is None or after is None or after.revision != state.revision:
            return None
        gaps = [gap for gap in state.gaps if coverage.holds(gap.range)]
        counts = {by_start[row.pop("month_s")]: row for row in counted}
        if any(row["off_grid_us"] % MICROSECONDS for row in counts.values()):
            # Finer than the seconds that were read.
            exact = count_candles(questdb, months, [series.interval_minutes], tickers=[series.ticker])
            for month, row in counts.items():
                is_so = exact.get((series, month), NOTHING).off_grid_us == row["off_grid_us"]
                row["off_grid_us"] = row["off_grid_us"] // MICROSECONDS * MICROSECONDS if is_so else -1
        return cls(series, state.start_s, state.until_s, gaps, coverage, counts, records)

    def findings(self) -> list[Finding]:
        """Return what is wrong."""
        return [*self._start(), *self._proofs(), *self._missing(), *self._stored(), *self._counts()]

    def _finding(self, kind: FindingKind, ts_s: int | None, **said: Any) -> Finding:
        day_s = None if ts_s is None else day_of(ts_s, self.coverage.missing.step)
        return Finding(kind=kind, series=self.series, day_s=day_s, ts_s=ts_s, **said)

    def _start(self) -> Iterator[Finding]:
        logged = self.records.starts[-1][1] if self.records.starts else None
        if logged != self.start_s:
            yield self._finding(FindingKind.START_ALTERED, self.start_s)

    def _proofs(self) -> Iterator[Finding]:
        """Say where what is proven is not what the changes give, one after the other."""
        those = BucketSet.opening_in(self.coverage.months, step=self.coverage.missing.step)
        for evidence, changes in self.records.proven_now().by.items():
            logged, stands = changes & those, self.coverage.empty.by[evidence]
            differing = (logged - stands) | (stands - logged)
            if differing:
                is_more = bool(stands - logged)
                yield self._finding(
                    FindingKind.PROOFS_ALTERED,
                    differing.start_s,
                    sealed=f"{'not ' if is_more else ''}proven by {evidence}",
                    stands=f"{'' if is_more else 'not '}so, and {len(differing) - 1} more buckets differ",
                )

    def _missing(self) -> Iterator[Finding]:
        """Say where what is missing is not what the open gaps hold."""
        missing = self.coverage.missing
        in_gaps = BucketSet(missing.step)
        for gap in self.gaps:
            held = missing.within(gap.range)
            in_gaps |= held
            if len(held) != gap.missing_candles:
                yield self._finding(
                    FindingKind.MISSING_ALTERED,
                    gap.start_s,
                    stands=f"gap {gap.gap_id} holds {gap.missing_candles} buckets, its page {len(held)}",
                )
        outside = missing - in_gaps
        if outside:
            yield self._finding(
                FindingKind.MISSING_ALTERED, outside.start_s, stands=f"no gap holds {len(outside)} of them"
            )

    def _stored(self) -> Iterator[Finding]:
        """Say where a page that was reconciled does not add up, or calls stored what is not."""
        step, proven = self.coverage.missing.step, self.coverage.empty.by[Evidence.TRADES]
        if strange := self.coverage.disputed - proven:
            stands = f"{len(strange)} buckets are disputed that trades do not prove empty"
            yield self._finding(FindingKind.MISSING_ALTERED, strange.start_s, stands=stands)
        if self.until_s is None:
            return
        now = opening_at(self.records.now.filter(pl.col("ts_s") % step == 0)["ts_s"].to_numpy(), step=step)
        for month in self.coverage.months:
            reconciled = self.coverage.reconciled.get(month)
            if reconciled is None:
                continue
            start_s = max(month[0], self.start_s)
            every = BucketSet.opening_in([(start_s, max(start_s, min(month[1], self.until_s)))], step=step)
            disputed = self.coverage.disputed & every
            known = (every - self.coverage.missing - self.coverage.empty.all) | disputed
            here = now.within(month)
            # Candles outside of the grid were counted, too; those that trades dispute were not, as they came.
            outside = len(here - every)
            strange = BucketSet(step)
            if reconciled == len(here):
                strange = (known - here) | (disputed - here) | ((here & every & proven) - disputed)
            elif reconciled < len(here):
                strange = disputed - here
            if strange:
                stands = f"{len(strange)} buckets count as stored that are not, or as not disputed"
                yield self._finding(FindingKind.MISSING_ALTERED, strange.start_s, stands=stands)
            elif not -len(disputed) <= reconciled - len(known) <= outside:
                stands = f"{reconciled} candles, while its buckets leave {len(known)}"
                yield self._finding(FindingKind.MISSING_ALTERED, known.start_s or start_s, stands=stands)

    def _counts(self) -> Iterator[Finding]:
        """Say which month was counted otherwise than it ever stood."""
        step = self.coverage.missing.step
        held = self.records.held_since().sort("since_us")
        # What carries no moment though it closed since records began may have come at any time.
        closes_later = pl.col("ts_s") + step > self.records.began_us // MICROSECONDS
        own = held.remove((pl.col("since_us") == 0) & closes_later)
        for month, row in self.counts.items():
            is_here = pl.col("ts_s").is_between(*month, closed="left")
            if not any(_was_counted(each.filter(is_here), row, step=step) for each in (held, own)):
                stands = f"{row['stored']} candles in {date_of(month):%Y-%m}"
                yield self._finding(FindingKind.COUNT_ALTERED, month[0], stands=stands)


def _was_counted(came: pl.DataFrame, row: Row, *, step: int) -> bool:
    """Return whether the candles of a month were ever those that were counted.

    :param came: ``ts_s``, and ``since_us``: since when there is a candle, by this
    :param row: ``stored``, ``first_s``, ``last_s``, ``off_grid_us``
    """
    n = row["stored"]
    if n > came.height:
        return False
    since = came["since_us"].to_numpy()
    if 0 < n < len(since) and since[n - 1] == since[n]:
        return False
    times = came["ts_s"].to_numpy()[:n]
    span = (int(times.min()), int(times.max())) if n else (None, None)
    off_grid_us = int((times % step).max()) * MICROSECONDS if n else 0
    return (*span, off_grid_us) == (row["first_s"], row["last_s"], row["off_grid_us"])
