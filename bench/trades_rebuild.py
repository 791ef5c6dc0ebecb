"""Candles rebuilt from trades: CPU against the obvious way, wall time against the rate limit, memory.

* ``CPU``: from the bodies of Trades pages to hourly and daily candles, all checks included, against what one
  would write at first: ``json.loads`` of the same bodies, a decimal frame a page, and one group_by of all.
* ``wall``: a whole rebuild, stores and ledger included, against the time that a call a second takes anyway.
* ``memory``: the peak of a process that has built candles of ten million trades against one that has
  built those of a hundred thousand.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from bench.tools.memory import peak_mib
from bench.tools.ratios import Direction, Ratio
from kraken_ohlcv.clients.exchange.replies import open_envelope
from kraken_ohlcv.clients.exchange.trade_rows import read_trades
from kraken_ohlcv.clients.exchange.transport import Reply
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.trades.rebuild import rebuild
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.series_state import register_series
from kraken_ohlcv.stores.ledger.session import connect, execute
from kraken_ohlcv.stores.ledger.trades import TradeJob, plan_jobs
from local.processes import start_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bench.tools.services import Services

PAGE: Final = 1000
PAGES: Final = 200
TURNS: Final = 5
TRADES_AN_HOUR: Final = 1500
START_S: Final = 1_780_272_000
"""2026-06-01."""

TICKER: Final = "XBTUSD"
CLOCK: Final = "2026-11-23T12:34:56Z"
NOW_S: Final = 1_795_437_296
REBUILT: Final = (NOW_S // 86400 * 86400 - 100 * 86400, NOW_S // 86400 * 86400 - 50 * 86400)
MIN_INTERVAL_S: Final = 1.0

CALLS: Final = 1000
"""More than the rebuild takes."""

FEW, MANY = 10**5, 10**7


def run(services: Services) -> list[Ratio]:
    """Measure all three.

    :param services: what it works with
    :return: the ratios
    """
    return [cpu(), wall(services), memory()]


def cpu() -> Ratio:
    """Compare trades a second of CPU."""
    bodies = list(_bodies(PAGES))
    ours, obvious = _most_a_second([lambda: _built(bodies), lambda: _grouped(bodies)], PAGE * PAGES)
    return Ratio(
        "CPU: trades/s, ours / obvious",
        ours / obvious,
        0.5,
        Direction.AT_LEAST,
        {"ours_per_s": round(ours), "obvious_per_s": round(obvious)},
    )


def wall(services: Services) -> Ratio:
    """Compare the time of a rebuild with the least that the rate limit allows."""
    process = start_process(
        "exchange",
        [sys.executable, "-m", "simulators.exchange", "--clock", CLOCK, "--freeze", "--no-rate-limit"],
        log_file=services.directory / "exchange.log",
    )
    url = process.wait_for_line(r"exchange listening on (http://\S+)")[1]
    try:
        os.environ["AIRFLOW_CONN_KRAKEN_DEFAULT"] = json.dumps({"conn_type": "kraken", "host": url})
        took_s, calls = _rebuild(services)
    finally:
        process.stop()
    return Ratio(
        "wall: rebuild / rate floor",
        took_s / ((calls - 1) * MIN_INTERVAL_S),
        1.1,
        details={"seconds": took_s, "calls": calls},
    )


def memory() -> Ratio:
    """Compare the largest memory after few and after many trades, each in a process of its own."""
    few, many = _peak_of_building(FEW), _peak_of_building(MANY)
    return Ratio(
        "memory: 10^7 trades / 10^5 trades",
        many / few,
        1.1,
        details={"few_mib": few, "many_mib": many},
    )


def _bodies(pages: int) -> Iterator[bytes]:
    """Return pages of invented trades as Kraken writes them, each made when it is asked for."""
    invented = random.Random(7)  # noqa: S311 (no secret)
    ns, number = START_S * 10**9, 0
    for _ in range(pages):
        rows = []
        for _ in range(PAGE):
            number += 1
            ns += int(invented.expovariate(TRADES_AN_HOUR / 3600) * 1e9)
            moment = f"{ns // 10**9}.{ns % 10**9 // 100:07d}".rstrip("0")
            price, volume = invented.randint(590_000, 610_000) / 10, invented.randint(1, 10**8) / 1e8
            rows.append(
                f'["{price:.5f}","{volume:.8f}",{moment}{"0" * moment.endswith(".")},"b","l","",{number}]'
            )
        rows_text = ",".join(rows)
        yield f'{{"error":[],"result":{{"XXBTZUSD":[{rows_text}],"last":"{ns}"}}}}'.encode()


def _built(bodies: Iterable[bytes]) -> int:
    builder = CandleBuilder([60, 1440], (START_S, START_S + 10**9), decimals=1)
    candles = 0
    for body in bodies:
        result = open_envelope("Trades", Reply(200, body), now_s=START_S)
        builder.add(read_trades(result, TICKER).trades)
        candles += sum(len(built.candles) for built in builder.take().values())
        json.dumps(builder.state())
    return candles


def _grouped(bodies: Sequence[bytes]) -> int:
    frames = []
    for body in bodies:
        rows = json.loads(body)["result"]["XXBTZUSD"]
        frames.append(
            pl.DataFrame({
                "price": pl.Series([row[0] for row in rows]).cast(pl.Decimal(38, 8)),
                "volume": pl.Series([row[1] for row in rows]).cast(pl.Decimal(38, 8)),
                "time": [row[2] for row in rows],
                "id": [row[6] for row in rows],
            })
        )
    grouped = (
        pl
        .concat(frames)
        .with_columns(
            bucket=pl.col("time").cast(pl.Int64) // 3600, notional=pl.col("price") * pl.col("volume")
        )
        .group_by("bucket", maintain_order=True)
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("volume").sum(),
            pl.col("notional").sum(),
            pl.len().alias("trades"),
        )
    )
    return grouped.height


def _most_a_second(actions: Sequence[Callable[[], Any]], trades: int) -> list[float]:
    """Return the best of several turns of each action, in trades a second of CPU, all threads together."""
    best = [0.0] * len(actions)
    for _ in range(TURNS):
        for nth, action in enumerate(actions):
            began = time.process_time()
            action()
            best[nth] = max(best[nth], trades / (time.process_time() - began))
    return best


def _rebuild(services: Services) -> tuple[float, int]:
    from kraken_hooks.kraken import KrakenHook  # noqa: PLC0415 (imports Airflow)
    from kraken_ohlcv.clients.exchange.limiter import CallSlot  # noqa: PLC0415 (imports Airflow)

    dsn = services.new_ledger()
    run_key = RunKey("backfill_tier1_daily", "bench")
    questdb = services.empty_candle_store()
    with connect(dsn) as connection:
        sync_catalogue(connection, [CatalogueEntry(ticker=TICKER, base="XBT", quote="USD", tier="TIER1")])
        for interval in (60, 1440):
            register_series(connection, {Series(TICKER, interval): REBUILT[0]})
        execute(connection, "start_run", run_key, now_s=NOW_S, tier="TIER1", intervals=[60, 1440])
        job = TradeJob(TICKER, *REBUILT, calls=CALLS, is_recheck=True, reached_s=REBUILT[0])
        plan_jobs(connection, run_key, [job], budget=CALLS, now_s=NOW_S)
        (asset,) = read_assets(connection, tickers=[TICKER], tier="ALL")
        kraken = KrakenHook(slot=CallSlot(dsn, min_interval_s=MIN_INTERVAL_S)).get_conn()
        bench = RunContext(connection, kraken, questdb, run_key, NOW_S, stretch=CALLS)
        request = BackfillRequest(
            tier="TIER1",
            intervals=[60, 1440],
            lookback_days=0,
            max_gaps_per_asset=0,
            tickers=[TICKER],
            trades_call_budget=CALLS,
        )
        began = time.perf_counter()
        rebuild(bench, asset, job, request)
        return time.perf_counter() - began, kraken.calls


def _peak_of_building(trades: int) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_build_alone, trades).result()


def _build_alone(trades: int) -> float:
    """Build the candles of many trades; return the most memory that this process has had, MiB."""
    _built(_bodies(trades // PAGE))
    return peak_mib()
