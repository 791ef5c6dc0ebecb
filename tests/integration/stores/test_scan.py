"""The two detection statements on a real QuestDB find what a recount of the candles finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.queries import rendered
from kraken_ohlcv.stores.scan import HOLES, SPANS, Scanner, Span
from kraken_ohlcv.stores.schema import ensure_candle_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.clients.questdb.client import QuestDBClient

BUCKETS = 12
START_S = 1_793_232_000
TICKERS = ("XBTUSD", "ETHUSD", "SOLUSD", "ADAUSD")
INTERVALS = (60, 1440)
ALL_SERIES = [Series(ticker, minutes) for ticker in TICKERS for minutes in INTERVALS]
UNTIL_S = START_S + BUCKETS * 86400


@pytest.fixture
def hook(candle_table: str, questdb_conn: str) -> QuestDBClient:
    """Give a hook of a candle store with an empty table."""
    del candle_table
    hook = QuestDBHook(questdb_conn_id=questdb_conn).client()
    ensure_candle_table(hook)
    return hook


def store(hook: QuestDBClient, series: Series, times_s: Iterable[int]) -> None:
    candles = [StoredCandle(ts_s, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, source="ohlc") for ts_s in times_s]
    write_candles(hook, series, candles, (START_S, UNTIL_S))


def scanner(hook: QuestDBClient, tickers: list[str] | None = None) -> Scanner:
    return Scanner.of(hook, intervals=INTERVALS, tickers=tickers, until_s=UNTIL_S)


def whole(series: Series) -> list[int]:
    return [START_S + n * step_s(series.interval_minutes) for n in range(BUCKETS)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kept=st.tuples(*[st.sets(st.integers(0, BUCKETS - 1)) | st.just(set(range(BUCKETS)))] * len(ALL_SERIES))
)
def test_the_scan_is_what_a_recount_of_the_candles_gives(
    hook: QuestDBClient, kept: tuple[set[int], ...]
) -> None:
    hook.query("TRUNCATE TABLE ohlcv")
    spans, holes = {}, {}
    for series, numbers in zip(ALL_SERIES, kept, strict=True):
        times = [whole(series)[n] for n in sorted(numbers)]
        if not times:
            continue
        store(hook, series, times)
        step = step_s(series.interval_minutes)
        spans[series] = Span(times[0], times[-1], len(times))
        missing = ranges.subtract([(times[0], times[-1])], ranges.from_points(times, step=step))
        if missing:
            holes[series] = missing

    scan = scanner(hook)()

    assert (scan.spans, scan.holes) == (spans, holes)
    assert scan.unsound() == []


def test_no_statement_for_holes_is_sent_when_every_count_is_right(hook: QuestDBClient) -> None:
    for series in ALL_SERIES:
        store(hook, series, whole(series))
    params = {"intervals": INTERVALS, "tickers": None}
    scan = Scanner(
        hook,
        spans_sql=rendered(SPANS, params=params),
        holes_sql="SELECT nothing FROM nowhere",  # it would fail
        tickers=None,
        until_s=UNTIL_S,
    )()
    assert (len(scan.spans), scan.holes) == (len(ALL_SERIES), {})


def test_the_statement_for_holes_names_the_tickers_and_intervals_when_few_are_short(
    hook: QuestDBClient,
) -> None:
    short = Series("SOLUSD", 60)
    for series in ALL_SERIES:
        store(hook, series, [ts_s for n, ts_s in enumerate(whole(series)) if series != short or n != 5])
    scan = scanner(hook)
    assert scan().holes == {short: [(START_S + 5 * 3600, START_S + 6 * 3600)]}
    assert scan.holes_sql == rendered(HOLES, params={"intervals": [60], "tickers": ["SOLUSD"]})


def test_a_candle_off_the_grid_shows_although_the_count_is_right(hook: QuestDBClient) -> None:
    shifted = Series("XBTUSD", 60)
    for series in ALL_SERIES:
        store(hook, series, [ts_s + (series == shifted and n == 5) for n, ts_s in enumerate(whole(series))])
    scan = scanner(hook)()
    assert scan.unsound() == [shifted]
    assert scan.spans[shifted].off_grid_us == 1_000_000


def test_only_the_tickers_asked_for_are_scanned(hook: QuestDBClient) -> None:
    for series in ALL_SERIES:
        store(hook, series, [whole(series)[0], whole(series)[3]])
    scan = scanner(hook, ["ADAUSD"])()
    wanted = {Series("ADAUSD", minutes) for minutes in INTERVALS}
    assert set(scan.spans) == set(scan.holes) == wanted
