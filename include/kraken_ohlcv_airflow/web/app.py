"""The application that Airflow mounts under ``/ohlcv``: routers, headers, errors."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from kraken_ohlcv_airflow.web import (
    actions,
    archive,
    candles,
    chosen,
    coverage,
    first_steps,
    gaps,
    incidents,
    metrics,
    objectives,
    prices,
    runs,
    statements,
    test_messages,
)
from kraken_ohlcv_airflow.web.access import may_scrape, may_see
from kraken_ohlcv_airflow.web.render import FOLDER, page
from kraken_ohlcv_airflow.web.stores import StoreError

TITLE: Final = "OHLCV pages"
DAYS: Final = frozenset({"from", "to"})
"""Parameters that are days of the calendar."""

SHOWN: Final = 40
"""Characters of a refused value that its refusal repeats."""

HEADERS: Final = {
    # No inline script or style is used; Airflow shows the pages in a frame of the same origin.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

STATIC: Final = {
    "pages.css": "text/css",
    "theme.js": "text/javascript",
    "pages.js": "text/javascript",
    "heatmap.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Problem(BaseModel):
    """What is answered instead of what was asked for.

    :ivar detail: a sentence
    """

    detail: str


def build_app(clock: Callable[[], float] = time.time) -> FastAPI:
    """Return the application.

    :param clock: returns now, epoch seconds UTC
    :return: every route needs a login; the metrics take a token of their own instead of it, and the schema is
        served by a route of its own, behind the same login
    """
    app = FastAPI(
        title=TITLE,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Every refusal has the same form; FastAPI would answer a bad query differently.
        responses={status: {"model": Problem, "description": "Refused"} for status in ("4XX", "5XX")},
    )
    app.state.clock = clock
    app.middleware("http")(_with_headers)
    for kind in (StoreError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(kind, _refused)
    pages = APIRouter(dependencies=[Depends(get_user), Depends(may_see)])
    for module in (
        coverage,
        first_steps,
        candles,
        gaps,
        prices,
        chosen,
        runs,
        incidents,
        objectives,
        archive,
        statements,
        actions,
        test_messages,
    ):
        pages.include_router(module.router)

    @pages.get("/", include_in_schema=False)
    def start() -> Response:
        return RedirectResponse("coverage", HTTPStatus.SEE_OTHER)

    @pages.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such file.")
        return FileResponse(FOLDER / "static" / name, media_type=STATIC[name])

    @pages.get("/api/openapi.json", include_in_schema=False)
    def schema(request: Request) -> dict[str, Any]:
        return get_openapi(
            title=app.title,
            version=app.version,
            routes=app.routes,
            servers=[{"url": request.scope.get("root_path", "")}],
        )

    app.include_router(pages)
    app.include_router(metrics.router, dependencies=[Depends(may_scrape)])
    return app


async def _with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refused(request: Request, error: Exception) -> Response:
    status, sentence = _reason(error)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(Problem(detail=sentence).model_dump(), status_code=int(status))
    if status is HTTPStatus.UNAUTHORIZED:
        sentence = (
            "You are not logged in, or your session has ended: log in to Airflow, then open this page again."
        )
    below = request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/")
    return page(
        "problem.html",
        status_code=int(status),
        sentence=sentence,
        status=status,
        up="../" * below.count("/"),
    )


def _reason(error: Exception) -> tuple[HTTPStatus, str]:
    match error:
        case StoreError():
            return HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        case StarletteHTTPException():
            return HTTPStatus(error.status_code), str(error.detail)
        case RequestValidationError():
            found = error.errors()
            sentences = [
                f"{'.'.join(map(str, one['loc'][1:])) or one['loc'][0]}: {_complaint(one)}" for one in found
            ]
            are_days = all(one["loc"][-1] in DAYS for one in found)
            status = HTTPStatus.BAD_REQUEST if are_days else HTTPStatus.UNPROCESSABLE_ENTITY
            return status, f"This request is invalid: {'; '.join(sentences)}."
    return HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed."


def _complaint(error: Any) -> str:
    """Return what is wrong with a parameter, with its value unless the sentence names that already."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    given = error.get("input")
    is_told = isinstance(given, str) and error["type"] != "extra_forbidden"
    return f"{error['msg']}, not {given[:SHOWN]!r}" if is_told else str(error["msg"])
