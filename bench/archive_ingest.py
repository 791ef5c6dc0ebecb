"""Archive ingest of a file of one-minute candles against the raw client sending the same frame.

* ``raw client``: the candle store's client sends frames that are ready in memory, 100,000 rows a request. It
  reads no file, checks nothing, waits for nothing, and does not look whether the rows arrived.
* ``first ingest``: hash, parse and check the file, look whether anything is stored, send it in slices, each
  encoded while the one before is on its way, wait until it is readable, compare number and sums with what
  was sent, and bring the ledger up to it.
* ``second ingest``: the same file again.
* Memory: the most a process of its own needs for a hundred times as many rows.
* ``thin``: a file without a row for more than half of the minutes, at random, all of them proven empty:
  the same comparison, with more proofs to keep than candles. A year of minutes, or six with ``BENCH=big``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from bench.tools.memory import peak_mib
from bench.tools.ratios import Direction, Ratio
from bench.tools.size import is_big
from bench.tools.timing import best_ms
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.backfill import context_of
from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.candle import ARCHIVE
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.ingest import find_files, ingest_item, summarise
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.coverage import read_coverage
from kraken_ohlcv.stores.ledger.session import connect, execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.tools.services import Services

ROWS: Final = 1_000_000
FEW_ROWS, MANY_ROWS = 100_000, 10_000_000
YEAR_MINUTES: Final = 365 * 1440
QUIET: Final = 0.56
"""Share of the minutes of a thin file in which nothing traded."""
END_S: Final = 1_924_992_000
"""2031-01-01: ten million minutes have to fit between Kraken's first trade and the end."""
NAME: Final = "XBTUSD_1.csv"
SPEED_TARGET: Final = 0.6
THIN_TARGET: Final = 0.5
MEMORY_TARGET_MIB: Final = 400
AGAIN_TARGET: Final = 5.0
PROVEN_SHARE: Final = 0.97
"""Of the minutes left out of a thin file; the last days of quarters prove nothing."""
MEMORY_TARGET: Final = 1.2
"""For a hundred times the rows: the small file is one slice, of the large one two are in memory at a time."""
SEED: Final = 7
SLICE_ROWS: Final = 100_000
"""Rows of a request of the raw client."""
RUNS = count(1)


@dataclass(frozen=True, slots=True)
class Minutes:
    """Invented minutes of a pair.

    :ivar n: how many, up to :data:`END_S`
    :ivar quiet: share of them without a trade, at random
    :ivar most_trades: of one of the others
    """

    n: int
    quiet: float = 0.0
    most_trades: int = 200

    def frames(self) -> Iterator[pl.DataFrame]:
        """Return the candles, the same whenever they are asked for, in slices."""
        generator = np.random.default_rng(SEED)
        first_s = END_S - self.n * 60
        for start in range(0, self.n, SLICE_ROWS):
            n = min(SLICE_ROWS, self.n - start)
            opened = np.round(generator.uniform(20_000, 60_000, n), 1)
            close = np.round(opened + generator.normal(0, 20, n), 1)
            frame = pl.DataFrame({
                "ts_s": first_s + 60 * np.arange(start, start + n),
                "open": opened,
                "high": np.round(np.maximum(opened, close) + generator.uniform(0, 10, n), 1),
                "low": np.round(np.minimum(opened, close) - generator.uniform(0, 10, n), 1),
                "close": close,
                "volume": generator.exponential(1.0, n) + 1e-8,
                "trades": generator.integers(1, self.most_trades, n),
            })
            yield frame.filter(generator.random(n) >= self.quiet) if self.quiet else frame

    def write(self, path: Path) -> int:
        """Write a file of the archive; return its rows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = 0
        with path.open("wb") as file:
            for frame in self.frames():
                file.write(frame.write_csv(include_header=False).encode())
                rows += frame.height
        return rows

    def slices(self) -> Sequence[pl.DataFrame]:
        """Return the candles as the raw client sends them."""
        whole = pl.concat(self.frames()).with_columns(
            source=pl.lit(ARCHIVE), stored_at=pl.lit(END_S * 1_000_000, pl.Int64).cast(pl.Datetime("us"))
        )
        return list(whole.iter_slices(SLICE_ROWS))


def run(services: Services) -> list[Ratio]:
    """Measure speed and memory.

    :param services: what it works with
    :return: seven ratios
    """
    thin = Minutes((6 if is_big() else 1) * YEAR_MINUTES, quiet=QUIET, most_trades=10)
    return [*_speed(services), _memory(services), *_thin(services, thin)]


def ingest(uri: str, folder: Path, work_folder: Path, **params: Any) -> dict[str, Any]:
    """Do what a run of the archive DAG does.

    :param uri: of the ledger
    :param folder: archive folder
    :param work_folder: folder for files under way
    :param params: of the DAG; of an invented series in an empty store nothing but ``trust`` tells whose
        candles these are
    :return: the summary
    """
    request = ArchiveRequest.from_params({"path": NAME, "trust": "file"} | params)
    locator = ArchiveLocator(folder, work_folder, lambda: ArchiveClient(ARCHIVE_URL))
    key = RunKey("ingest_ohlcvt_archive", f"bench_{os.getpid()}_{next(RUNS)}")
    hook = QuestDBHook(questdb_conn_id="questdb_default").client()
    # It is not asked: the request says that the file is right.
    os.environ["AIRFLOW_CONN_KRAKEN_DEFAULT"] = json.dumps({
        "conn_type": "kraken",
        "host": "http://127.0.0.1:9",
    })
    kraken = KrakenHook("kraken_default", slot=CallSlot(uri)).get_conn()
    with connect(uri) as connection:
        execute(connection, "start_run", key, now_s=END_S, tier="ALL", intervals=list(request.intervals))
        context = context_of(connection, kraken, hook, key)
        for item in find_files(context, request, locator):
            ingest_item(context, request, locator, item)
        return summarise(connection, key, request, errors=[])


def _compared(
    services: Services, minutes: Minutes, *, times: int
) -> tuple[dict[str, float], dict[str, Any], str, int]:
    """Return the best times of the raw client and of ingests, what these did, their ledger, and the rows."""
    folder = services.directory / "archive"
    rows = minutes.write(folder / NAME)
    frames = minutes.slices()
    uri = ledger_of(services, ["XBTUSD"])
    hook = services.empty_candle_store()
    done: dict[str, dict[str, Any]] = {}

    def first() -> None:
        done["first"] = ingest(uri, folder, services.directory / "work")

    def again() -> None:
        done["again"] = ingest(uri, folder, services.directory / "work", trust="stored")

    def send() -> None:
        for frame in frames:
            hook.send_frame("ohlcv", frame, symbols={"ticker": "XBTUSD", "interval": "1"}, at="ts_s")

    def forget() -> None:
        hook.wait_applied("ohlcv")
        services.empty_candle_store()
        with connect(uri) as connection:
            connection.execute(
                "TRUNCATE archive_files, archive_results, gap_records, partitions_seen, series CASCADE"
            )

    took = best_ms(
        {"send": send, "first": first, "again": again}, times=times, before={"send": forget, "first": forget}
    )
    if done["first"]["rows_written"] != rows or done["again"]["files_known"] != 1:
        raise RuntimeError(f"the ingest did not do its work: {done}")
    speed = {name: rows / took[name] * 1000 for name in ("send", "first")}
    services.say(f"  {rows:,} rows: {speed['first']:,.0f} rows/s, raw client {speed['send']:,.0f} rows/s")
    return took, done, uri, rows


def _pace(name: str, took: dict[str, float], rows: int, target: float, **details: float) -> Ratio:
    speed = {one: rows / took[one] * 1000 for one in ("send", "first")}
    return Ratio(
        name,
        speed["first"] / speed["send"],
        target,
        Direction.AT_LEAST,
        details={
            "ingest_rows_per_s": speed["first"],
            "raw_rows_per_s": speed["send"],
            "rows": rows,
            **details,
        },
    )


def _speed(services: Services) -> list[Ratio]:
    took, done, _, rows = _compared(services, Minutes(ROWS), times=3)
    return [
        _pace("first ingest / raw client, rows/s", took, rows, SPEED_TARGET),
        Ratio(
            "first ingest / second, unchanged ingest, time",
            took["first"] / took["again"],
            AGAIN_TARGET,
            Direction.AT_LEAST,
            details={"first_ms": took["first"], "second_ms": took["again"]},
        ),
        Ratio(
            "rows written by the second ingest",
            done["again"]["rows_written"],
            0.0,
            details={"files_known": done["again"]["files_known"]},
        ),
    ]


def _thin(services: Services, minutes: Minutes) -> list[Ratio]:
    took, _, uri, rows = _compared(services, minutes, times=3)
    with connect(uri) as connection:
        pages = read_coverage(connection, ["XBTUSD"], [1])[Series("XBTUSD", 1)]
    proven, left_out = len(pages.empty.by[Evidence.ARCHIVE]), minutes.n - rows
    if proven < PROVEN_SHARE * left_out:
        raise RuntimeError(f"of {left_out} minutes without a row only {proven} are proven empty")
    told = _alone_at(services, minutes)
    return [
        _pace("thin file, proofs included / raw client, rows/s", took, rows, THIN_TARGET, proven=proven),
        Ratio(
            "thin file, memory, MiB",
            told["peak_mib"],
            MEMORY_TARGET_MIB,
            details={"rows": rows, "years": minutes.n // YEAR_MINUTES},
        ),
    ]


def _alone_at(services: Services, minutes: Minutes) -> dict[str, Any]:
    """Ingest in a process of its own; return what it says."""
    folder = services.directory / f"archive_{minutes.n}"
    rows = minutes.write(folder / NAME)
    services.empty_candle_store()
    arguments = [ledger_of(services, ["XBTUSD"]), str(folder), str(services.directory / "work")]
    told = told_by("bench.archive_ingest", arguments)
    if told["rows_written"] != rows:
        raise RuntimeError(f"the ingest of {rows} rows did not do its work: {told}")
    (folder / NAME).unlink()
    services.say(f"  {rows:,} rows: at most {told['peak_mib']:.0f} MiB")
    return told


def told_by(module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run one of our own modules in a process of its own; return the JSON of its last line.

    :param module: name
    :param arguments: of its command line
    """
    answer = subprocess.run(  # noqa: S603 (our own module)
        [sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    told: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return told


def _memory(services: Services) -> Ratio:
    peaks = {rows: _alone_at(services, Minutes(rows))["peak_mib"] for rows in (FEW_ROWS, MANY_ROWS)}
    return Ratio(
        "memory for 10^7 rows / for 10^5 rows",
        peaks[MANY_ROWS] / peaks[FEW_ROWS],
        MEMORY_TARGET,
        details={f"peak_mib_{rows}": peak for rows, peak in peaks.items()},
    )


def ledger_of(services: Services, tickers: Sequence[str]) -> str:
    """Return the URI of a new ledger whose catalogue has some assets.

    :param services: what the benchmark works with
    :param tickers: of the assets
    """
    uri = services.new_ledger()
    with connect(uri) as connection:
        entries = [CatalogueEntry(ticker=one, base="BTC", quote="USD", tier="TIER1") for one in tickers]
        sync_catalogue(connection, entries)
    return uri


def _alone(uri: str, folder: str, work_folder: str) -> None:
    """Ingest in a process of its own, and say how much memory that took."""
    done = ingest(uri, Path(folder), Path(work_folder))
    print(json.dumps({"rows_written": done["rows_written"], "peak_mib": peak_mib()}))


if __name__ == "__main__":
    _alone(*sys.argv[1:])
