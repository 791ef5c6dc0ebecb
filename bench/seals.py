"""Sealing days against reading the same rows with ``read_candles``.

``history``: four pairs of minutes, half a year of each, sealed for the first time; ``make bench BENCH="seals
big"`` takes ten pairs for five years, 26 million rows. ``day``: one due day of 100 pairs, in full size 2,800.

Sealing reads each row, writes its line and hashes twice for it: the line, and a node of its tree. It hashes
on all cores, so the ratio depends on how many are free; ``seal_cpu_ms`` is what the process itself computed,
without the servers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench.minutes import Stage, month_s
from bench.tools.invented import tickers
from bench.tools.minute_steps import END_S, detect_minutes
from bench.tools.ratios import Ratio
from bench.tools.size import is_big
from kraken_ohlcv import open_stores, read_candles
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.seals.sealing import seal
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from bench.tools.services import Services
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.reader.stores import Stores

TARGET: Final = 3.0
"""Judged in full size: a million rows are read in half a second, which varies by a third from run to run."""
DUE_S: Final = 36 * HOUR_S
"""After the end of a day, when it is due without a schedule."""


def run(services: Services) -> list[Ratio]:
    """Measure the first sealing of a history, and that of a day.

    :param services: what it works with
    :return: time against that of reading the same rows
    """
    return [history(services), day(services)]


def history(services: Services) -> Ratio:
    """Measure the first sealing of some long series.

    :param services: what it works with
    """
    covered = month_s(2022 if is_big() else 2026, 1 if is_big() else 7), END_S
    stage, uri = _stage(services, "history", 10 if is_big() else 4, covered)
    with open_stores(services.questdb.url(), uri, clock=lambda: END_S) as stores:
        return _ratio(stage, stores, covered, now_s=END_S + DUE_S)


def day(services: Services) -> Ratio:
    """Measure the sealing of one due day of many series.

    :param services: what it works with
    """
    covered = END_S - 2 * DAY_S, END_S
    stage, uri = _stage(services, "day", 2_800 if is_big() else 100, covered)
    with open_stores(services.questdb.url(), uri, clock=lambda: END_S) as stores:
        seal(stores, now_s=END_S - DAY_S + DUE_S)
        return _ratio(stage, stores, (END_S - DAY_S, END_S), now_s=END_S + DUE_S)


def _stage(services: Services, name: str, pairs: int, covered: Range) -> tuple[Stage, str]:
    stage = Stage(services, name, pairs, covered, False, services.empty_candle_store(), {})
    stage.store(covered)
    uri = stage.new_ledger()
    with connect(uri) as ledger:
        # They carry no moment, like those that were stored before records began.
        ledger.execute("UPDATE history SET records_began = to_timestamp(%s)", (END_S,))
        detect_minutes(ledger, stage.questdb)
    return stage, uri


def _ratio(stage: Stage, stores: Stores, covered: Range, *, now_s: int) -> Ratio:
    """Return how much longer it takes to seal what is due than to read it.

    :raises RuntimeError: if other days are sealed than those that are read
    """
    times = []
    for _ in range(2):
        began_s = time.perf_counter()
        frame = read_candles(tickers(stage.pairs), 1, utc(covered[0]), utc(covered[1]), stores=stores)
        times.append(time.perf_counter() - began_s)
    n_rows = frame.height
    del frame
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    done = seal(stores, now_s=now_s)
    sealed_s, sealed_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    expected = stage.pairs * (covered[1] - covered[0]) // DAY_S
    if done.days != expected:
        raise RuntimeError(f"{done.days} days were sealed, not {expected}")
    return Ratio(
        f"{stage.name}, {n_rows:,} rows: sealing / read_candles",
        sealed_s / min(times),
        TARGET if is_big() else None,
        details={
            "seal_ms": round(sealed_s * 1000),
            "seal_cpu_ms": round(sealed_cpu_s * 1000),
            "read_ms": round(min(times) * 1000),
            "days": done.days,
        },
    )
