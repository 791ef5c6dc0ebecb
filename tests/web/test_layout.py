"""Every page can be read at any width: nothing is cut off, nothing is wider than the window."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from tests.web.served import faults, serve
from tools.browser import find_browser

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site

WIDTHS: Final = {"a screen": 1440, "a screen at 200 %": 720, "a telephone": 400}
"""CSS pixels; a zoom of 200 % leaves half of them."""

PAGES: Final = (
    "coverage",
    "coverage?range=dates&from=2026-10-10&to=2026-11-20&sort=worst",
    "coverage?month=2026-10&by=month&only=incomplete",
    "candles?ticker=XBTUSD&interval=60&from=2026-10-20&to=2026-10-23",
    "candles?ticker=XBTUSD&interval=1440",
    "candles?ticker=XBTUSD&interval=60&show=pending",
    "gaps?status=all",
    "gaps/1",
    "incidents",
    "objectives",
    "statements",
    "archive",
    "gaps/1/price",
    "chosen-gaps?gap=1",
    "run?dag_id=backfill_tier1_daily&run_id=manual__1",
)

FIRST_STEPS: Final = "coverage?"
"""Shown once there is no candle."""


def test_every_page_can_be_read_at_any_width_in_both_themes(site: Site, known: World) -> None:
    if find_browser() is None:
        sentence = "no Chromium is installed (on Debian: apt-get install chromium)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(sentence)
    found = {}
    with serve(site) as served, served.tab("admin") as page:
        for address in (*PAGES, FIRST_STEPS):
            if address == FIRST_STEPS:
                known.questdb.query("TRUNCATE TABLE ohlcv")
            answer = page.goto(f"{served.url}/{address}")
            assert answer is not None
            assert answer.ok, address
            assert page.locator(".steps").count() == (address == FIRST_STEPS)
            for title, width in WIDTHS.items():
                for theme in ("light", "dark"):
                    found[address, title, theme] = faults(page, width, theme)
        page.evaluate("document.querySelector('main').append('x'.repeat(999))")
        assert faults(page, 400, "light") != []
    assert {where: what for where, what in found.items() if what} == {}
