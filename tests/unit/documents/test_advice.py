"""No document and no message tells anybody to destroy what holds data."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.documents import ROOT, documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DESTROYING = re.compile(
    r"\b(drop|rename|truncate) (it|them|table|the table|partition|database)\b|\brm -rf?\b|--volumes"
    r"|\b(delete|remove) (it|them|everything|all|the (candles|table|database|ledger|folder|rows|strays))\b"
    r"|\bmake clean\b",
    re.IGNORECASE,
)
SOURCES = sorted([*ROOT.glob("include/**/*.py"), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("dags/*.py")])


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Return the texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_what_would_be_found_is_found() -> None:
    for said in ("rename or drop it, then run again", "RENAME TABLE ohlcv TO old", "down --volumes"):
        assert DESTROYING.search(said), said


@pytest.mark.parametrize("document", documents())
def test_no_document_recommends_to_destroy_data(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert [match[0] for match in DESTROYING.finditer(text)] == []


def test_no_message_recommends_to_destroy_data() -> None:
    assert len(SOURCES) > 100
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in SOURCES
        if "migrations" not in file.parts
        for line, text in texts(file)
        if DESTROYING.search(text)
    ]
    assert found == []
