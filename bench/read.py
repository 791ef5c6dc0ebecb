"""Reading candles as a frame against the bare query that fetches the same rows, and the memory it takes.

The bare query is QuestDB's own export of the rows as Parquet, read by polars: the quickest way known, which
says nothing of holes. Four pairs of minutes, half a year of each; ``make bench BENCH="read big"`` takes five
years, ten million rows. ``whole`` has every minute; in ``quiet`` 56 % of them are proven empty.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from bench.minutes import Stage, month_s, prove_all
from bench.tools.invented import tickers
from bench.tools.memory import peak_mib
from bench.tools.minute_steps import END_S, detect_minutes
from bench.tools.ratios import Ratio
from bench.tools.size import is_big
from bench.tools.timing import best_ms
from kraken_ohlcv import open_stores, read_candles
from kraken_ohlcv.clients.questdb.export import export_parquet
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from bench.tools.services import Services

PAIRS: Final = 4
QUIET_PAIRS: Final = 2
TIMES: Final = 3
BARE: Final = """
SELECT ts, ticker, open, high, low, close, vwap, volume, trades, source FROM ohlcv
WHERE interval = '1' AND ts >= %(from_us)s AND ts < %(until_us)s"""
TIME_TARGET: Final = 2.0
MEMORY_TARGET: Final = 3.0


def run(services: Services) -> list[Ratio]:
    """Measure both kinds of candles.

    :param services: what it works with
    :return: time against the bare query, and memory against the frame
    """
    return [*whole(services), *quiet(services)]


def whole(services: Services) -> list[Ratio]:
    """Measure series without a quiet minute.

    :param services: what it works with
    """
    covered = month_s(2022 if is_big() else 2026, 1 if is_big() else 7), END_S
    stage = Stage(services, "whole", PAIRS, covered, False, services.empty_candle_store(), {})
    stage.store_all()
    uri = stage.new_ledger()
    with connect(uri) as ledger:
        detect_minutes(ledger, stage.questdb)
    return [time_ratio(stage, uri), memory_ratio(stage, uri)]


def quiet(services: Services) -> list[Ratio]:
    """Measure series most of whose minutes are proven empty.

    :param services: what it works with
    """
    covered = month_s(2026, 1 if is_big() else 7), END_S
    stage = Stage(services, "quiet", QUIET_PAIRS, covered, True, services.empty_candle_store(), {})
    stage.store_all()
    uri = stage.new_ledger()
    with connect(uri) as ledger:
        detect_minutes(ledger, stage.questdb)
        prove_all(stage, ledger)
    return [time_ratio(stage, uri)]


def time_ratio(stage: Stage, uri: str) -> Ratio:
    """Return how much longer a frame takes than the bare query.

    :param stage: what is stored
    :param uri: of a ledger that knows it
    :raises RuntimeError: if both do not give the same rows
    """
    import polars as pl  # noqa: PLC0415 (the other benchmarks do without it)

    url = stage.services.questdb.url()
    bounds = {"from_us": stage.covered[0] * 1_000_000, "until_us": stage.covered[1] * 1_000_000}
    heights: dict[str, int] = {}

    def bare() -> None:
        content = export_parquet(stage.questdb.address, BARE, bounds, session=None)
        heights["bare"] = pl.read_parquet(io.BytesIO(content)).height

    with open_stores(url, uri, clock=lambda: END_S) as stores:

        def ours() -> None:
            frame = read_candles(
                tickers(stage.pairs), 1, utc(stage.covered[0]), utc(stage.covered[1]), stores=stores
            )
            heights["ours"] = frame.height

        took = best_ms({"bare": bare, "ours": ours}, times=TIMES)
    if heights["bare"] != heights["ours"]:
        raise RuntimeError(f"the frame has {heights['ours']} rows, the bare query {heights['bare']}")
    return Ratio(
        f"{stage.name}, {heights['ours']:,} rows: read_candles / bare query",
        took["ours"] / took["bare"],
        TIME_TARGET,
        details={"read_ms": took["ours"], "bare_ms": took["bare"]},
    )


def memory_ratio(stage: Stage, uri: str) -> Ratio:
    """Return how much memory a process of its own needs for a frame, against the frame itself.

    :param stage: what is stored
    :param uri: of a ledger that knows it
    """
    arguments = [stage.services.questdb.url(), uri, str(stage.pairs), *map(str, stage.covered)]
    answer = subprocess.run(  # noqa: S603 (our own module)
        [sys.executable, "-m", "bench.read", *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return Ratio(
        f"{stage.name}: memory above that of a small read / frame",
        (found["peak_mib"] - found["small_mib"]) / found["frame_mib"],
        MEMORY_TARGET,
        details=found,
    )


def read_alone(url: str, uri: str, pairs: int, from_s: int, until_s: int) -> dict[str, float]:
    """Read a day, then everything, and return the memory of both, MiB."""
    with open_stores(url, uri, clock=lambda: END_S) as stores:
        read_candles(tickers(pairs), 1, utc(until_s - 86400), utc(until_s), stores=stores)
        small = peak_mib()
        frame = read_candles(tickers(pairs), 1, utc(from_s), utc(until_s), stores=stores)
    return {"frame_mib": frame.estimated_size("mb"), "small_mib": small, "peak_mib": peak_mib()}


if __name__ == "__main__":
    print(json.dumps(read_alone(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))))
