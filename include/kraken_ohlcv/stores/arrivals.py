"""When buckets came: which candles were first stored too late, which buckets were proven empty in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.cron import tick_runs
from kraken_ohlcv.core.freshness import late_end_s
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.stores.ledger.coverage import date_of, of_log
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.queries import BLOCK_BUCKETS, MICROSECONDS, bounds, chosen, of_blocks, rendered


class Arrivals(NamedTuple):
    """When the buckets of some series of an interval came.

    :ivar late: by ticker: candles that were first stored too late
    :ivar proven: by ticker: buckets that were proven empty in time, whatever they are now
    """

    late: Mapping[str, BucketSet]
    proven: Mapping[str, BucketSet]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """By when the buckets of an interval are to be here.

    :ivar upkeep: how the series are kept: by a schedule
    :ivar interval_minutes: candle length, minutes
    :ivar within_s: how long after it is due a bucket is still in time, seconds
    """

    upkeep: Upkeep
    interval_minutes: int
    within_s: int

    def late_end_s(self, moment_us: int) -> int:
        """Return up to where buckets that come at a moment, epoch microseconds, come too late."""
        return late_end_s(self.upkeep, self.interval_minutes, moment_us, within_s=self.within_s)

    def still_in_time(self, buckets: BucketSet, moment_us: int | None) -> BucketSet:
        """Return those among some buckets that are in time when they come at a moment.

        :param moment_us: epoch microseconds; None = before records began, which is in time
        """
        end_s = buckets.end_s
        if moment_us is None or end_s is None:
            return buckets
        start_s = self.late_end_s(moment_us)
        return buckets.within((start_s, max(start_s, end_s)))


def read_arrivals(
    connection: Connection,
    questdb: QuestDBClient,
    deadlines: Deadlines,
    tickers: Sequence[str],
    covered: Range,
) -> Arrivals:
    """Return when the buckets of some series of one interval came.

    A candle came when its oldest version was stored: a restatement makes nothing late. One that was lost and
    fetched again came when it was fetched again.

    :param tickers: Kraken's altnames, unique, at least one
    :param covered: open times, half-open, on the grid, epoch seconds UTC
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    late = _stored_late(questdb, deadlines, tickers, covered)
    if late:
        for ticker, earlier in _versions_in_time(connection, deadlines, sorted(late), covered).items():
            late[ticker] -= earlier
    asked = {
        "tickers": list(tickers),
        "interval_minutes": deadlines.interval_minutes,
        "months": [date_of(month) for month in months_in([covered])],
        "from_s": covered[0],
    }
    step = step_s(deadlines.interval_minutes)
    proven: dict[str, BucketSet] = defaultdict(lambda: BucketSet(step))
    for row in fetch(connection, "read_proven", asked):
        buckets = of_log(row, step).within(covered)
        proven[row["ticker"]] |= deadlines.still_in_time(buckets, row["proven_us"])
    return Arrivals(late, proven)


def _stored_late(
    questdb: QuestDBClient, deadlines: Deadlines, tickers: Sequence[str], covered: Range
) -> dict[str, BucketSet]:
    """Return the candles whose present version was stored too late, by ticker."""
    interval = deadlines.interval_minutes
    cron, step = deadlines.upkeep.cron(interval), step_s(interval)
    if cron is None or covered[0] >= covered[1]:
        return {}
    n_tickers, named = chosen(tickers)
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    wanted = set(tickers)
    allowed_s = deadlines.upkeep.grace_s(interval) + deadlines.within_s
    for run in tick_runs(cron, (covered[0] + step, covered[1] + step)):
        # A bucket that closes at a tick is due with the next one.
        opens = ceil_s(run.first_s, interval) - step, ceil_s(run.last_s, interval) - step
        part = max(opens[0], covered[0]), min(opens[1], covered[1])
        if part[0] >= part[1]:
            continue
        lengths = {
            "step_us": step,
            "block_us": BLOCK_BUCKETS * step,
            "tick_us": run.first_s,
            "pause_us": run.pause_s,
            "allowed_us": allowed_s,
        }
        for ticker, block, bits in questdb.query(
            rendered("late_buckets", n_tickers=n_tickers),
            {
                "interval": str(interval),
                **{name: length * MICROSECONDS for name, length in lengths.items()},
                **bounds(part),
                **named,
            },
        ):
            if ticker in wanted:
                found[ticker].append((block, bits))
    return {ticker: _of_blocks(blocks, step) for ticker, blocks in found.items()}


def _of_blocks(blocks: Sequence[tuple[int, int]], step: int) -> BucketSet:
    """Return the buckets of some blocks; one that two runs of ticks share is there twice."""
    merged: dict[int, int] = defaultdict(int)
    for block, bits in blocks:
        merged[block] |= bits
    return of_blocks(list(merged.items()), step=step)


def _versions_in_time(
    connection: Connection, deadlines: Deadlines, tickers: Sequence[str], covered: Range
) -> dict[str, BucketSet]:
    """Return the candles with a replaced version that was stored in time, by ticker."""
    interval, step = deadlines.interval_minutes, step_s(deadlines.interval_minutes)
    months = [date_of(month) for month in months_in([covered])]
    asked = {"tickers": list(tickers), "interval_minutes": interval, "months": months}
    span = {"from_s": covered[0], "until_s": covered[1]}
    found: dict[str, BucketSet] = defaultdict(lambda: BucketSet(step))
    points: dict[str, list[int]] = defaultdict(list)
    for row in fetch(connection, "read_first_stored", asked, span):
        stored_us = row["stored_us"]
        if stored_us is None or row["ts_s"] >= deadlines.late_end_s(stored_us):
            points[row["ticker"]].append(row["ts_s"])
    for ticker, times in points.items():
        found[ticker] = BucketSet.of_points(times, step=step)
    for row in fetch(connection, "read_first_called", asked):
        found[row["ticker"]] |= deadlines.still_in_time(of_log(row, step), row["stored_us"])
    return found
