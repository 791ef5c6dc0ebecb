"""The page of coverage against one second: 100 hourly series by 365 days, from the request to the HTML.

* ``whole``: every candle is there, as on most days.
* ``scattered``: in each series every fifth day is short of one to seven hours, so few cells are alike.

The second ratio says what drawing adds to counting the cells.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from bench.tools.invented import NOTHING, invent_candles, tickers
from bench.tools.ratios import Ratio
from bench.tools.timing import best_ms
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.settings import LEDGER_CONN_ID
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from bench.tools.services import Services

END_S: Final = 1_795_435_200
"""2026-11-23, 12:00, on the grid."""
PAIRS: Final = 100
DAYS: Final = 365
SECOND_MS: Final = 1000.0

SCATTERED: Final = "(bucket.x / 24) % 5 = pair.x % 5 AND bucket.x % 24 < 1 + (bucket.x / 24) % 7"


def run(services: Services) -> list[Ratio]:
    """Measure the page, whole and scattered.

    :param services: what it works with
    :return: two ratios each
    """
    return [
        ratio
        for name, without in (("whole", NOTHING), ("scattered", SCATTERED))
        for ratio in measure(services, name, without)
    ]


def measure(services: Services, name: str, without: str) -> list[Ratio]:
    """Measure the page on some candles.

    :param services: what it works with
    :param name: for the ratios
    :param without: candles left out, as a condition over ``pair.x`` and ``bucket.x``
    :return: page against one second, page against its cells
    """
    # FastAPI and Airflow are slow to import.
    from kraken_ohlcv_airflow.web.coverage import count_page, coverage_page  # noqa: PLC0415
    from kraken_ohlcv_airflow.web.coverage_query import CoverageQuery  # noqa: PLC0415

    hook = services.empty_candle_store()
    rows = invent_candles(
        services.questdb,
        hook,
        pairs=PAIRS,
        interval_minutes=60,
        covered=(END_S - (DAYS + 1) * 86400, END_S),
        without=without,
    )
    uri = services.new_ledger()
    point_pages_to(uri)
    with connect(uri) as connection:
        entries = [
            CatalogueEntry(ticker=ticker, base=ticker[:-3], quote="USD", tier="TIER1")
            for ticker in tickers(PAIRS)
        ]
        sync_catalogue(connection, entries)
    query = CoverageQuery(range="1y", interval=60)
    html = bytes(coverage_page(query, END_S).body)
    with connect(uri) as connection:
        best = best_ms({
            "page": lambda: coverage_page(query, END_S),
            "cells": lambda: count_page(connection, query, END_S),
        })
    page_ms, cells_ms = best["page"], best["cells"]
    services.say(f"  {name}: {rows:,} candles, {len(html):,} bytes of HTML")
    return [
        Ratio(
            f"{PAIRS} series x {DAYS} days, {name}: page / 1 s",
            page_ms / SECOND_MS,
            1.0,
            details={"page_ms": page_ms, "html_bytes": len(html)},
        ),
        Ratio(
            f"{PAIRS} series x {DAYS} days, {name}: page / its cells",
            page_ms / cells_ms,
            details={"page_ms": page_ms, "cells_ms": cells_ms},
        ),
    ]


def point_pages_to(uri: str) -> None:
    """Define the connection by which the pages find the ledger."""
    parts = urlsplit(uri)
    fields = {
        "conn_type": "postgres",
        "host": parts.hostname or parse_qs(parts.query)["host"][0],
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.removeprefix("/"),
    }
    os.environ[f"AIRFLOW_CONN_{LEDGER_CONN_ID.upper()}"] = json.dumps(fields)
