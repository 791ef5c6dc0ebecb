"""What tests of exports do: open the stores as a reader does, and read an export without this package."""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.merkle import leaf_hash, root_of
from kraken_ohlcv.core.seal import DaySeal, SealReason
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.reader.buckets import bucket_frame
from kraken_ohlcv.reader.lines import ledger_text
from kraken_ohlcv.reader.scope import find_rows
from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.seals import Draft, append, newest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.reader.stores import Stores
    from local.questdb import QuestDBServer

FIGURES = ("open", "high", "low", "close", "vwap", "volume")


@contextmanager
def opened(server: QuestDBServer, ledger_url: str, now_s: float) -> Iterator[Stores]:
    """Give both stores at a moment of the exchange."""
    with open_stores(server.url(), ledger_url, clock=lambda: now_s) as stores:
        yield stores


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of an export."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def months_of(folder: Path, series: Series) -> dict[str, Any]:
    """Return the months of a series in the manifest."""
    found: dict[str, Any] = manifest_of(folder)["series"][f"{series.ticker}_{series.interval_minutes}"][
        "months"
    ]
    return found


def lines_of(folder: Path, series: Series) -> list[dict[str, Any]]:
    """Return all lines of a series, oldest month first."""
    return [
        json.loads(line)
        for month in months_of(folder, series).values()
        for line in gzip.decompress((folder / month["files"]["ledger"]["path"]).read_bytes()).splitlines()
    ]


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file of a folder: when it was written, and its bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file but the manifest, which tells when it was made."""
    return {name: data for name, (_, data) in contents(folder).items() if name != "manifest.json"}


def changed(before: dict[str, tuple[int, bytes]], after: dict[str, tuple[int, bytes]]) -> set[str]:
    """Return the names of files that were written, or are gone."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def seal(stores: Stores, series: Series, days: Iterable[int], *, reason: str, start_s: int = 0) -> None:
    """Seal days of a series as they stand now.

    :param days: the first second of each, epoch seconds UTC
    :param start_s: where the series begins
    """
    as_of_us = settled_us(stores.ledger)
    (row,) = find_rows(stores, [series.ticker], series.interval_minutes)
    drafts = []
    for day_s in days:
        first_s, end_s = opens_of_day(day_s, series.interval_minutes)
        frame = bucket_frame(stores, row, (max(first_s, start_s), end_s))
        lines = ledger_text(series, frame).splitlines()
        statuses = frame["status"].to_list()
        old = newest_of(stores.ledger, [(series, day_s)]).get((series, day_s))
        drafts.append(
            Draft(
                DaySeal(
                    number=0, before="", as_of_us=as_of_us, series=series, day_s=day_s,
                    revision=old.day.revision + 1 if old else 1, reasons=(SealReason(reason),),
                    root=root_of([leaf_hash(line) for line in lines]).hex(),
                    root_before=old.day.root if old else None, stored=statuses.count("stored"),
                    empty=sum(status.startswith("empty_") for status in statuses),
                    missing=statuses.count("missing"),
                ),
                leaves=b"".join(leaf_hash(line)[:4] for line in lines),
            )
        )  # fmt: skip
    append(stores.ledger, drafts)
