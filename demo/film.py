"""An animated picture of page Coverage while a run fills its holes."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Final, Self

from demo.screenshots import READY, TIMEOUT_MS
from tools.browser import browser, log_in

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from playwright.sync_api import BrowserContext

EVERY_S: Final = 2.0
WIDTH, HEIGHT = 1100, 800
FRAME_MS: Final = 500
LAST_FRAME_MS: Final = 4000
COLOURS: Final = 128


class Film:
    """Films the page from the start of a ``with`` block to its end, and keeps the frames that differ.

    :param url: address of Airflow's UI
    :param user: user name of the simple auth manager
    :param password: the user's password
    :param query: of the page's address, ``tier=TIER1&interval=60&range=30d``
    :param file: the GIF to write
    """

    def __init__(self, url: str, user: str, password: str, query: str, file: Path) -> None:
        self._url = url
        self._login = (user, password)
        self._query = query
        self._file = file
        self._over = threading.Event()
        self._frames: list[bytes] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="film")

    def __enter__(self) -> Self:
        """Start filming."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Film the page as it is now, and write the file.

        :raises SandboxError: if no Chromium is installed, or Airflow refuses the login
        :raises playwright.sync_api.Error: if the page does not come
        """
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        write_gif(self._frames, self._file)

    def _run(self) -> None:
        try:
            # Playwright's objects belong to the thread that made them.
            with browser(width=WIDTH, height=HEIGHT) as context:
                log_in(context, self._url, *self._login)
                self._shoot(context)
        except Exception as error:  # raised where the block ends
            self._error = error

    def _shoot(self, context: BrowserContext) -> None:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        is_last = False
        while not is_last:
            is_last = self._over.wait(EVERY_S)
            page.goto(f"{self._url}/ohlcv/coverage?{self._query}")
            page.locator(READY["coverage"]).first.wait_for()
            frame = page.screenshot()
            if frame not in self._frames[-1:]:
                self._frames.append(frame)


def write_gif(frames: list[bytes], file: Path) -> None:
    """Write frames as a picture that repeats.

    :param frames: PNG files of one size, at least one
    :param file: the GIF to write
    """
    from PIL import Image  # noqa: PLC0415 (only needed for the pictures of the documents)

    images = [
        Image.open(io.BytesIO(frame)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        for frame in frames
    ]
    images[0].save(
        file,
        save_all=True,
        append_images=images[1:],
        duration=[FRAME_MS] * (len(images) - 1) + [LAST_FRAME_MS],
        loop=0,
        optimize=True,
    )
