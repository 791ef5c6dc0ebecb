"""What the product does with one-minute candles, a step at a time, here or in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from bench.gap_detection import detect_all
from bench.tools.invented import tickers
from bench.tools.memory import peak_mib
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.backfill import context_of
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Series
from kraken_ohlcv.core.intervals import DAY_S, MINUTE_S
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.repair.apply import apply_result
from kraken_ohlcv.repair.attempt import begin
from kraken_ohlcv.repair.context import FillAttempt
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.stores.candle_store import read_candles
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kraken_ohlcv.core.gap import Gap
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.run import RunKey
    from kraken_ohlcv.stores.ledger.session import Connection

END_S: Final = 1_798_761_600
"""2027-01-01: whole months and years lie before it."""

REQUEST: Final = BackfillRequest(
    tier="ALL",
    intervals=[1],
    lookback_days=7,
    max_gaps_per_asset=10,
    tickers=None,
    retry_failed=False,
    repair_from=["trades"],
)


def quiet(since_s: int) -> str:
    """Return a condition over ``pair.x`` and ``bucket.x`` that holds for 56 % of the minutes.

    They are scattered as if at random, and the same ones each time.

    :param since_s: the minute of bucket 1, epoch seconds UTC
    """
    mixed = f"(((bucket.x + {since_s // MINUTE_S}) * 7919 + pair.x * 104729) % 1000003)"
    return f"{mixed} * {mixed} % 998244353 % 100 < 56"


class RecordingClient(QuestDBClient):
    """Remembers the statements that it sends.

    :ivar statements: texts, in the order sent
    """

    def __init__(self, client: QuestDBClient) -> None:
        super().__init__(client.address)
        self.statements: list[str] = []

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """Send a statement and remember it."""
        self.statements.append(sql)
        return super().query(sql, parameters, binary=binary)


def register(uri: str, pairs: int) -> None:
    """Put invented pairs into the catalogue.

    :param uri: of the ledger
    :param pairs: how many
    """
    entries = [
        CatalogueEntry(ticker=ticker, base=ticker[:-3], quote="USD", tier="TIER1")
        for ticker in tickers(pairs)
    ]
    with connect(uri) as connection:
        sync_catalogue(connection, entries)


def detect_minutes(connection: Connection, questdb: QuestDBClient, *, now_s: int = END_S) -> RunKey:
    """Detect what all pairs of the catalogue are missing.

    :param now_s: the exchange's time, epoch seconds UTC
    :return: the run
    """
    return detect_all(connection, questdb, REQUEST, now_s=now_s)


def apply_trades(
    connection: Connection, questdb: QuestDBClient, run: RunKey, ticker: str, covered: Range
) -> None:
    """Fill the gaps of a range as a walk through its trades does, which proves empty what is not stored.

    :param run: a run that has detected
    :param covered: half-open, closed minutes, epoch seconds UTC
    """
    series = Series(ticker, 1)
    traded = read_candles(questdb, series, covered)
    result = SourceResult(
        covered=covered,
        traded=traded,
        empty=BucketSet.all_in(covered, step=MINUTE_S) - BucketSet.of_points(traded, step=MINUTE_S),
        is_busy=False,
        window_start_s=covered[0],
        step=MINUTE_S,
        source=FilledFrom.TRADES,
    )

    def is_inside(gap: Gap) -> bool:
        return covered[0] <= gap.start_s and gap.end_s <= covered[1]

    # No call is made: what trades say is given.
    os.environ["AIRFLOW_CONN_KRAKEN_DEFAULT"] = json.dumps({
        "conn_type": "kraken",
        "host": "http://127.0.0.1:9",
    })
    kraken = KrakenHook("kraken_default", slot=CallSlot("")).get_conn()
    context = context_of(connection, kraken, questdb, run)
    _, tried = begin(context, series, is_inside, is_due=is_inside)
    apply_result(context, series, result, write(context, series, result), FillAttempt(tried))


def fill_a_day(connection: Connection, questdb: QuestDBClient) -> None:
    """Detect a day after the end, and take in what trades say of it for the first pair."""
    run = detect_minutes(connection, questdb, now_s=END_S + DAY_S)
    apply_trades(connection, questdb, run, tickers(1)[0], (END_S, END_S + DAY_S))


STEPS: Final[Mapping[str, Callable[[Connection, QuestDBClient], object]]] = {
    "detect": detect_minutes,
    "fill": fill_a_day,
}


def peak_of(step: str, uri: str) -> float:
    """Do a step in a process of its own.

    :param step: a key of :data:`STEPS`
    :param uri: of the ledger
    :return: the most memory that the process has had, MiB
    """
    answer = subprocess.run(  # noqa: S603 (our own module)
        [sys.executable, "-m", "bench.tools.minute_steps", step, uri],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(answer.stdout.splitlines()[-1])


if __name__ == "__main__":
    with connect(sys.argv[2]) as ledger:
        STEPS[sys.argv[1]](ledger, QuestDBHook(questdb_conn_id="questdb_default").client())
    print(peak_mib())
