"""Stores what a source says of a series: what is missing, restated, or without its vwap so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.ohlcv import ranges
from include.ohlcv.bench import Bench, Writing
from include.ohlcv.candles import Restatement, completed, judge_restatement
from include.ohlcv.ledger.restatement_rows import Pending
from include.ohlcv.store import read_candles, write_candles

if TYPE_CHECKING:
    from include.ohlcv.evidence import Reading
    from include.ohlcv.gaps import Series


def write(bench: Bench, series: Series, reading: Reading) -> Writing:
    """Store what is missing, what the source has restated, and the vwap that a candle lacks; read it back.

    :param bench: what to work with; the fill lock of the series is held
    :param series: ticker and interval
    :param reading: what the source says
    :return: what was written, for the ledger
    :raises ReadBackError: if a candle is not readable as written
    :raises QuestDBError: if QuestDB does not accept or not apply the write
    """
    before = read_candles(bench.questdb, series, reading.covered)
    new = [ts_s for ts_s in reading.traded if ts_s not in before]
    doubtful = {
        ts_s for start, end in ranges.union(reading.doubtful) for ts_s in range(start, end, reading.step)
    }
    pending = Pending(bench.connection, series)
    versions, whole = [], []
    for ts_s, stored in before.items():
        seen = reading.traded.get(ts_s)
        if seen is None or seen.equals(stored) or ts_s in doubtful:
            continue
        if with_vwap := completed(stored, seen):
            whole.append(with_vwap)
            continue
        seen_s = pending.first_seen(seen)
        verdict = judge_restatement(stored, seen, first_seen_s=seen_s, now_s=bench.now_s)
        if verdict is not Restatement.IGNORE:
            versions.append((
                stored,
                seen,
                bench.now_s if seen_s is None else seen_s,
                verdict is Restatement.REPLACE,
            ))
    candles = [*whole, *(reading.traded[ts_s] for ts_s in new)]
    candles += [seen for _, seen, _, is_applied in versions if is_applied]
    if not candles:
        return Writing(stored=before, new=[], versions=versions)
    stored_now = write_candles(bench.questdb, series, candles, reading.covered)
    return Writing(stored=stored_now, new=new, versions=versions)
