"""The page of incidents: open and past ones with what was told of them, and the same as JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import connect
from local.stack import webhook_connection
from tests.conftest import set_connection
from tests.unit.builders import DAY, HOUR, NOW
from tests.web.conftest import OWN

if TYPE_CHECKING:
    from simulators.slack_client import SlackAdmin
    from tests.integration.world import World
    from tests.web.conftest import Site


def failed_run(number: int) -> Problem:
    """Return the problem of a run that failed."""
    return Problem(
        f"run:dag_{number}",
        f"dag_{number} failed",
        since_s=NOW - DAY,
        subjects={"manual__1": {"state": "failed", "errors": ["ETHUSD 60: 1 gap not filled"], "due": None}},
        url="http://127.0.0.1/dags/x/runs/y",
    )


def see(world: World, seen: dict[str, Problem | None], *, now_s: int) -> None:
    """Let a check see something."""
    with connect(world.dsn) as connection:
        observe(connection, seen, now_s=now_s)


def test_open_and_past_incidents_are_told_with_what_was_sent_of_them(site: Site, world: World) -> None:
    see(world, {"run:dag_1": failed_run(1)}, now_s=NOW - DAY)
    see(world, {"run:dag_1": None}, now_s=NOW - 20 * HOUR)
    see(world, {"run:dag_2": failed_run(2)}, now_s=NOW - 3 * HOUR)
    with connect(world.dsn) as connection:
        connection.execute(
            "UPDATE incidents SET shown_stage = 1, shown_at = opened_at WHERE key = 'run:dag_1'"
        )
        connection.execute(
            "UPDATE incidents SET tries = 2, warning = 'Slack is down' WHERE key = 'run:dag_2'"
        )
    client = site.client("viewer")
    answer = client.get("/ohlcv/api/incidents").json()
    assert (answer["open"], answer["past"], answer["pages"]) == (1, 1, 1)
    told: list[tuple[Any, ...]] = [
        (one["key"], one["recovered_at"], one["shown_at"], one["waiting"], one["tries"])
        for one in answer["incidents"]
    ]
    assert told == [
        ("run:dag_2", None, None, "opened", 2),
        ("run:dag_1", "2026-11-22T16:34:56Z", "2026-11-22T12:34:56Z", "recovered", 0),
    ]
    page = client.get("/ohlcv/incidents").text
    assert "<b>1</b> open, 1 past" in page
    for words in (
        "dag_2 failed: ETHUSD 60: 1 gap not filled.",
        "has lasted 1 day.",
        "after 4 hours.",
        "Run manual__1 failed.",
        "ETHUSD 60: 1 gap not filled.",
        "The message is not sent yet, after 2 tries",
        "Slack is down",
        "The end is not sent yet",
        "last sent or edited Sun 22 Nov 2026, 12:34 UTC",
        'href="http://127.0.0.1/dags/x/runs/y"',
    ):
        assert words in page
    assert "due by" not in page
    text = re.sub("<[^>]*>", " ", page)
    assert "run:dag_2" not in text
    assert "·" not in text.partition("Skip to the content")[2]


def test_every_page_has_a_bar_with_the_newest_incident_and_its_cause_while_one_is_open(
    site: Site, world: World
) -> None:
    client = site.client("viewer")
    pages = ["coverage", "gaps", "incidents", "objectives", "statements", "archive"]
    assert not any('class="alarm' in client.get(f"/ohlcv/{page}").text for page in pages)
    see(world, {"run:dag_1": failed_run(1)}, now_s=NOW - DAY)
    cause = f"Kraken answered {'EService:Busy, ' * 60}and nothing else"
    lost = Problem("at_risk", "Candles may be lost", NOW, {"XBTUSD 60": {"error": cause}})
    see(world, {"at_risk": lost}, now_s=NOW)

    for page in pages:
        words = " ".join(client.get(f"/ohlcv/{page}").text.split())
        assert "<b>1 critical incident and 1 warning</b> open." in words, page
        assert f"Candles may be lost: {cause}." in words, page
        assert 'href="incidents#incident-' in words, page

    see(world, {"run:dag_1": None, "at_risk": None}, now_s=NOW)
    see(world, {"at_risk": None}, now_s=NOW)
    assert 'class="alarm' not in client.get("/ohlcv/gaps").text


def test_many_incidents_are_shown_page_by_page_open_ones_first(site: Site, world: World) -> None:
    for number in range(30):
        see(world, {f"run:dag_{number}": failed_run(number)}, now_s=NOW - DAY + number)
    see(world, {f"run:dag_{number}": None for number in range(5, 30)}, now_s=NOW - HOUR)
    client = site.client("viewer")
    pages = [client.get("/ohlcv/api/incidents", params={"page": page}).json() for page in (1, 2, 99)]
    assert [(page["page"], page["pages"], len(page["incidents"])) for page in pages] == [
        (1, 2, 25),
        (2, 2, 5),
        (2, 2, 5),
    ]
    keys = [one["key"] for page in pages[:2] for one in page["incidents"]]
    assert keys == [f"run:dag_{number}" for number in (*range(4, -1, -1), *range(29, 4, -1))]
    assert "Page 2 of 2" in client.get("/ohlcv/incidents?page=2").text


def test_a_quiet_ledger_says_so(site: Site, world: World) -> None:
    del world
    assert "No incidents so far." in site.client("viewer").get("/ohlcv/incidents").text


def test_who_may_silence_incidents_may_send_a_test_message_and_reads_what_slack_said(
    site: Site, world: World, slack_session: SlackAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    slack_session.reset()
    address = "/ohlcv/actions/test-message"
    assert "Send a test message" not in site.client("viewer").get("/ohlcv/incidents").text
    assert site.client("viewer").post(address, headers=OWN).status_code == 403
    admin = site.client("admin")
    assert "Send a test message" in admin.get("/ohlcv/incidents").text
    nowhere = admin.post("/ohlcv/api/test-message", headers=OWN)
    assert (nowhere.status_code, "nobody was notified" in nowhere.text.lower()) == (409, True)

    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack_session.webhook_url))
    sent = admin.post(address, headers=OWN)
    assert (sent.status_code, sent.headers["location"]) == (303, "../incidents?test=sent")
    (message,) = slack_session.messages()
    assert "Nothing is wrong." in message["text"]
    assert "sent by admin" in message["text"]
    assert "The test message was sent" in admin.get("/ohlcv/incidents?test=sent").text

    slack_session.fault(kind="http", status=502)
    refused = admin.post("/ohlcv/api/test-message", headers=OWN)
    assert (refused.status_code, "Slack does not work (HTTP 502)" in refused.text) == (409, True)
