"""A backfill run without Airflow: the same steps, on the real stores and the simulated exchange."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv import backfill as steps
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.errors import FillError, FillRefusedError
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.detect import record_survey, take_survey
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.repair.context import CALLS_AT_A_STRETCH
from kraken_ohlcv.repair.summary import summarise
from kraken_ohlcv.stores.candle_store import read_candles, write_candles
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.ledger_pages import missing, proven_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kraken_ohlcv.clients.exchange.models import OhlcAnswer, TradesPage
    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.repair.context import RunContext
    from kraken_ohlcv.sources.archive.locator import ArchiveLocator
    from kraken_ohlcv.stores.ledger.session import Connection
    from simulators.exchange_client import ExchangeAdmin

RUN_NUMBERS = itertools.count(1)

CLEARED_TABLES = (
    "exchange, api_slot, assets, series, gap_records, gap_outcomes, coverage_months, coverage_changes,"
    " partitions_seen, empty_sightings, candle_restatements, backfill_runs, trade_jobs, trade_cursors,"
    " weekly_trades, one_off_checks, range_repairs, disputes, exchange_clock, gap_decisions, kept_plan,"
    " day_changes, watched_days, verified_days, replaced_candles, former_sources, unwitnessed_changes,"
    " series_starts, snapshots, snapshot_reads, objective_days, seal_log, seal_progress, seal_disagreements,"
    " added_candles, statements, seal_witnesses"
)


def empty_ledger(connection: Connection) -> None:
    """Delete all that runs have written."""
    # The log of seals refuses it.
    connection.execute("SET session_replication_role = replica")
    connection.execute(f"TRUNCATE {CLEARED_TABLES} RESTART IDENTITY CASCADE")
    connection.execute("SET session_replication_role = origin")


class WatchedKraken(KrakenClient):
    """The client of a fill; says when an answer is there and not yet written."""

    before_step: Callable[[str], None]

    def get_ohlc(self, ticker: str, interval_minutes: int, **arguments: Any) -> OhlcAnswer:
        """Ask, then tell."""
        answer = super().get_ohlc(ticker, interval_minutes, **arguments)
        self.before_step("write")
        return answer

    def get_trades(self, ticker: str, **arguments: Any) -> TradesPage:
        """Ask, then tell."""
        page = super().get_trades(ticker, **arguments)
        self.before_step("page")
        return page


class WatchedKrakenHook(KrakenHook):
    """Gives the client of a fill."""

    client_class = WatchedKraken


class WatchedQuestDB(QuestDBClient):
    """The client of a fill; says when candles are written and not yet read back or recorded."""

    before_step: Callable[[str], None]

    def write_batch(self, table: str, sql: str, rows: Sequence[Any]) -> None:
        """Write, then tell."""
        super().write_batch(table, sql, rows)
        self.before_step("settle")


def stored_candle(row: Sequence[Any]) -> StoredCandle:
    """Return a candle of the exchange's own truth as it is to be stored."""
    ts_s, opened, high, low, close, vwap, volume, trades = row
    return StoredCandle(
        ts_s,
        float(opened),
        float(high),
        float(low),
        float(close),
        float(vwap),
        float(volume),
        trades,
        source="ohlc",
    )


def at_step(name: str, action: Callable[[], object], *, after: int = 0) -> Callable[[str], None]:
    """Return an observer for ``World.before_step`` that does something just before a step."""
    passed = itertools.count()

    def act(step: str) -> None:
        if step == name and next(passed) >= after:
            action()

    return act


def request_of(**params: Any) -> BackfillRequest:
    """Return the request of a run: TIER1, hourly candles, no limits, except what is given."""
    return BackfillRequest.from_params({
        "tier": "TIER1",
        "intervals": [60],
        "lookback_days": 0,
        "max_gaps_per_asset": 0,
        "repair_from": ["ohlc"],
        **params,
    })


@dataclass(slots=True)
class Planned:
    """A run up to its plan.

    :ivar run: its identity
    :ivar request: its params
    :ivar items: what its OHLC tasks are to do
    :ivar files: what its archive tasks are to do, None until it is planned
    :ivar walks: what its trade tasks are to do, None until it is planned
    """

    run: RunKey
    request: BackfillRequest
    items: list[dict[str, Any]]
    files: list[dict[str, Any]] | None = None
    walks: list[dict[str, Any]] | None = None


@dataclass
class World:
    """Exchange, candle store and ledger of one test.

    :ivar exchange: admin client of the simulated exchange
    :ivar dsn: the ledger
    :ivar tickers: TIER1 of the catalogue
    :ivar before_step: called with the name of each step before it runs: ``ask_exchange``, ``detect_gaps``,
        ``reconcile`` (candles are counted), ``plan``, ``fill`` (each item of OHLC calls), ``write``
        (an answer is there), ``archive`` (files are planned), ``ingest`` (each item), ``trades`` (walks are
        planned), ``walk`` (each stretch of calls), ``page`` (a page of trades is there), ``settle`` (it is
        stored), ``result``; a test may break something there
    :ivar worker_ahead_s: how far the worker's clock is ahead of the exchange's own, seconds
    :ivar stretch: calls of a task before others have their turn, as at one call per second
    :ivar lets_time_pass: whether the ledger sees as much time pass as the exchange
    :ivar locator: where files of the archive come from, None = from nowhere
    :ivar clock: by which fills and ingests see how long they have taken, seconds
    """

    exchange: ExchangeAdmin
    dsn: str
    tickers: list[str] = field(default_factory=lambda: ["XBTUSD"])
    before_step: Callable[[str], None] = lambda _: None
    locator: ArchiveLocator | None = None
    worker_ahead_s: float = 0.0
    stretch: int = CALLS_AT_A_STRETCH
    lets_time_pass: bool = True
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Make the candle table and the catalogue."""
        self.questdb = QuestDBHook(questdb_conn_id="questdb_default").client()
        ensure_candle_table(self.questdb)
        self.catalogue(self.tickers)

    def worker_now(self) -> float:
        """Return the worker's clock: that of the simulated exchange, which may live at any time."""
        return self.exchange.now_s() + self.worker_ahead_s

    def kraken(self) -> KrakenClient:
        """Return a new client that does not wait, neither between retries nor after a rate-limit answer."""
        hook = WatchedKrakenHook(
            "kraken_default",
            slot=CallSlot(self.dsn, min_interval_s=0.01, clock_margin_s=0.0, sleep=self._let_pass),
            sleep=lambda _: None,
        )
        client = cast("WatchedKraken", hook.get_conn())
        client.before_step = self.before_step
        return client

    def _let_pass(self, seconds: float) -> None:
        """Let so much time pass for the call slot."""
        with connect(self.dsn) as connection:
            connection.execute(
                "UPDATE api_slot SET next_at = next_at - make_interval(secs => %s)", (seconds,)
            )

    def clear(self, tickers: Iterable[str], *, clock: str) -> None:
        """Make the world anew: nothing stored, an empty ledger, a faultless exchange at a given time."""
        self.exchange.reset(clock=clock)
        with connect(self.dsn) as connection:
            empty_ledger(connection)
        self.questdb.query("DROP TABLE ohlcv")
        ensure_candle_table(self.questdb)
        self.catalogue(tickers)

    def catalogue(self, tickers: Iterable[str]) -> None:
        """Make these tickers TIER1 and nothing else."""
        with connect(self.dsn) as connection:
            sync_catalogue(
                connection,
                [CatalogueEntry(ticker=t, base=t[:-3], quote=t[-3:], tier="TIER1") for t in tickers],
            )

    def truth(self, series: Series, covered: Range) -> dict[int, StoredCandle]:
        """Return the exchange's own traded candles."""
        return {
            row[0]: stored_candle(row)
            for row in self.exchange.candles(series.ticker, series.interval_minutes, *covered)
        }

    def store(self, series: Series, covered: Range, *, without: Iterable[Range] = ()) -> None:
        """Put the exchange's candles into QuestDB, except those in some ranges."""
        holes = list(without)
        candles = [
            candle
            for ts_s, candle in self.truth(series, covered).items()
            if not any(start <= ts_s < end for start, end in holes)
        ]
        write_candles(self.questdb, series, candles, covered)

    def stored(self, series: Series, covered: Range) -> dict[int, StoredCandle]:
        """Return what QuestDB holds."""
        return read_candles(self.questdb, series, covered)

    def window(self, series: Series, *, buckets: int = 720) -> Range:
        """Return the newest closed buckets of a series."""
        step = step_s(series.interval_minutes)
        end = int(self.exchange.now_s()) // step * step
        return end - buckets * step, end

    def run(self, **params: Any) -> dict[str, Any]:
        """Do all steps of a backfill run; return its summary, with ``raised`` for each fill that raised."""
        planned = self.plan(**params)
        raised = self.fill(planned)
        return self.result(planned) | {"raised": raised, "run": planned.run}

    def plan(self, **params: Any) -> Planned:
        """Do the steps of a run up to its plan."""
        run = RunKey("backfill_tier1_daily", f"run_{os.getpid()}_{next(RUN_NUMBERS)}")
        return self._plan(run, request_of(**params))

    def plan_again(self, planned: Planned) -> Planned:
        """Do the same steps in the same run, as when somebody clears all its tasks."""
        return self._plan(planned.run, planned.request)

    def _plan(self, run: RunKey, request: BackfillRequest) -> Planned:
        with connect(self.dsn) as connection:
            self.before_step("ask_exchange")
            now_s = open_run(connection, self.kraken(), run, request, self.worker_now)
            self.before_step("detect_gaps")
            self.detect(connection, run, request, now_s)
            self.before_step("plan")
            context = self.context(connection, self.questdb, run)
            return Planned(run, request, steps.plan_ohlc(context, request))

    def fill(self, planned: Planned) -> list[Exception]:
        """Do what a run has planned, a source at a time; done again, it is the tasks' second try."""
        run, request = planned.run, planned.request
        raised = self._each("fill", run, planned.items, partial(steps.fill_ohlc, request=request))
        files = self.plan_archive(planned)
        raised += self._each("ingest", run, files, partial(steps.ingest_archive, locator=self.locator))
        walks = self.plan_trades(planned)
        return raised + self._each("walk", run, walks, partial(steps.rebuild_trades, request=request))

    def plan_archive(self, planned: Planned) -> list[dict[str, Any]]:
        """Choose the files to fetch, once in a run."""
        if planned.files is None:
            self.before_step("archive")
            with self._at_work(planned.run) as context:
                planned.files = steps.plan_archive(context, planned.request, self.locator)
        return planned.files

    def plan_trades(self, planned: Planned) -> list[dict[str, Any]]:
        """Choose what to walk through, once in a run."""
        if planned.walks is None:
            self.before_step("trades")
            fetched = self.plan_archive(planned)
            with self._at_work(planned.run) as context:
                planned.walks = steps.plan_trades(
                    context, planned.request, asked=planned.items, fetched=fetched
                )
        return planned.walks

    def _each(
        self, step: str, run: RunKey, items: Sequence[dict[str, Any]], work: Callable[..., bool | None]
    ) -> list[Exception]:
        """Do the items of a mapped task, each until it has no calls to make; return what they raised."""
        raised: list[Exception] = []
        for item in items:
            goes_on: bool | None = True
            while goes_on:
                self.before_step(step)
                goes_on = False
                with self._at_work(run) as context:
                    try:
                        goes_on = work(context, item=item)
                    except (FillError, FillRefusedError) as error:
                        raised.append(error)
        return raised

    @contextmanager
    def _at_work(self, run: RunKey) -> Iterator[RunContext]:
        questdb = WatchedQuestDB(QuestDBHook(questdb_conn_id="questdb_default").address())
        questdb.before_step = self.before_step
        with connect(self.dsn) as connection:
            self._let_time_pass(connection, run)
            yield self.context(connection, questdb, run)

    def context(self, connection: Connection, questdb: QuestDBClient, run: RunKey) -> RunContext:
        """Return what a task of a run works with."""
        context = steps.context_of(connection, self.kraken(), questdb, run)
        return replace(context, stretch=self.stretch, clock=self.clock)

    def _let_time_pass(self, connection: Connection, run: RunKey) -> None:
        """Let as much time have passed for the ledger since the run began as for the exchange."""
        if not self.lets_time_pass:
            return
        connection.execute(
            "UPDATE backfill_runs SET asked_at = clock_timestamp() - (to_timestamp(%s) - exchange_now)"
            " WHERE dag_id = %s AND run_id = %s",
            (self.exchange.now_s(), *run),
        )

    def result(self, planned: Planned) -> dict[str, Any]:
        """Return the summary of a run whose fills have ended."""
        self.before_step("result")
        request = planned.request
        with connect(self.dsn) as connection:
            return summarise(
                connection, planned.run, tier=request.tier, intervals=request.intervals, errors=[]
            )

    def detect(self, connection: Connection, run: RunKey, request: BackfillRequest, now_s: int) -> None:
        """Count candles and reconcile."""
        assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
        survey = take_survey(connection, self.questdb, run, request, assets, now_s=now_s)
        self.before_step("reconcile")
        record_survey(connection, self.questdb, run, request, survey, now_s=now_s)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Return rows of the ledger."""
        with connect(self.dsn) as connection:
            return connection.execute(sql, values).fetchall()

    def gaps(self, series: Series | None = None) -> list[dict[str, Any]]:
        """Return gap records, oldest range first, times as epoch seconds."""
        rows = self.rows(
            "SELECT *, extract(epoch FROM gap_start)::bigint AS start_s, extract(epoch FROM gap_end)::bigint"
            " AS end_s, extract(epoch FROM next_attempt_at)::bigint AS next_attempt_s"
            " FROM gap_records ORDER BY ticker, interval_minutes, gap_start, gap_id"
        )
        return [row for row in rows if series is None or (row["ticker"], row["interval_minutes"]) == series]

    def proven(self, series: Series) -> list[Range]:
        """Return the stretches proven empty of a series."""
        with connect(self.dsn) as connection:
            return proven_ranges(connection, series)

    def missing(self, series: Series) -> list[Range]:
        """Return the stretches missing of a series, as the ledger's pages have them."""
        with connect(self.dsn) as connection:
            return missing(connection, series)

    def contents(self) -> dict[str, list[Any]]:
        """Return all rows that a repeated run must not change."""
        tables = {
            name: [
                tuple(row.values())
                for row in self.rows(f"SELECT {what} FROM {name} AS t ORDER BY t::text")  # noqa: S608
            ]
            for name, what in (
                ("gap_records", "*"),
                # But for what was counted: the first detection after a fill counts what it has stored.
                (
                    "coverage_months",
                    "ticker, interval_minutes, month, reconciled, missing, empty_archive, empty_ohlc,"
                    " empty_trades, disputed",
                ),
                ("coverage_changes", "*"),
                ("empty_sightings", "*"),
                ("candle_restatements", "*"),
                ("gap_decisions", "*"),
                ("series", "*"),
            )
        }
        return tables | {"ohlcv": self.questdb.query("SELECT * FROM ohlcv ORDER BY ts, ticker, interval")}
