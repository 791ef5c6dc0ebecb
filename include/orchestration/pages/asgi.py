"""What the plugin hands to Airflow: the pages, built at their first request."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

AIRFLOW_APP: Final = "ohlcv.airflow_app"
"""Key of the request's scope under which Airflow's own application stands."""


class Pages:
    """ASGI application, built late: every process loads the plugin, only the api-server pays for FastAPI."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Store the clock; nothing is imported or made.

        :param clock: returns now, epoch seconds UTC
        """
        self._clock = clock

    @cached_property
    def _app(self) -> FastAPI:
        # FastAPI and the auth manager are slow to import, and every task instance imports the plugin.
        from include.orchestration.pages.app import build_app  # noqa: PLC0415

        return build_app(self._clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that Airflow's application passes on."""
        # FastAPI replaces the entry "app" by the mounted application; actions call Airflow's API through it.
        scope[AIRFLOW_APP] = scope.get("app")
        await self._app(scope, receive, send)
