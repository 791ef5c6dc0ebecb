"""How large the benchmarks are: a tenth by default, in full with ``BENCH=big``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE: Final = "BENCH"

BIG: Final = "big"
"""Among the names in the variable, or on the command line."""


def is_big() -> bool:
    """Return whether everything is measured in full size."""
    return BIG in os.environ.get(VARIABLE, "").split()


def names_without_size(names: Iterable[str]) -> list[str]:
    """Return the names of benchmarks among some arguments; the word ``big`` among them sets the size.

    :param names: as given on the command line
    """
    given = list(names)
    if BIG in given:
        os.environ[VARIABLE] = BIG
    return [name for name in given if name != BIG]
