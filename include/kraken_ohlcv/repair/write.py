"""Stores what a source says of a series: what is missing, restated, or without its vwap so far."""

from __future__ import annotations

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.restatement import Restatement, completed, judge_restatement
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.repair.context import RunContext, WriteResult
from kraken_ohlcv.stores.candle_store import read_candles, write_candles
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.history import keep_replaced
from kraken_ohlcv.stores.ledger.restatements import log_versions, read_pending
from kraken_ohlcv.stores.other_intervals import judged_by_others


def write(context: RunContext, series: Series, result: SourceResult) -> WriteResult:
    """Store what is missing, what the source has restated, and a first vwap of a candle; read it back.

    :param context: what to work with; the fill lock of the series is held
    :param result: what the source says
    :return: what was written, for the ledger
    :raises ReadBackError: if a candle is not readable as written
    :raises QuestDBError: if QuestDB does not accept or not apply the write
    """
    # What a task that died has sent is to be seen, not written once more as if it were new.
    context.questdb.wait_applied(CANDLE_TABLE)
    before = read_candles(context.questdb, series, result.covered)
    candles = [seen for ts_s, seen in result.traded.items() if ts_s not in before]
    added = BucketSet.of_points((candle.ts_s for candle in candles), step=result.step)
    doubtful = {
        ts_s for start, end in ranges.union(result.doubtful) for ts_s in range(start, end, result.step)
    }
    pending = read_pending(context.connection, series) if before else {}
    restated: list[int] = []
    differing: list[tuple[StoredCandle, StoredCandle]] = []
    n_compared = 0
    for ts_s, stored in before.items():
        seen = result.traded.get(ts_s)
        if seen is None or ts_s in doubtful:
            continue
        n_compared += 1
        with_more = completed(stored, seen)
        if not with_more and not seen.equals(stored):
            differing.append((stored, seen))
            continue
        if with_more:
            candles.append(with_more)
        if stored in pending or seen in pending:
            # Written by a task that died before it could say so.
            restated.append(ts_s)
    suspect, borne_out = judged_by_others(context.questdb, series, differing)
    versions = []
    for stored, seen in differing:
        first_seen_s = pending.get(seen)
        verdict = judge_restatement(
            stored,
            seen,
            first_seen_s=first_seen_s,
            now_s=context.now_s,
            is_borne_out=seen.ts_s in borne_out,
            is_suspect=seen.ts_s in suspect,
        )
        if verdict is not Restatement.IGNORE:
            versions.append((stored, seen, context.now_s if first_seen_s is None else first_seen_s))
        if verdict is Restatement.REPLACE:
            candles.append(seen)
            restated.append(seen.ts_s)
    # Before it is overwritten: the old version is kept, whatever happens to this task.
    log_versions(context.connection, series, versions)
    stored_now, n_withdrawn = before, 0
    if candles:
        opens = BucketSet.of_points((candle.ts_s for candle in candles), step=result.step)
        with admitted(
            context.connection, series, opens, by=result.evidence, run=context.run, now_s=context.now_s
        ) as admission:
            admission.note_new(added)
            moment_us = admission.moment_us
            replaced = [(before[one.ts_s], one) for one in candles if one.ts_s in before]
            keep_replaced(context.connection, series, replaced, moment_us=moment_us)
            stored_now = write_candles(context.questdb, series, candles, result.covered, stored_us=moment_us)
        n_withdrawn = sum(len(buckets) for _, buckets in admission.withdrawn)
    return WriteResult(
        have=BucketSet.of_points(stored_now, step=result.step),
        new=added,
        closing=added,
        restated=BucketSet.of_points(restated, step=result.step),
        n_withdrawn=n_withdrawn,
        n_written=len(candles),
        n_compared=n_compared,
        n_differing=len(differing),
    )
