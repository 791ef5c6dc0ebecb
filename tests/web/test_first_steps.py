"""What stands on the first page before there is a candle: how each part is, its cure, and a button."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv_airflow.web import first_steps
from tests.conftest import set_connection
from tests.unit.builders import at
from tests.web.conftest import HOURLY, OWN, detail
from tests.web.test_gaps_page import HTML, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.world import World
    from tests.web.conftest import Site

TIER1 = "backfill_tier1_daily"
BUTTON = 'action="actions/first-backfill"'


@pytest.fixture(autouse=True)
def not_asked() -> None:
    """Let Kraken be asked anew."""
    first_steps._asked.clear()


@pytest.fixture
def paused(site: Site) -> Iterator[None]:
    """Pause the DAG that the button starts."""
    client = site.client("admin")
    client.patch(f"/api/v2/dags/{TIER1}", json={"is_paused": True}).raise_for_status()
    yield
    client.patch(f"/api/v2/dags/{TIER1}", json={"is_paused": False}).raise_for_status()


def steps(text: str) -> dict[str, tuple[str, str]]:
    """Return state and sentence of each line of the list, by title."""
    found = re.findall(
        r'is-(\w+)">\s*<dt>.*?</i> ([\w ]+)<span.*?</dt>\s*<dd>(.*?)</dd>', html.unescape(text), re.DOTALL
    )
    return {title: (state, said) for state, title, said in found}


def test_an_empty_house_is_told_what_it_has_and_lacks(site: Site, world: World) -> None:
    del world
    answer = site.client("admin").get("/ohlcv/coverage")
    assert answer.status_code == 200
    told = steps(answer.text)
    good = ["Ledger", "Candles", "Kraken", "Plan", "Next run", "DAGs"]
    assert list(told) == [*good, "Slack", "Heartbeat"]
    assert [title for title, (state, _) in told.items() if state == "good"] == good
    assert "holds no candle yet" in told["Candles"][1]
    assert "answers; the exchange is online" in told["Kraken"][1]
    assert re.match(r"\d+ assets in the plan", told["Plan"][1])
    assert (told["Slack"][0], told["Heartbeat"][0]) == ("open", "open")
    assert "slack_alerts" in told["Slack"][1]
    assert "define the connection heartbeat" in told["Heartbeat"][1]
    assert BUTTON in answer.text
    assert BUTTON not in site.client("viewer").get("/ohlcv/coverage").text


def test_the_next_run_is_told_by_how_long_it_is_away(site: Site, world: World) -> None:
    del world
    client = site.client("viewer")
    due = client.get(f"/api/v2/dags/{TIER1}").json()["next_dagrun_run_after"]
    site.clock.now_s = at(due.removesuffix("Z")) - 4 * 3600
    assert f"{TIER1} starts in 4 hours (" in steps(client.get("/ohlcv/coverage").text)["Next run"][1]


def test_the_button_starts_the_backfill_and_the_page_waits_for_it(
    site: Site, world: World, runs: Any
) -> None:
    del world
    client = site.client("ops")
    answer = client.post("/ohlcv/actions/first-backfill", headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "../coverage")
    (run,) = runs(TIER1)
    assert (run["conf"], run["triggering_user_name"]) == ({}, "ops")
    page = client.get("/ohlcv/coverage")
    assert f"runs/{run['dag_run_id']}".replace(":", "%3A").replace("+", "%2B") in page.text
    assert (page.headers["refresh"], BUTTON in page.text) == ("10", False)


def test_a_paused_dag_is_unpaused_only_by_a_user_who_says_so(
    site: Site, world: World, runs: Any, paused: None
) -> None:
    del world, paused
    client = site.client("admin")
    page = client.get("/ohlcv/coverage").text
    assert f"Unpause {TIER1} and fetch candles" in page
    assert steps(page)["DAGs"] == (
        "open",
        f"Paused, so that no run of them starts: {TIER1}; unpause them on Airflow's page Dags.",
    )
    assert steps(page)["Next run"][0] == "open"
    refused = client.post("/ohlcv/actions/first-backfill", headers=OWN)
    assert (refused.status_code, runs(TIER1)) == (409, [])
    assert f"{TIER1} is paused" in detail(refused)
    answer = client.post("/ohlcv/actions/first-backfill", data={"may_unpause": "true"}, headers=OWN)
    assert (answer.status_code, len(runs(TIER1))) == (303, 1)
    assert client.get(f"/api/v2/dags/{TIER1}").json()["is_paused"] is False


def test_kraken_is_asked_once_and_only_while_there_is_no_candle(site: Site, world: World) -> None:
    client = site.client("viewer")
    before = len(world.exchange.calls())
    for _ in range(3):
        assert "First steps" in client.get("/ohlcv/coverage").text
    assert len(world.exchange.calls()) == before + 1
    first_steps._asked.clear()
    world.store(HOURLY, world.window(HOURLY, buckets=1))
    for query in ("", "?ticker=ETHUSD", "?ticker=NOSUCHUSD", "?range=30d&to=2020-01-01"):
        assert "First steps" not in client.get(f"/ohlcv/coverage{query}").text
    assert len(world.exchange.calls()) == before + 1


def test_an_exchange_that_does_not_answer_is_named_with_the_cure(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    url = f"http://127.0.0.1:{free_port()}"
    set_connection(monkeypatch, "kraken_default", conn_type="kraken", host=url)
    state, said = steps(site.client("viewer").get("/ohlcv/coverage").text)["Kraken"]
    assert (state, "Check the network, and the connection kraken_default." in said) == ("bad", True)


@pytest.mark.parametrize(("store", "title"), [("questdb_default", "Candles"), ("ohlcv_postgres", "Ledger")])
def test_a_store_that_is_down_is_the_line_that_fails(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch, store: str, title: str
) -> None:
    del world
    kind = "questdb" if title == "Candles" else "postgres"
    set_connection(monkeypatch, store, conn_type=kind, host="127.0.0.1", port=free_port())
    answer = site.client("admin").get("/ohlcv/coverage", headers=HTML)
    assert answer.status_code == 503
    told = steps(answer.text)
    assert [one for one, (state, _) in told.items() if state == "bad"] == [title]
    assert f"does not answer (connection {store}): start the server" in told[title][1]
    assert told["Kraken"][0] == ("open" if title == "Ledger" else "good")
    assert BUTTON not in answer.text


def test_a_plan_with_a_mistake_is_quoted_by_its_line(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del world
    file = tmp_path / "assets.yaml"
    file.write_text("assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER9}\n")
    monkeypatch.setenv("OHLCV_ASSETS_FILE", str(file))
    page = site.client("admin").get("/ohlcv/coverage").text
    state, said = steps(page)["Plan"]
    assert (state, "line 2" in said, BUTTON in page) == ("bad", True, False)
