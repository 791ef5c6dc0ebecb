"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from kraken_ohlcv.core.errors import BadRequestError

WIDTH: Final = 200
"""Columns of a table that goes into a file or a pipe."""
LEFT: Final = "left"


def console() -> Console:
    """Return where tables go: standard output, in colours where a person looks at it."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def print_json(answer: Any) -> None:
    """Print an answer as JSON, on standard output."""
    print(json.dumps(answer, indent=2, allow_nan=False))


def print_table(
    columns: Sequence[str], lines: Iterable[Sequence[object]], *, title: str | None = None, n_left: int = 1
) -> None:
    """Print a table; what is None shows as a dash.

    :param columns: headings
    :param lines: a value per column
    :param title: stands above it
    :param n_left: columns from the left that hold text; the others hold numbers and times
    """
    table = Table(title=title, title_justify=LEFT)
    for number, column in enumerate(columns):
        table.add_column(column, justify=LEFT if number < n_left else "right")
    for line in lines:
        table.add_row(*("-" if value is None else str(value) for value in line))
    console().print(table)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, which is there only once it is whole; an older one is replaced.

    :raises BadRequestError: if its folder is not there
    """
    if not path.parent.is_dir():
        raise BadRequestError(f"file {str(path)!r}: there is no folder {str(path.parent)!r}; make it first")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, however long."""
    to = console()
    for line in lines:
        to.print(line, soft_wrap=True, markup=False)
