"""``export``: files that somebody without the stores can check, with progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kraken_ohlcv.export import Exported, export_candles
from kraken_ohlcv.reader.stores import Stores


def export(
    stores: Stores,
    folder: Path,
    tickers: Sequence[str],
    intervals: Sequence[int],
    start: str | None,
    end: str | None,
    formats: Sequence[str] | None,
    *,
    whole_log: bool,
) -> Exported:
    """Export candles, proofs and holes of series into a folder.

    Parameters are those of :func:`kraken_ohlcv.export.export_candles`; a bar on standard error shows how far
    it is where a person looks at it, lines in the log do elsewhere.
    """
    chosen: dict[str, Any] = {"formats": formats} if formats else {}
    with _progress() as watch:
        return export_candles(
            folder,
            tickers,
            intervals,
            start,
            end,
            whole_log=whole_log,
            progress=watch,
            stores=stores,
            **chosen,
        )


def as_json(done: Exported) -> dict[str, Any]:
    """Return what an export has done as JSON."""
    said = {one.name: getattr(done, one.name) for one in fields(done)}
    counts = {name: dict(said[name]) for name in ("proofs", "holes", "days")}
    return said | {"folder": str(done.folder), **counts}


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("buckets"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("buckets", total=None)
        yield lambda n_done, n_all: bar.update(task, completed=n_done, total=n_all)
