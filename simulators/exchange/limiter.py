"""Kraken's rate limit of public calls: a short burst, then about one call a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

TOO_MANY = "EGeneral:Too many requests"
BURST_CALLS = 16
CALLS_PER_S = 1.0
# A client that goes on while refused digs itself in, at most so many calls deep.
DEEPEST_DEBT = -5.0


@dataclass(slots=True)
class _Allowance:
    calls: float
    at_s: float


class RateLimiter:
    """Allowances of all callers: OHLC and Trades by address and pair, everything else by address.

    Real time counts here, not the exchange's clock: the limit is about traffic.

    :param is_on: whether anything is ever refused
    Rule: measured on the real exchange: 16 of 16 rapid calls passed; one call a second is always safe.
    """

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self._allowances: dict[tuple[str, str | None], _Allowance] = {}

    def admits(self, address: str, pair: str | None) -> bool:
        """Count a call and return whether it may pass.

        :param address: the caller's IP address
        :param pair: the pair asked for; None for calls limited by address alone
        """
        if not self.is_on:
            return True
        now_s = time.monotonic()
        allowance = self._allowances.setdefault((address, pair), _Allowance(BURST_CALLS, now_s))
        refilled = allowance.calls + (now_s - allowance.at_s) * CALLS_PER_S
        allowance.calls = max(min(refilled, BURST_CALLS) - 1, DEEPEST_DEBT)
        allowance.at_s = now_s
        return allowance.calls >= 0

    def forget(self) -> None:
        """Give every caller a full allowance again."""
        self._allowances.clear()
