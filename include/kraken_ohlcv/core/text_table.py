"""Lays out rows as lines of text that align in a log. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a table, a line per row.

    :param header: names of the columns; the first one is aligned to the left, the others to the right
    :param rows: as many cells each; whole numbers get thousands separators
    :return: the header and the rows; nothing without rows
    """
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in ([header, *cells] if rows else [])
    ]
