"""A small exchange with invented trades of many pairs, whose clock moves on by a second per call.

Run as ``python -m bench.tools.trades_exchange TICKER=TRADES_A_DAY ...``. Trades come in bursts; each follows
from its number alone, so that nothing has to be kept. ``/advance?s=N`` moves the clock on, ``/calls`` counts.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

DAY_NS: Final = 86_400 * 10**9
BEGINS_S: Final = 1_795_399_200
"""2026-11-23T02:00:00: what the clock says before the first call."""

EPOCH_NS: Final = (BEGINS_S - 3600) * 10**9
"""When every pair first traded: shortly before, so that pairs become known with few calls."""

BURST: Final = 3
"""Trades that follow each other within milliseconds."""

PAGE: Final = 1000


class Market:
    """What the exchange knows.

    :param a_day: trades per day by ticker
    :ivar calls: calls answered so far
    :ivar now_s: its clock, epoch seconds UTC
    """

    def __init__(self, a_day: dict[str, int]) -> None:
        self.a_day = a_day
        self.calls = 0
        self.now_s = BEGINS_S

    def answer(self, endpoint: str, query: dict[str, str]) -> Any:
        """Return ``result`` of a call, and let a second pass."""
        self.calls += 1
        self.now_s += 1
        if endpoint == "Time":
            return {"unixtime": self.now_s}
        if endpoint == "SystemStatus":
            return {"status": "online"}
        if endpoint == "AssetPairs":
            return {ticker: {"altname": ticker, "base": ticker[:-3], "quote": "USD"} for ticker in self.a_day}
        return self._trades(query["pair"], int(query["since"]))

    def _trades(self, ticker: str, since_ns: int) -> dict[str, Any]:
        a_day, now_ns = self.a_day[ticker], self.now_s * 10**9
        seed = crc32(ticker.encode())
        number = max(1, (since_ns - EPOCH_NS) * a_day // DAY_NS - 2 * BURST)
        while _time_ns(number, a_day, seed) <= since_ns:
            number += 1
        rows: list[list[Any]] = []
        last_ns = since_ns
        while len(rows) < PAGE and (time_ns := _time_ns(number, a_day, seed)) < now_ns:
            price, volume = 100 + number * 7919 % 1000 / 10, 1 + number * 104_729 % 10_000
            moment = time_ns / 10**9
            rows.append([f"{price:.5f}", f"{volume / 1e4:.8f}", moment, "b", "l", "", number])
            last_ns = time_ns
            number += 1
        return {ticker: rows, "last": str(last_ns)}


def _time_ns(number: int, a_day: int, seed: int) -> int:
    """Return when a trade took place, in ascending order of the numbers; of each pair at other times."""
    burst, within = divmod(number, BURST)
    room_ns = BURST * DAY_NS // a_day
    mixed = (burst * 2_654_435_761 ^ seed) % 2**32
    mixed = (mixed ^ mixed >> 15) * 0x2C1B3C6D % 2**32
    jitter = mixed ^ mixed >> 12
    time_ns = EPOCH_NS + burst * room_ns + jitter * room_ns // 2**32 * 9 // 10 + within * 1_000_000
    return time_ns // 1000 * 1000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    market: Market

    def do_GET(self) -> None:
        """Answer one call."""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        content: Any
        if address.path == "/advance":
            self.market.now_s += int(query["s"])
            content = self.market.now_s
        elif address.path == "/calls":
            content = self.market.calls
        else:
            content = {"error": [], "result": self.market.answer(address.path.rsplit("/", 1)[1], query)}
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main(pairs: list[str]) -> None:
    """Serve until killed.

    :param pairs: ``TICKER=TRADES_A_DAY``
    """
    _Handler.market = Market({
        ticker: int(a_day) for ticker, _, a_day in (one.partition("=") for one in pairs)
    })
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(f"exchange listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
