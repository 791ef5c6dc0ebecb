"""Good rows of a file on disk, in slices of one transaction each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

SLICE_ROWS: Final = 100_000
"""Rows of one transaction; a request of the candle store's client holds at most 100 MiB."""


class Slices:
    """Collects rows and writes them to files of exactly :data:`SLICE_ROWS` rows, the last one shorter.

    :param folder: where the files go
    :param prefix: of their names
    """

    def __init__(self, folder: Path, prefix: str = "slice") -> None:
        self._folder, self._prefix = folder, prefix
        self._waiting: list[pl.DataFrame] = []
        self._n_waiting = 0
        self._paths: list[Path] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows.

        :param frame: with column ``ts_s``
        """
        self._waiting.append(frame)
        self._n_waiting += frame.height
        while self._n_waiting >= SLICE_ROWS:
            together = pl.concat(self._waiting)
            self._write(together.head(SLICE_ROWS))
            self._waiting = [together.slice(SLICE_ROWS)]
            self._n_waiting -= SLICE_ROWS

    def close(self) -> list[Path]:
        """Write what is left.

        :return: all files
        """
        if self._n_waiting:
            self._write(pl.concat(self._waiting))
        self._waiting, self._n_waiting = [], 0
        return self._paths

    def without(self, times: pl.Series) -> Slices:
        """Return the same rows except those of some times; the files of all rows are gone then.

        :param times: epoch seconds UTC
        """
        left = Slices(self._folder, f"{self._prefix}-left")
        for path in self.close():
            kept = pl.read_ipc(path).filter(~pl.col("ts_s").is_in(times.implode()))
            path.unlink()
            if kept.height:
                left.add(kept)
        return left

    def in_order_of_time(self) -> Slices:
        """Return the same rows in the order of time.

        They are dealt out by time to as many parts as there are files, and sorted part by part: memory
        stays bounded for any file whose rows are spread over its span.
        """
        paths = self.close()
        if not paths:
            return self
        bounds = pl.concat([
            pl.read_ipc(path, columns=["ts_s"]).select(
                pl.col("ts_s").min().alias("low"), pl.col("ts_s").max().alias("high")
            )
            for path in paths
        ])
        low, high = bounds.select(pl.col("low").min(), pl.col("high").max()).row(0)
        width = (high - low) // len(paths) + 1
        dealt: dict[int, list[Path]] = {}
        for number, path in enumerate(paths):
            rows = pl.read_ipc(path)
            path.unlink()
            parts = rows.with_columns(((pl.col("ts_s") - low) // width).alias("part"))
            for (part,), mine in parts.partition_by("part", as_dict=True, include_key=False).items():
                target = self._folder / f"{self._prefix}-part-{part}-{number}.ipc"
                mine.write_ipc(target)
                dealt.setdefault(part, []).append(target)
        ordered = Slices(self._folder, f"{self._prefix}-sorted")
        for part in sorted(dealt):
            ordered.add(pl.concat([pl.read_ipc(path) for path in dealt[part]]).sort("ts_s"))
            for path in dealt[part]:
                path.unlink()
        return ordered

    def _write(self, frame: pl.DataFrame) -> None:
        path = self._folder / f"{self._prefix}-{len(self._paths):06d}.ipc"
        frame.write_ipc(path)
        self._paths.append(path)
