"""Writes the table of rooms in ``docs/ARCHITECTURE.md`` from the import contracts and the docstrings."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path
from typing import Final

from local.processes import ROOT

DOCUMENT: Final = ROOT / "docs" / "ARCHITECTURE.md"
BEGIN: Final = "<!-- rooms: made by `make docs` -->\n"
END: Final = "<!-- end of rooms -->\n"
HOUSE: Final = "Layers of the house"
DOMAIN: Final = "Layers of the domain"
ROOTS: Final = (ROOT / "include", ROOT / "plugins", ROOT)


def rooms() -> list[list[str]]:
    """Return the layers of the import contracts, top first; modules of one layer stand together."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {one["name"]: one for one in project["tool"]["importlinter"]["contracts"]}
    (container,) = contracts[DOMAIN]["containers"]
    above = [layer for layer in contracts[HOUSE]["layers"] if layer != container]
    domain = [[f"{container}.{name}" for name in layer.split(" : ")] for layer in contracts[DOMAIN]["layers"]]
    return [*(layer.split(" : ") for layer in above), *domain]


def table() -> str:
    """Return the table, Markdown: a row per layer, which may import the rows below it."""
    rows = ["| floor | room | what it is for |", "|--:|---|---|"]
    layers = rooms()
    for floor, layer in zip(range(len(layers), 0, -1), layers, strict=True):
        for module in layer:
            file = _file(module)
            purpose = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
            place = file.parent if file.name == "__init__.py" else file
            rows.append(f"| {floor} | `{place.relative_to(ROOT)}` | {purpose} |")
    return "\n".join(rows) + "\n"


def document(text: str) -> str:
    """Return the document with the table as it should be.

    :param text: of ``docs/ARCHITECTURE.md``
    """
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def _file(module: str) -> Path:
    parts = Path(*module.split("."))
    files = (
        root / candidate for root in ROOTS for candidate in (parts / "__init__.py", parts.with_suffix(".py"))
    )
    return next(file for file in files if file.is_file())


def main() -> int:
    """Write the document.

    :return: exit code
    """
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Written: {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
