"""Serves releases over HTTP: ranges, ETag, checksums, 404 before publication, and scripted misbehaviour."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulators.archive.releases import Recipe, is_published, publish
from simulators.exchange.clock import NS_PER_S
from simulators.web_server import cut_connection

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from simulators.exchange.market import Market

RANGE = re.compile(r"bytes=(\d*)-(\d*)")
NAME = re.compile(r"Kraken_OHLCVT_(?P<full>Full_)?(?:(\d{4})Q([1-4])|Q([1-4])_(\d{4}))(?=[_.])")
SUMS = "_SHA256SUMS.txt"
FULL_SUMS = "OHLCVT_Full_PARTS_SHA256SUMS.txt"
SERVING: dict[str, Any] = {
    "ranges": True,
    "sums": True,
    "cut_after": None,
    "cuts": 0,
    "wrong_range": False,
    "wrong_sum": False,
    "lost_part": None,
    "etag": "strong",
    "broken": [],
}


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
        self._made: dict[tuple[int, int, bool], dict[str, bytes]] = {}
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
        content = await run_in_threadpool(self._content, name)
        if content is None:
            return PlainTextResponse("Not Found", status_code=404)
        if name.endswith(SUMS):
            return PlainTextResponse(content)
        return self._ranged(content, request)

    def _content(self, name: str) -> bytes | None:
        """Return a published file, or None when there is none of this name."""
        if name.endswith(SUMS) and not self._serving["sums"]:
            return None
        if name == FULL_SUMS:
            return self._sums(self._files(*self._newest(), is_full=True))
        match = NAME.match(name)
        if match is None:
            return None
        year, quarter = int(match[2] or match[5]), int(match[3] or match[4])
        if not is_published(self._recipe, year, quarter, self._now_s()):
            return None
        files = self._files(year, quarter, is_full=match["full"] is not None)
        if name == f"{self._recipe.file_name(year, quarter).removesuffix('.zip')}{SUMS}":
            return self._sums(files)
        lost = self._serving["lost_part"]
        content = None if lost is not None and name.endswith(f".part{lost:02}") else files.get(name)
        return content[: len(content) // 2] if content and name in self._serving["broken"] else content

    def _now_s(self) -> float:
        return self._market.clock.now_ns() / NS_PER_S

    def _newest(self) -> tuple[int, int]:
        """Return year and number of the newest quarter that is online."""
        year, quarter = datetime.fromtimestamp(self._now_s(), UTC).year, 4
        while not is_published(self._recipe, year, quarter, self._now_s()):
            year, quarter = (year, quarter - 1) if quarter > 1 else (year - 1, 4)
        return year, quarter

    def _sums(self, files: dict[str, bytes]) -> bytes:
        is_wrong = self._serving["wrong_sum"]
        lines = [
            f"{hashlib.sha256(b'wrong' if is_wrong else content).hexdigest()}  {name}\n"
            for name, content in reversed(files.items())  # in no order that a client may count on
        ]
        return "".join(lines).encode()

    def _files(self, year: int, quarter: int, *, is_full: bool) -> dict[str, bytes]:
        key = (year, quarter, is_full)
        if key not in self._made:
            self._made[key] = publish(self._market, self._recipe, year, quarter, is_full=is_full)
        return self._made[key]

    def _ranged(self, content: bytes, request: Request) -> Response:
        etag = self._etag(content)
        headers = {"ETag": etag, "Content-Type": "application/zip"}
        asked = RANGE.fullmatch(request.headers.get("range", ""))
        given = request.headers.get("if-range", etag)
        # A weak tag never matches If-Range (RFC 9110, section 13.1.5): the whole file is sent.
        is_same = given == etag and not (etag.startswith("W/") and "if-range" in request.headers)
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

    def _etag(self, content: bytes) -> str:
        """Return the tag of a file: strong, weak, or another one with each answer, as behind mirrors."""
        salt = str(len(self._requests)) if self._serving["etag"] == "mirrors" else ""
        tag = f'"{hashlib.sha256(content + salt.encode()).hexdigest()[:16]}"'
        return f"W/{tag}" if self._serving["etag"] == "weak" else tag

    def _sent(self, body: bytes, status: int, headers: dict[str, str]) -> Response:
        cut_after = self._serving["cut_after"]
        if cut_after is not None and self._serving["cuts"] > 0 and len(body) > cut_after:
            self._serving["cuts"] -= 1
            return _Cut(body, cut_after, status, headers)
        return Response(body, status, headers)
