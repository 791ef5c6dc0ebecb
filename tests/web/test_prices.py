"""Before a button of the page of gaps is pressed, its price can be read; nothing is written by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.tiers import SHIPPED
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.planning import digests
from tests.integration.trades_world import HOURLY, past, store_history

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site


@pytest.fixture
def gap_ids(world: World) -> dict[str, int]:
    """Give a FAILED gap within the API window and an UNFILLABLE one, by status."""
    young, old = past(world, HOURLY, first=-9, last=-12), past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[young, old])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)
    world.run(repair_from=["ohlc"])
    world.exchange.clear_faults()
    world.exchange.clear_calls()
    return {gap["status"]: gap["gap_id"] for gap in world.gaps(Series("XBTUSD", 60))}


def test_a_price_is_what_the_button_starts_and_looking_writes_nothing(
    site: Site, world: World, gap_ids: dict[str, int]
) -> None:
    site.clock.now_s = world.exchange.now_s()
    client, before = site.client("admin"), digests(world)

    by_ohlc = client.get(f"/ohlcv/api/gaps/{gap_ids['FAILED']}/price")
    by_trades = client.get(f"/ohlcv/api/gaps/{gap_ids['UNFILLABLE']}/price?source=trades")
    retried = client.get("/ohlcv/api/prices/retry-failed?tier=TIER1")

    assert (by_ohlc.status_code, by_trades.status_code, retried.status_code) == (200, 200, 200)
    # Both tickers of the tier failed.
    assert (by_ohlc.json()["calls"]["ohlc"], retried.json()["calls"]["ohlc"]) == (1, 2)
    assert (by_trades.json()["calls"]["ohlc"], by_trades.json()["calls"]["trades"] >= 5) == (0, True)
    assert digests(world) == before
    assert world.exchange.calls() == []

    promised = by_trades.json()["calls"]["total"]
    summary = world.run(tickers=["XBTUSD"], retry_failed=True, repair_from=["trades"])
    assert abs(promised - summary["calls_spent"]) <= 2


def test_the_page_shows_the_price_with_the_button(site: Site, world: World, gap_ids: dict[str, int]) -> None:
    site.clock.now_s = world.exchange.now_s()
    address = f"/ohlcv/gaps/{gap_ids['UNFILLABLE']}/price?source=trades"
    page = site.client("admin").get(address)
    assert page.status_code == 200
    assert "calls to Kraken" in page.text
    assert 'action="../../actions/backfill"' in page.text
    assert 'name="source" value="trades"' in page.text
    assert "actions/backfill" not in site.client("viewer").get(address).text
    listing = site.client("admin").get("/ohlcv/gaps").text
    assert f'href="gaps/{gap_ids["UNFILLABLE"]}/price?source=trades"' in listing
    assert f'href="gaps/{gap_ids["FAILED"]}/price"' in listing
    assert 'href="prices/retry-failed?tier=TIER1"' in listing


def test_the_price_of_no_gap_is_a_sentence(site: Site, world: World) -> None:
    del world
    answer = site.client("admin").get("/ohlcv/api/gaps/999/price")
    assert answer.status_code == 404


def test_a_price_goes_by_the_plan_of_the_tier_whose_dag_the_button_starts(
    site: Site, world: World, gap_ids: dict[str, int]
) -> None:
    site.clock.now_s = world.exchange.now_s()
    lavish = SHIPPED["TIER3"].model_copy(update={"trades_call_budget": 100})
    frugal = SHIPPED["TIER1"].model_copy(update={"trades_call_budget": 2})
    with connect(world.dsn) as connection:
        write_plan(connection, {**SHIPPED, "TIER1": frugal, "TIER3": lavish}, (), (), pace_s=1.0)
        # Without a schedule its tier has no DAG, and the button starts that of TIER1.
        connection.execute("UPDATE assets SET tier = 'TIER3' WHERE ticker = 'XBTUSD'")

    plan = site.client("admin").get(f"/ohlcv/api/gaps/{gap_ids['UNFILLABLE']}/price?source=trades").json()

    assert plan["calls"]["trades"] == 2


def test_a_price_is_put_into_words(site: Site, world: World, gap_ids: dict[str, int]) -> None:
    site.clock.now_s = world.exchange.now_s()
    client = site.client("admin")
    words = " ".join(client.get(f"/ohlcv/gaps/{gap_ids['FAILED']}/price").text.split())
    # Trades close what lies beyond the API window, in the same run.
    assert "calls to Kraken (1 OHLC, " in words
    assert " for trades), which takes less than a minute." in words
    assert "<h1>Price of XBTUSD 1 h</h1>" in words
    words = " ".join(client.get(f"/ohlcv/gaps/{gap_ids['UNFILLABLE']}/price?source=trades").text.split())
    assert "<h1>Price of XBTUSD 1 h from trades</h1>" in words
    words = " ".join(client.get("/ohlcv/prices/retry-failed?tier=TIER2").text.split())
    assert "A run would make no call to Kraken." in words
    assert "Start it" not in words
    assert "<h1>Price of the failed gaps of Tier 2</h1>" in words
