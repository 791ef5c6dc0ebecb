"""The public REST methods of the simulated exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulators.exchange import ohlc, wire
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
from simulators.exchange.generator import NS_PER_S, joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.exchange.catalogue import Pair
    from simulators.exchange.faults import Fault
    from simulators.exchange.generator import Trades
    from simulators.exchange.market import Market
    from simulators.exchange.tape import Tape

PAGE_LIMIT = 1_000
_INFO_FIELDS = {
    "leverage": ("leverage_buy", "leverage_sell"),
    "fees": ("fees", "fees_maker", "fee_volume_currency"),
    "margin": ("margin_call", "margin_stop"),
}
# Fields of an AssetPairs entry in Kraken's order; what differs between pairs is filled in.
_DETAILS: dict[str, Any] = {
    "altname": "",
    "wsname": "",
    "aclass_base": "currency",
    "base": "",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "lot": "unit",
    "cost_decimals": 5,
    "pair_decimals": 0,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [2, 3],
    "leverage_sell": [2, 3],
    "fees": [[0, 0.4], [10000, 0.35], [50000, 0.24]],
    "fees_maker": [[0, 0.25], [10000, 0.2], [50000, 0.14]],
    "fee_volume_currency": "ZUSD",
    "margin_call": 80,
    "margin_stop": 40,
    "ordermin": "0",
    "costmin": "0.5",
    "tick_size": "0",
    "status": "online",
    "long_position_limit": 80,
    "short_position_limit": 80,
}


class SimulatedExchange:
    """Answers public calls from a market.

    :param market: the pairs and their trades
    :param since_is_inclusive: whether OHLC serves the row that opens exactly at ``since``
    """

    def __init__(self, market: Market, *, since_is_inclusive: bool = True) -> None:
        self.market = market
        self.clock = market.clock
        self._since_is_inclusive = since_is_inclusive
        self._methods = {
            "OHLC": self._ohlc,
            "Trades": self._trades,
            "AssetPairs": self._asset_pairs,
            "Assets": self._assets,
            "SystemStatus": self._system_status,
            "Time": self._time,
            "MaintenanceSchedule": self._maintenance_schedule,
        }

    def answer(self, endpoint: str, query: Mapping[str, str], faults: list[Fault]) -> Answer:
        """Return the answer to a call.

        :param endpoint: method name, ``OHLC``
        :param query: the call's parameters
        :param faults: content faults that hit this call
        :raises RefusedError: with Kraken's error string
        """
        method = self._methods.get(endpoint)
        if method is None:
            raise RefusedError(UNKNOWN_METHOD)
        body = method(query, faults)
        for fault in faults:
            if fault.kind == "altered":
                body = wire.altered(body, fault.extras["path"], fault.extras)
        return Answer(body)

    def ticker_of(self, name: str) -> str:
        """Return the altname for a name in a request, or the name itself when no pair has it."""
        try:
            return self.market.find(name).pair.ticker
        except RefusedError:
            return name

    def _ohlc(self, query: Mapping[str, str], faults: list[Fault]) -> bytes:
        interval = whole_number(query, "interval", 1)
        if interval not in ohlc.INTERVALS:
            raise RefusedError(f"{BAD_ARGUMENTS}:interval")
        tape = self._tape(query, faults)
        since_s = whole_number(query, "since", None)
        if since_s is not None and not self._since_is_inclusive:
            since_s += 1
        served = next(
            (int(one.extras["served"]) for one in faults if one.kind == "foreign_interval"), interval
        )
        result = ohlc.answer(tape, served, since_s, self.clock.now_ns(), faults)
        return wire.envelope({_result_key(tape.pair, query): result.pop(tape.pair.internal_name), **result})

    def _trades(self, query: Mapping[str, str], faults: list[Fault]) -> bytes:
        tape = self._tape(query, faults)
        since = whole_number(query, "since", None)
        limit = whole_number(query, "count", PAGE_LIMIT)
        if limit is None or limit < 1:
            raise RefusedError(f"{BAD_ARGUMENTS}:count")
        limit = min(limit, PAGE_LIMIT)
        now_ns = self.clock.now_ns()
        if since is None:
            first_id, page = tape.newest(limit, now_ns)
        else:
            since = cursor_ns(since)
            first_id, page = tape.after(since, limit, now_ns)
            if any(fault.kind == "repeat_border" for fault in faults):
                earlier_id, earlier = tape.newest(1, since)
                page = joined([earlier, page.part(0, limit - 1)])
                first_id = earlier_id
        last_ns = int(page.times_ns[-1]) if len(page) else since or 0
        ids = _ids(page, first_id, tape, faults)
        rows = _trade_rows(page, ids, tape.pair)
        key = _result_key(tape.pair, query)
        return f'{{"error":[],"result":{{"{key}":[{rows}],"last":"{last_ns}"}}}}'.encode()

    def _tape(self, query: Mapping[str, str], faults: list[Fault]) -> Tape:
        """Return the pair asked for, or the one that a fault puts in its place."""
        tape = self.market.find(_pair_name(query))
        foreign = next((str(one.extras["pair"]) for one in faults if one.kind == "foreign_pair"), None)
        return tape if foreign is None else self.market.tape(foreign)

    def _assets(self, _query: Mapping[str, str], _faults: list[Fault]) -> bytes:
        pairs = self.market.public_pairs()
        names = {pair.base_code: pair.base_name for pair in pairs} | {"ZUSD": "USD"}
        return wire.envelope({
            code: {
                "aclass": "currency",
                "altname": name,
                "decimals": 10,
                "display_decimals": 5,
                "status": "enabled",
            }
            for code, name in names.items()
        })

    def _asset_pairs(self, query: Mapping[str, str], faults: list[Fault]) -> bytes:
        info = query.get("info", "info")
        if info not in (*_INFO_FIELDS, "info"):
            raise RefusedError(f"{BAD_ARGUMENTS}:info")
        names = query.get("pair")
        pairs = self.market.public_pairs()
        if names is not None:
            pairs = [self.market.find(name.strip()).pair for name in names.split(",")]
        for fault in faults:
            if fault.kind == "only_pairs":
                pairs = [self.market.tape(ticker).pair for ticker in fault.extras["pairs"]]
        details = {
            _result_key(pair, query): _details(pair, self.market.status(pair.ticker)) for pair in pairs
        }
        if info != "info":
            wanted = _INFO_FIELDS[info]
            details = {name: {key: full[key] for key in wanted} for name, full in details.items()}
        return wire.envelope(details)

    def _system_status(self, _query: Mapping[str, str], _faults: list[Fault]) -> bytes:
        return wire.envelope(system_status(self.clock.now_ns(), "online"))

    def _time(self, _query: Mapping[str, str], faults: list[Fault]) -> bytes:
        now_ns = self.clock.now_ns()
        for fault in faults:
            if fault.kind == "time":
                at_s = fault.extras.get("at")
                now_ns = now_ns if at_s is None else int(at_s) * NS_PER_S
                now_ns += int(fault.extras.get("offset_s", 0)) * NS_PER_S
        return wire.envelope(server_time(now_ns))

    def _maintenance_schedule(self, _query: Mapping[str, str], _faults: list[Fault]) -> bytes:
        return wire.envelope({"events": []})


def _result_key(pair: Pair, query: Mapping[str, str]) -> str:
    """Return the key of a pair in a result: its internal name; with ``assetVersion=1`` the one for people."""
    return pair.display_name if query.get("assetVersion") == "1" else pair.internal_name


def _pair_name(query: Mapping[str, str]) -> str:
    name = query.get("pair")
    if not name:
        raise RefusedError(f"{BAD_ARGUMENTS}:pair")
    if "," in name:
        raise RefusedError(UNKNOWN_PAIR)
    return name


def _ids(page: Trades, first_id: int, tape: Tape, faults: list[Fault]) -> list[int] | None:
    """Return the ids of a page as faults of content leave them; None for rows of six fields."""
    ids = list(range(first_id, first_id + len(page)))
    for fault in faults:
        match fault.kind:
            case "six_fields":
                return None
            case "id_jump":
                half = len(page) // 2
                ids = [number + (3 if nth >= half else 0) for nth, number in enumerate(ids)]
            case "id_reset":
                at_ns = int(fault.extras["ts"]) * NS_PER_S
                begins_id, _ = tape.after(at_ns - 1, 1, at_ns)
                ids = [number - begins_id + 1 if number >= begins_id else number for number in ids]
    return ids


def _trade_rows(page: Trades, ids: list[int] | None, pair: Pair) -> str:
    """Return the rows of a page as JSON text."""
    columns = zip(
        page.prices.tolist(), page.lots.tolist(), page.times_ns.tolist(), page.kinds.tolist(), strict=True
    )
    digits = max(wire.TRADE_PRICE_DIGITS, pair.decimals)
    return ",".join(
        f'["{wire.fixed(price, pair.decimals, digits)}",'
        f'"{wire.fixed(lots, pair.volume_decimals, wire.VOLUME_DIGITS)}",'
        f'{wire.seconds_text(time_ns)},"{"bs"[kind & 1]}","{"ml"[kind >> 1]}",""'
        f"{'' if ids is None else f',{ids[nth]}'}]"
        for nth, (price, lots, time_ns, kind) in enumerate(columns)
    )


def _details(pair: Pair, status: str) -> dict[str, Any]:
    """Return what AssetPairs tells about one pair."""
    tick = wire.fixed(1, pair.decimals)
    return {
        **_DETAILS,
        "altname": pair.ticker,
        "wsname": pair.wsname,
        "base": pair.base_code,
        "pair_decimals": pair.decimals,
        "ordermin": f"{5 / pair.price:.8f}".rstrip("0").rstrip("."),
        "tick_size": tick,
        "status": status,
    }
