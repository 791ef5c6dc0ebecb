"""Measures how long things take, next to each other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def best_ms(
    actions: Mapping[str, Callable[[], object]],
    *,
    times: int = 5,
    before: Mapping[str, Callable[[], object]] | None = None,
) -> dict[str, float]:
    """Return the shortest of several runs of each action: what disturbs a run only ever makes it longer.

    The actions take turns, so that a busy minute of the machine hits all of them.

    :param actions: what is measured, by name
    :param times: how often each runs, >= 1
    :param before: what is done before each run of an action and not measured, by the action's name
    :return: milliseconds of wall time by name
    """
    best: dict[str, float] = {}
    for _ in range(times):
        for name, action in actions.items():
            if before and name in before:
                before[name]()
            began = time.perf_counter()
            action()
            took = 1000 * (time.perf_counter() - began)
            best[name] = min(took, best.get(name, took))
    return best
