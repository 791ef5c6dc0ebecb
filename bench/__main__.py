"""Run benchmarks: ``python -m bench [name ...]``; exit code 1 when a ratio misses its target."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.tools.ratios import table_of, write_json
from bench.tools.runner import UnknownBenchError, choose, measure, names_in
from bench.tools.services import running_services
from bench.tools.size import names_without_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.tools.ratios import Measured

RESULTS = Path(__file__).resolve().parents[1] / ".sandbox" / "bench.json"
LOG_WIDTH = 160


def main(argv: Sequence[str]) -> int:
    """Run benchmarks, show their ratios and keep them in ``.sandbox/bench.json``.

    :param argv: names; empty = all; ``big`` among them = in full size
    :return: exit code: 0 all targets met, 1 one missed, 2 an unknown name
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = ", ".join(names_in())
    parser.add_argument("names", nargs="*", help=f"default: all of {known}; big: in full size")
    arguments = parser.parse_args(argv)
    try:
        names = choose(names_without_size(arguments.names), names_in())
    except UnknownBenchError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    results: list[Measured] = []
    with running_services(lambda text: console.print(text, style="dim", highlight=False)) as services:
        for measured in measure(names, services):
            results.append(measured)
            # Shown and kept one by one: a run that is stopped has lost only what it was measuring.
            console.print(table_of([measured]))
            write_json(RESULTS, results)
    console.print(table_of(results))
    console.print(f"Written to {RESULTS}", style="dim", highlight=False)
    return 0 if all(ratio.is_met for measured in results for ratio in measured.ratios) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
