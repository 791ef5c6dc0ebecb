"""Daily keep-up of one-minute candles of many pairs from trades: calls, and what each costs in time.

20 pairs have 35,000 trades per day, 200 have 7,000 and 1,180 have 340 (a tenth of them unless in full size).
Everything up to yesterday is known. A day passes; a backfill from trades alone does all its steps, on an
exchange of invented trades whose clock moves on by a second per call, as the limiter would let it. The
limiter itself does not wait.

* ``calls``: of that day, and those that 90 minutes allow (nine, for a tenth).
* ``work``: seconds per call that the product itself takes; they must fit into the second between two calls.
* ``growth`` (of a tenth): the same per call on a second day, when the store also holds ten million older
  candles of other pairs, against the first day: it must hardly grow with what is stored.
* ``memory``: the peak of the process that does it all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

from bench.tools.invented import invent_candles
from bench.tools.memory import peak_mib
from bench.tools.ratios import Ratio
from bench.tools.size import is_big
from bench.tools.trades_exchange import BEGINS_S
from kraken_ohlcv import backfill as steps
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.detect import detect
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.repair.summary import summarise
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from local.processes import start_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.tools.services import Services
    from kraken_ohlcv.repair.context import RunContext

PAIRS: Final = {35_000: 20, 7_000: 200, 340: 1180}
"""How many pairs have how many trades per day: 2.5 million of 1,400 pairs."""

OLDER_PAIRS: Final = 20
OLDER_DAYS: Final = 365
DAY_S: Final = 86_400
MINUTES: Final = 90.0
"""Of calls, at one per second, for all pairs."""

CALL_S: Final = 1.0
"""Between two calls, for the limiter; it is let off waiting."""

MOST_CALLS: Final = 10_000
WORK_TARGET: Final = 1.0
GROWTH_TARGET: Final = 2.0
"""Measured 1.2 to 1.7 on a busy machine: the month being written is larger, and QuestDB merges into it."""
MEMORY_TARGET_MIB: Final = 400.0


@dataclass(frozen=True, slots=True)
class Day:
    """What one run did.

    :ivar calls: to the exchange, all of them
    :ivar trade_calls: for pages of trades
    :ivar rows: candles stored
    :ivar took_s: seconds from its first step to its last
    :ivar cpu_s: seconds of CPU of the product's process among them
    :ivar closed: gaps closed
    :ivar open: gaps left open
    :ivar missing: minutes in them
    :ivar peak_mib: the most memory of the process so far
    """

    calls: int
    trade_calls: int
    rows: int
    took_s: float
    cpu_s: float
    closed: int
    open: int
    missing: int
    peak_mib: float


def run(services: Services) -> list[Ratio]:
    """Measure.

    :param services: what it works with
    :return: four ratios
    """
    share = 1.0 if is_big() else 0.1
    pairs = dict(_pairs(share))
    process = start_process(
        "exchange",
        [
            sys.executable,
            "-m",
            "bench.tools.trades_exchange",
            *(f"{ticker}={a_day}" for ticker, a_day in pairs.items()),
        ],
        log_file=services.directory / "exchange.log",
    )
    url = process.wait_for_line(r"exchange listening on (http://\S+)")[1]
    store, dsn = services.empty_candle_store(), services.new_ledger()
    _make_known(dsn, list(pairs))
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_day, dsn, url, 0).result()
            day = pool.submit(_day, dsn, url, 1).result()
            ratios = [*_of_day(day, pairs, MINUTES * share)]
            if not is_big():
                covered = (BEGINS_S - OLDER_DAYS * DAY_S, BEGINS_S - BEGINS_S % DAY_S)
                invent_candles(
                    services.questdb, store, pairs=OLDER_PAIRS, interval_minutes=1, covered=covered
                )
                ratios.append(_growth(day, pool.submit(_day, dsn, url, 2).result()))
    finally:
        process.stop()
    return ratios


def _of_day(day: Day, pairs: Mapping[str, int], at_most_minutes: float) -> list[Ratio]:
    return [
        Ratio(
            f"calls: {len(pairs):,} pairs, minutes of calls / {at_most_minutes:g}",
            day.calls / 60 / at_most_minutes,
            1.0,
            details={
                "calls": day.calls,
                "minutes": day.calls / 60,
                "rows": day.rows,
                "least_calls": sum(-(-a_day // 1000) for a_day in pairs.values()),
                "gaps_closed": day.closed,
                "gaps_open": day.open,
                "minutes_missing": day.missing,
            },
        ),
        Ratio(
            "work: seconds per call / the second between two calls",
            day.took_s / day.calls,
            WORK_TARGET,
            details={
                "seconds": day.took_s,
                "cpu_ms_per_call": 1000 * day.cpu_s / day.calls,
                "ms_per_row": 1000 * day.took_s / day.rows,
            },
        ),
        Ratio(
            f"memory: peak / {MEMORY_TARGET_MIB:g} MiB",
            day.peak_mib / MEMORY_TARGET_MIB,
            1.0,
            details={"peak_mib": day.peak_mib},
        ),
    ]


def _growth(before: Day, after: Day) -> Ratio:
    alone_s, beside_s = before.took_s / before.calls, after.took_s / after.calls
    return Ratio(
        "growth: seconds per call, beside ten million older candles / without",
        beside_s / alone_s,
        GROWTH_TARGET,
        details={"alone_ms": 1000 * alone_s, "beside_ms": 1000 * beside_s},
    )


def _pairs(share: float) -> Iterator[tuple[str, int]]:
    """Return tickers and their trades per day."""
    for name, (a_day, number) in zip("ABC", PAIRS.items(), strict=True):
        for nth in range(round(number * share)):
            yield f"{name}{1000 + nth}USD", a_day


def _make_known(dsn: str, tickers: list[str]) -> None:
    entries = [CatalogueEntry(ticker=one, base=one[:-3], quote="USD", tier="TIER1") for one in tickers]
    with connect(dsn) as connection:
        sync_catalogue(connection, entries)


def _day(dsn: str, url: str, nth: int) -> Day:
    """Do all steps of a backfill from trades, as many days after the first one."""
    from kraken_hooks.kraken import KrakenHook  # noqa: PLC0415 (imports Airflow)
    from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415 (imports Airflow)
    from kraken_ohlcv.clients.exchange.limiter import CallSlot  # noqa: PLC0415 (imports Airflow)

    os.environ["AIRFLOW_CONN_KRAKEN_DEFAULT"] = json.dumps({"conn_type": "kraken", "host": url})
    # Each begins at the same time of its day.
    _get(f"{url}/advance?s={BEGINS_S + nth * DAY_S - _now_s(url)}")
    run_key = RunKey("backfill_tier1_daily", f"bench_{nth}")
    request = BackfillRequest(
        tier="TIER1",
        intervals=[1],
        lookback_days=0,
        max_gaps_per_asset=0,
        repair_from=["trades"],
        trades_call_budget=MOST_CALLS,
    )
    questdb = QuestDBHook(questdb_conn_id="questdb_default").client()
    calls = int(_get(f"{url}/calls"))
    began, cpu = time.perf_counter(), time.process_time()
    with connect(dsn) as connection, connect(dsn) as pace:

        def let_pass(seconds: float) -> None:
            pace.execute("UPDATE api_slot SET next_at = next_at - make_interval(secs => %s)", (seconds,))

        slot = CallSlot(dsn, min_interval_s=CALL_S, clock_margin_s=0.0, sleep=let_pass)
        hook = KrakenHook("kraken_default", slot=slot)
        now_s = open_run(connection, hook.get_conn(), run_key, request, lambda: _now_s(url))
        assets = read_assets(connection, tickers=None, tier="TIER1")
        detect(connection, questdb, run_key, request, assets, now_s=now_s)

        def at_work() -> RunContext:
            # As much time has passed for the ledger as for the exchange.
            connection.execute(
                "UPDATE backfill_runs SET asked_at = clock_timestamp() - (to_timestamp(%s) - exchange_now)"
                " WHERE dag_id = %s AND run_id = %s",
                (_now_s(url), *run_key),
            )
            return steps.context_of(connection, hook.get_conn(), questdb, run_key)

        for item in steps.plan_trades(at_work(), request, asked=[], fetched=[]):
            while steps.rebuild_trades(at_work(), item, request):
                pass
        took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        summary = summarise(connection, run_key, tier=request.tier, intervals=request.intervals, errors=[])
        (left,) = connection.execute(
            "SELECT count(*) AS gaps, coalesce(sum(missing_candles), 0)::bigint AS missing FROM gap_records"
            " WHERE status <> 'FILLED'"
        ).fetchall()
    return Day(
        calls=int(_get(f"{url}/calls")) - calls,
        trade_calls=summary["trade_calls"],
        rows=summary["total_candles_filled"],
        took_s=took_s,
        cpu_s=cpu_s,
        closed=summary["gaps_filled"],
        open=left["gaps"],
        missing=left["missing"],
        peak_mib=peak_mib(),
    )


def _now_s(url: str) -> int:
    return int(_get(f"{url}/advance?s=0"))


def _get(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:  # noqa: S310 (our own server)
        return json.loads(answer.read())
