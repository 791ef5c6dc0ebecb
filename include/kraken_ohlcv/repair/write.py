"""Stores what a source says of a series: what is missing, restated, or without its vwap so far."""

from __future__ import annotations

from collections.abc import Sequence

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.restatement import (
    Restatement,
    completed,
    is_fuller,
    is_ripe,
    judge_restatement,
    rank_of,
)
from kraken_ohlcv.repair.context import RunContext, WriteResult
from kraken_ohlcv.stores.agreement import borne_out_by_others
from kraken_ohlcv.stores.candle_store import read_candles, write_candles
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.restatements import Pending, log_restatement
from kraken_ohlcv.stores.suspects import suspects


def write(context: RunContext, series: Series, result: SourceResult) -> WriteResult:
    """Store what is missing, what the source has restated, and the vwap that a candle lacks; read it back.

    :param context: what to work with; the fill lock of the series is held
    :param result: what the source says
    :return: what was written, for the ledger
    :raises ReadBackError: if a candle is not readable as written
    :raises QuestDBError: if QuestDB does not accept or not apply the write
    """
    before = read_candles(context.questdb, series, result.covered)
    new = [ts_s for ts_s in result.traded if ts_s not in before]
    doubtful = {
        ts_s for start, end in ranges.union(result.doubtful) for ts_s in range(start, end, result.step)
    }
    pending = Pending(context.connection, series)
    versions, whole = [], []
    differing: list[tuple[StoredCandle, StoredCandle, int | None]] = []
    for ts_s, stored in before.items():
        seen = result.traded.get(ts_s)
        if seen is None or ts_s in doubtful:
            continue
        if with_more := completed(stored, seen):
            whole.append(with_more)
        elif not seen.equals(stored):
            differing.append((stored, seen, pending.first_seen(seen)))
        elif (old := pending.replaced(seen)) is not None:
            # Written by a task that died before it could say so.
            versions.append((old, stored, pending.first_seen(seen) or context.now_s, True))
    borne_out = _borne_out(context, series, differing)
    suspect = suspects(context.questdb, series, [(stored, seen) for stored, seen, _ in differing])
    for stored, seen, seen_s in differing:
        verdict = judge_restatement(
            stored,
            seen,
            first_seen_s=seen_s,
            now_s=context.now_s,
            is_borne_out=seen.ts_s in borne_out,
            is_suspect=seen.ts_s in suspect,
        )
        if verdict is not Restatement.IGNORE:
            versions.append((
                stored,
                seen,
                context.now_s if seen_s is None else seen_s,
                verdict is Restatement.REPLACE,
            ))
    candles = [*whole, *(result.traded[ts_s] for ts_s in new)]
    candles += [seen for _, seen, _, is_applied in versions if is_applied]
    with context.connection.transaction():
        # Before it is overwritten: the old version is kept, whatever happens to this task.
        for stored, seen, first_seen_s, is_applied in versions:
            if is_applied:
                log_restatement(
                    context.connection,
                    series,
                    old=stored,
                    new=seen,
                    first_seen_s=first_seen_s,
                    applied_s=None,
                )
    stored_now, n_withdrawn = before, 0
    if candles:
        opens = ranges.from_points((candle.ts_s for candle in candles), step=result.step)
        with admitted(context.connection, series, opens, by=result.evidence) as withdrawn:
            stored_now = write_candles(context.questdb, series, candles, result.covered)
        n_withdrawn = sum(
            (end - start) // step_s(other.interval_minutes) for other, (start, end) in withdrawn
        )
    added = ranges.from_points(new, step=result.step)
    return WriteResult(
        have=ranges.from_points(stored_now, step=result.step),
        new=added,
        closing=added,
        versions=versions,
        n_restated=sum(is_applied for *_, is_applied in versions),
        n_withdrawn=n_withdrawn,
    )


def _borne_out(
    context: RunContext, series: Series, differing: Sequence[tuple[StoredCandle, StoredCandle, int | None]]
) -> set[int]:
    """Return the open times of versions that say less, are due to be believed, and are borne out."""
    less = [
        (stored, seen)
        for stored, seen, seen_s in differing
        if rank_of(stored.source) == rank_of(seen.source)
        and is_ripe(seen_s, now_s=context.now_s)
        and is_fuller(stored.figures(), seen.figures())
    ]
    return borne_out_by_others(context.questdb, series, less)
