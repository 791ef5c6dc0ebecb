"""What tiers reach of their targets: how much of a period is verified, how much was here in time.

Two figures of a tier and of each of its intervals, counted in buckets, never in gap records:

* *verified*: of the due buckets, those that are stored, undisputed, or proven empty;
* *fresh*: of the due buckets, those that were stored or proven empty at most ``fresh_within_minutes`` after
  they were due (:func:`kraken_ohlcv.core.freshness.due_s`). A bucket came when its oldest version was stored,
  or when it was first proven empty, by the ledger's clock.

Which buckets count:

* those of assets that are active and listed, at the intervals that a schedule keeps;
* a bucket belongs to the UTC day of its last second, and to the period that holds this day;
* it counts once it is due; in *fresh* once its time is over;
* it counts when it closed since the asset is kept as it is now (its tier, its intervals, its tier's
  schedule): what was loaded before, or is loaded later from further back, is neither late nor missing here.
  What counted before such a change goes on counting in the days that were kept;
* in *fresh*, only buckets that closed since the ledger records when candles are stored;
* accepted gaps count as missing; of a pair that is unknown, has left or never traded nothing is due.

Each report keeps the days in the ledger (:func:`keep_days`), for ever. The last :data:`KEPT_DAYS` are judged
again, since holes may be repaired meanwhile; what was late stays late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import Counter, Numbers, SeriesBuckets
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_rows import rows_of
from kraken_ohlcv.completeness.verified_days import kept_series
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.freshness import due_end_s
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.intervals import DAY_S, MINUTE_S, step_s
from kraken_ohlcv.core.objective import ObjectiveDay, ObjectiveLine, last_days, lines_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.stores.arrivals import Arrivals, Deadlines, read_arrivals
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.history import records_began_us
from kraken_ohlcv.stores.ledger.objectives import read_days, write_days
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.queries import MICROSECONDS

KEPT_DAYS: Final = 35
"""Days that are judged again with each report: the budget's 30, and some more."""


class Judged(NamedTuple):
    """A day as it was judged.

    :ivar day: what it had
    :ivar missing_now: what is missing of it of each asset looked at, since when ever that is kept, by ticker
    """

    day: ObjectiveDay
    missing_now: Mapping[str, int]


def read_objectives(
    connection: Connection,
    questdb: QuestDBClient | None,
    tier: str,
    period: Range,
    *,
    now_s: int,
) -> list[ObjectiveLine]:
    """Return what a tier reached of its targets in a period, as the plan says them now.

    Days that were kept count as they were judged last (see :func:`keep_days`); the others are judged now.

    :param questdb: None = only days that were kept count
    :param tier: ``TIER1`` .. ``TIER4``
    :param period: whole UTC days, half-open, epoch seconds UTC; it may reach into the future
    :return: by objective, verified first: the line of the tier, then one per interval, ascending. Of a tier
        that no schedule keeps only the lines of the tier, in which nothing is due
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    days = [day for _, day in read_days(connection, tier, period)]
    if questdb is not None:
        known = {(day.interval_minutes, day.day_s) for day in days}
        every = range(period[0], min(period[1], now_s), DAY_S)
        wanted = {
            scope: [day_s for day_s in every if (scope[1], day_s) not in known]
            for scope in kept_series(connection)
            if scope[0] == tier
        }
        days += [one.day for one in judge_days(connection, questdb, wanted, now_s=now_s)]
    return lines_of(days, tier, read_plan(connection).tiers[tier].promised.by_objective)


def keep_days(connection: Connection, questdb: QuestDBClient, *, now_s: int) -> None:
    """Judge the last :data:`KEPT_DAYS` days of every tier and interval that a schedule keeps, and keep them.

    When buckets came is judged until all of a day's time is over, and never again.

    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    period = last_days(KEPT_DAYS - 1, now_s)
    scopes = list(kept_series(connection))
    before = {
        (day.tier, day.interval_minutes, day.day_s): day
        for tier in sorted({tier for tier, _ in scopes})
        for _, day in read_days(connection, tier, period)
    }
    finals = {key for key, day in before.items() if day.is_final}
    wanted = {scope: list(range(*period, DAY_S)) for scope in scopes}
    judged = judge_days(connection, questdb, wanted, now_s=now_s, finals=finals)
    days = [
        day.after(before.get((day.tier, day.interval_minutes, day.day_s)), missing_now)
        for day, missing_now in judged
    ]
    write_days(connection, days, now_s=now_s)


def judge_days(
    connection: Connection,
    questdb: QuestDBClient,
    wanted: Mapping[tuple[str, int], Sequence[int]],
    *,
    now_s: int,
    finals: Iterable[tuple[str, int, int]] = (),
) -> list[Judged]:
    """Judge days by what both stores hold now.

    :param wanted: by tier and interval: first seconds of UTC days, ascending, epoch seconds UTC
    :param finals: tier, interval and day of those whose buckets are not asked when they came
    :return: every day of tiers and intervals that a schedule keeps
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    kept = kept_series(connection)
    asked = {scope: days for scope, days in wanted.items() if days and scope in kept}
    if not asked:
        return []
    rows = {scope: rows_of(kept[scope], [scope[1]]) for scope in asked}
    buckets = Buckets(connection, questdb, [row for those in rows.values() for row in those], now_s=now_s)
    tickers = sorted({row.asset.ticker for those in rows.values() for row in those})
    since = {row["ticker"]: row["since_s"] for row in fetch(connection, "read_kept_since", tickers=tickers)}
    began_s = records_began_us(connection) // MICROSECONDS + 1
    unsettled = set(finals)
    found: list[Judged] = []
    for (tier, interval), days in asked.items():
        scope = _Scope(tier, interval, days, now_s, kept[tier, interval])
        open_days = [day_s for day_s in days if (tier, interval, day_s) not in unsettled]
        covered = opens_of_day(days[0], interval)[0], opens_of_day(days[-1], interval)[1]
        asked_about = covered
        arrivals = Arrivals({}, {})
        if open_days:
            asked_about = opens_of_day(open_days[0], interval)[0], opens_of_day(open_days[-1], interval)[1]
            those = [row.asset.ticker for row in rows[tier, interval]]
            arrivals = read_arrivals(connection, questdb, scope.deadlines, those, asked_about)
        for one in buckets.read(rows[tier, interval], covered):
            ticker = one.row.asset.ticker
            scope.count(one, since[ticker])
            if open_days:
                scope.count_late(one, arrivals, max(since[ticker], began_s), asked_about)
        found += scope.judged()
    return found


class _Scope:
    """Counts the days of a tier and interval, a series after the other."""

    def __init__(
        self, tier: str, interval_minutes: int, days: Sequence[int], now_s: int, assets: Sequence[Asset]
    ) -> None:
        upkeep = assets[0].upkeep
        self._key = (tier, interval_minutes)
        self._days = days
        self._step = step_s(interval_minutes)
        opens = np.array([opens_of_day(day_s, interval_minutes) for day_s in days], dtype=np.int64)
        self._first, self._last = opens[:, 0] // self._step, opens[:, 1] // self._step
        self.deadlines = Deadlines(
            upkeep, interval_minutes, upkeep.plan.targets.fresh_within_minutes * MINUTE_S
        )
        self._told_s = due_end_s(upkeep, interval_minutes, now_s - self.deadlines.within_s)
        self._due, self._fresh_due = np.zeros(len(days), np.int64), np.zeros(len(days), np.int64)
        self._missing: list[dict[str, int]] = [{} for _ in days]
        self._missing_now: list[dict[str, int]] = [{} for _ in days]
        self._late: list[dict[str, int]] = [{} for _ in days]

    def count(self, one: SeriesBuckets, since_s: int) -> None:
        """Count what is due of a series, and what of that is missing.

        :param since_s: buckets that closed before do not count, epoch seconds UTC
        """
        here = one.verified
        due_s = min(one.looked_at[1], one.grid.due_s)
        whole = (one.looked_at[0], due_s)
        counted = (max(whole[0], ceil_s(since_s - self._step, self._key[1])), due_s)
        self._due += self._count(counted)
        ticker = one.row.asset.ticker
        for day, n in enumerate(self._lacking(whole, here).tolist()):
            self._missing_now[day][ticker] = n
        _note(self._missing, ticker, self._lacking(counted, here))

    def count_late(self, one: SeriesBuckets, arrivals: Arrivals, since_s: int, asked_about: Range) -> None:
        """Count what should have come of a series, and what of that did not come in time.

        :param since_s: buckets that closed before do not count, epoch seconds UTC
        :param asked_about: open times whose arrivals were read, epoch seconds UTC
        """
        ticker, nothing = one.row.asset.ticker, BucketSet(self._step)
        in_time = (one.stored - arrivals.late.get(ticker, nothing)) | (
            (one.stored | one.empty.all) & arrivals.proven.get(ticker, nothing)
        )
        part = (
            max(one.looked_at[0], asked_about[0], ceil_s(since_s - self._step, self._key[1])),
            min(one.looked_at[1], asked_about[1], self._told_s),
        )
        self._fresh_due += self._count(part)
        _note(self._late, ticker, self._lacking(part, in_time))

    def judged(self) -> list[Judged]:
        """Return every day."""
        return [
            Judged(
                ObjectiveDay(
                    *self._key,
                    day_s,
                    due=int(self._due[number]),
                    missing=self._missing[number],
                    fresh_due=int(self._fresh_due[number]),
                    late=self._late[number],
                    is_final=bool(self._last[number] * self._step <= self._told_s),
                ),
                self._missing_now[number],
            )
            for number, day_s in enumerate(self._days)
        ]

    def _clipped(self, part: Range) -> tuple[Numbers, Numbers]:
        first = np.maximum(self._first, part[0] // self._step)
        return first, np.maximum(first, np.minimum(self._last, part[1] // self._step))

    def _count(self, part: Range) -> Numbers:
        """Return how many buckets of each day open in a range."""
        first, last = self._clipped(part)
        return last - first

    def _lacking(self, part: Range, good: BucketSet) -> Numbers:
        """Return how many of them are not in a set."""
        first, last = self._clipped(part)
        return last - first - Counter(good).between(first, last)


def _note(by_day: Sequence[dict[str, int]], ticker: str, counts: Numbers) -> None:
    for day in np.flatnonzero(counts).tolist():
        by_day[day][ticker] = int(counts[day])
