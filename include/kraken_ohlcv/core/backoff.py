"""When a failed gap is tried again."""

from __future__ import annotations

from typing import Final

from kraken_ohlcv.core.cron import last_tick_before
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S

WAITS_S: Final = (HOUR_S, DAY_S, 7 * DAY_S)
"""Waiting time after the first, second, and every later failed attempt, seconds."""


def next_attempt_s(*, attempt_s: int, attempts: int, expires_s: int, cron: str | None) -> int:
    """Return when a gap that failed for a passing reason may be tried again.

    The attempt is floored to the hour, so that a daily schedule meets the time it waits for; and the last
    scheduled run before the API forgets the gap is never waited past.

    :param attempt_s: time of the failed attempt, epoch seconds UTC
    :param attempts: failed attempts so far, this one included, >= 1
    :param expires_s: when the gap's oldest candle leaves the API window, epoch seconds UTC
    :param cron: schedule of the backfill that covers the series, or None
    :return: epoch seconds UTC
    """
    wait = WAITS_S[min(attempts, len(WAITS_S)) - 1]
    planned = attempt_s // HOUR_S * HOUR_S + wait
    if cron is None:
        return min(planned, max(expires_s, attempt_s))
    last_tick = last_tick_before(cron, expires_s - 1)
    return min(planned, last_tick) if last_tick > attempt_s else planned
