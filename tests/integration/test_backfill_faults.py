"""Every way in which the exchange can fail a fill: survived when it passes, recorded and retried when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from include.ohlcv.errors import BadRequestError, FillError, FillRefusedError, WrongExchangeError
from include.ohlcv.gaps import Series
from include.ohlcv.ledger.asset_rows import claim_exchange
from include.ohlcv.ledger.session import connect
from kraken_hooks.errors import KrakenTransientError
from kraken_hooks.kraken import KrakenHook

if TYPE_CHECKING:
    from tests.integration.world import World

DAILY = Series("XBTUSD", 1440)
HOUR = 3600
DAY = 24 * HOUR
NOON_S = 1795435200  # 2026-11-23T12:00:00Z, the hour of the exchange's time in these tests

PASSING = [
    pytest.param("error", {"error": "EService:Busy"}, "EService:Busy", id="busy"),
    pytest.param("error", {"error": "EService:Unavailable"}, "EService:Unavailable", id="unavailable"),
    pytest.param("error", {"error": "EService:Throttled"}, "EService:Throttled", id="throttled"),
    pytest.param("error", {"error": "EGeneral:Internal error"}, "EGeneral:Internal error", id="internal"),
    pytest.param(
        "error", {"error": "EService:Busy", "result": "empty"}, "EService:Busy", id="busy with a result"
    ),
    pytest.param("error", {"error": "EGalaxy:Unheard of"}, "EGalaxy:Unheard of", id="an unknown error"),
    pytest.param("rate_limit", {}, "Rate limit exceeded", id="rate limit"),
    pytest.param("http", {"status": 503}, "HTTP 503", id="503 with a web page"),
    pytest.param("http", {"status": 520}, "HTTP 520", id="520 with a web page"),
    pytest.param("truncated", {}, "not Kraken's JSON", id="cut off"),
    pytest.param("not_json", {}, "not Kraken's JSON", id="no JSON"),
    pytest.param("drop", {}, "the call to", id="connection dropped"),
    pytest.param("maintenance", {}, "EService:Unavailable", id="maintenance"),
    pytest.param("stale", {}, "lags behind", id="a server that lags behind"),
    pytest.param("bad_row", {"what": "high_below_low"}, "OHLC XBTUSD", id="high below low"),
    pytest.param("bad_row", {"what": "negative_volume"}, "OHLC XBTUSD", id="negative volume"),
    pytest.param("bad_row", {"what": "nan"}, "OHLC XBTUSD", id="not a number"),
    pytest.param("bad_row", {"what": "off_grid"}, "OHLC XBTUSD", id="off the grid"),
    pytest.param("bad_row", {"what": "short_row"}, "OHLC XBTUSD", id="a row too short"),
]
LASTING = [
    pytest.param("EGeneral:Permission denied", id="permission denied"),
    pytest.param("EGeneral:Invalid arguments", id="invalid arguments"),
]


@pytest.fixture
def holed(world: World) -> World:
    """Give a world whose daily series lacks two candles, all in its young past.

    Daily, so that back-off times pass without a new candle; few rows, since none of this depends on them.
    """
    start, end = recent(world)
    world.store(DAILY, (start, end), without=[(end - 5 * DAY, end - 3 * DAY)])
    return world


def recent(world: World) -> tuple[int, int]:
    """Return the newest thirty days."""
    _, end = world.window(DAILY)
    return end - 30 * DAY, end


def daily(world: World, **params: Any) -> dict[str, Any]:
    """Run the daily backfill of the young past; what lies before is proven to be no gap of this test."""
    return world.run(intervals=[1440], **params)
