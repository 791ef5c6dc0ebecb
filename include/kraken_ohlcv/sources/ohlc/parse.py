"""What one OHLC answer says: which buckets traded, which are empty, and how far it speaks at all."""

from __future__ import annotations

from kraken_ohlcv.clients.exchange.models import OhlcAnswer
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import from_ohlc
from kraken_ohlcv.core.evidence import BUSY_SHARE, SourceResult
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, step_s


def read_answer(answer: OhlcAnswer, *, now_s: int) -> SourceResult:
    """Read what an answer says about the buckets that had closed at ``now_s``.

    :param answer: Kraken's answer
    :param now_s: the exchange's time asked before the call, epoch seconds UTC
    :return: the result; a candle is final only when it is at or before Kraken's ``last`` and its end is not
        after ``now_s``, so a bucket that closed since waits for the next run
    Rule: only a flat row of count 0 says that nothing traded, and only where the rows show by their spacing
    that they are of the interval asked for. A row left out may be one that was lost on the way.
    """
    step = step_s(answer.interval_minutes)
    end = min(answer.last_s + step, floor_s(now_s, answer.interval_minutes))
    closed = [candle for candle in answer.committed if candle.ts_s < end]
    # The window rolls with the clock of the answer, which may be later than the run's.
    edge = answer.last_s + step - API_WINDOW_BUCKETS * step
    if not closed:
        return SourceResult(
            covered=(0, 0),
            traded={},
            empty=BucketSet(step),
            is_busy=False,
            window_start_s=edge,
            step=step,
            odd=answer.odd,
        )
    covered = (closed[0].ts_s, end)
    traded = {candle.ts_s: from_ohlc(candle) for candle in closed if candle.trades > 0}
    flat = [candle.ts_s for candle in closed if candle.trades == 0]
    buckets = ranges.count([covered], step=step)
    return SourceResult(
        covered=covered,
        traded=traded,
        empty=BucketSet.of_points(flat if answer.is_on_grid else [], step=step),
        is_busy=len(traded) >= BUSY_SHARE * buckets,
        window_start_s=edge,
        step=step,
        odd=answer.odd,
    )
