"""docs/ARCHITECTURE.md shows the rooms that the import contracts guard."""

from __future__ import annotations

from tools.rooms_table import DOCUMENT, document, rooms, table


def test_the_table_of_rooms_is_what_make_docs_would_write() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == document(text), "run `make docs`"


def test_every_room_has_a_line_with_its_purpose() -> None:
    modules = [module for layer in rooms() for module in layer]
    lines = table().splitlines()[2:]
    assert len(lines) == len(modules) > 10
    assert all(len(line.split("|")[3].strip()) > 10 for line in lines)
