"""Talk to the simulated exchange's admin endpoints: clock, faults, quiet ranges, calls seen, the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class TruthCandle:
    """One traded bucket as the exchange knows it.

    :ivar ts_s: open time, epoch seconds UTC
    :ivar open: quote units, as are high, low, close, vwap
    :ivar volume: base units
    :ivar trades: number of trades, >= 1
    """

    ts_s: int
    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: float
    trades: int


class ExchangeAdmin:
    """A client of one simulator process; the methods mirror its admin endpoints."""

    def __init__(self, url: str) -> None:
        """Store the address.

        :param url: base URL, for example ``http://127.0.0.1:8123``
        """
        self.url = url.rstrip("/")
        self._session = requests.Session()

    def now_s(self) -> float:
        """Return the exchange's clock, epoch seconds."""
        return float(self._send("GET", "clock")["now_s"])

    def set_clock(self, now: str | float, *, running: bool | None = None) -> None:
        """Move the clock.

        :param now: ISO 8601 text or epoch seconds
        :param running: whether it goes on from there; ``None`` = as it was
        """
        body: dict[str, Any] = {"now": now}
        if running is not None:
            body["running"] = running
        self._send("POST", "clock", body)

    def advance(self, seconds: float) -> None:
        """Move the clock forward by so many seconds."""
        self._send("POST", "clock", {"advance_s": seconds})

    def calls(self, endpoint: str | None = None, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the calls received, oldest first.

        :param endpoint: only those of one endpoint, for example ``OHLC``
        :param after: only those with a number above it
        """
        calls: list[dict[str, Any]] = self._send("GET", f"calls?after={after}")["calls"]
        return [call for call in calls if endpoint is None or call["endpoint"] == endpoint]

    def clear_calls(self) -> None:
        """Forget the calls received so far."""
        self._send("DELETE", "calls")

    def fault(self, kind: str, **options: Any) -> int:
        """Script a fault and return its number.

        :param kind: for example ``http``, ``latency``, ``restated``
        :param options: as the admin endpoint takes them, for example ``endpoint="OHLC", count=1``
        """
        return int(self._send("POST", "faults", {"kind": kind, **options})["id"])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._send("DELETE", "faults")

    def quiet(self, ticker: str, start_s: float, end_s: float) -> None:
        """Remove a ticker's trades in [start_s, end_s), epoch seconds."""
        self._send("POST", "quiet", {"ticker": ticker, "from": start_s, "to": end_s})

    def set_pair(self, ticker: str, status: str) -> None:
        """Set a pair's status: ``online``, ``cancel_only``, ... or ``delisted``."""
        self._send("POST", "pairs", {"ticker": ticker, "status": status})

    def add_synthetic(self, count: int) -> None:
        """Add so many invented pairs, ``SYN0001USD`` and on."""
        self._send("POST", "synthetic", {"count": count})

    def pairs(self) -> list[dict[str, Any]]:
        """Return what the simulator knows of each pair: ticker, listed_s, status, trades_per_hour, ..."""
        pairs: list[dict[str, Any]] = self._send("GET", "pairs")["pairs"]
        return pairs

    def candles(self, ticker: str, interval_minutes: int, start_s: int, end_s: int) -> list[TruthCandle]:
        """Return the true traded buckets with open time in [start_s, end_s), ascending.

        :param ticker: altname
        :param interval_minutes: candle length, minutes
        :param start_s: epoch seconds, inclusive
        :param end_s: epoch seconds, exclusive
        """
        query = f"candles?ticker={ticker}&interval={interval_minutes}&from={start_s}&to={end_s}"
        rows = self._send("GET", query)["rows"]
        return [
            TruthCandle(int(t), float(o), float(h), float(lo), float(c), float(vw), float(vol), int(n))
            for t, o, h, lo, c, vw, vol, n in rows
        ]

    def reset(self, *, clock: str | float | None = None) -> None:
        """Bring back the state after start: no faults, no quiet ranges, every pair online, no calls.

        :param clock: where to set the clock, standing still; ``None`` = leave it
        """
        self.clear_faults()
        self._send("DELETE", "quiet")
        for pair in self.pairs():
            if pair["status"] != "online":
                self.set_pair(pair["ticker"], "online")
        if clock is not None:
            self.set_clock(clock, running=False)
        self.clear_calls()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._session.request(method, f"{self.url}/admin/{path}", json=body, timeout=TIMEOUT_S)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
