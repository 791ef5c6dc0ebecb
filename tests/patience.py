"""How long tests wait for what must happen: no measure of speed, but when to give up on a slow machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

PATIENCE_S: Final = 600.0
"""A whole TIER1 takes 40 s by itself and has taken 180 s beside other work; pytest gives up after 900 s."""

POLL_S: Final = 0.05


def wait_for(what: Callable[[], Value], otherwise: str = "it did not come") -> Value:
    """Return the first true value of a function.

    :param what: asked again and again
    :param otherwise: what it means when none comes
    :raises AssertionError: after ``PATIENCE_S`` seconds
    """
    end = time.monotonic() + PATIENCE_S
    while not (value := what()):
        assert time.monotonic() < end, f"{otherwise}: still {value!r} after {PATIENCE_S:g} s"
        time.sleep(POLL_S)
    return value
