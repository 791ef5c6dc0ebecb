"""The page of statements: kept ones to the byte, one of any range, and post-mortems of incidents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.statement.make import keep_monthly
from tests.integration.scripted_month import HOSTILE, NOW, script_month
from tests.web.conftest import detail

if TYPE_CHECKING:
    from tests.integration.scripted_month import Month
    from tests.web.conftest import Site


@pytest.fixture
def month(site: Site, ledger_uri: str, candle_table: str) -> Month:
    """Give October 2026 in both stores, on the morning of 1 November."""
    del candle_table
    site.clock.now_s = NOW
    return script_month(ledger_uri, QuestDBHook(questdb_conn_id="questdb_default").client())


def test_a_monthly_statement_is_listed_shown_and_downloaded_to_the_byte(site: Site, month: Month) -> None:
    client = site.client("viewer")
    assert "None is kept yet" in client.get("/ohlcv/statements").text
    with month.ledger() as connection:
        keep_monthly(connection, month.questdb, now_s=NOW)
    listed = client.get("/ohlcv/api/statements").json()
    assert (listed["total"], [one["name"] for one in listed["statements"]]) == (
        2,
        ["TIER1_2026-10", "TIER2_2026-10"],
    )
    one = listed["statements"][0]
    number = one["statement_id"]
    text = client.get(f"/ohlcv/api/statements/{number}")
    assert hashlib.sha256(text.content).hexdigest() == one["sha256"]
    assert text.headers["content-disposition"] == 'attachment; filename="TIER1_2026-10.json"'
    shown = client.get(f"/ohlcv/statements/{number}")
    assert "Statement of completeness" in shown.text
    assert one["sha256"] in shown.text
    assert HOSTILE not in shown.text
    assert "style-src 'sha256-" in shown.headers["content-security-policy"]
    assert "content-disposition" not in shown.headers
    file = client.get(f"/ohlcv/statements/{number}?download=true")
    assert file.headers["content-disposition"] == 'attachment; filename="TIER1_2026-10.html"'
    page = client.get("/ohlcv/statements").text
    assert f'href="api/statements/{number}"' in page
    assert 'name="from" value="2026-10-01"' in page


def test_a_statement_of_any_range_is_made_and_not_kept(site: Site, month: Month) -> None:
    del month
    client = site.client("viewer")
    asked = {"tier": "TIER1", "from": "2026-10-02", "to": "2026-10-03"}
    made = client.get("/ohlcv/api/statement", params=asked).json()
    assert (made["range"]["start"], made["range"]["end"]) == ("2026-10-02T00:00:00", "2026-10-04T00:00:00")
    assert "2 October 2026 to 3 October 2026" in client.get("/ohlcv/statement", params=asked).text
    assert client.get("/ohlcv/api/statements").json()["total"] == 0
    refused = client.get("/ohlcv/api/statement", params={**asked, "to": "2026-10-01"})
    assert (refused.status_code, "is not after start" in detail(refused)) == (400, True)
    nothing = client.get("/ohlcv/api/statement", params={**asked, "tier": "TIER4"})
    assert (nothing.status_code, "no active assets" in detail(nothing)) == (400, True)
    assert client.get("/ohlcv/statements/99").status_code == 404


def test_an_incident_that_is_over_has_a_link_to_its_post_mortem(site: Site, month: Month) -> None:
    del month
    client = site.client("viewer")
    page = client.get("/ohlcv/incidents").text
    incidents = client.get("/ohlcv/api/incidents").json()["incidents"]
    for one in incidents:
        link = f'href="incidents/{one["incident_id"]}/postmortem"'
        assert (link in page) == (one["recovered_at"] is not None), one["key"]
    stale = next(one for one in incidents if one["key"] == "stale")
    paper = client.get(f"/ohlcv/api/incidents/{stale['incident_id']}/postmortem").json()
    assert (paper["candles"], paper["lost_for_ever"]) == (4, 0)
    shown = client.get(f"/ohlcv/incidents/{stale['incident_id']}/postmortem")
    assert f"Post-mortem of incident {stale['incident_id']}" in shown.text
    assert client.get("/ohlcv/api/incidents/999/postmortem").status_code == 404
