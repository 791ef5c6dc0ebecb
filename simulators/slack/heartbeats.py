"""A stand-in of a service that waits for heartbeats, such as healthchecks.io; it stands beside Slack's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


class Heartbeats:
    """Takes heartbeats, and says which have come."""

    def __init__(self) -> None:
        self._heard: list[dict[str, Any]] = []

    def routes(self) -> list[Route]:
        """Return the routes of the service, and those that tell and forget what it heard."""
        return [
            Route("/heartbeat/{check}", self._good, methods=["GET", "HEAD", "POST"]),
            Route("/heartbeat/{check}/fail", self._failed, methods=["GET", "HEAD", "POST"]),
            Route("/admin/heartbeats", self._list, methods=["GET"]),
            Route("/admin/heartbeats", self._clear, methods=["DELETE"]),
        ]

    async def _good(self, request: Request) -> Response:
        return self._hear(request, "good")

    async def _failed(self, request: Request) -> Response:
        return self._hear(request, "failed")

    def _hear(self, request: Request, state: str) -> Response:
        self._heard.append({"at": time.time(), "check": request.path_params["check"], "state": state})
        return PlainTextResponse("OK")

    async def _list(self, _: Request) -> Response:
        return JSONResponse({"heartbeats": self._heard})

    async def _clear(self, _: Request) -> Response:
        self._heard.clear()
        return Response(status_code=204)
