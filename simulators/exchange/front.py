"""The HTTP side of the public API: headers, limits, faults, and the record of calls."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

from simulators.exchange import wire
from simulators.exchange.answers import UNKNOWN_METHOD, RefusedError, system_status
from simulators.exchange.calls import CallLog
from simulators.exchange.faults import ANSWER_KINDS, CONTENT_KINDS, Fault, FaultScript
from simulators.exchange.limiter import TOO_MANY
from simulators.web_server import cut_connection

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from simulators.exchange.answers import Exchange
    from simulators.exchange.calls import Call
    from simulators.exchange.limiter import RateLimiter

PER_PAIR = frozenset({"OHLC", "Trades"})
RATE_LIMIT_ERROR = "EAPI:Rate limit exceeded"
UNAVAILABLE = "EService:Unavailable"
POLL_S = 0.05


class CutResponse(Response):
    """No answer, or the beginning of one, and then a dead connection.

    :param body: the whole answer; half of it is sent
    :param is_partial: whether anything is sent at all
    """

    def __init__(self, body: bytes, *, is_partial: bool) -> None:
        super().__init__(body, media_type="application/json")
        self._is_partial = is_partial

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is to be sent and cut the connection."""
        if self._is_partial:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            half = bytes(self.body)[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await asyncio.sleep(0.05)  # lets the half reach the client before the reset overtakes it
        await cut_connection(scope, receive)


class Front:
    """Answers public calls over HTTP.

    :param exchange: where answers come from
    :param limiter: who may call how often
    """

    def __init__(self, exchange: Exchange, limiter: RateLimiter) -> None:
        self.exchange = exchange
        self.limiter = limiter
        self.faults = FaultScript()
        self.calls = CallLog()

    async def public(self, request: Request) -> Response:
        """Answer one call under ``/0/public/``."""
        endpoint: str = request.path_params["endpoint"]
        query = request.query_params
        ticker = self.exchange.ticker_of(query.get("pair", "")) if endpoint in PER_PAIR else None
        interval_text = query.get("interval", "1") if endpoint == "OHLC" else ""
        interval = int(interval_text) if interval_text.isdecimal() else None
        call = self.calls.open(endpoint, ticker or None, interval)
        try:
            response = await self._respond(request, call)
        finally:
            call.done_at = time.time()
        return response

    async def _respond(self, request: Request, call: Call) -> Response:
        if not request.headers.get("user-agent"):
            return _html(call, HTTPStatus.FORBIDDEN)
        address = request.client.host if request.client else ""
        if not self.limiter.admits(address, call.ticker if call.endpoint in PER_PAIR else None):
            return _refused(call, TOO_MANY)
        faults = self.faults.take(call.endpoint, call.ticker, call.interval)
        for fault in faults:
            if fault.kind == "latency":
                await self._delay(fault)
        broken = next((fault for fault in faults if fault.kind in ANSWER_KINDS), None)
        answer = self._broken(call, broken) if broken else None
        if answer is not None:
            return answer
        try:
            content_faults = [fault for fault in faults if fault.kind in CONTENT_KINDS]
            body, errors = self.exchange.answer(call.endpoint, request.query_params, content_faults)
        except RefusedError as refusal:
            is_unknown = str(refusal) == UNKNOWN_METHOD
            return _refused(call, str(refusal), status=HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.OK)
        call.errors = list(errors)
        return _delivered(call, body, broken)

    async def _delay(self, fault: Fault) -> None:
        """Wait as long as a fault says, or until it is taken back."""
        until = time.monotonic() + float(fault.extras["seconds"])
        while (left_s := until - time.monotonic()) > 0 and self.faults.holds(fault):
            await asyncio.sleep(min(left_s, POLL_S))

    def _broken(self, call: Call, fault: Fault) -> Response | None:
        """Return the answer a fault puts in the place of the true one; None if it needs the true one."""
        extras = fault.extras
        answer: Response | None = None
        match fault.kind:
            case "http":
                answer = _html(call, int(extras["status"]), extras.get("html"), extras.get("retry_after_s"))
            case "not_json":
                answer = _json(call, b"upstream connect error or disconnect/reset before headers")
            case "rate_limit":
                answer = _refused(call, extras.get("error", RATE_LIMIT_ERROR))
            case "error" if not str(extras["error"]).startswith("W"):
                answer = _refused(call, str(extras["error"]), result=extras.get("result", "absent"))
            case "maintenance" if call.endpoint == "SystemStatus":
                status = system_status(self.exchange.clock.now_ns(), "maintenance")
                answer = _json(call, wire.envelope(status))
            case "maintenance":
                answer = _refused(call, UNAVAILABLE)
            case "huge":
                answer = _huge(call, int(extras["mib"]))
            case "drop" if not extras.get("partial"):
                answer = CutResponse(b"", is_partial=False)
        return answer


def _delivered(call: Call, body: bytes, fault: Fault | None) -> Response:
    """Return the true answer, as whole as the fault leaves it."""
    match fault.kind if fault else None:
        case "truncated":
            return _json(call, body[: len(body) // 2])
        case "drop":
            return CutResponse(body, is_partial=True)
        case "error" if fault:
            call.errors = [str(fault.extras["error"])]
            warned = json.dumps({"error": call.errors})[:-1].encode()
            return _json(call, warned + b"," + body.split(b",", 1)[1])
        case _:
            return _json(call, body)


def _huge(call: Call, mib: int) -> Response:
    """Return a few bytes of gzip that become so many megabytes."""
    body = gzip.compress(b'{"error":[],"result":"' + b" " * (mib << 20) + b'"}')
    call.status = int(HTTPStatus.OK)
    return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})


def _json(call: Call, body: bytes, status: int = HTTPStatus.OK) -> Response:
    call.status = int(status)
    return Response(body, status_code=int(status), media_type="application/json")


def _refused(call: Call, error: str, *, result: str = "absent", status: int = HTTPStatus.OK) -> Response:
    call.errors = [error]
    body = wire.refusal(error)
    if result != "absent":
        body = body[:-1] + (b',"result":{}}' if result == "empty" else b',"result":null}')
    return _json(call, body, status)


def _html(call: Call, status: int, html: str | None = None, retry_after_s: int | None = None) -> Response:
    call.status = int(status)
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Web server is returning an unknown error"
    page = wire.html_page(int(status), title) if html is None else html.encode()
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Response(page, status_code=int(status), media_type="text/html", headers=headers)
