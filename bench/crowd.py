"""Airflow's health while 200 pages are asked for at once, bounded as they are and without the bound.

Health is answered in a thread of the pool that the api-server has for everything: pages that took all of them
would make it wait until they are done.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Final

from bench.coverage_page import END_S, point_pages_to
from bench.tools.invented import NOTHING, invent_candles, tickers
from bench.tools.ratios import Ratio
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp

    from bench.tools.services import Services

PAIRS: Final = 20
DAYS: Final = 90
AT_ONCE: Final = 200
ALONE: Final = 20
"""How often health is asked for while nobody else asks for anything."""
MOST_WAIT: Final = 0.5
"""Share of the wait without the bound that is left with it, at most."""


def run(services: Services) -> list[Ratio]:
    """Measure health, alone and in the crowd.

    :param services: what it works with
    :return: two ratios
    """
    hook = services.empty_candle_store()
    covered = (END_S - (DAYS + 1) * 86400, END_S)
    invent_candles(services.questdb, hook, pairs=PAIRS, interval_minutes=60, covered=covered, without=NOTHING)
    uri = services.new_ledger()
    point_pages_to(uri)
    with connect(uri) as connection:
        names = tickers(PAIRS)
        sync_catalogue(
            connection,
            [CatalogueEntry(ticker=one, base=one[:-3], quote="USD", tier="TIER1") for one in names],
        )
    alone_ms, bounded_ms = asyncio.run(_measure(is_bounded=True))
    _, unbounded_ms = asyncio.run(_measure(is_bounded=False))
    details = {"alone_ms": alone_ms, "bounded_ms": bounded_ms, "unbounded_ms": unbounded_ms}
    return [
        Ratio(
            f"health, the longest while {AT_ONCE} pages are asked for / alone",
            bounded_ms / alone_ms,
            details=details,
        ),
        Ratio("health, the longest in the crowd: bounded / not", bounded_ms / unbounded_ms, MOST_WAIT),
    ]


async def _measure(*, is_bounded: bool) -> tuple[float, float]:
    """Return what health takes alone (the median) and in the crowd (the longest), milliseconds."""
    import httpx  # noqa: PLC0415 (with Airflow's web packages)

    transport = httpx.ASGITransport(_application(is_bounded=is_bounded))
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", timeout=None) as client:  # noqa: S113 (in this process)
        (await client.get("/ohlcv/coverage")).raise_for_status()
        alone = [await _health_ms(client) for _ in range(ALONE)]
        pages = [asyncio.create_task(client.get("/ohlcv/coverage")) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        crowded = []
        while not all(page.done() for page in pages):
            crowded.append(await _health_ms(client))
        await asyncio.gather(*pages)
    return statistics.median(alone), max(crowded)


async def _health_ms(client: httpx.AsyncClient) -> float:
    began = time.perf_counter()
    (await client.get("/health")).raise_for_status()
    return 1000 * (time.perf_counter() - began)


def _application(*, is_bounded: bool) -> ASGIApp:
    """Return health and the page of coverage as the api-server has them, without its login."""
    from fastapi import FastAPI  # noqa: PLC0415 (slow to import)

    from kraken_ohlcv_airflow.web.asgi import Pages  # noqa: PLC0415
    from kraken_ohlcv_airflow.web.coverage import coverage_page  # noqa: PLC0415
    from kraken_ohlcv_airflow.web.coverage_query import CoverageQuery  # noqa: PLC0415

    outside, inside = FastAPI(), FastAPI()

    @outside.get("/health")
    def health() -> str:
        return "healthy"

    @inside.get("/coverage")
    def coverage() -> int:
        return len(coverage_page(CoverageQuery(range="90d", interval=60), END_S).body)

    pages = Pages()
    pages.__dict__["_app"] = inside
    outside.mount("/ohlcv", pages if is_bounded else inside)
    return outside
