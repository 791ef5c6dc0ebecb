"""The pages in a headless browser, without a whole Airflow: its web application over HTTP, on real stores."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from local.processes import free_port
from tests.patience import PATIENCE_S, wait_for
from tools.browser import Theme, browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.web.conftest import Site

HEIGHT: Final = 900
UNREADABLE: Final = Path(__file__).with_name("unreadable.js").read_text()


@dataclass(frozen=True)
class Served:
    """The pages over HTTP.

    :ivar url: address of the folder of all pages
    :ivar site: the application behind it
    """

    url: str
    site: Site

    @contextmanager
    def tab(self, user: str = "viewer") -> Iterator[Page]:
        """Open a tab of a browser, logged in; any error of a script, or refused style, fails the test."""
        with browser() as context:
            context.add_cookies([{"name": "_token", "value": self.site.token(user), "url": self.url}])
            page = context.new_page()
            page.set_default_timeout(PATIENCE_S * 1000)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            yield page
            assert errors == []


def faults(page: Page, width: int, theme: Theme) -> list[str]:
    """Return what of an open page cannot be read.

    :param width: of the window, CSS pixels
    """
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme=theme)
    page.locator(f"html[data-theme='{theme}']").wait_for()
    found: list[str] = page.evaluate(UNREADABLE)
    return found


@contextmanager
def serve(site: Site) -> Iterator[Served]:
    """Serve the application on a free port of this machine."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(site.app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, "the pages are not served")
        yield Served(f"http://127.0.0.1:{port}/ohlcv", site)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
