"""Which tests can run where only the packages of Airflow's image are: what ``astro dev pytest`` does."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = (ROOT, ROOT / "include", ROOT / "plugins")
MARKER: Final = "development"
SERVICES: Final = "service_directory"
"""Fixture behind all that start a service, which takes packages of ``requirements-dev.txt``."""


@cache
def is_installed(package: str) -> bool:
    """Return whether a package can be imported."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def lacking(file: Path, *, seen: set[Path] | None = None) -> set[str]:
    """Return the packages that are not there and that a file, or a file of the project it imports, imports.

    :param file: Python source of this project
    :param seen: files that need no second look
    """
    seen = set() if seen is None else seen
    if file in seen:
        return set()
    seen.add(file)
    found: set[str] = set()
    for module in _imports(file):
        of_project = _files(module)
        for needed in of_project:
            found |= lacking(needed, seen=seen)
        package = module.partition(".")[0]
        if not of_project and not _is_ours(package) and not is_installed(package):
            found.add(package)
    return found


@cache
def _imports(file: Path) -> tuple[str, ...]:
    """Return the modules imported when a file is, and names imported from them, which may be modules."""
    found: list[str] = []
    waiting: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        elif isinstance(node, (ast.With, ast.Try, ast.If)) and not _is_for_types(node):
            waiting += node.body
    return tuple(found)


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@cache
def _files(module: str) -> list[Path]:
    """Return the project's files that importing a module executes."""
    parts = module.split(".")
    places = [source.joinpath(*parts[:length]) for source in SOURCES for length in range(1, len(parts) + 1)]
    candidates = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return [file for file in candidates if file.is_file()]


def _is_ours(package: str) -> bool:
    return any((source / package).is_dir() for source in SOURCES)
