"""Steer the exchange simulator from tests and the demo: its clock, its faults, its market, its call log."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT_S = 60
SIMULATED_SKEW_S = 10 * 366 * 86_400
"""How far a simulated exchange, which lives at a time of its own, may be from the worker's clock, seconds."""


class ExchangeAdminError(RuntimeError):
    """The simulator refused an order; the message is its own."""


class ExchangeAdmin:
    """Client of the simulator's admin API.

    :param url: base URL of the simulator, also what a Kraken connection points at
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()

    def close(self) -> None:
        """Close the connection to the simulator."""
        self._session.close()

    def now_s(self) -> float:
        """Return the exchange's time, epoch seconds."""
        moment: float = self._send("GET", "clock")["now_s"]
        return moment

    def set_clock(self, now: str | float, *, running: bool | None = None) -> None:
        """Move the clock.

        :param now: ISO text with an offset, or epoch seconds
        :param running: whether it moves on by itself from there; None keeps it as it is
        """
        self._send("POST", "clock", {"now": now} if running is None else {"now": now, "running": running})

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or back, when negative)."""
        self._send("POST", "clock", {"advance_s": seconds})

    def run_clock(self, *, running: bool) -> None:
        """Let the clock run from where it is, or stop it there."""
        self._send("POST", "clock", {"running": running})

    def calls(self, endpoint: str | None = None, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the public calls received, oldest first.

        :param endpoint: only calls of this method, ``OHLC``; None for all
        :param after: only calls with a greater number ``n``
        """
        calls = self._send("GET", f"calls?after={after}")["calls"]
        return [call for call in calls if endpoint in (None, call["endpoint"])]

    def clear_calls(self) -> None:
        """Forget the calls received."""
        self._send("DELETE", "calls")

    def fault(self, kind: str, **fields: Any) -> int:
        """Script a fault and return its id.

        :param kind: latency, http, truncated, not_json, error, rate_limit, drop, maintenance, restated, rows,
            omit_flat, bad_row, flat, id_jump, id_reset (ids begin anew at ts), six_fields, repeat_border (a
            page begins with the trade before its cursor), stale (one bucket behind, or as it was at), huge (a
            little gzip becomes mib megabytes), foreign_pair (rows of pair), foreign_interval (rows of served
            minutes), only_pairs (AssetPairs lists pairs and no other), time (moved by offset_s, or standing
            still at), altered (in the result, value is put at path, or what is there taken out; ``*`` in a
            path is every list below an object, every element of a list: ``["*", "*", 8]`` is a ninth field
            of each row)
        :param fields: endpoint, ticker, skip, count, and what the kind needs
        :raises ExchangeAdminError: if a field is missing or unknown
        """
        number: int = self._send("POST", "faults", {"kind": kind, **fields})["id"]
        return number

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults scripted, with what is left of them."""
        faults: list[dict[str, Any]] = self._send("GET", "faults")["faults"]
        return faults

    def clear_faults(self, number: int | None = None) -> None:
        """Take back one fault, or all of them."""
        self._send("DELETE", "faults" if number is None else f"faults/{number}")

    def quiet(self, ticker: str, start_s: float, end_s: float) -> None:
        """Take the trades of ``[start_s, end_s)`` out of a pair's history; ids close up.

        :param ticker: altname
        :param start_s: epoch seconds
        :param end_s: epoch seconds
        """
        self._send("POST", "quiet", {"ticker": ticker, "from": start_s, "to": end_s})

    def clear_quiet(self) -> None:
        """Bring all trades taken out back."""
        self._send("DELETE", "quiet")

    def set_pair(self, ticker: str, status: str) -> None:
        """Give a pair another status: online, cancel_only, post_only, limit_only, reduce_only, delisted ...

        A delisted pair stays in AssetPairs, while its candles and trades are no longer served; ``vanished``,
        no status of Kraken's, takes it out of AssetPairs, too.
        """
        self._send("POST", "pairs", {"ticker": ticker, "status": status})

    def pairs(self) -> list[dict[str, Any]]:
        """Return all pairs with ticker, internal_name, listed_s, status, trades_per_hour and quiet_share."""
        pairs: list[dict[str, Any]] = self._send("GET", "pairs")["pairs"]
        return pairs

    def synthetic(self, count: int) -> list[str]:
        """List so many more small pairs and return their tickers."""
        tickers: list[str] = self._send("POST", "synthetic", {"count": count})["tickers"]
        return tickers

    def candles(self, ticker: str, interval: int, start_s: int, end_s: int) -> list[list[Any]]:
        """Return the true closed candles with an open time in ``[start_s, end_s)``, traded buckets only.

        :param ticker: altname, delisted ones included
        :param interval: minutes
        :return: rows ``[ts, open, high, low, close, vwap, volume, count]``, numbers as Kraken writes them
        """
        path = f"candles?ticker={ticker}&interval={interval}&from={start_s}&to={end_s}"
        rows: list[list[Any]] = self._send("GET", path)["rows"]
        return rows

    @property
    def archive_url(self) -> str:
        """Return the address of the simulated OHLCVT archive, also what its connection points at."""
        return f"{self.url}/archive"

    def archive(self, **orders: Any) -> None:
        """Say how the releases of the archive are made and served; what is not given has its default.

        :param orders: tickers, intervals, layout (flat, foldered), naming (year_first, quarter_first),
            lag_days, part_bytes (of a full release; None: published whole), defects; ranges (False: the
            server ignores Range), sums (False: no checksums are published), cut_after (bytes) and cuts
            (answers that break off there), wrong_range, wrong_sum, lost_part (number of one that the list
            names in vain), etag (strong, weak, or mirrors: another one with each answer), broken (names of
            zips that are only half there)
        :raises ExchangeAdminError: if an order is unknown
        """
        self._send("POST", "archive", orders)

    def archive_requests(self) -> list[dict[str, Any]]:
        """Return the requests for archive files since the last order: name, range, method."""
        requests_made: list[dict[str, Any]] = self._send("GET", "archive")["requests"]
        return requests_made

    def reset(self, *, clock: str | float | None = None) -> None:
        """Bring the simulator back to how it was started: clock, faults, market, calls, rate limits.

        :param clock: another moment for the clock, ISO text with an offset or epoch seconds
        """
        self._send("POST", "reset")
        if clock is not None:
            self.set_clock(clock)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._session.request(method, f"{self.url}/admin/{path}", json=body, timeout=TIMEOUT_S)
        if not response.ok:
            reason = (
                response.json()["error"]
                if response.status_code == requests.codes.bad_request
                else response.text
            )
            msg = f"{method} {path}: {reason}"
            raise ExchangeAdminError(msg)
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer
