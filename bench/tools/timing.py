"""Measures how long something takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def best_ms(action: Callable[[], object], *, times: int = 5) -> float:
    """Return the shortest of several runs: what disturbs a run only ever makes it longer.

    :param action: what is measured
    :param times: how often it runs, >= 1
    :return: milliseconds of wall time
    """
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        durations.append(time.perf_counter() - began)
    return 1000 * min(durations)
