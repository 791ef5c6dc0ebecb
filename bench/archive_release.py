"""A full release of thin pairs, all its files, through the archive DAG's steps: memory.

Eight files per pair, the shortest of one minute; more than half of the minutes are left out at random. Each
file is compared with the seven others of its pair, stored, and all that it leaves out is proven empty.

* ``one pair``: a year of it, or twelve with ``BENCH=big``; a process per file, as the DAG has it.
* ``many pairs``: five of a year, or fifty of twelve, in one process: memory must not grow with them.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.archive_ingest import (
    MEMORY_TARGET,
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


def run(services: Services) -> list[Ratio]:
    """Measure memory.

    :param services: what it works with
    :return: two ratios
    """
    years, n_pairs = (12, 50) if is_big() else (1, 5)
    one = _measured(services, 1, Minutes(years * YEAR_MINUTES, QUIET, MOST_TRADES), is_per_file=True)
    many = _measured(services, n_pairs, Minutes(years * YEAR_MINUTES, MANY_QUIET, MOST_TRADES))
    return [
        Ratio("full release of one pair, memory, MiB", one["peak_mib"], MEMORY_TARGET_MIB, details=one),
        Ratio("full release of many pairs, memory, MiB", many["peak_mib"], MEMORY_TARGET_MIB, details=many),
        Ratio(
            "memory after the last pair / after the first",
            many["peak_mib"] / many["first_peak_mib"],
            MEMORY_TARGET,
            details={"pairs": n_pairs},
        ),
    ]


def _measured(
    services: Services, n_pairs: int, minutes: Minutes, *, is_per_file: bool = False
) -> dict[str, float]:
    folder = services.directory / f"release_{n_pairs}"
    names = tickers(n_pairs)
    rows = _write(folder / NAME, names, minutes)
    services.empty_candle_store()
    where = [ledger_of(services, names), str(folder), str(services.directory / "work")]
    each = [[one] for one in ARCHIVE_INTERVALS] if is_per_file else [list(ARCHIVE_INTERVALS)]
    began = time.perf_counter()
    told = [
        told_by("bench.archive_release", [*where, ",".join(map(str, intervals)), *names])
        for intervals in each
    ]
    took_s = time.perf_counter() - began
    written, peak = sum(one["rows_written"] for one in told), max(one["peak_mib"] for one in told)
    if written != rows:
        raise RuntimeError(f"the ingest of {rows} rows did not do its work: {told}")
    (folder / NAME).unlink()
    services.say(f"  {n_pairs} pairs, {rows:,} rows: {took_s:.0f} s, at most {peak:.0f} MiB")
    return {
        "rows": rows,
        "years": minutes.n // YEAR_MINUTES,
        "rows_per_s": rows / took_s,
        "first_peak_mib": told[0]["first_peak_mib"],
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


def _alone(uri: str, folder: str, work_folder: str, intervals: str, *names: str) -> None:
    """Ingest pair after pair in a process of its own, and say how much memory that took."""
    rows, peaks = 0, []
    for name in names:
        done = ingest(
            uri,
            Path(folder),
            Path(work_folder),
            path=NAME,
            tickers=[name],
            intervals=[int(one) for one in intervals.split(",")],
        )
        if done["errors"]:
            raise RuntimeError(f"{name}: {done['errors']}")
        rows += done["rows_written"]
        peaks.append(peak_mib())
    print(json.dumps({"rows_written": rows, "first_peak_mib": peaks[0], "peak_mib": peaks[-1]}))


if __name__ == "__main__":
    _alone(*sys.argv[1:])
