"""One fill reads the ledger and the candles of its series no more often than it changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv import backfill as steps
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.ingest import ingest_item
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.world import request_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HOUR = 3600

LOCK, GAPS = "pg_advisory_xact_lock", "FROM gap_records\nWHERE status"
PAGES = "JOIN coverage_months AS c USING"


class Counting(psycopg.Cursor[dict[str, Any]]):
    """A cursor that keeps the statements it runs inside transactions."""

    statements: list[str]

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep, then run."""
        if self.connection.info.transaction_status is TransactionStatus.INTRANS:
            type(self).statements.append(str(query))
        return super().execute(query, *args, **kwargs)


class CountingQuestDB(QuestDBClient):
    """A client that keeps the statements it runs."""

    statements: list[str]

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """Keep, then run."""
        self.statements.append(sql)
        return super().query(sql, parameters, binary=binary)


def per_transaction(statements: list[str], read: str) -> list[int]:
    """Return how often each transaction of a series runs a query."""
    counts: list[int] = []
    for statement in statements:
        if LOCK in statement:
            counts.append(0)
        elif read in statement and "DELETE" not in statement:
            counts[-1] += 1
    return counts


class Watch:
    """Ledger and candle store of a fill, both counted."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        class Cursor(Counting):
            statements: list[str] = []  # noqa: RUF012 (of this watch alone)

        connection.cursor_factory = Cursor
        self.ledger = Cursor.statements
        self.questdb = CountingQuestDB(QuestDBHook(questdb_conn_id="questdb_default").address())
        self.questdb.statements = []

    def transactions(self) -> int:
        """Return how many transactions a series had, none of which read its state twice."""
        for read in (GAPS, PAGES):
            reads = per_transaction(self.ledger, read)
            assert max(reads) == 1, f"{read}: {reads}"
        return len(per_transaction(self.ledger, GAPS))

    def candles_read(self) -> int:
        """Return how often the candles of a series were read."""
        return sum(
            "ts::long / 1000000L ts_s" in one and "WHERE ticker" in one for one in self.questdb.statements
        )


@pytest.mark.parametrize("source", ["ohlc", "trades"])
def test_a_fill_reads_the_state_of_its_series_once_per_transaction(world: World, source: str) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(end - 6 * HOUR, end - 2 * HOUR)])
    planned = world.plan(repair_from=[source])
    walks = [] if source == "ohlc" else world.plan_trades(planned)
    with connect(world.dsn) as connection:
        watch = Watch(connection)
        context = steps.context_of(connection, world.kraken(), watch.questdb, planned.run)
        if source == "ohlc":
            steps.fill_ohlc(context, planned.items[0], request_of())
        else:
            steps.rebuild_trades(context, walks[0], request_of(repair_from=[source]))

    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}
    transactions = watch.transactions()
    assert transactions >= 2
    if source == "ohlc":
        assert (transactions, watch.candles_read()) == (2, 2)


def test_an_ingest_reads_the_state_of_its_series_once_per_transaction(archive: ArchiveWorld) -> None:
    world = archive.world
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(end - 6 * HOUR, end - 2 * HOUR)])
    world.run()
    archive.csv(HOURLY, (start, end))
    run, request, items = archive.find(path="XBTUSD_60.csv")
    with connect(world.dsn) as connection:
        watch = Watch(connection)
        for item in items:
            context = steps.context_of(connection, world.kraken(), watch.questdb, run)
            ingest_item(context, request, archive.locator(), item)

    assert watch.transactions() >= 1
