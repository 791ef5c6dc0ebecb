"""Serves releases over HTTP: ranges, ETag, checksums, 404 before publication, and scripted misbehaviour."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.archive.releases import Recipe, build, is_published
from sandbox.exchange.clock import NS_PER_S
from sandbox.web_server import cut_connection

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from sandbox.exchange.market import Market

RANGE = re.compile(r"bytes=(\d*)-(\d*)")
NAME = re.compile(r"Kraken_OHLCVT_(?:(\d{4})Q([1-4])|Q([1-4])_(\d{4}))(?P<sums>_SHA256SUMS\.txt|\.zip)")
SERVING = {"ranges": True, "cut_after": None, "cuts": 0, "wrong_range": False, "wrong_sum": False}


class _Cut(Response):
    """The beginning of an answer, then a dead connection."""

    def __init__(self, body: bytes, sent: int, status_code: int, headers: dict[str, str]) -> None:
        super().__init__(body, status_code, headers)
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[: self._sent], "more_body": True})
        await asyncio.sleep(0.05)  # lets the beginning reach the client before the reset overtakes it
        await cut_connection(scope, receive)


class ArchiveServer:
    """Handlers of the archive and of the orders about it.

    :param market: whose trades the releases hold; its clock decides what is published
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self.reset()

    def reset(self) -> None:
        """Forget orders, requests and releases made."""
        self._recipe = Recipe()
        self._serving: dict[str, Any] = dict(SERVING)
        self._made: dict[tuple[int, int], bytes] = {}
        self._requests: list[dict[str, Any]] = []

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/archive/{name}", self._file, methods=["GET", "HEAD"]),
            Route("/admin/archive", self._order, methods=["POST"]),
            Route("/admin/archive", self._tell, methods=["GET"]),
        ]

    async def _order(self, request: Request) -> Response:
        order = await request.json()
        serving = {name: order.pop(name) for name in SERVING if name in order}
        try:
            for name in ("tickers", "intervals"):
                if order.get(name) is not None:
                    order[name] = tuple(order[name])
            recipe = Recipe(**order)
            for ticker in recipe.tickers or ():
                self._market.tape(ticker)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        self.reset()
        self._recipe = recipe
        self._serving |= serving
        return Response(status_code=204)

    async def _tell(self, request: Request) -> Response:
        del request
        return JSONResponse({"requests": self._requests})

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        asked = request.headers.get("range")
        self._requests.append({"name": name, "range": asked, "method": request.method})
        match = NAME.fullmatch(name)
        if match is None:
            return PlainTextResponse("Not Found", status_code=404)
        year, quarter = int(match[1] or match[4]), int(match[2] or match[3])
        is_zip = match["sums"] == ".zip"
        right_name = self._recipe.file_name(year, quarter)
        now_s = self._market.clock.now_ns() / NS_PER_S
        if not is_published(self._recipe, year, quarter, now_s) or name.removesuffix(match["sums"]) != (
            right_name.removesuffix(".zip")
        ):
            return PlainTextResponse("Not Found", status_code=404)
        content = await run_in_threadpool(self._release, year, quarter)
        if not is_zip:
            digest = hashlib.sha256(b"wrong" if self._serving["wrong_sum"] else content).hexdigest()
            return PlainTextResponse(f"{digest}  {right_name}\n")
        return self._ranged(content, request)

    def _release(self, year: int, quarter: int) -> bytes:
        key = (year, quarter)
        if key not in self._made:
            self._made[key] = build(self._market, self._recipe, year, quarter)
        return self._made[key]

    def _ranged(self, content: bytes, request: Request) -> Response:
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"ETag": etag, "Content-Type": "application/zip"}
        asked = RANGE.fullmatch(request.headers.get("range", ""))
        is_same = request.headers.get("if-range", etag) == etag
        if not self._serving["ranges"] or asked is None or not is_same or not any(asked.groups()):
            return self._sent(content, 200, headers)
        headers["Accept-Ranges"] = "bytes"
        size = len(content)
        start = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
        last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
        if start >= size or start > last:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
        if self._serving["wrong_range"]:
            start = max(0, start - 1)
        headers["Content-Range"] = f"bytes {start}-{last}/{size}"
        return self._sent(content[start : last + 1], 206, headers)

    def _sent(self, body: bytes, status: int, headers: dict[str, str]) -> Response:
        cut_after = self._serving["cut_after"]
        if cut_after is not None and self._serving["cuts"] > 0 and len(body) > cut_after:
            self._serving["cuts"] -= 1
            return _Cut(body, cut_after, status, headers)
        return Response(body, status, headers)
