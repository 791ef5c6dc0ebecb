"""The pages in a real browser, inside Airflow's own UI: log in, look, filter, repair, in light and dark."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from demo.screenshots import take
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.objective import ObjectiveDay
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.objectives import write_days
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import migrate_ledger
from local.airflow import answers
from local.processes import free_port, start_process
from tests.integration.world import World
from tests.patience import PATIENCE_S, wait_for
from tools.browser import Theme, browser, find_browser, log_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import FrameLocator, Page

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

DAY = 86400
DAILY = Series("XBTUSD", 1440)
FAILING = Series("ETHUSD", 1440)
PERMANENT = "EGeneral:Invalid arguments"
PATIENCE_MS = PATIENCE_S * 1000
expect.set_options(timeout=PATIENCE_MS)
DAG_ID = "backfill_tier1_daily"
FRAME = "iframe[title='Candles']"
LOADED = """() => document.readyState === 'complete'
    || new Promise((go) => addEventListener('load', () => go(true)))"""
WINDOW_DAYS = 60
XBT = "ohlcv/coverage?ticker=XBTUSD&interval=1440&range=30d"


@pytest.fixture(scope="module", autouse=True)
def chromium() -> str:
    """Give the path of a browser; without one, CI fails and a person's machine skips."""
    found = find_browser()
    if found is None:
        sentence = "no Chromium is installed (on Debian: apt-get install chromium)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(sentence)
    return found


@dataclass(frozen=True)
class Screen:
    """A browser on the UI.

    :ivar page: its tab
    :ivar url: address of the UI
    """

    page: Page
    url: str

    @property
    def frame(self) -> FrameLocator:
        """Return the frame in which Airflow shows our pages."""
        return self.page.frame_locator(FRAME)

    def open(self, address: str) -> FrameLocator:
        """Open one of our pages inside of Airflow's UI."""
        self.page.goto(f"{self.url}/plugin/candles/{address}")
        self.frame.locator("main h1").wait_for()
        wait_until_loaded(self.frame)
        return self.frame


def wait_until_loaded(frame: FrameLocator) -> None:
    """Wait until a page's scripts listen: its heading can stand there before."""
    frame.locator("html").evaluate(LOADED)


@contextmanager
def screen(
    stack: Stack, user: str | None, *, theme: Theme = "light", url: str | None = None
) -> Iterator[Screen]:
    """Open a browser, logged in as a user or not at all; any error of a script fails the test."""
    address = url or stack.settings.url
    with browser(theme=theme, width=1440, height=1000) as context:
        if user is not None:
            log_in(context, address, user, stack.settings.home.secrets().passwords[user])
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None,
        )
        yield Screen(page, address)
        assert errors == []


@pytest.fixture
def world(stack: Stack, kraken_conn: str, questdb_conn: str) -> World:
    """Give sixty days of daily candles up to today, damaged.

    XBTUSD lacks six days in the middle, which are detected; ETHUSD lacks three, which the exchange refused.
    """
    del kraken_conn, questdb_conn
    stack.exchange.set_clock(int(time.time()))
    migrate_ledger(stack.ledger_uri)
    found = World(stack.exchange, stack.ledger_uri, ["XBTUSD", "ETHUSD"])
    found.questdb.query("TRUNCATE TABLE ohlcv")
    with connect(found.dsn) as connection:
        connection.execute("TRUNCATE gap_records, coverage_months, coverage_changes, partitions_seen CASCADE")
    for series, days in ((DAILY, 6), (FAILING, 3)):
        covered = found.window(series, buckets=WINDOW_DAYS)
        hole = (covered[1] - (10 + days) * DAY, covered[1] - 10 * DAY)
        found.store(series, covered, without=[hole])
        found.rows(
            "WITH known AS (INSERT INTO series (ticker, interval_minutes, start_ts) VALUES (%(ticker)s,"
            " %(interval_minutes)s, to_timestamp(%(start_s)s)) ON CONFLICT (ticker, interval_minutes)"
            " DO UPDATE SET start_ts = excluded.start_ts, until_ts = NULL RETURNING 1) SELECT * FROM known",
            **series._asdict(),
            start_s=covered[0],
        )
    stack.exchange.fault("error", endpoint="OHLC", ticker="ETHUSD", count=None, error=PERMANENT)
    found.plan(intervals=[1440], tickers=["XBTUSD"])
    found.run(intervals=[1440], tickers=["ETHUSD"])
    stack.exchange.clear_faults()
    return found


def states(frame: FrameLocator, row: int = 0) -> set[str]:
    """Return the states drawn in a row of the heatmap."""
    paths = frame.locator("svg.row").nth(row).locator("path").all()
    return {re.sub(r"url\(#p-(\w+)\)", r"\1", path.get_attribute("fill") or "") for path in paths}


def test_a_person_logs_in_and_finds_the_pages_in_the_navigation(stack: Stack, world: World) -> None:
    del world
    with screen(stack, None) as on:
        on.page.goto(stack.settings.url)
        on.page.wait_for_url("**/auth/login**")
        on.page.locator("input[name='username']").fill("admin")
        on.page.locator("input[name='password']").fill(stack.settings.home.secrets().passwords["admin"])
        on.page.locator("button[type='submit']").click()
        on.page.get_by_role("link", name="Candles").click()
        on.frame.locator("main h1").wait_for()
        assert on.frame.locator("main h1").inner_text() == "Coverage"
        for tab in ("Gaps", "Incidents", "Objectives", "Coverage"):
            on.frame.get_by_role("link", name=tab, exact=True).click()
            on.frame.locator("main h1", has_text=tab).wait_for()


def test_a_damaged_cell_is_seen_told_and_leads_to_its_candle_and_gap(stack: Stack, world: World) -> None:
    del world
    with screen(stack, "viewer") as on:
        frame = on.open(XBT)
        assert states(frame) >= {"complete", "fillable"}
        damaged = frame.locator("svg.row").first.locator("path[fill='url(#p-fillable)']")
        tip = frame.locator("#tip")

        def told_at(x: int) -> bool:
            damaged.hover(position={"x": x, "y": 5})
            return tip.is_visible()

        # The heading can stand before the page's script listens: the mouse moves until it does.
        wait_for(lambda: told_at(5) or told_at(6), "the cell tells nothing")
        assert "Missing, Kraken still serves it" in tip.inner_text()
        assert "XBTUSD · 1 d" in tip.inner_text()
        assert re.search(r"1\s+missing, still served by Kraken", tip.inner_text())

        damaged.click(position={"x": 5, "y": 5})
        frame.locator("main h1", has_text="XBTUSD").wait_for()
        expect(frame.locator("table.candles .state")).to_have_text(["Missing"])
        frame.get_by_role("link", name="Open in Gaps").click()
        frame.locator("main h1", has_text="Gaps").wait_for()
        expect(frame.locator("section.series h2 b")).to_have_text(["XBTUSD"])


def test_the_heatmap_is_walked_with_the_keyboard(stack: Stack, world: World) -> None:
    del world
    with screen(stack, "viewer") as on:
        frame = on.open(XBT)
        row = frame.locator("svg.row").first
        row.focus()
        on.page.keyboard.press("End")
        for _ in range(12):
            on.page.keyboard.press("ArrowLeft")
        live = frame.locator("#heat-live")
        assert "XBTUSD 1 d" in live.inner_text()
        assert "Missing, Kraken still serves it" in live.inner_text()
        on.page.keyboard.press("Enter")
        frame.locator("main h1", has_text="XBTUSD").wait_for()
        expect(frame.locator("table.candles .state")).to_have_text(["Missing"])


def test_filters_leave_what_they_name(stack: Stack, world: World) -> None:
    del world
    with screen(stack, "viewer") as on:
        frame = on.open("ohlcv/coverage")
        names = frame.locator("table.heat th b")
        expect(names).not_to_have_count(2)
        frame.locator("select[name='interval']").select_option("1440")
        expect(frame.locator("table.heat th .chip", has_text="1 h")).to_have_count(0)
        frame.locator("input[name='ticker']").fill("eth*")
        frame.get_by_role("button", name="Apply").click()
        expect(names).to_have_text(["ETHUSD"])
        frame.get_by_role("link", name="Gaps", exact=True).click()
        frame.locator("main h1", has_text="Gaps").wait_for()
        wait_until_loaded(frame)
        frame.locator("select[name='status']").select_option("failed")
        expect(frame.locator("section.series h2 b")).to_have_text(["ETHUSD"])


def test_the_objectives_of_a_month_are_told_and_fit_a_telephone(stack: Stack, world: World) -> None:
    today_s = int(time.time()) // DAY * DAY
    days = [
        ObjectiveDay("TIER1", 1440, today_s - ago * DAY, 20, {"XBTUSD": 1} if ago == 40 else {}, 20, {}, True)
        for ago in range(70)
    ]
    with connect(world.dsn) as connection:
        write_days(connection, days, now_s=int(time.time()))
    month = f"{utc(today_s - 40 * DAY):%Y-%m}"
    with screen(stack, "viewer") as on:
        frame = on.open("ohlcv/objectives")
        verified = frame.locator("section.objective", has_text="Verified")
        expect(verified.first.locator(".reached")).to_have_text("100\u2009%")
        frame.locator("select[name='month']").select_option(month)
        expect(verified.nth(1).locator(".worst b")).to_have_text(["XBTUSD"])
        expect(verified.nth(1).locator("rect.day-over")).to_have_count(1)
        on.page.set_viewport_size({"width": 400, "height": 800})
        assert frame.locator("html").evaluate("html => html.scrollWidth <= html.clientWidth")


def test_an_admin_repairs_a_gap_and_the_cells_turn_complete(stack: Stack, world: World) -> None:
    del world
    with screen(stack, "admin") as on:
        frame = on.open("ohlcv/gaps")
        known = {run.run_id for run in stack.api.dag_runs(DAG_ID)}
        frame.get_by_role("button", name="Backfill XBTUSD 1 d now").click()
        frame.locator(".notice").wait_for()
        (run_id,) = {run.run_id for run in stack.api.dag_runs(DAG_ID)} - known
        assert stack.api.wait_for_run(DAG_ID, run_id, timeout_s=PATIENCE_S).state == "success"
        frame.locator(".notice a").click()
        on.page.wait_for_url(f"**/dags/{DAG_ID}/runs/**")
        frame = on.open(XBT)
        assert states(frame) == {"complete"}
        assert "nothing is missing" in frame.locator(".tiles").inner_text()


def test_an_admin_retries_what_failed(stack: Stack, world: World) -> None:
    with screen(stack, "admin") as on:
        frame = on.open("ohlcv/gaps")
        known = {run.run_id for run in stack.api.dag_runs(DAG_ID)}
        frame.get_by_role("button", name="Retry 1 failed gap of Tier 1").click()
        frame.locator(".notice").wait_for()
        (run_id,) = {run.run_id for run in stack.api.dag_runs(DAG_ID)} - known
        stack.api.wait_for_run(DAG_ID, run_id, timeout_s=PATIENCE_S)
        (gap,) = [gap for gap in world.gaps(FAILING) if gap["missing_candles"] == 3]
        assert gap["status"] == "FILLED"


def test_a_viewer_sees_no_button(stack: Stack, world: World) -> None:
    del world
    with screen(stack, "viewer") as on:
        frame = on.open("ohlcv/gaps")
        assert frame.locator("table.list tbody tr").count() > 1
        assert frame.locator("form[method='post']").count() == 0
        assert [button.inner_text() for button in frame.get_by_role("button").all()] in (
            ["Apply"],
            ["Apply", "Copy"],
        )


def test_the_theme_is_airflows_and_follows_it(stack: Stack, world: World) -> None:
    del world
    with screen(stack, "viewer", theme="dark") as on:
        frame = on.open("ohlcv/coverage")
        html = frame.locator("html")
        assert html.get_attribute("data-theme") == "dark"
        dark = frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        on.page.evaluate("document.documentElement.className = 'light'")
        frame.locator("html[data-theme='light']").wait_for()
        assert frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") != dark


def test_a_backfill_run_has_a_tab_with_what_it_did(stack: Stack, world: World) -> None:
    del world
    run_id = stack.api.trigger(DAG_ID, {"tickers": ["XBTUSD"], "intervals": [1440]})
    stack.api.wait_for_run(DAG_ID, run_id, timeout_s=PATIENCE_S)
    with screen(stack, "viewer") as on:
        on.page.goto(f"{on.url}/dags/{DAG_ID}/runs/{run_id}")
        # The link in the navigation bears the same name, and is there first.
        on.page.locator("a[href*='candles-of-run']").click()
        on.frame.locator("main h1", has_text="What this run did").wait_for()
        assert run_id in on.frame.locator("main .lead").first.inner_text()
        assert "XBTUSD" in on.frame.locator("table.list").inner_text()


def test_the_pages_work_below_a_path(stack: Stack, world: World, service_directory: Path) -> None:
    del world
    port = free_port()
    url = f"http://127.0.0.1:{port}/air/flow"
    environment = replace(stack.settings, port=port).environment() | {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.settings.url}/execution/",
    }
    server = start_process(
        "Airflow's api-server below a path",
        [sys.executable, "-m", "airflow", "api-server"],
        log_file=service_directory / "below-a-path.log",
        env=environment,
    )
    try:
        wait_for(lambda: answers(f"{url}/api/v2/monitor/health", timeout_s=5) or not server.is_alive())
        assert server.is_alive()
        with screen(stack, "admin", url=url) as on:
            on.page.goto(f"{url}/")
            on.page.get_by_role("link", name="Candles").click()
            on.frame.locator("#heat").wait_for()
            on.frame.get_by_role("link", name="Gaps", exact=True).click()
            on.frame.locator("main h1", has_text="Gaps").wait_for()
            on.frame.get_by_role("button", name="Backfill XBTUSD 1 d now").click()
            on.frame.locator(".notice").wait_for()
            on.frame.locator(".notice a").click()
            on.page.wait_for_url(f"{url}/dags/{DAG_ID}/runs/**")
    finally:
        server.stop()


def test_screenshots_are_taken_in_both_themes(stack: Stack, world: World, tmp_path: Path) -> None:
    del world
    password = stack.settings.home.secrets().passwords["viewer"]
    for theme in ("light", "dark"):
        files = {
            name: tmp_path / theme / f"{name}.png" for name in ("coverage", "gaps", "incidents", "objectives")
        }
        assert take(stack.settings.url, "viewer", password, files, theme=theme) is None
        assert all(file.read_bytes().startswith(b"\x89PNG") for file in files.values())
    refused = take(stack.settings.url, "viewer", "wrong", {"gaps": tmp_path / "none.png"})
    assert refused == f"no screenshots: Airflow at {stack.settings.url} refuses the login of viewer: HTTP 401"
