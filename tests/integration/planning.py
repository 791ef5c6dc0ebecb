"""A run that only plans, without Airflow, and what the ledger holds before and after it."""

from __future__ import annotations

import itertools
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.clients.exchange.planning import PlanningClient
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.price.backfill import price_backfill
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.world import request_of

if TYPE_CHECKING:
    from tests.integration.world import World

NUMBERS = itertools.count(1)
OF_THE_LIMITER = "api_slot"


def plan_only(world: World, **params: Any) -> dict[str, Any]:
    """Return what a run would do and cost."""
    request = request_of(**params)
    run = RunKey("backfill_tier1_daily", f"plan_{next(NUMBERS)}")
    with connect(world.dsn) as connection:
        kraken = PlanningClient(world.kraken())
        opening = partial(open_run, kraken=kraken, run=run, request=request, worker_now=world.worker_now)
        return price_backfill(connection, kraken, world.questdb, world.locator, run, request, opening)


def digests(world: World) -> dict[str, str]:
    """Return a digest per table of the ledger, and of the candles."""
    tables = world.rows(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        " AND table_type = 'BASE TABLE'"
    )
    found = {
        table["name"]: world.rows(f"SELECT t::text AS line FROM {table['name']} AS t ORDER BY 1")  # noqa: S608
        for table in tables
        if table["name"] != OF_THE_LIMITER
    }
    found["ohlcv"] = world.questdb.query("SELECT * FROM ohlcv ORDER BY ts, ticker, interval")
    return {name: sha256(repr(lines).encode()).hexdigest() for name, lines in found.items()}
