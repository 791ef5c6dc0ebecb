"""What a year of candles and of daily runs leaves behind; ``docs/GROWTH.md`` multiplies these figures.

* ``candle on disk, against its values``: a year of hourly and daily candles in the candle store, in months
  that are complete. The values of a candle take 84 bytes: two times, three symbols, six numbers, a count.
* ``ledger, against candles``: what a day of runs adds to the ledger, against what its candles add to the
  candle store. The runs are real, on the simulated exchange: each day all candles of the day before are
  missing, are found, fetched, read back and recorded, and a completeness report is kept.
* ``one-minute ledger that is kept, against candles``: what a month of daily runs adds to the ledger for
  series that trade in 44 % of their minutes, the others proven empty by trades; against what their candles
  take on disk.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.tools.invented import invent_candles, tickers
from bench.tools.minute_steps import apply_trades, detect_minutes, quiet, register
from bench.tools.ratios import Ratio
from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv.backfill import context_of, fill_ohlc, plan_ohlc
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.params import BackfillRequest, ReportRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.schedules import BACKFILL_TIER1, COMPLETENESS
from kraken_ohlcv.detection.detect import detect
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from local.processes import start_process
from simulators.exchange_client import SIMULATED_SKEW_S, ExchangeAdmin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.tools.services import Services
    from kraken_ohlcv.clients.questdb.client import QuestDBClient

CANDLE_BYTES: Final = 84
MAX_OVERHEAD: Final = 1.25
"""Target for a candle on disk: indexes, padding and the last page of each column may add a quarter."""
YEAR: Final = (1_735_689_600, 1_767_225_600)
"""2025, on the grid of both intervals."""
PAIRS: Final = 80
TICKERS: Final = ("XBTUSD", "ETHUSD", "SOLUSD", "XRPUSD", "ADAUSD")
INTERVALS: Final = [60, 1440]
FIRST_RUN: Final = "2026-09-01T02:00:00Z"
WARM_UP_DAYS: Final = 3
DAYS: Final = 30
MINUTE_PAIRS: Final = 20
MINUTE_MONTH: Final = (1_796_083_200, 1_798_761_600)
"""December 2026."""
KEPT: Final = ("coverage_months", "coverage_changes")
"""Tables from which nothing is deleted."""
TABLES: Final = (
    "gap_records",
    "gap_outcomes",
    "coverage_months",
    "coverage_changes",
    "backfill_runs",
    "completeness_reports",
    "completeness_lines",
)


def run(services: Services) -> list[Ratio]:
    """Measure all three.

    :param services: candle store and ledgers
    :return: a ratio each
    """
    candles = candle_growth(services)
    each = float(candles.details["bytes_per_candle"])
    return [
        candles,
        ledger_growth(services, bytes_per_candle=each),
        minute_growth(services, bytes_per_candle=each),
    ]


def candle_growth(services: Services) -> Ratio:
    """Return what a stored candle takes on disk.

    :param services: candle store
    :return: bytes on disk by bytes of values
    """
    hook = services.empty_candle_store()
    for interval in INTERVALS:
        invent_candles(services.questdb, hook, pairs=PAIRS, interval_minutes=interval, covered=YEAR)
    # The newest month is open for writing, with room to spare.
    ((rows, disk_bytes),) = hook.query(
        "SELECT sum(numRows), sum(diskSize) FROM table_partitions('ohlcv') WHERE active = false"
    )
    each = disk_bytes / rows
    return Ratio(
        "candle on disk, against its values",
        each / CANDLE_BYTES,
        MAX_OVERHEAD,
        details={"bytes_per_candle": each, "rows": rows},
    )


def ledger_growth(services: Services, *, bytes_per_candle: float) -> Ratio:
    """Return what a day of runs adds to the ledger.

    :param services: both stores
    :param bytes_per_candle: in the candle store
    :return: bytes a day in the ledger by bytes a day of candles; rows by table, a series and a day
    """
    dsn, questdb = services.new_ledger(), services.empty_candle_store()
    with connect(dsn) as connection:
        entries = [
            CatalogueEntry(ticker=ticker, base=ticker[:-3], quote=ticker[-3:], tier="TIER1")
            for ticker in TICKERS
        ]
        sync_catalogue(connection, entries)
    with simulated_exchange(services) as exchange:
        for day in range(WARM_UP_DAYS):
            one_day(dsn, questdb, day)
            exchange.advance(DAY_S)
        before, rows_before = sizes(dsn)
        exchange.clear_calls()
        for day in range(WARM_UP_DAYS, WARM_UP_DAYS + DAYS):
            services.say(f"day {day - WARM_UP_DAYS + 1} of {DAYS} …")
            one_day(dsn, questdb, day)
            exchange.advance(DAY_S)
        calls = len(exchange.calls("OHLC"))
    after, rows_after = sizes(dsn)
    series_days = len(TICKERS) * len(INTERVALS) * DAYS
    ledger_bytes = sum(after[table] - before[table] for table in TABLES) / series_days
    candles = sum(DAY_S // (60 * interval) for interval in INTERVALS) / len(INTERVALS)
    return Ratio(
        "ledger, against candles",
        ledger_bytes / (candles * bytes_per_candle),
        details={
            "ledger_bytes_per_series_day": ledger_bytes,
            "ohlc_calls_per_series_day": calls / series_days,
            **{table: (rows_after[table] - rows_before[table]) / series_days for table in TABLES},
            **{f"{table}_bytes": (after[table] - before[table]) / series_days for table in TABLES},
        },
    )


def minute_growth(services: Services, *, bytes_per_candle: float) -> Ratio:
    """Return what a month of daily runs adds to the ledger for one-minute series.

    :param services: both stores
    :param bytes_per_candle: in the candle store
    :return: bytes of what is kept by bytes of candles; rows and bytes by table, per series and month
    """
    uri, questdb = services.new_ledger(), services.empty_candle_store()
    register(uri, MINUTE_PAIRS)
    before, rows_before = sizes(uri)
    with connect(uri) as connection:
        for day_s in range(*MINUTE_MONTH, DAY_S):
            day = (day_s, day_s + DAY_S)
            invent_candles(
                services.questdb,
                questdb,
                pairs=MINUTE_PAIRS,
                interval_minutes=1,
                covered=day,
                without=quiet(day_s),
            )
            run_key = detect_minutes(connection, questdb, now_s=day[1])
            for ticker in tickers(MINUTE_PAIRS):
                apply_trades(connection, questdb, run_key, ticker, day)
            # As PostgreSQL does by itself, but not every few seconds, as days pass here.
            connection.execute("VACUUM")
    after, rows_after = sizes(uri)
    ((n_candles,),) = questdb.query("SELECT count() FROM ohlcv")
    tables = [*KEPT, "gap_records", "gap_outcomes"]
    each = {table: (after[table] - before[table]) / MINUTE_PAIRS for table in tables}
    return Ratio(
        "one-minute ledger that is kept, against candles",
        sum(each[table] for table in KEPT) / (n_candles / MINUTE_PAIRS * bytes_per_candle),
        details={
            "candles_per_series_month": n_candles / MINUTE_PAIRS,
            **{table: (rows_after[table] - rows_before[table]) / MINUTE_PAIRS for table in tables},
            **{f"{table}_bytes": taken for table, taken in each.items()},
        },
    )


def one_day(dsn: str, questdb: QuestDBClient, day: int) -> None:
    """Run the backfill and the report of one day.

    :param dsn: the ledger
    :param questdb: hook of the candle store
    :param day: number, for the runs' ids
    """
    request = BackfillRequest.from_params(BACKFILL_TIER1.backfill.params() if BACKFILL_TIER1.backfill else {})
    key = RunKey(BACKFILL_TIER1.dag_id, f"scheduled__{day}")
    slot = CallSlot(dsn, min_interval_s=0.001, clock_margin_s=0.0)
    kraken = KrakenHook("kraken_default", slot=slot).get_conn()
    with connect(dsn) as connection:
        now_s = open_run(connection, kraken, key, request, time.time)
        assets = read_assets(connection, tickers=None, tier=request.tier)
        detect(connection, questdb, key, request, assets, now_s=now_s)
        context = context_of(connection, kraken, questdb, key)
        for item in plan_ohlc(context, request):
            fill_ohlc(context, item, request)
        report = make_report(
            connection,
            questdb,
            ReportRequest(tier="TIER1", intervals=INTERVALS),
            now_s=now_s,
            clock="exchange",
        )
        report.keep(connection, RunKey(COMPLETENESS.dag_id, f"scheduled__{day}"))


def sizes(dsn: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return bytes with indexes, and rows, of each table that grows.

    :param dsn: the ledger
    """
    found, rows = {}, {}
    with connect(dsn) as connection:
        connection.commit()
        for table in TABLES:
            row = connection.execute(
                f"SELECT pg_total_relation_size('{table}') AS bytes, count(*) AS rows FROM {table}"  # noqa: S608 (constants)
            ).fetchone()
            assert row is not None  # noqa: S101 (a count has a row)
            found[table], rows[table] = int(row["bytes"]), int(row["rows"])
    return found, rows


@contextmanager
def simulated_exchange(services: Services) -> Iterator[ExchangeAdmin]:
    """Give an exchange whose clock stands at the first run.

    :param services: where its log goes
    """
    arguments = ["--clock", FIRST_RUN, "--freeze", "--no-rate-limit"]
    process = start_process(
        "exchange",
        [sys.executable, "-m", "simulators.exchange", *arguments],
        log_file=services.directory / "exchange.log",
    )
    try:
        url = process.wait_for_line(r"exchange listening on (http://\S+)")[1]
        os.environ["AIRFLOW_CONN_KRAKEN_DEFAULT"] = json.dumps({
            "conn_type": "kraken",
            "host": url,
            "extra": {"max_clock_skew_s": SIMULATED_SKEW_S},
        })
        yield ExchangeAdmin(url)
    finally:
        process.stop()
