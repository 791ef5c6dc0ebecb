"""The animated picture of the documents: every frame, in order, and a pause at the end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from demo.film import FRAME_MS, LAST_FRAME_MS, write_gif

if TYPE_CHECKING:
    from pathlib import Path


def frame(colour: tuple[int, int, int]) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(written, "PNG")
    return written.getvalue()


def test_all_frames_are_shown_in_order_and_the_last_one_for_longer(tmp_path: Path) -> None:
    colours = [(200, 0, 0), (200, 200, 0), (0, 200, 0)]
    write_gif([frame(colour) for colour in colours], tmp_path / "repair.gif")
    seen, pauses = [], []
    with Image.open(tmp_path / "repair.gif") as image:
        for number in range(image.n_frames):
            image.seek(number)
            seen.append(image.convert("RGB").getpixel((5, 5)))
            pauses.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert seen == colours
    assert pauses == [FRAME_MS, FRAME_MS, LAST_FRAME_MS]
