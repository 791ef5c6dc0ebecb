"""Detection asks for what has changed, and finds whatever happened to the candles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.detection.look import Look
from kraken_ohlcv.stores.candle_store import read_candles, write_candles
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.ledger_pages import add_proof, all_pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOUR = 3600
HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)


class Recording(QuestDBClient):
    """Keeps the statements that are sent.

    :ivar sent: their texts
    """

    def query(self, sql: str, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        """Send a statement, and keep it."""
        self.sent = [*getattr(self, "sent", []), sql]
        return super().query(sql, *args, **kwargs)

    def read_ohlcv(self) -> list[str]:
        """Return the statements that read candles, and forget all of them."""
        found = [sql for sql in getattr(self, "sent", []) if re.search(r"FROM ohlcv\b", sql)]
        self.sent: list[str] = []
        return found


@pytest.fixture
def recording(world: World) -> Recording:
    """Give the client with which the world detects from now on."""
    client = Recording(QuestDBHook(questdb_conn_id="questdb_default").address())
    world.questdb = client
    return client


def candle(ts_s: int) -> StoredCandle:
    return StoredCandle(ts_s, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, source="ohlc")


def put(world: World, series: Series, opens: Iterable[int]) -> None:
    """Store candles as somebody else would: past the ledger."""
    candles = [candle(ts_s) for ts_s in opens]
    if candles:
        write_candles(world.questdb, series, candles, (candles[0].ts_s, candles[-1].ts_s + 1))


def drop_month(world: World, moment_s: int) -> list[StoredCandle]:
    """Drop the partition of a moment; return its hourly candles."""
    month = month_of(moment_s)
    held = list(read_candles(world.questdb, HOURLY, month).values())
    ((name,),) = world.questdb.query(
        "SELECT name FROM table_partitions('ohlcv') WHERE minTimestamp::long >= %(from)s"
        " AND minTimestamp::long < %(until)s",
        {"from": month[0] * 1_000_000, "until": month[1] * 1_000_000},
    )
    world.questdb.query(f"ALTER TABLE ohlcv DROP PARTITION LIST '{name}'")
    return held


def assert_ledger_is_true(world: World, series: Series) -> set[int]:
    """Hold pages and gaps of a series against a recount of its candles; return what is missing."""
    step = step_s(series.interval_minutes)
    (row,) = world.rows(
        "SELECT extract(epoch FROM start_ts)::bigint AS start_s,"
        " extract(epoch FROM until_ts)::bigint AS until_s"
        " FROM series WHERE ticker = %(ticker)s AND interval_minutes = %(interval)s",
        ticker=series.ticker,
        interval=series.interval_minutes,
    )
    until_s = int(world.exchange.now_s()) // step * step
    assert row["until_s"] == until_s
    stored = set(read_candles(world.questdb, series, (row["start_s"], until_s)))
    with connect(world.dsn) as connection:
        pages = all_pages(connection, series)
    assert pages is not None
    missing = set(range(row["start_s"], until_s, step)) - stored - set(pages.empty.all.points())
    assert set(pages.missing.points()) == missing
    held: set[int] = set()
    for gap in world.gaps(series):
        if gap["status"] != "FILLED":
            inside = set(range(gap["start_s"], gap["end_s"], step)) & missing
            assert (len(inside), min(inside), max(inside) + step) == (
                gap["missing_candles"],
                gap["start_s"],
                gap["end_s"],
            )
            assert not held & inside
            held |= inside
    assert held == missing
    return missing


def loaded(world: World, series: Series, *, buckets: int = 720, without: Sequence[Range] = ()) -> Range:
    """Store a window of candles but for some, and let the ledger know of them."""
    covered = world.window(series, buckets=buckets)
    world.store(series, covered, without=without)
    world.plan(intervals=[series.interval_minutes])
    return covered


def test_no_statement_reads_candles_when_nothing_has_changed(world: World, recording: Recording) -> None:
    loaded(world, HOURLY)
    loaded(world, DAILY)
    recording.read_ohlcv()
    world.plan(intervals=[60, 1440])
    assert recording.read_ohlcv() == []


def test_an_hour_that_closes_without_a_candle_is_missing_without_a_look_at_candles(
    world: World, recording: Recording
) -> None:
    _, end = loaded(world, HOURLY)
    recording.read_ohlcv()
    world.exchange.advance(HOUR)
    world.plan(intervals=[60])
    assert recording.read_ohlcv() == []
    assert assert_ledger_is_true(world, HOURLY) == {end}


def test_after_a_fill_only_the_month_written_is_counted_and_no_open_times_are_read(
    world: World, recording: Recording
) -> None:
    loaded(world, HOURLY)
    world.exchange.advance(3 * HOUR)
    assert world.run(intervals=[60])["gaps_filled"] == 1
    recording.read_ohlcv()
    world.plan(intervals=[60])
    (sent,) = recording.read_ohlcv()
    assert "count() n" in sent
    assert "timestamp_floor" not in sent
    world.plan(intervals=[60])
    assert recording.read_ohlcv() == []
    assert assert_ledger_is_true(world, HOURLY) == set()


def test_one_bucket_missing_in_the_middle_costs_one_month(world: World, recording: Recording) -> None:
    covered = loaded(world, DAILY)
    hole = covered[0] + 300 * DAY_S
    month = month_of(hole)
    held = read_candles(world.questdb, DAILY, month)
    drop_month(world, hole)
    put(world, DAILY, sorted(held.keys() - {hole}))
    recording.read_ohlcv()
    world.plan(intervals=[1440])
    assert assert_ledger_is_true(world, DAILY) == {hole}
    sent = [sql for sql in recording.sent if "count() n" in sql or "power(2, " in sql]
    # All series briefly, then in full those that have changed, then their open times.
    assert len(sent) == 3
    assert not any("timestamp_floor" in sql for sql in sent)


def test_a_dropped_partition_is_missing_at_once(world: World) -> None:
    covered = loaded(world, DAILY)
    lost = month_of(covered[0] + 100 * DAY_S)
    drop_month(world, lost[0])
    world.plan(intervals=[1440])
    assert assert_ledger_is_true(world, DAILY) == set(range(*lost, DAY_S))


def test_a_time_to_live_that_evicts_months_is_found(world: World) -> None:
    covered = loaded(world, DAILY)
    world.questdb.query("ALTER TABLE ohlcv SET TTL 12 MONTHS")
    put(world, DAILY, [covered[1] - DAY_S])
    world.plan(intervals=[1440])
    missing = assert_ledger_is_true(world, DAILY)
    assert min(missing) == covered[0]
    assert len(missing) > 300


def test_an_older_copy_of_the_table_is_counted_anew(world: World) -> None:
    covered = loaded(world, DAILY, without=[])
    kept = dict(list(read_candles(world.questdb, DAILY, covered).items())[:-5])
    world.questdb.query("DROP TABLE ohlcv")
    ensure_candle_table(world.questdb)
    write_candles(world.questdb, DAILY, list(kept.values()), covered)
    world.plan(intervals=[1440])
    assert assert_ledger_is_true(world, DAILY) == set(range(covered[1] - 5 * DAY_S, covered[1], DAY_S))


def test_candles_that_somebody_else_writes_close_a_gap(world: World) -> None:
    covered = world.window(HOURLY)
    hole = (covered[0] + 100 * HOUR, covered[0] + 110 * HOUR)
    loaded(world, HOURLY, without=[hole])
    assert assert_ledger_is_true(world, HOURLY) == set(range(*hole, HOUR))
    put(world, HOURLY, range(hole[0], hole[0] + 4 * HOUR, HOUR))
    world.plan(intervals=[60])
    assert assert_ledger_is_true(world, HOURLY) == set(range(hole[0] + 4 * HOUR, hole[1], HOUR))


def test_another_candle_in_the_place_of_one_is_found_by_the_full_scan_alone(world: World) -> None:
    covered = world.window(HOURLY)
    absent, swapped = covered[0] + 100 * HOUR, covered[0] + 105 * HOUR
    loaded(world, HOURLY, without=[(absent, absent + HOUR)])
    # The month has as many candles as before, its oldest and newest among them.
    held = drop_month(world, absent)
    put(world, HOURLY, sorted({one.ts_s for one in held if one.ts_s != swapped} | {absent}))
    world.plan(intervals=[60])
    world.plan(intervals=[60], full_scan=True)
    assert assert_ledger_is_true(world, HOURLY) == {swapped}


def test_all_open_times_are_read_once_a_week(world: World, recording: Recording) -> None:
    loaded(world, HOURLY)
    recording.read_ohlcv()
    for days, is_read in ((6, False), (1, True), (0, False)):
        world.exchange.advance(days * DAY_S)
        world.plan(intervals=[60])
        assert any("power(2, " in sql for sql in recording.read_ohlcv()) is is_read


def test_candles_stored_twice_are_an_error_of_their_series_alone(world: World) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    ether = Series("ETHUSD", 60)
    for series in (HOURLY, ether):
        world.store(series, world.window(series))
    world.questdb.query("ALTER TABLE ohlcv DEDUP DISABLE")
    put(world, ether, [world.window(ether)[0]])
    planned = world.plan(intervals=[60])
    (run,) = world.rows(
        "SELECT series_processed, remarks FROM backfill_runs WHERE run_id = %(run)s", run=planned.run[1]
    )
    assert len(run["series_processed"]) == 1
    (error,) = run["remarks"]["errors"]
    assert error.startswith("ETHUSD 60: some candles are stored twice; make them one")


def test_a_candle_off_the_grid_is_an_error_of_its_series(world: World) -> None:
    covered = loaded(world, HOURLY)
    put(world, HOURLY, [covered[0] + 60])
    planned = world.plan(intervals=[60])
    (run,) = world.rows(
        "SELECT series_processed, remarks FROM backfill_runs WHERE run_id = %(run)s", run=planned.run[1]
    )
    assert run["series_processed"] == []
    assert "do not lie on the 60-minute grid" in run["remarks"]["errors"][0]


DAYS = st.sets(st.integers(0, 89), max_size=30)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=DAYS,
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("write"), DAYS),
            st.tuples(st.just("prove"), DAYS),
            st.tuples(st.just("drop"), st.sets(st.integers(0, 89), min_size=1, max_size=1)),
            st.tuples(st.just("later"), st.sets(st.integers(1, 40), min_size=1, max_size=1)),
        ),
        max_size=5,
    ),
)
def test_the_ledger_is_true_after_any_damage(
    world: World, first: set[int], steps: list[tuple[str, set[int]]]
) -> None:
    world.clear(["XBTUSD"], clock="2026-11-23T12:34:56Z")
    base = world.window(DAILY, buckets=90)[0]

    def opens(days: Iterable[int]) -> list[int]:
        return [base + day * DAY_S for day in sorted(days)]

    put(world, DAILY, opens(first | {0}))
    world.plan(intervals=[1440], lookback_days=0)
    assert_ledger_is_true(world, DAILY)
    for what, days in steps:
        if what == "write":
            put(world, DAILY, opens(days))
        elif what == "prove":
            stored = read_candles(world.questdb, DAILY, (base, base + 90 * DAY_S))
            with connect(world.dsn) as connection:
                for open_s in opens(days):
                    if open_s not in stored:
                        add_proof(connection, DAILY, open_s, open_s + DAY_S)
                connection.execute("UPDATE coverage_months SET reconciled = NULL")
        elif what == "drop" and read_candles(world.questdb, DAILY, month_of(opens(days)[0])):
            drop_month(world, opens(days)[0])
        elif what == "later":
            world.exchange.advance(min(days) * DAY_S)
        with connect(world.dsn) as connection:
            look = Look.at(connection, world.questdb, ["XBTUSD"], [1440])
            months = [month_of(open_s) for open_s in (base, base + 31 * DAY_S, base + 62 * DAY_S)]
            looked = look.read({DAILY: months})[DAILY]
            expected = {ts for month in months for ts in read_candles(world.questdb, DAILY, month)}
            assert set(looked.stored.points()) == expected
        world.plan(intervals=[1440], lookback_days=0)
        assert_ledger_is_true(world, DAILY)


def test_series_that_nobody_has_loaded_cost_no_statement_while_all_candles_are_those_of_others(
    world: World, recording: Recording
) -> None:
    loaded(world, HOURLY)
    recording.read_ohlcv()
    with connect(world.dsn) as connection:
        look = Look.at(connection, recording, [HOURLY.ticker], [1, 60, 1440])
    assert set(look.counted) == {HOURLY}
    assert recording.read_ohlcv() == []


def test_candles_of_an_interval_that_was_never_processed_are_counted_in_their_months_only(
    world: World, recording: Recording
) -> None:
    start_s, end_s = loaded(world, HOURLY, buckets=720)
    put(world, DAILY, [end_s // DAY_S * DAY_S - DAY_S])
    world.plan(intervals=[60])
    recording.read_ohlcv()
    with connect(world.dsn) as connection:
        look = Look.at(connection, recording, [HOURLY.ticker], [60, 1440])
    assert look.counted[DAILY].n_candles == 1
    assert month_of(start_s) != month_of(end_s - DAY_S)
    assert len(recording.read_ohlcv()) == 1
