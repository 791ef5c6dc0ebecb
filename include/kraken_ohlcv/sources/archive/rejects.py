"""Reject files: every bad row of a file with its line and reason, in a folder of our own."""

from __future__ import annotations

import csv
import hashlib
import re
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

HEADER: Final = ("file", "line", "reason", "text")
MOST_ROWS: Final = 100_000
MOST_SHOWN: Final = 10
NOT_NAMED: Final = "from here on, odd rows are counted and no longer named"


class RejectFile:
    """The reject file of one input; made at the first bad row, so a clean input leaves none.

    :param folder: where reject files go; made when needed
    :param source: the input's name as people know it, ``Kraken_OHLCVT_2026Q2.zip!XBTUSD_60.csv``
    """

    def __init__(self, folder: Path, source: str) -> None:
        self._source = source
        # Inputs of the same base name may lie in many folders.
        mark = hashlib.sha256(source.encode()).hexdigest()[:8]
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", source)[-100:]
        self.path = folder / f"{stem}.{mark}.rejects.csv"
        self._file: IO[str] | None = None
        self._writer: Any = None
        self._n_left = MOST_ROWS
        self.first: list[str] = []
        """A sentence for each of the first odd rows."""
        self.path.unlink(missing_ok=True)

    def add(self, bad: pl.DataFrame) -> None:
        """Write bad rows.

        :param bad: ``line``, ``reason``, ``text``
        """
        if bad.is_empty():
            return
        shown = bad.head(MOST_SHOWN - len(self.first))
        self.first += [f"line {line}: {why}: {text}" for line, why, text in shown.iter_rows()]
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(HEADER)
        self._writer.writerows((self._source, *row) for row in bad.head(self._n_left).iter_rows())
        if 0 < self._n_left < bad.height:
            self._writer.writerow((self._source, bad["line"][self._n_left], NOT_NAMED, ""))
        self._n_left = max(0, self._n_left - bad.height)

    def close(self) -> str | None:
        """Close the file.

        :return: its path, or None when there was no bad row
        """
        if self._file is None:
            return None
        self._file.close()
        self._file = None
        return str(self.path)
