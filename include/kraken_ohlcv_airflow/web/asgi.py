"""What the plugin hands to Airflow: the pages, built at their first request, and few of them at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

AIRFLOW_APP: Final = "ohlcv.airflow_app"
"""Key of the request's scope under which Airflow's own application stands."""

AT_ONCE: Final = 4
"""Requests that are answered at the same time: each takes one of the threads that Airflow's own API, tasks
included, needs, and counting candles is work for a processor."""
WAITING: Final = 32
"""Requests that may wait for that: a page asks for a handful of files, and several people look at once."""
TOO_MANY: Final = "Too many pages are requested at once: reload in a few seconds."


class Pages:
    """ASGI application, built late: every process loads the plugin, only the api-server pays for FastAPI."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Store the clock; nothing is imported or made.

        :param clock: returns now, epoch seconds UTC
        """
        self._clock = clock
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._here = 0

    @cached_property
    def _app(self) -> FastAPI:
        # FastAPI and the auth manager are slow to import, and every task instance imports the plugin.
        from kraken_ohlcv_airflow.web.app import build_app  # noqa: PLC0415

        return build_app(self._clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that Airflow's application passes on, or refuse it while too many others wait."""
        if self._here >= AT_ONCE + WAITING:
            await _refuse(scope, receive, send)
            return
        # FastAPI replaces the entry "app" by the mounted application; actions call Airflow's API through it.
        scope[AIRFLOW_APP] = scope.get("app")
        self._here += 1
        try:
            async with self._turn:
                await self._app(scope, receive, send)
        finally:
            self._here -= 1


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    # As late as FastAPI, which has long been imported when so many requests are here.
    from starlette.responses import JSONResponse, PlainTextResponse  # noqa: PLC0415

    status, headers = HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "5", "cache-control": "no-store"}
    if "/api/" in scope["path"]:
        await JSONResponse({"detail": TOO_MANY}, status, headers)(scope, receive, send)
    else:
        await PlainTextResponse(TOO_MANY, status, headers)(scope, receive, send)
