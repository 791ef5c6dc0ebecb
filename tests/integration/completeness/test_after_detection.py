"""What is counted from the ledger's pages is true now, whatever happened to candles since the detection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.figures import Figures, series_figures
from kraken_ohlcv.completeness.series_cells import Period, edges_of, series_cells
from kraken_ohlcv.completeness.series_rows import rows_of
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.detect import detect
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.damage import (
    EVIDENCE,
    MISSING,
    NOW,
    Damaged,
    History,
    candle,
    histories,
    of_kind,
    recount,
    spoil,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

XBT, DAYS = Series("AAAUSD", 60), Series("AAAUSD", 1440)
HISTORY = Damaged(XBT, -900, set(range(-900, -20)) | set(range(-15, 0)), [(-20, -18, "ohlc")])
TABLES = ("coverage_months", "coverage_changes", "gap_records", "series", "partitions_seen")


class Telling(QuestDBClient):
    """A client that remembers which statements read candles."""

    read: list[str]

    def query(self, sql: str, *args: Any, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement."""
        if "FROM ohlcv" in sql:
            self.read.append(sql)
        return super().query(sql, *args, **values)


@pytest.fixture
def questdb(candle_table: str) -> QuestDBClient:
    del candle_table
    return QuestDBHook(questdb_conn_id="questdb_default").client()


def find(dsn: str, questdb: QuestDBClient, *intervals: int) -> None:
    """Let a backfill look at all series of some intervals."""
    request = BackfillRequest(tier="ALL", intervals=list(intervals), lookback_days=0, max_gaps_per_asset=0)
    with connect(dsn) as connection:
        assets = read_assets(connection, tickers=None, tier="ALL")
        detect(connection, questdb, RunKey("backfill", "run_1"), request, assets, now_s=NOW)


def figures(dsn: str, questdb: QuestDBClient, series: Series) -> Figures:
    """Return the figures of a series, and make sure that to look changes nothing."""
    before = contents(dsn)
    with connect(dsn) as connection:
        assets = read_assets(connection, tickers=[series.ticker], tier="ALL")
        found = series_figures(connection, questdb, rows_of(assets, [series.interval_minutes]), now_s=NOW)
    assert contents(dsn) == before
    return found[series]


def contents(dsn: str) -> dict[str, list[Any]]:
    """Return all rows of the ledger that tell of candles."""
    with connect(dsn) as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} AS t ORDER BY t::text").fetchall()  # noqa: S608
            for name in TABLES
        }


def put(questdb: QuestDBClient, series: Series, opens_s: Iterable[int]) -> None:
    """Store candles past every check."""
    questdb.write_batch("ohlcv", statement("insert_candle"), [candle(series, open_s) for open_s in opens_s])


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(60, 1440))
def test_the_pages_of_any_history_say_what_a_recount_says(
    ledger_uri: str, questdb: QuestDBClient, history: History
) -> None:
    spoil(ledger_uri, questdb, history)
    find(ledger_uri, questdb, 60, 1440)

    for one in history.series:
        counted, found = recount(ledger_uri, questdb, one.series), figures(ledger_uri, questdb, one.series)
        for kind in ("stored", *MISSING, "pending"):
            assert getattr(found, kind) == len(of_kind(counted, kind)), (one.series, kind)
        assert found.proven_empty == len(of_kind(counted, *EVIDENCE))
        missing = of_kind(counted, *MISSING)
        assert found.oldest_missing_s == (missing[0] if missing else None)
        assert found.disputed == one.disputed(counted)


def test_what_nothing_has_changed_of_is_told_without_reading_a_candle(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    spoil(ledger_uri, questdb, History([HISTORY], {}))
    find(ledger_uri, questdb, 60)
    telling = Telling(QuestDBHook(questdb_conn_id="questdb_default").address())
    telling.read = []

    found = figures(ledger_uri, telling, XBT)
    with connect(ledger_uri) as connection:
        assets = read_assets(connection, tickers=[XBT.ticker], tier="ALL")
        edges = edges_of((NOW - 40 * DAY_S, NOW), Period.DAY)
        series_cells(connection, telling, rows_of(assets, [60]), edges, now_s=NOW)

    assert (found.stored, found.proven_empty, found.missing) == (895, 2, 3)
    assert telling.read == []


def test_a_candle_stored_behind_the_ledgers_back_counts_at_once(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    spoil(ledger_uri, questdb, History([HISTORY], {}))
    find(ledger_uri, questdb, 60)
    assert figures(ledger_uri, questdb, XBT).missing == 3

    put(questdb, XBT, [HISTORY.open_s(-17), HISTORY.open_s(-19)])

    found = figures(ledger_uri, questdb, XBT)
    # One of them lies where nothing was to have traded: it is there all the same.
    assert (found.stored, found.proven_empty, found.missing) == (897, 1, 2)
    assert found.oldest_missing_s == HISTORY.open_s(-18)


def test_another_table_with_other_candles_is_noticed(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(ledger_uri, questdb, History([HISTORY], {}))
    find(ledger_uri, questdb, 60)
    questdb.query("DROP TABLE ohlcv")
    ensure_candle_table(questdb)

    put(questdb, XBT, map(HISTORY.open_s, sorted(HISTORY.stored - {-3, -7, -800} | {-16, -17})))

    found = figures(ledger_uri, questdb, XBT)
    assert (found.stored, found.missing, found.oldest_missing_s) == (894, 4, HISTORY.open_s(-800))


def test_a_month_that_is_gone_is_missing_at_once(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(ledger_uri, questdb, History([HISTORY], {}))
    find(ledger_uri, questdb, 60)
    month_s = 1_793_491_200  # 2026-11-01
    newer = [bucket for bucket in HISTORY.stored if HISTORY.open_s(bucket) >= month_s]

    questdb.query("ALTER TABLE ohlcv DROP PARTITION LIST '2026-10'")

    found = figures(ledger_uri, questdb, XBT)
    assert found.stored == len(newer)
    assert found.stored + found.proven_empty + found.missing + found.pending == 900
    assert found.first_s == HISTORY.open_s(min(newer))


def test_a_series_that_was_never_processed_is_counted_in_months_that_were(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    days = Damaged(DAYS, None, {-40, -39, -3})
    spoil(ledger_uri, questdb, History([HISTORY, days], {}))
    find(ledger_uri, questdb, 60)

    found = figures(ledger_uri, questdb, DAYS)

    assert (found.stored, found.first_s, found.last_s) == (3, days.open_s(-40), days.open_s(-3))
    assert found.start_s == days.open_s(-720)


def test_a_bucket_that_has_closed_since_the_detection_is_counted(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    spoil(ledger_uri, questdb, History([HISTORY], {}))
    find(ledger_uri, questdb, 60)
    later_s = NOW + 30 * 3600
    put(questdb, XBT, [HISTORY.open_s(1)])
    with connect(ledger_uri) as connection:
        rows = rows_of(read_assets(connection, tickers=[XBT.ticker], tier="ALL"), [60])
        found = series_figures(connection, questdb, rows, now_s=later_s)[XBT]

    assert (found.stored, found.proven_empty) == (896, 2)
    assert found.missing + found.pending == 3 + 29
