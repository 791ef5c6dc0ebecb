"""The admin API of the stand-in: what was said, and what shall go wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from simulators.slack.channels import Channels
    from simulators.slack.faults import FaultScript


class Admin:
    """Handlers of the admin API.

    :param channels: what was said
    :param faults: what shall go wrong
    """

    def __init__(self, channels: Channels, faults: FaultScript) -> None:
        self._channels = channels
        self._faults = faults

    def routes(self) -> list[Route]:
        """Return the admin routes."""
        return [
            Route("/admin/messages", self._get_messages, methods=["GET"]),
            Route("/admin/messages", self._clear_messages, methods=["DELETE"]),
            Route("/admin/posts", self._get_posts, methods=["GET"]),
            Route("/admin/faults", self._get_faults, methods=["GET"]),
            Route("/admin/faults", self._add_fault, methods=["POST"]),
            Route("/admin/faults", self._clear_faults, methods=["DELETE"]),
        ]

    async def _get_messages(self, _: Request) -> Response:
        return JSONResponse({"messages": self._channels.describe()})

    async def _clear_messages(self, _: Request) -> Response:
        self._channels.clear()
        return Response(status_code=204)

    async def _get_posts(self, _: Request) -> Response:
        return JSONResponse({"posts": self._channels.describe_posts()})

    async def _get_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": self._faults.describe()})

    async def _add_fault(self, request: Request) -> Response:
        try:
            return JSONResponse({"id": self._faults.add(json.loads(await request.body()))})
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    async def _clear_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)
