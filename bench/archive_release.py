"""A full release of thin pairs, all its files, through the archive DAG's steps: memory.

Eight files per pair, the shortest of one minute; more than half of the minutes are left out at random. Each
file is compared with the seven others of its pair, stored, and all that it leaves out is proven empty.

* ``one pair``: a year of it, or twelve with ``BENCH=big``.
* ``many pairs``: five, or fifty with ``BENCH=big``, of a year each.

Either is ingested file after file in one process, though the DAG gives each file a task: memory must not grow
with their number.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.archive_ingest import (
    MEMORY_TARGET_MIB,
    QUIET,
    YEAR_MINUTES,
    Minutes,
    ingest,
    ledger_of,
    told_by,
)
from bench.tools.invented import tickers
from bench.tools.memory import peak_mib
from bench.tools.ratios import Ratio
from bench.tools.size import is_big
from kraken_ohlcv.core.intervals import WITNESS_INTERVALS
from kraken_ohlcv.sources.archive.request import ARCHIVE_INTERVALS

if TYPE_CHECKING:
    from bench.tools.services import Services

NAME: Final = "Kraken_OHLCVT_Full_2030Q4.zip"
"""It ends where the invented minutes do."""
MANY_QUIET: Final = 0.9
"""Share of quiet minutes of the many pairs: most of the exchange's pairs are as thin."""
MOST_TRADES: Final = 3
FLAT_TARGET: Final = 1.1


def run(services: Services) -> list[Ratio]:
    """Measure memory.

    :param services: what it works with
    :return: four ratios
    """
    years, n_pairs = (12, 50) if is_big() else (1, 5)
    one = _measured(services, 1, Minutes(years * YEAR_MINUTES, QUIET, MOST_TRADES))
    many = _measured(services, n_pairs, Minutes(YEAR_MINUTES, MANY_QUIET, MOST_TRADES))
    return [ratio for told in (one, many) for ratio in _ratios(told)]


def _ratios(told: dict[str, float]) -> list[Ratio]:
    what = f"full release of {told['pairs']} pairs" if told["pairs"] > 1 else "full release of one pair"
    return [
        Ratio(f"{what}, memory, MiB", told["peak_mib"], MEMORY_TARGET_MIB, details=told),
        Ratio(
            f"{what}, memory after the last file / after the first",
            told["peak_mib"] / told["first_peak_mib"],
            FLAT_TARGET,
            details={"files": told["pairs"] * len(ARCHIVE_INTERVALS)},
        ),
    ]


def _measured(services: Services, n_pairs: int, minutes: Minutes) -> dict[str, float]:
    folder = services.directory / f"release_{n_pairs}"
    names = tickers(n_pairs)
    rows = _write(folder / NAME, names, minutes)
    services.empty_candle_store()
    began = time.perf_counter()
    told = told_by(
        "bench.archive_release",
        [ledger_of(services, names), str(folder), str(services.directory / "work"), *names],
    )
    took_s = time.perf_counter() - began
    if told["rows_written"] != rows:
        raise RuntimeError(f"the ingest of {rows} rows did not do its work: {told}")
    (folder / NAME).unlink()
    first_peak, peak = told["peaks_mib"][0], told["peaks_mib"][-1]
    services.say(f"  {n_pairs} pairs, {rows:,} rows: {took_s:.0f} s, at most {peak:.0f} MiB")
    return {
        "pairs": n_pairs,
        "years": minutes.n // YEAR_MINUTES,
        "rows": rows,
        "rows_per_s": rows / took_s,
        "first_peak_mib": first_peak,
        "peak_mib": peak,
    }


def _write(path: Path, names: list[str], minutes: Minutes) -> int:
    """Write the release; return the rows of its files that are stored."""
    path.parent.mkdir(parents=True)
    n_rows = 0
    shortest = pl.concat(minutes.frames()).with_columns(pl.from_epoch("ts_s").alias("ts"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for interval in sorted({*ARCHIVE_INTERVALS, *WITNESS_INTERVALS}):
            candles = shortest.group_by_dynamic("ts", every=f"{interval}m").agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").sum(),
                pl.col("trades").sum(),
            )
            content = candles.with_columns(pl.col("ts").dt.epoch("s")).write_csv(include_header=False)
            for name in names:
                file.writestr(f"{name}_{interval}.csv", content)
            n_rows += len(names) * candles.height if interval in ARCHIVE_INTERVALS else 0
    return n_rows


def _alone(uri: str, folder: str, work_folder: str, *names: str) -> None:
    """Ingest file after file in a process of its own, and say how much memory that took."""
    rows, peaks = 0, []
    for name, interval in product(names, ARCHIVE_INTERVALS):
        done = ingest(uri, Path(folder), Path(work_folder), path=NAME, tickers=[name], intervals=[interval])
        if done["errors"]:
            raise RuntimeError(f"{name} {interval}: {done['errors']}")
        rows += done["rows_written"]
        peaks.append(peak_mib())
    print(json.dumps({"rows_written": rows, "peaks_mib": peaks}))


if __name__ == "__main__":
    _alone(*sys.argv[1:])
