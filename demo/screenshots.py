"""Screenshots of the pages as they stand in Airflow's UI."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from local.processes import SandboxError
from tools.browser import Theme, browser, find_browser, log_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NO_BROWSER: Final = "no screenshots: no Chromium is installed (on Debian: apt-get install chromium)"
FRAME: Final = "iframe[title='Candles']"
TIMEOUT_MS: Final = 120_000.0
SETTLE_MS: Final = 500.0

READY: Final = {
    "coverage": "#heat svg.row",
    "gaps": "table.list, .empty",
    "incidents": "main h1",
    "objectives": "main h1",
    "slack": "main, body",
}
"""What a page shows when it is there."""


def take(
    url: str,
    user: str,
    password: str,
    files: Mapping[str, Path],
    *,
    theme: Theme = "light",
    height: int = 900,
    query: str = "",
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """Log in to Airflow with a headless browser and photograph pages.

    :param url: address of the UI
    :param user: user name of the simple auth manager
    :param password: the user's password
    :param files: PNG file to write by page: those of :data:`READY`
    :param theme: light or dark
    :param height: of the window, CSS pixels; it is 1440 wide, the files have two pixels for one
    :param query: of the pages' address, ``range=30d``
    :param elsewhere: addresses of the pages that are not in Airflow, by page
    :return: None, or why nothing was photographed, one sentence
    """
    if find_browser() is None:
        return NO_BROWSER
    from playwright.sync_api import Error  # noqa: PLC0415 (slow, and only needed here)

    try:
        with browser(theme=theme, height=height, scale=2.0) as context:
            log_in(context, url, user, password)
            for name, file in files.items():
                page = context.new_page()
                page.set_default_timeout(TIMEOUT_MS)
                if name in elsewhere:
                    page.goto(elsewhere[name])
                    page.locator(READY[name]).first.wait_for()
                else:
                    page.goto(f"{url}/plugin/candles/ohlcv/{name}{'?' if query else ''}{query}")
                    page.frame_locator(FRAME).locator(READY[name]).first.wait_for()
                page.wait_for_timeout(SETTLE_MS)
                file.parent.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=file)
                page.close()
    except (Error, SandboxError) as error:
        return f"no screenshots: {str(error).splitlines()[0]}"
    return None
