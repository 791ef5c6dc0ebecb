"""A backfill run without Airflow: the same steps, on the real stores and the simulated exchange."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jinja2

from include.ohlcv.backfill import fill_item, plan_run
from include.ohlcv.candles import StoredCandle
from include.ohlcv.catalogue import CatalogueEntry
from include.ohlcv.detect import read_scan
from include.ohlcv.errors import FillError, FillRefusedError
from include.ohlcv.exchange import open_run
from include.ohlcv.gaps import Series
from include.ohlcv.intervals import step_s
from include.ohlcv.ledger.asset_rows import read_assets, sync_catalogue
from include.ohlcv.ledger.session import RunKey, connect
from include.ohlcv.params import BackfillRequest
from include.ohlcv.schema import ensure_candle_table
from include.ohlcv.statements import statement
from include.ohlcv.store import MICROSECONDS, read_candles, write_candles
from include.ohlcv.summary import summarise
from include.ohlcv.survey import carry_out
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from include.ohlcv.ledger.session import Connection
    from include.ohlcv.ranges import Range
    from sandbox.exchange_client import ExchangeAdmin

RUN_NUMBERS = itertools.count(1)


@dataclass
class World:
    """Exchange, candle store and ledger of one test.

    :ivar exchange: admin client of the simulated exchange
    :ivar dsn: the ledger
    :ivar tickers: TIER1 of the catalogue
    :ivar before_step: called with the name of each step before it runs; a test may break something there
    """

    exchange: ExchangeAdmin
    dsn: str
    tickers: list[str] = field(default_factory=lambda: ["XBTUSD"])
    before_step: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.questdb = QuestDBHook(questdb_conn_id="questdb_default")
        ensure_candle_table(self.questdb)
        self.catalogue(self.tickers)

    def kraken(self) -> KrakenHook:
        """Return a new hook that does not wait between retries."""
        return KrakenHook("kraken_default", sleep=lambda _: None)

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
            row[0]: StoredCandle(row[0], *map(float, row[1:7]), trades=row[7], source="ohlc")
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
        """Do all steps of a backfill run; return its summary, with ``retryable`` for each fill that raised."""
        request = BackfillRequest.from_params({
            "tier": "TIER1",
            "intervals": [60],
            "lookback_days": 0,
            "max_gaps_per_asset": 0,
            "tickers": None,
            "retry_failed": False,
            **params,
        })
        run = RunKey("backfill_tier1_daily", f"run_{next(RUN_NUMBERS)}")
        with connect(self.dsn) as connection:
            self.before_step("ask_exchange")
            now_s = open_run(connection, self.kraken(), run, request)
            self.before_step("detect_gaps")
            self.detect(connection, run, request, now_s)
            self.before_step("plan")
            items = plan_run(connection, run, request)
            raised: list[Exception] = []
            for item in items:
                self.before_step("fill")
                try:
                    fill_item(connection, self.kraken(), self.questdb, run, item)
                except (FillError, FillRefusedError) as error:
                    raised.append(error)
            self.before_step("result")
            summary = summarise(connection, run, tier=request.tier, intervals=request.intervals, errors=[])
        return summary | {"raised": raised, "run": run}

    def detect(self, connection: Connection, run: RunKey, request: BackfillRequest, now_s: int) -> None:
        """Run the detection statement and reconcile."""
        sql = jinja2.Template(statement("questdb", "detect_gaps")).render(
            params={"intervals": request.intervals, "tickers": request.tickers}
        )
        parameters: dict[str, Any] = {"until": now_s * MICROSECONDS}
        parameters |= {f"ticker_{n}": ticker for n, ticker in enumerate(request.tickers or [])}
        assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
        carry_out(
            connection,
            self.questdb,
            run,
            request,
            assets,
            lambda: read_scan(self.questdb.query(sql, parameters)),
            now_s=now_s,
        )

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
        """Return the proven-empty ranges of a series."""
        rows = self.rows(
            "SELECT extract(epoch FROM range_start)::bigint AS a, extract(epoch FROM range_end)::bigint AS b"
            " FROM proven_empty WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s ORDER BY 1",
            **series._asdict(),
        )
        return [(row["a"], row["b"]) for row in rows]

    def contents(self) -> dict[str, list[Any]]:
        """Return all rows that a repeated run must not change."""
        tables = {
            name: [tuple(row.values()) for row in self.rows(f"SELECT * FROM {name} ORDER BY 1")]  # noqa: S608
            for name in ("gap_records", "proven_empty", "empty_sightings", "candle_restatements", "series")
        }
        return tables | {"ohlcv": self.questdb.query("SELECT * FROM ohlcv ORDER BY ts, ticker, interval")}
