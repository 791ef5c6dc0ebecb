"""A headless Chromium that the machine may have; none is downloaded."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

import requests

from local.processes import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TOKEN_COOKIE: Final = "_token"  # noqa: S105 (a name, as Airflow's pages read it)
TIMEOUT_S: Final = 120.0

Theme = Literal["light", "dark"]


def find_browser() -> str | None:
    """Return the path of an installed Chromium.

    :return: None if there is none; on Debian ``apt-get install chromium`` brings it
    """
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def browser(
    *, theme: Theme = "light", width: int = 1440, height: int = 900, scale: float = 1.0
) -> Iterator[BrowserContext]:
    """Open a headless browser without any state.

    :param theme: the system's theme that pages see
    :param width: of the window, CSS pixels
    :param height: of the window, CSS pixels
    :param scale: device pixels a CSS pixel
    :return: context manager of the browser's context
    :raises SandboxError: if no Chromium is installed
    """
    program = find_browser()
    if program is None:
        raise SandboxError("no Chromium is installed (on Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (slow, and only needed here)

    # Chromium's own sandbox refuses to work for root, as in most containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield chromium.new_context(
                viewport={"width": width, "height": height},
                color_scheme=theme,
                device_scale_factor=scale,
                timezone_id="UTC",
                locale="en-GB",
            )
        finally:
            chromium.close()


def log_in(context: BrowserContext, url: str, user: str, password: str) -> None:
    """Log a browser in to Airflow.

    :param context: the browser
    :param url: address of the UI
    :param user: user name of the simple auth manager
    :param password: the user's password
    :raises SandboxError: if Airflow refuses
    """
    answer = requests.post(
        f"{url}/auth/token", json={"username": user, "password": password}, timeout=TIMEOUT_S
    )
    if not answer.ok:
        raise SandboxError(f"Airflow at {url} refuses the login of {user}: HTTP {answer.status_code}")
    context.add_cookies([{"name": TOKEN_COOKIE, "value": answer.json()["access_token"], "url": url}])
