"""Archive ingest of a file of one-minute candles against the raw client sending the same frame.

* ``raw client``: the candle store's client sends frames that are ready in memory, 100,000 rows a request. It
  reads no file, checks nothing, waits for nothing, and does not look whether the rows arrived.
* ``first ingest``: hash, parse and check the file, compare with what is stored, send it in the same slices,
  wait until it is readable, compare number and sums with what was sent, and bring the ledger up to it.
* ``second ingest``: the same file again.
* Memory: the most a process of its own needs for a hundred times as many rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from bench.tools.memory import peak_mib
from bench.tools.ratios import Direction, Ratio
from bench.tools.timing import best_ms
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.backfill import context_of
from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.candle import ARCHIVE
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.ingest import find_files, ingest_item, summarise
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.sources.archive.staging import BATCH_ROWS
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect, execute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.tools.services import Services

ROWS: Final = 1_000_000
FEW_ROWS, MANY_ROWS = 100_000, 10_000_000
END_S: Final = 1_924_992_000
"""2031-01-01: ten million minutes have to fit between Kraken's first trade and the end."""
NAME: Final = "XBTUSD_1.csv"
SPEED_TARGET: Final = 0.6
AGAIN_TARGET: Final = 5.0
MEMORY_TARGET: Final = 1.2
"""For a hundred times the rows: the small file is one slice, of the large one two are in memory at a time."""
SEED: Final = 7
RUNS = count(1)


def run(services: Services) -> list[Ratio]:
    """Measure speed and memory.

    :param services: what it works with
    :return: four ratios
    """
    return [*_speed(services), _memory(services)]


def ingest(uri: str, folder: Path, work_folder: Path, *, trust: str = "file") -> dict[str, Any]:
    """Do what a run of the archive DAG does.

    :param uri: of the ledger
    :param folder: archive folder
    :param work_folder: folder for files under way
    :param trust: param of that name; of an invented series in an empty store nothing else tells whose candles
        these are
    :return: the summary
    """
    request = ArchiveRequest.from_params({"path": NAME, "trust": trust})
    locator = ArchiveLocator(folder, work_folder, lambda: ArchiveClient(ARCHIVE_URL))
    key = RunKey("ingest_ohlcvt_archive", f"bench_{next(RUNS)}")
    hook = QuestDBHook(questdb_conn_id="questdb_default").client()
    # It is not asked: the request says that the file is right.
    os.environ["AIRFLOW_CONN_KRAKEN_DEFAULT"] = json.dumps({
        "conn_type": "kraken",
        "host": "http://127.0.0.1:9",
    })
    kraken = KrakenHook("kraken_default", slot=CallSlot(uri)).get_conn()
    with connect(uri) as connection:
        execute(connection, "start_run", key, now_s=END_S, tier="ALL", intervals=[1])
        context = context_of(connection, kraken, hook, key)
        for item in find_files(context, request, locator):
            ingest_item(context, request, locator, item)
        return summarise(connection, key, request, errors=[])


def _speed(services: Services) -> list[Ratio]:
    folder = services.directory / "archive"
    _write_file(folder / NAME, ROWS)
    frames = [frame.with_columns(pl.lit(ARCHIVE).alias("source")) for frame in _frames(ROWS)]
    uri = _ledger(services)
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
            connection.execute("TRUNCATE archive_files, archive_results, gap_records, series CASCADE")

    took = best_ms(
        {"send": send, "first": first, "again": again}, times=3, before={"send": forget, "first": forget}
    )
    if done["first"]["rows_written"] != ROWS or done["again"]["files_known"] != 1:
        raise RuntimeError(f"the ingest did not do its work: {done}")
    speed = {name: ROWS / took[name] * 1000 for name in ("send", "first")}
    services.say(f"  {ROWS:,} rows: {speed['first']:,.0f} rows/s, raw client {speed['send']:,.0f} rows/s")
    return [
        Ratio(
            "first ingest / raw client, rows/s",
            speed["first"] / speed["send"],
            SPEED_TARGET,
            Direction.AT_LEAST,
            details={"ingest_rows_per_s": speed["first"], "raw_rows_per_s": speed["send"], "rows": ROWS},
        ),
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


def _memory(services: Services) -> Ratio:
    peaks = {}
    for rows in (FEW_ROWS, MANY_ROWS):
        folder = services.directory / f"archive_{rows}"
        _write_file(folder / NAME, rows)
        services.empty_candle_store()
        arguments = [_ledger(services), str(folder), str(services.directory / "work")]
        answer = subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-m", "bench.archive_ingest", *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = json.loads(answer.stdout.splitlines()[-1])
        if told["rows_written"] != rows:
            raise RuntimeError(f"the ingest of {rows} rows did not do its work: {told}")
        peaks[rows] = told["peak_mib"]
        (folder / NAME).unlink()
        services.say(f"  {rows:,} rows: at most {told['peak_mib']:.0f} MiB")
    return Ratio(
        "memory for 10^7 rows / for 10^5 rows",
        peaks[MANY_ROWS] / peaks[FEW_ROWS],
        MEMORY_TARGET,
        details={f"peak_mib_{rows}": peak for rows, peak in peaks.items()},
    )


def _frames(rows: int) -> Iterator[pl.DataFrame]:
    """Return invented candles, the same whenever they are asked for."""
    generator = np.random.default_rng(SEED)
    first_s = END_S - rows * 60
    for start in range(0, rows, BATCH_ROWS):
        n = min(BATCH_ROWS, rows - start)
        opened = np.round(generator.uniform(20_000, 60_000, n), 1)
        close = np.round(opened + generator.normal(0, 20, n), 1)
        yield pl.DataFrame({
            "ts_s": first_s + 60 * np.arange(start, start + n),
            "open": opened,
            "high": np.round(np.maximum(opened, close) + generator.uniform(0, 10, n), 1),
            "low": np.round(np.minimum(opened, close) - generator.uniform(0, 10, n), 1),
            "close": close,
            "volume": generator.exponential(1.0, n) + 1e-8,
            "trades": generator.integers(1, 200, n),
        })


def _write_file(path: Path, rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for frame in _frames(rows):
            file.write(frame.write_csv(include_header=False).encode())


def _ledger(services: Services) -> str:
    uri = services.new_ledger()
    with connect(uri) as connection:
        sync_catalogue(connection, [CatalogueEntry(ticker="XBTUSD", base="BTC", quote="USD", tier="TIER1")])
    return uri


def _alone(uri: str, folder: str, work_folder: str) -> None:
    """Ingest in a process of its own, and say how much memory that took."""
    done = ingest(uri, Path(folder), Path(work_folder))
    print(json.dumps({"rows_written": done["rows_written"], "peak_mib": peak_mib()}))


if __name__ == "__main__":
    _alone(*sys.argv[1:])
