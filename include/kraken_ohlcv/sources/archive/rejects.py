"""Reject files: every bad row of a file with its line and reason, in a folder of our own."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import polars as pl

from kraken_ohlcv.core.ranges import Range

MOST_ROWS: Final = 100_000
MOST_SHOWN: Final = 10
NAMED: Final = ("line", "reason", "text")
NOT_NAMED: Final = "from here on, odd rows are only counted"


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
        self.n_rows = 0
        """Odd rows so far."""
        self.first: list[str] = []
        """A sentence for each of the first odd rows."""
        self.times: Range | None = None
        """Open times of the first and the last odd row that has one, epoch seconds UTC."""
        self.path.unlink(missing_ok=True)

    @property
    def written(self) -> str | None:
        """Return its path, or None when there was no bad row."""
        return str(self.path) if self.n_rows else None

    def add(self, bad: pl.DataFrame) -> None:
        """Write bad rows.

        :param bad: ``line``, ``reason``, ``text``, and ``ts_s`` where that can be believed
        """
        if bad.is_empty():
            return
        shown = bad.head(MOST_SHOWN - len(self.first))
        self.first += [f"line {line}: {why}: {text}" for line, why, text in shown.select(NAMED).iter_rows()]
        first_s, last_s = bad.select(pl.col("ts_s").min().alias("a"), pl.col("ts_s").max()).row(0)
        if first_s is not None:
            before_s, after_s = self.times or (first_s, last_s)
            self.times = min(before_s, first_s), max(after_s, last_s)
        n_left = max(0, MOST_ROWS - self.n_rows)
        rows = bad.select(NAMED).head(n_left)
        if 0 < n_left < bad.height:
            last = (
                bad
                .select(NAMED)
                .slice(n_left, 1)
                .with_columns(pl.lit(NOT_NAMED).alias("reason"), pl.lit("").alias("text"))
            )
            rows = pl.concat([rows, last])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            named = rows.select(pl.lit(self._source).alias("file"), *NAMED)
            named.write_csv(file, include_header=not self.n_rows)
        self.n_rows += bad.height
