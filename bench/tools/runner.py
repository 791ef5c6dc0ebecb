"""Finds benchmarks, runs them and judges what they return."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from bench.tools.ratios import Measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.tools.ratios import Ratio
    from bench.tools.services import Services

FOLDER = Path(__file__).resolve().parents[1]


class RunContext(Protocol):
    """A module of ``bench/``."""

    def run(self, services: Services) -> list[Ratio]:
        """Measure.

        :param services: what it works with
        :return: at least one ratio
        """
        ...


class UnknownBenchError(ValueError):
    """A benchmark was asked for that does not exist."""


def names_in(folder: Path = FOLDER) -> list[str]:
    """Return the names of all benchmarks.

    :param folder: the package's folder
    :return: module names, ascending
    """
    found = pkgutil.iter_modules([str(folder)])
    return sorted(one.name for one in found if not one.ispkg and not one.name.startswith("_"))


def choose(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return what is to run.

    :param wanted: names asked for; empty = all
    :param known: names of all benchmarks
    :return: names, each once, in the order asked for
    :raises UnknownBenchError: if a name is not known
    """
    for name in wanted:
        if name not in known:
            raise UnknownBenchError(f"no benchmark is called {name}; there are: {', '.join(known)}")
    return list(dict.fromkeys(wanted)) or list(known)


def measure(names: Iterable[str], services: Services, *, package: str = "bench") -> Iterable[Measured]:
    """Run benchmarks one after the other.

    :param names: module names
    :param services: what they work with
    :param package: package that holds them
    :return: what each measured, as soon as it has
    :raises ValueError: if a benchmark returns no ratio: nothing measured must not look like nothing missed
    """
    for name in names:
        services.say(f"{name} …")
        bench = cast("RunContext", importlib.import_module(f"{package}.{name}"))
        ratios = bench.run(services)
        if not ratios:
            raise ValueError(f"benchmark {name} returned no ratio")
        yield Measured(name, ratios)
