"""What buttons start: real runs in Airflow, as the user who pressed, with a conf that reaches the gap."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kraken_hooks.archive import ArchiveHook
from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import connect
from tests.conftest import set_connection
from tests.unit.builders import NOW
from tests.web.conftest import HOUR, HOURLY, OWN, detail

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.world import World
    from tests.web.conftest import Site

Q2_START, Q2_END = 1775001600, 1782864000
STALE = Problem("stale", "Candles are late", since_s=NOW, subjects={"XBTUSD": {}})


def gap_id(world: World, status: str) -> int:
    """Return a gap in a state."""
    return int(
        world.rows("SELECT min(gap_id) AS gap_id FROM gap_records WHERE status = %(s)s", s=status)[0][
            "gap_id"
        ]
    )


def test_backfill_now_starts_the_tiers_dag_as_the_user_and_shows_it(
    site: Site, damaged: World, runs: Any
) -> None:
    answer = site.client("ops").post(
        "/ohlcv/actions/backfill",
        data={"gap_id": gap_id(damaged, "DETECTED")},
        headers={**OWN, "Referer": "http://testserver/ohlcv/gaps?status=open&tier=TIER1"},
    )
    assert answer.status_code == 303
    (run,) = runs("backfill_tier1_daily")
    assert run["conf"] == {"tickers": ["XBTUSD"], "intervals": [1440], "lookback_days": 0}
    assert run["triggering_user_name"] == "ops"
    assert run["run_type"] == "manual"
    assert "page Gaps" in run["note"]

    target = urlsplit(answer.headers["location"])
    assert target.path == "../gaps"
    assert parse_qs(target.query) == {
        "dag": ["backfill_tier1_daily"],
        "run": [run["dag_run_id"]],
        "status": ["open"],
        "tier": ["TIER1"],
    }
    page = site.client("ops").get(f"/ohlcv/gaps?{target.query}").text
    assert "A run of <b>backfill_tier1_daily</b> has been started." in page
    assert "../dags/backfill_tier1_daily/runs/manual" in page


def test_a_failed_gap_is_taken_before_its_time(site: Site, damaged: World, runs: Any) -> None:
    answer = site.client("ops").post(f"/ohlcv/api/gaps/{gap_id(damaged, 'FAILED')}/backfill", headers=OWN)
    (run,) = runs("backfill_tier1_daily")
    assert (answer.status_code, answer.json()) == (
        201,
        {"dag_id": "backfill_tier1_daily", "run_id": run["dag_run_id"]},
    )
    assert run["conf"] == {
        "tickers": ["ETHUSD"],
        "intervals": [60],
        "lookback_days": 0,
        "retry_failed": True,
    }


def test_a_gap_out_of_the_apis_reach_is_rebuilt_from_trades(site: Site, damaged: World, runs: Any) -> None:
    gap = gap_id(damaged, "UNFILLABLE")
    client = site.client("ops")
    assert client.get("/ohlcv/gaps").text.count("From trades") == 1
    assert client.post(f"/ohlcv/api/gaps/{gap}/backfill", headers=OWN).status_code == 201
    (run,) = runs("backfill_tier1_daily")
    assert run["conf"] == {
        "tickers": ["XBTUSD"],
        "intervals": [60],
        "lookback_days": 0,
        "repair_from": ["trades"],
        "max_gaps_per_asset": 0,
        "retry_failed": True,
    }
    damaged.run(**run["conf"])
    assert damaged.rows("SELECT status FROM gap_records WHERE gap_id = %(gap)s", gap=gap) == [
        {"status": "FILLED"}
    ]


@pytest.fixture
def long_ago(world: World) -> World:
    """Give a world with a gap in the second quarter of 2026, whose zip the simulated exchange publishes."""
    world.store(
        HOURLY, (Q2_START, world.window(HOURLY)[1]), without=[(Q2_END - 30 * HOUR, Q2_END - 25 * HOUR)]
    )
    world.run(intervals=[60], tickers=["XBTUSD"], repair_from=["ohlc"])
    return world


def test_without_an_archive_none_is_offered_and_asking_for_it_says_what_to_define(
    site: Site, long_ago: World, runs: Any
) -> None:
    client = site.client("ops")
    assert "From archive" not in client.get("/ohlcv/gaps").text
    gap = gap_id(long_ago, "UNFILLABLE")
    answer = client.post(f"/ohlcv/api/gaps/{gap}/backfill?source=archive", headers=OWN)
    assert (answer.status_code, detail(answer)) == (
        409,
        f"Gap {gap} cannot be repaired from archive: define the connection kraken_archive first.",
    )
    assert runs("backfill_tier1_daily") == []


def test_a_gap_in_a_published_quarter_is_fetched_from_the_archive(
    site: Site, long_ago: World, runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = long_ago.exchange.archive_url
    set_connection(monkeypatch, "kraken_archive", conn_type="kraken_archive", host=server)
    gap = gap_id(long_ago, "UNFILLABLE")
    assert "From archive" not in site.client("viewer").get("/ohlcv/gaps").text
    client = site.client("ops")
    page = client.get("/ohlcv/gaps").text
    assert (page.count("From archive"), page.count("From trades")) == (1, 1)

    answer = client.post("/ohlcv/actions/backfill", data={"gap_id": gap, "source": "archive"}, headers=OWN)

    assert answer.status_code == 303
    (run,) = runs("backfill_tier1_daily")
    assert run["conf"]["repair_from"] == ["archive"]
    assert run["triggering_user_name"] == "ops"
    long_ago.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440])
    long_ago.locator = ArchiveLocator(None, tmp_path / "work", ArchiveHook().get_conn)
    done = long_ago.run(**run["conf"])
    assert (done["errors"], done["files_ingested"], done["trade_calls"]) == ([], 1, 0)
    assert long_ago.rows("SELECT status, filled_from FROM gap_records WHERE gap_id = %(gap)s", gap=gap) == [
        {"status": "FILLED", "filled_from": "archive"}
    ]


@pytest.mark.parametrize(
    ("tier", "dag_id"),
    [("TIER1", "backfill_tier1_daily"), ("TIER2", "backfill_tier2_daily"), ("TIER3", "backfill_tier1_daily")],
)
def test_retry_failed_covers_every_failed_gap_of_the_tier(
    site: Site, damaged: World, runs: Any, tier: str, dag_id: str
) -> None:
    with connect(damaged.dsn) as connection:
        connection.execute("UPDATE assets SET tier = %s", (tier,))
    answer = site.client("admin").post("/ohlcv/api/gaps/retry-failed", json={"tier": tier}, headers=OWN)
    assert answer.status_code == 201
    (run,) = runs(dag_id)
    assert run["conf"] == {
        "tier": tier,
        "intervals": [60],
        "lookback_days": 0,
        "max_gaps_per_asset": 0,
        "retry_failed": True,
    }


def test_what_was_started_reaches_the_gap(site: Site, damaged: World, runs: Any) -> None:
    site.client("admin").post("/ohlcv/api/gaps/retry-failed", json={"tier": "TIER1"}, headers=OWN)
    (run,) = runs("backfill_tier1_daily")
    assert damaged.run(**run["conf"])["gaps_filled"] == 1
    assert damaged.rows("SELECT 1 FROM gap_records WHERE status = 'FAILED'") == []


def test_what_cannot_be_done_is_refused_in_a_sentence(site: Site, damaged: World, runs: Any) -> None:
    client = site.client("admin")
    cases = [
        ("/ohlcv/api/gaps/999999/backfill", None, 404, "There is no gap 999999."),
        (f"/ohlcv/api/gaps/{gap_id(damaged, 'FILLED')}/backfill", None, 409, "is already filled"),
        (
            f"/ohlcv/api/gaps/{gap_id(damaged, 'DETECTED')}/backfill?source=trades",
            None,
            409,
            "is DETECTED, which only the OHLC call fills",
        ),
        (f"/ohlcv/api/gaps/{gap_id(damaged, 'UNFILLABLE')}/backfill?source=hearsay", None, 422, "source: "),
        ("/ohlcv/api/gaps/retry-failed", {"tier": "TIER2"}, 409, "No gap of TIER2 is FAILED"),
        ("/ohlcv/api/gaps/retry-failed", {"tier": "TIER9"}, 422, "tier: "),
        ("/ohlcv/api/gaps/0/backfill", None, 422, "gap_id: "),
    ]
    for address, body, status, said in cases:
        answer = client.post(address, json=body, headers=OWN)
        assert answer.status_code == status
        assert said in detail(answer)
    assert runs("backfill_tier1_daily") == runs("backfill_tier2_daily") == []


def test_airflows_own_refusal_is_handed_on(site: Site, damaged: World, runs: Any) -> None:
    admin = site.client("admin")
    (dag,) = [
        dag for dag in admin.get("/api/v2/dags").json()["dags"] if dag["dag_id"] == "backfill_tier1_daily"
    ]
    assert dag
    with connect(damaged.dsn) as connection:
        connection.execute("ALTER TABLE gap_records DROP CONSTRAINT gap_records_ticker_interval_minutes_fkey")
        connection.execute("UPDATE gap_records SET ticker = 'no ticker' WHERE status = 'DETECTED'")
    answer = admin.post(f"/ohlcv/api/gaps/{gap_id(damaged, 'DETECTED')}/backfill", headers=OWN)
    assert answer.status_code == 400
    assert detail(answer).startswith("Airflow did not start backfill_tier1_daily: ")
    assert "no ticker" in detail(answer)
    assert runs("backfill_tier1_daily") == []


def test_buttons_are_for_those_who_may_press_them(site: Site, damaged: World) -> None:
    tried = damaged.rows(
        "SELECT DISTINCT ticker, interval_minutes FROM gap_records WHERE status IN ('DETECTED', 'FAILED')"
    )
    ops, viewer = (site.client(user).get("/ohlcv/gaps").text for user in ("ops", "viewer"))
    assert "Retry 1 failed gap of Tier 1" in ops
    assert ops.count("Backfill now") == len(tried) > 1
    assert ops.count("1 call to Kraken, less than a minute.") >= 1
    assert ops.count('name="gap" value=') >= len(tried)
    assert '<form method="post"' not in viewer
    assert "Backfill now" not in viewer
    assert "Retry" not in viewer
    assert "Plan a repair" not in viewer


def test_several_gaps_are_planned_and_started_at_once_and_what_was_refused_is_named(
    site: Site, damaged: World, runs: Any
) -> None:
    ids = {status: gap_id(damaged, status) for status in ("DETECTED", "FAILED", "UNFILLABLE", "FILLED")}
    client, chosen = site.client("ops"), ",".join(map(str, ids.values()))
    planned = client.get("/ohlcv/chosen-gaps", params={"gap": [chosen, "999999"]})
    assert planned.status_code == 200
    words = " ".join(html.unescape(planned.text).split())
    assert "3 runs repair 3 gaps; 2 gaps cannot be repaired so. Nothing has been started yet." in words
    assert words.count("A run now: ") == 3
    assert f"Gap {ids['FILLED']} is already filled." in words
    assert "There is no gap 999999." in words
    assert runs("backfill_tier1_daily") == []

    body = {"gap_ids": [*ids.values(), 999999]}
    answer = client.post("/ohlcv/api/gaps/backfill", json=body, headers=OWN)
    assert answer.status_code == 201
    assert [one["gap_id"] for one in answer.json()["refused"]] == [ids["FILLED"], 999999]
    started = runs("backfill_tier1_daily")
    assert {one["run_id"] for one in answer.json()["runs"]} == {run["dag_run_id"] for run in started}
    assert sorted(
        (*run["conf"]["tickers"], *run["conf"].get("repair_from", ["dag's"])) for run in started
    ) == [
        ("ETHUSD", "dag's"),
        ("XBTUSD", "dag's"),
        ("XBTUSD", "trades"),
    ]

    done = client.post("/ohlcv/actions/backfill-chosen", data={"gap": chosen}, headers=OWN)
    assert done.status_code == 200
    assert "3 runs started" in done.text
    assert f"Gap {ids['FILLED']} is already filled." in done.text
    assert len(runs("backfill_tier1_daily")) == 6

    viewer = site.client("viewer").post("/ohlcv/api/gaps/backfill", json=body, headers=OWN)
    assert (viewer.status_code, "You may not start backfill_tier1_daily" in detail(viewer)) == (403, True)
    many = client.get("/ohlcv/chosen-gaps", params={"gap": ",".join(["7"] * 101)})
    assert (many.status_code, "choose at most 100 at once" in detail(many)) == (422, True)
    assert client.get("/ohlcv/chosen-gaps?gap=7;8").status_code == 422


def test_beside_the_buttons_of_a_paused_dag_stands_that_its_runs_wait(site: Site, damaged: World) -> None:
    del damaged
    client, admin = site.client("ops"), site.client("admin")
    said = "backfill_tier1_daily is paused: the run waits until somebody unpauses it."
    assert said not in client.get("/ohlcv/gaps").text
    pause = "/api/v2/dags/backfill_tier1_daily"
    assert admin.patch(pause, json={"is_paused": True}).status_code == 200
    try:
        assert said in client.get("/ohlcv/gaps").text
        assert said in client.get("/ohlcv/gaps?dag=backfill_tier1_daily&run=manual__1&status=filled").text
        assert said not in site.client("viewer").get("/ohlcv/gaps").text
    finally:
        admin.patch(pause, json={"is_paused": False})


def test_an_incident_is_snoozed_by_name_and_woken_again(site: Site, world: World) -> None:
    with connect(world.dsn) as connection:
        observe(connection, {"stale": STALE}, now_s=NOW)
    client = site.client("ops")
    assert "Acknowledge" in client.get("/ohlcv/incidents").text
    assert "Acknowledge" not in site.client("viewer").get("/ohlcv/incidents").text

    answer = client.post("/ohlcv/actions/snooze", data={"key": "stale", "hours": 24}, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "../incidents")
    (incident,) = client.get("/ohlcv/api/incidents").json()["incidents"]
    assert (incident["snoozed_by"], incident["snoozed_until"]) == ("ops", "2026-11-24T12:34:56Z")
    assert "Acknowledged by <b>ops</b>" in client.get("/ohlcv/incidents").text

    answer = client.post("/ohlcv/api/incidents/stale/snooze", json={"hours": 0}, headers=OWN)
    assert answer.json() == {"key": "stale", "hours": 0}
    (incident,) = client.get("/ohlcv/api/incidents").json()["incidents"]
    assert incident["snoozed_until"] is None
