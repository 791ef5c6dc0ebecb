"""The record of every public call, so that tests can count calls and measure their spacing."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Call:
    """One call as it arrived and how it was answered.

    :ivar n: running number from 1
    :ivar at: arrival, epoch seconds of the real clock
    :ivar done_at: answer handed over, or connection cut; 0 while it is under way
    :ivar endpoint: method name
    :ivar ticker: altname asked for, the raw name when unknown, None when the call names no single pair
    :ivar interval: minutes, OHLC only
    :ivar status: HTTP status, 0 for a cut connection or while it is under way
    :ivar errors: the answer's error list
    """

    n: int
    at: float
    done_at: float
    endpoint: str
    ticker: str | None
    interval: int | None
    status: int = 0
    errors: list[str] = field(default_factory=list)


class CallLog:
    """All calls since the last clearing; the numbers go on after it."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._last_number = 0

    def open(self, endpoint: str, ticker: str | None, interval: int | None) -> Call:
        """Record that a call has arrived."""
        self._last_number += 1
        call = Call(self._last_number, time.time(), 0.0, endpoint, ticker, interval)
        self._calls.append(call)
        return call

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the calls with a greater number, oldest first."""
        return [asdict(call) for call in self._calls if call.n > number]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
