"""When a failed call to Kraken is made again, and after how long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_before_delay,
    wait_exponential_jitter,
)

from kraken_ohlcv.clients.errors import (
    KrakenRateLimitError,
    KrakenTransientError,
    KrakenUnexpectedReplyError,
    RateLimitLockError,
)

log = logging.getLogger(__name__)

ATTEMPTS: Final = 4
UNKNOWN_ATTEMPTS: Final = 3
"""For answers nobody knows how to judge: enough to outlast an accident, then a person should read it."""

TOTAL_S: Final = 300.0
"""No attempt starts later than this after the first one."""

MAX_PAUSE_S: Final = 120.0
"""A longer pause asked for by Kraken is left to the task's own retries."""

MAX_PUSH_S: Final = 3600.0
"""A single answer, perhaps with a wrong time in it, stops nobody for longer."""

RATE_PAUSE_S: Final = (5.0, 10.0, 15.0)
"""Pause of all callers after the first, second, later rate-limit answers: calling on prolongs the ban."""

BACKOFF: Final = wait_exponential_jitter(exp_base=2.0, jitter=1.0, max=30.0)


def retrying(sleep: Callable[[float], None], may_repeat: Callable[[], bool]) -> Retrying:
    """Return what calls again: after transient errors, never after permanent ones; the last error rises.

    :param sleep: waits so many seconds between attempts
    :param may_repeat: asked once before each attempt after the first, when nothing else speaks against it
    """
    is_late = stop_before_delay(TOTAL_S)
    return Retrying(
        retry=retry_if_exception(_is_worth_another_try),
        # In this order: may_repeat, which may count calls, is asked only about a call that will be made.
        stop=lambda state: is_late(state) or _is_last(state) or not may_repeat(),
        # None after a rate-limit answer, for which the shared slot has been moved.
        wait=lambda state: 0.0 if isinstance(_failure(state), KrakenRateLimitError) else BACKOFF(state),
        sleep=sleep,
        before_sleep=_log,
        reraise=True,
    )


def pause_for_all_s(error: KrakenRateLimitError, attempt: int) -> float:
    """Return how long nobody shall call after a rate-limit answer, in seconds.

    :param error: the answer
    :param attempt: which attempt of this call it was, from 1
    """
    own_s = RATE_PAUSE_S[min(attempt, len(RATE_PAUSE_S)) - 1]
    return min(max(error.retry_after_s, own_s), MAX_PUSH_S)


def _failure(state: RetryCallState) -> BaseException | None:
    """Return the error that the latest attempt ended with."""
    return state.outcome.exception() if state.outcome is not None else None


def _is_worth_another_try(error: BaseException) -> bool:
    if isinstance(error, KrakenRateLimitError):
        return error.retry_after_s <= MAX_PAUSE_S
    # Who waited for the call slot in vain has waited long enough.
    return isinstance(error, KrakenTransientError) and not isinstance(error, RateLimitLockError)


def _is_last(state: RetryCallState) -> bool:
    is_unknown = isinstance(_failure(state), KrakenUnexpectedReplyError)
    return state.attempt_number >= (UNKNOWN_ATTEMPTS if is_unknown else ATTEMPTS)


def _log(state: RetryCallState) -> None:
    # A record that held the error would hold the whole answer.
    log.warning("attempt %d failed, retrying: %s", state.attempt_number, str(_failure(state)))
