"""The admin API of the simulator: clock, calls, faults, and what the market really did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.exchange import ohlc
from simulators.exchange.clock import NS_PER_S, moment_ns
from simulators.exchange.faults import CONTENT_KINDS
from simulators.exchange.public import SimulatedExchange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from simulators.exchange.front import Front
    from simulators.exchange.market import Market

    Handler = Callable[[Request], Awaitable[Response]]

MOST_SYNTHETIC = 9_999


class Admin:
    """Handlers of the admin API.

    :param front: the HTTP side of the exchange that is steered
    :param also_reset: resets what else the process serves
    """

    def __init__(self, front: Front, *, also_reset: Callable[[], None] = lambda: None) -> None:
        self._front, self._also_reset = front, also_reset

    def routes(self) -> list[Route]:
        """Return the admin routes."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "clock", self._get_clock),
            ("POST", "clock", self._set_clock),
            ("GET", "calls", self._get_calls),
            ("DELETE", "calls", self._clear_calls),
            ("GET", "faults", self._get_faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("DELETE", "faults/{number:int}", self._remove_fault),
            ("POST", "quiet", self._add_quiet),
            ("DELETE", "quiet", self._clear_quiet),
            ("GET", "pairs", self._get_pairs),
            ("POST", "pairs", self._set_pair),
            ("POST", "synthetic", self._add_synthetic),
            ("GET", "candles", self._get_candles),
            ("POST", "reset", self._reset),
        ]
        return [
            Route(f"/admin/{path}", _refusing(handler), methods=[method]) for method, path, handler in table
        ]

    async def _get_clock(self, _: Request) -> Response:
        clock = self._front.exchange.clock
        return JSONResponse({"now_s": clock.now_ns() / NS_PER_S, "running": clock.is_running})

    async def _set_clock(self, request: Request) -> Response:
        order = await _order(request, optional={"now", "running", "advance_s"})
        self._market()  # a replayed clock stands still
        now, running, advance_s = order.get("now"), order.get("running"), order.get("advance_s", 0)
        if running is not None and not isinstance(running, bool):
            msg = f"running must be true or false, not {running!r}"
            raise ValueError(msg)
        clock = self._front.exchange.clock
        clock.set(
            now_ns=None if now is None else moment_ns(now),
            is_running=running,
            advance_ns=moment_ns(float(advance_s)),
        )
        return await self._get_clock(request)

    async def _get_calls(self, request: Request) -> Response:
        return JSONResponse({"calls": self._front.calls.after(int(request.query_params.get("after", 0)))})

    async def _clear_calls(self, _: Request) -> Response:
        self._front.calls.clear()
        return _done()

    async def _get_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": self._front.faults.describe()})

    async def _add_fault(self, request: Request) -> Response:
        order = await _order(request, required={"kind"}, others=True)
        if order["kind"] in CONTENT_KINDS:
            self._market()  # recorded bodies are served as they are, or not at all
        return JSONResponse({"id": self._front.faults.add(order)})

    async def _clear_faults(self, _: Request) -> Response:
        self._front.faults.clear()
        return _done()

    async def _remove_fault(self, request: Request) -> Response:
        self._front.faults.remove(request.path_params["number"])
        return _done()

    async def _add_quiet(self, request: Request) -> Response:
        order = await _order(request, required={"ticker", "from", "to"})
        start_ns, end_ns = moment_ns(order["from"]), moment_ns(order["to"])
        if start_ns >= end_ns:
            msg = f"from {order['from']} is not before to {order['to']}"
            raise ValueError(msg)
        self._market().tape(order["ticker"]).silence(start_ns, end_ns)
        return _done()

    async def _clear_quiet(self, _: Request) -> Response:
        self._market().restore_quiet()
        return _done()

    async def _get_pairs(self, _: Request) -> Response:
        market = self._market()
        pairs = [
            {
                "ticker": pair.ticker,
                "internal_name": pair.internal_name,
                "listed_s": pair.listed_s,
                "status": market.status(pair.ticker),
                "trades_per_hour": pair.trades_per_hour,
                "quiet_share": round(pair.quiet_share, 4),
            }
            for pair in market.pairs.values()
        ]
        return JSONResponse({"pairs": pairs})

    async def _set_pair(self, request: Request) -> Response:
        order = await _order(request, required={"ticker", "status"})
        self._market().set_status(order["ticker"], order["status"])
        return _done()

    async def _add_synthetic(self, request: Request) -> Response:
        order = await _order(request, required={"count"})
        count = int(order["count"])
        if not 1 <= count <= MOST_SYNTHETIC:
            msg = f"count {count} is not in 1..{MOST_SYNTHETIC}"
            raise ValueError(msg)
        return JSONResponse({"tickers": self._market().add_synthetic(count)})

    async def _get_candles(self, request: Request) -> Response:
        market = self._market()
        query = request.query_params
        interval = int(query.get("interval", 0))
        if interval not in ohlc.INTERVALS:
            msg = f"interval {interval} is none of Kraken's"
            raise ValueError(msg)
        tape = market.tape(query.get("ticker", ""))
        now_ns = market.clock.now_ns()
        start_s = int(query.get("from", 0))
        end_s = int(query.get("to", now_ns // NS_PER_S))
        return JSONResponse({"rows": ohlc.closed_rows(tape, interval, start_s, end_s, now_ns)})

    async def _reset(self, _: Request) -> Response:
        self._front.faults.clear()
        self._front.calls.clear()
        self._front.limiter.forget()
        self._front.exchange.clock.reset()
        self._also_reset()
        if isinstance(self._front.exchange, SimulatedExchange):
            self._market().reset()
        return _done()

    def _market(self) -> Market:
        if not isinstance(self._front.exchange, SimulatedExchange):
            msg = (
                "a replayed exchange has no market: its clock stands still and its trades are those recorded"
            )
            raise ValueError(msg)
        return self._front.exchange.market


def _refusing(handler: Handler) -> Handler:
    """Turn a senseless order into a 400 that says what was wrong."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return wrapped


async def _order(
    request: Request,
    *,
    required: frozenset[str] | set[str] = frozenset(),
    optional: frozenset[str] | set[str] = frozenset(),
    others: bool = False,
) -> dict[str, Any]:
    """Return the JSON object of a request.

    :raises ValueError: if it is none, has an unknown field or not all required ones
    """
    order = json.loads(await request.body() or b"{}")
    if not isinstance(order, dict):
        msg = "the body must be a JSON object"
        raise ValueError(msg)
    missing = sorted(required - order.keys())
    unknown = [] if others else sorted(order.keys() - required - optional)
    if missing or unknown:
        msg = f"missing fields {missing}, unknown fields {unknown}"
        raise ValueError(msg)
    return order


def _done() -> Response:
    return Response(status_code=204)
