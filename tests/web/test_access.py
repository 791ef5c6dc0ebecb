"""Who gets in: nobody without login, viewers read; no page of another site makes a browser change a thing."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.web.app import HEADERS, build_app
from tests.integration.ledger_pages import add_gap, know
from tests.unit.builders import NOW
from tests.web.conftest import HOUR, HOURLY, OWN, detail

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.integration.world import World
    from tests.web.conftest import Site

PATH_VALUES = {"gap_id": "1", "key": "stale", "name": "pages.css", "number": "1"}
QUERIES = {"/run": "?dag_id=backfill_tier1_daily", "/chosen-gaps": "?gap=1"}
"""Of routes that do not answer without."""


def _routes() -> list[tuple[str, str]]:
    """Return method and address of every route."""
    found = []
    for route in build_app().routes:
        address = re.sub(r"{(\w+)}", lambda match: PATH_VALUES[match[1]], route.path)  # type: ignore[attr-defined]
        found += [(method, f"/ohlcv{address}{QUERIES.get(address, '')}") for method in sorted(route.methods)]  # type: ignore[attr-defined]
    return found


ROUTES = _routes()
READS = [address for method, address in ROUTES if method == "GET"]
WRITES = [address for method, address in ROUTES if method == "POST"]
SEEN = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}
BODIES: dict[str, dict[str, Any]] = {
    "/ohlcv/actions/accept": {"data": {"gap_id": 1, "reason": "lost", **SEEN}},
    "/ohlcv/actions/backfill": {"data": {"gap_id": 1}},
    "/ohlcv/actions/first-backfill": {},
    "/ohlcv/actions/backfill-chosen": {"data": {"gap": "1"}},
    "/ohlcv/actions/retry-failed": {"data": {"tier": "TIER1"}},
    "/ohlcv/actions/snooze": {"data": {"key": "stale", "hours": 1}},
    "/ohlcv/actions/take-back": {"data": {"gap_id": 1, "reason": "found"}},
    "/ohlcv/actions/test-message": {},
    "/ohlcv/api/test-message": {},
    "/ohlcv/api/gaps/backfill": {"json": {"gap_ids": [1]}},
    "/ohlcv/api/gaps/1/accept": {"json": {"reason": "lost"}},
    "/ohlcv/api/gaps/1/backfill": {},
    "/ohlcv/api/gaps/1/take-back": {"json": {"reason": "found"}},
    "/ohlcv/api/gaps/retry-failed": {"json": {"tier": "TIER1"}},
    "/ohlcv/api/incidents/stale/snooze": {"json": {"hours": 1}},
}
FORGED = [
    pytest.param({"Origin": "https://evil.example"}, id="another origin"),
    pytest.param({"Origin": "http://testserver.evil.example"}, id="an origin that begins like ours"),
    pytest.param({"Origin": "http://testserver:8081"}, id="another port"),
    pytest.param({"Origin": "null"}, id="no origin"),
    pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
    pytest.param({"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"}, id="a sister site"),
    pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, id="they disagree"),
    pytest.param({}, id="neither header, only the cookie"),
]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' OR 1=1 --",
    "XBTUSD'; DROP TABLE gap_records; --",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "XBTUSD\x00",
    "%",
    "A" * 2000,
]


def post(client: TestClient, address: str, **headers: str) -> Any:
    """Post what the route wants."""
    return client.post(address, headers=headers, **BODIES[address])


def test_the_routes_are_known() -> None:
    assert set(WRITES) == set(BODIES)
    assert {method for method, _ in ROUTES} == {"GET", "POST"}
    assert len(READS) >= 8


@pytest.mark.parametrize(("method", "address"), ROUTES)
def test_no_route_answers_without_login(site: Site, method: str, address: str) -> None:
    answer = site.client().request(method, address, headers=OWN, **BODIES.get(address, {}))
    assert (answer.status_code, detail(answer)) == (401, "Not authenticated")


@pytest.mark.parametrize(("method", "address"), ROUTES)
def test_no_route_takes_an_invented_token(site: Site, method: str, address: str) -> None:
    client = site.client()
    client.cookies.set("_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.")
    answer = client.request(method, address, headers=OWN, **BODIES.get(address, {}))
    assert answer.status_code in {401, 403}


def test_a_browser_without_login_is_told_so_in_a_sentence(site: Site) -> None:
    answer = site.client().get("/ohlcv/gaps", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert "log in to Airflow" in answer.text


def test_every_user_reads_everything(site: Site, world: World) -> None:
    with connect(world.dsn) as connection:
        know(connection, HOURLY, NOW - 48 * HOUR)
        assert add_gap(connection, HOURLY, (NOW // HOUR * HOUR - HOUR, NOW // HOUR * HOUR)) == 1
        observe(connection, {"source": Problem("source", "Kraken is down", NOW - HOUR)}, now_s=NOW)
    for user, address in product(("viewer", "ops", "admin"), READS):
        answer = site.client(user).get(address)
        if address.endswith("/statements/1"):
            # None is kept: being told so is reading, too.
            assert (answer.status_code, detail(answer)) == (404, "There is no statement 1.")
        else:
            assert answer.status_code in {200, 303}, (user, address)


def test_a_viewer_changes_nothing(site: Site, damaged: World) -> None:
    before = damaged.rows("SELECT * FROM incidents"), damaged.contents()
    for address in WRITES:
        answer = post(site.client("viewer"), address, **OWN)
        assert answer.status_code == 403, address
        assert "ask your Airflow administrator" in detail(answer)
    assert before == (damaged.rows("SELECT * FROM incidents"), damaged.contents())


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("address", WRITES)
def test_a_page_of_another_site_cannot_change_anything(
    site: Site, address: str, headers: dict[str, str]
) -> None:
    answer = post(site.client("admin"), address, **headers)
    assert answer.status_code == 403
    assert "did not come from a page of this Airflow" in detail(answer)


def test_a_client_that_names_its_token_needs_no_origin(site: Site, world: World) -> None:
    del world
    answer = post(
        site.client(),
        "/ohlcv/api/incidents/stale/snooze",
        Authorization=f"Bearer {site.token('admin')}",
    )
    assert (answer.status_code, detail(answer)) == (404, "No incident stale is open.")


def test_a_forged_origin_is_refused_whatever_the_token(site: Site) -> None:
    answer = post(
        site.client(),
        "/ohlcv/api/gaps/1/backfill",
        Authorization=f"Bearer {site.token('admin')}",
        Origin="https://evil.example",
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("address", WRITES)
def test_nothing_changes_by_looking(site: Site, address: str) -> None:
    assert site.client("admin").get(address, headers=OWN).status_code == 405


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("page", ["gaps", "api/gaps", "gaps.csv", "api/required-files"])
@pytest.mark.parametrize("field", ["ticker", "tier", "interval"])
def test_hostile_filters_are_refused_and_never_repeated_as_markup(
    site: Site, page: str, field: str, hostile: str
) -> None:
    answer = site.client("viewer").get(
        f"/ohlcv/{page}", params={field: hostile}, headers={"Accept": "text/html"}
    )
    assert answer.status_code == 422
    assert f"{field}: " in answer.text
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "49" not in answer.text


def test_an_unknown_filter_is_refused(site: Site) -> None:
    answer = site.client("viewer").get("/ohlcv/api/gaps", params={"staus": "failed"})
    assert answer.status_code == 422
    assert "staus" in detail(answer)


def test_hostile_texts_of_the_ledger_are_shown_as_text(site: Site, damaged: World) -> None:
    with connect(damaged.dsn) as connection:
        connection.execute("UPDATE gap_records SET error_message = '<script>alert(1)</script>'")
        connection.execute(
            "INSERT INTO incidents (key, class, headline, since, subjects, url, opened_at, updated_at,"
            " named, notified_at)"
            " VALUES ('stale', 'stale', '<b>loud</b>', now(), '{\"<i>X</i>\": {\"a\": \"<u>\"}}',"
            " 'javascript:alert(1)', now(), now(), '{}', now())"
        )
    client = site.client("admin")
    gaps, incidents = client.get("/ohlcv/gaps").text, client.get("/ohlcv/incidents").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in gaps
    assert "<script>alert" not in gaps
    assert "&lt;b&gt;loud" in incidents
    assert "<i>X" not in incidents
    assert "<u>" not in incidents
    assert "javascript:" not in incidents


@pytest.mark.parametrize(
    "address", ["/ohlcv/gaps", "/ohlcv/api/gaps", "/ohlcv/gaps?page=x", "/ohlcv/nowhere"]
)
def test_every_answer_carries_the_headers_that_protect_it(site: Site, world: World, address: str) -> None:
    del world
    answer = site.client("viewer").get(address)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]


def test_pages_hold_no_inline_script_style_or_foreign_address(site: Site, damaged: World) -> None:
    del damaged
    for page in ("gaps", "gaps/1", "incidents"):
        text = site.client("admin").get(f"/ohlcv/{page}").text
        assert not re.search(r"<style|style=|\son\w+=", text)
        assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//", text)
        assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_the_schema_is_served_behind_the_login_and_nowhere_else(site: Site) -> None:
    schema = site.client("viewer").get("/ohlcv/api/openapi.json").json()
    own = {address.removeprefix("/ohlcv") for _, address in ROUTES if "/api/" in address} - {
        "/api/openapi.json"
    }
    assert {re.sub(r"{(\w+)}", lambda match: PATH_VALUES[match[1]], path) for path in schema["paths"]} == own
    assert schema["servers"] == [{"url": "/ohlcv"}]
    for address in ("/ohlcv/docs", "/ohlcv/redoc", "/ohlcv/openapi.json"):
        assert site.client("admin").get(address).status_code == 404


def test_a_file_outside_of_the_static_folder_is_not_served(site: Site) -> None:
    client = site.client("admin")
    for name in ("app.py", "..%2fapp.py", "%2e%2e/app.py", "....//app.py"):
        assert client.get(f"/ohlcv/static/{name}").status_code == 404
