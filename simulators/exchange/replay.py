"""Answer from recorded replies of the real exchange instead of inventing a market."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from simulators.exchange import wire
from simulators.exchange.answers import (
    BAD_ARGUMENTS,
    UNKNOWN_METHOD,
    UNKNOWN_PAIR,
    Answer,
    RefusedError,
    cursor_ns,
    server_time,
    system_status,
    whole_number,
)
from simulators.exchange.catalogue import INTERNAL_NAMES
from simulators.exchange.clock import NS_PER_S, Clock
from simulators.exchange.recording import PER_PAIR, RecordingError, Reply, page_cursor_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.exchange.faults import Fault

_ALTNAMES = {internal: altname for altname, internal in INTERNAL_NAMES.items()}


class ReplayedExchange:
    """Answers public calls with recorded bodies, byte for byte; its clock stands still.

    :param replies: the recording, at least one reply
    :raises RecordingError: if nothing in it tells the time
    """

    def __init__(self, replies: list[Reply]) -> None:
        self._replies: dict[str, list[Reply]] = defaultdict(list)
        for reply in replies:
            self._replies[reply.endpoint].append(reply)
        self._recorded_pairs: dict[str, dict[str, Any]] = {}
        for reply in self._replies["AssetPairs"]:
            self._recorded_pairs |= reply.result
        self._ticker_by_name = self._names()
        self.clock = Clock(self._clock_ns(replies), is_running=False)
        self._candles = {
            (self.ticker_of(self._name(reply)), reply.interval): reply
            for reply in _oldest_first(self._replies["OHLC"])
        }
        self._pages: dict[str, list[Reply]] = defaultdict(list)
        for reply in sorted(self._replies["Trades"], key=page_cursor_ns):
            self._pages[self.ticker_of(self._name(reply))].append(reply)

    def answer(self, endpoint: str, query: Mapping[str, str], _: list[Fault]) -> Answer:
        """Return the recorded answer to a call.

        :param endpoint: method name, ``OHLC``
        :param query: the call's parameters
        :raises RefusedError: with Kraken's error string, for a pair or an interval that was not recorded
        """
        match endpoint:
            case "OHLC":
                return self._ohlc(query)
            case "Trades":
                return self._trades(query)
            case "AssetPairs":
                return self._asset_pairs(query)
            case "SystemStatus" | "Time" if self._replies[endpoint]:
                return _as_recorded(self._told_by(endpoint))
            case "SystemStatus":
                return Answer(wire.envelope(system_status(self.clock.now_ns(), "online")))
            case "Time":
                return Answer(wire.envelope(server_time(self.clock.now_ns())))
            case _:
                raise RefusedError(UNKNOWN_METHOD)

    def ticker_of(self, name: str) -> str:
        """Return the altname for a name in a request or in the index, or the name itself."""
        return self._ticker_by_name.get(name, name)

    def _ohlc(self, query: Mapping[str, str]) -> Answer:
        ticker = self._known_ticker(query)
        reply = self._candles.get((ticker, whole_number(query, "interval", 1)))
        if reply is None:
            raise RefusedError(BAD_ARGUMENTS)
        return _as_recorded(reply)

    def _trades(self, query: Mapping[str, str]) -> Answer:
        pages = self._pages.get(self._known_ticker(query))
        if not pages:
            raise RefusedError(BAD_ARGUMENTS)
        since = whole_number(query, "since", None)
        if since is None:
            return _as_recorded(pages[-1])
        since_ns = cursor_ns(since)
        page = next((page for page in pages if page_cursor_ns(page) > since_ns), None)
        if page is None and pages[-1].result_key:
            return Answer(wire.envelope({pages[-1].result_key: [], "last": str(since_ns)}))
        return _as_recorded(page or pages[-1])

    def _asset_pairs(self, query: Mapping[str, str]) -> Answer:
        """Return the recorded list as it is, or what was asked for out of it and of the recorded candles."""
        recorded = self._replies["AssetPairs"]
        pairs = self._recorded_pairs | self._derived_pairs()
        names = query.get("pair")
        if names is not None:
            tickers = {self.ticker_of(name.strip()) for name in names.split(",")}
            pairs = {key: details for key, details in pairs.items() if _altname(key, details) in tickers}
            if len(pairs) < len(tickers):
                raise RefusedError(UNKNOWN_PAIR)
        for reply in recorded:
            if reply.result.keys() == pairs.keys():
                return _as_recorded(reply)
        return Answer(wire.envelope(pairs))

    def _derived_pairs(self) -> dict[str, dict[str, Any]]:
        """Return a minimal entry for each pair with recorded rows that no recorded list has."""
        listed = {_altname(key, details) for key, details in self._recorded_pairs.items()}
        derived = {}
        for endpoint in PER_PAIR:
            for reply in self._replies[endpoint]:
                ticker = self.ticker_of(self._name(reply))
                key = reply.result_key
                if key and ticker not in listed and key not in derived:
                    derived[key] = _minimal_details(ticker, reply)
        return derived

    def _known_ticker(self, query: Mapping[str, str]) -> str:
        ticker = self.ticker_of(query.get("pair", ""))
        if ticker not in self._ticker_by_name.values():
            raise RefusedError(UNKNOWN_PAIR)
        return ticker

    def _names(self) -> dict[str, str]:
        """Return the altname for every name a pair is known by."""
        names = {key: _altname(key, details) for key, details in self._recorded_pairs.items()}
        names |= {str(details.get("wsname")): names[key] for key, details in self._recorded_pairs.items()}
        for endpoint in PER_PAIR:
            for reply in self._replies[endpoint]:
                name = self._name(reply)
                altname = names.get(name) or _ALTNAMES.get(name, name)
                names |= {name: altname, reply.result_key or name: altname}
        return names | {altname: altname for altname in names.values()}

    def _name(self, reply: Reply) -> str:
        return reply.ticker or reply.result_key or ""

    def _told_by(self, endpoint: str) -> Reply:
        """Return the recorded reply of an endpoint that has no parameters: the newest one."""
        return _oldest_first(self._replies[endpoint])[-1]

    def _clock_ns(self, replies: list[Reply]) -> int:
        if self._replies["Time"]:
            unixtime = self._told_by("Time").result.get("unixtime")
            if not isinstance(unixtime, int):
                msg = "The recorded Time reply has no whole number 'unixtime'."
                raise RecordingError(msg)
            return unixtime * NS_PER_S
        moments = [reply.recorded_ns for reply in replies if reply.recorded_ns is not None]
        if not moments:
            msg = "The recording has neither a Time reply nor a 'recorded_at', so the time is unknown."
            raise RecordingError(msg)
        return max(moments)


def _as_recorded(reply: Reply) -> Answer:
    return Answer(reply.body, tuple(reply.errors))


def _oldest_first(replies: list[Reply]) -> list[Reply]:
    return sorted(replies, key=lambda reply: reply.recorded_ns or 0)


def _altname(key: str, details: dict[str, Any]) -> str:
    return str(details.get("altname", key))


def _minimal_details(ticker: str, reply: Reply) -> dict[str, Any]:
    """Return what a recorded reply tells about its pair, as AssetPairs would."""
    shown = str(reply.rows[0][1]) if reply.endpoint == "OHLC" and reply.rows else ""
    decimals = len(shown.partition(".")[2]) or wire.TRADE_PRICE_DIGITS
    return {
        "altname": ticker,
        "pair_decimals": decimals,
        "lot_decimals": wire.VOLUME_DIGITS,
        "tick_size": wire.fixed(1, decimals),
        "status": "online",
    }
