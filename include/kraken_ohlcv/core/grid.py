"""The grid of open times of a series: what is closed, what the API still serves, when it forgets.

Pure arithmetic: ``now`` is an argument everywhere and is the exchange's clock.
Kraken names a candle by its open time and aligns buckets to the epoch (REST reference, "Get OHLC Data"; weeks
therefore start on Thursday, 21600-minute buckets every 15 days from 1970-01-01).
"""

from __future__ import annotations

from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, step_s
from kraken_ohlcv.core.ranges import Range


def floor_s(moment_s: float, interval_minutes: int) -> int:
    """Return the open time of the bucket that holds a moment.

    :param moment_s: epoch seconds UTC
    :return: epoch seconds UTC, a multiple of the candle length; at the exchange's time this is the running
        bucket, and everything before it is closed
    """
    step = step_s(interval_minutes)
    return int(moment_s // step) * step


def ceil_s(moment_s: int, interval_minutes: int) -> int:
    """Return the first open time at or after a moment: also the end of the bucket that opens before it.

    :param moment_s: epoch seconds UTC
    :return: epoch seconds UTC, a multiple of the candle length
    """
    step = step_s(interval_minutes)
    return -(-moment_s // step) * step


def api_window_start_s(now_s: float, interval_minutes: int) -> int:
    """Return the oldest open time that the OHLC call promises to serve.

    :return: epoch seconds UTC, on the grid
    """
    return floor_s(now_s, interval_minutes) - API_WINDOW_BUCKETS * step_s(interval_minutes)


def expiry_s(gap_start_s: int, interval_minutes: int) -> int:
    """Return when the API forgets the oldest candle of a gap, one bucket early.

    :param gap_start_s: open time of the gap's oldest missing candle, epoch seconds UTC
    :return: epoch seconds UTC; after it :func:`api_window_start_s` lies behind ``gap_start_s``
    """
    return gap_start_s + API_WINDOW_BUCKETS * step_s(interval_minutes)


def series_start_s(
    *,
    known_s: int | None,
    oldest_s: int | None,
    first_trade_s: float | None,
    now_s: float,
    interval_minutes: int,
    history_from_s: int | None = None,
) -> int:
    """Return where the grid of a series begins.

    Set once to the older of the oldest stored candle and the API edge, lowered to the day from which the
    catalogue wants its history, raised to the pair's first trade, lowered when older candles are stored.

    :param known_s: the start recorded so far, epoch seconds UTC, or None at first processing
    :param oldest_s: open time of the oldest stored candle, or None when nothing is stored
    :param first_trade_s: time of the pair's first trade ever, or None when it was never asked
    :param history_from_s: from when on candles are wanted, epoch seconds UTC, or None; without a known first
        trade it lowers nothing
    :return: epoch seconds UTC, on the grid
    """
    start = api_window_start_s(now_s, interval_minutes) if known_s is None else known_s
    if history_from_s is not None and first_trade_s is not None:
        start = min(start, floor_s(history_from_s, interval_minutes))
    if first_trade_s is not None:
        start = max(start, floor_s(first_trade_s, interval_minutes))
    return start if oldest_s is None else min(start, oldest_s)


def closed_range(start_s: int, end_moment_s: float, interval_minutes: int) -> Range:
    """Return the range of all closed buckets of a series.

    :param start_s: first open time expected, epoch seconds UTC, on the grid
    :param end_moment_s: the exchange's time, or the moment the pair left the exchange, epoch seconds UTC
    :return: ``(start, end)``; ``start == end`` when no bucket has closed yet
    """
    return start_s, max(start_s, floor_s(end_moment_s, interval_minutes))
