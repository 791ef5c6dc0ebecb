"""Workers that die, runs that overlap: every gap is closed once, and nothing is asserted by a stale look."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import FILL_LOCK
from tests.integration.in_step import gaps_of
from tests.integration.worker import Order, start_worker
from tests.integration.world import Planned, World, at_step
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from kraken_ohlcv.core.ranges import Range
    from local.processes import ManagedProcess

HOURLY = Series("XBTUSD", 60)
HOUR = 3600


def holes(world: World) -> list[Range]:
    """Return three holes, ten candles in all."""
    start, end = world.window(HOURLY)
    return [(start + a * HOUR, start + b * HOUR) for a, b in ((50, 51), (100, 106))] + [(end - 3 * HOUR, end)]


@pytest.fixture
def holed(world: World) -> World:
    """Give a world with three holes in one series."""
    world.store(HOURLY, world.window(HOURLY), without=holes(world))
    return world


def another(world: World) -> World:
    """Return the same world as another worker sees it: nothing shared but the services."""
    return World(world.exchange, world.dsn, world.tickers)


def assert_complete(world: World, series: Series = HOURLY) -> None:
    """Check that the store holds what the exchange has, and that no gap is open."""
    covered = world.window(series)
    assert world.stored(series, covered) == world.truth(series, covered)
    assert {gap["status"] for gap in world.gaps(series)} == {"FILLED"}


def assert_sums_hold(summary: dict[str, Any]) -> None:
    """Check that each claimed gap has one outcome, counted from the rows themselves."""
    parts = [summary[f"gaps_{outcome}"] for outcome in ("filled", "unfillable", "failed", "deferred")]
    assert summary["gaps_detected"] == sum(parts)


def fill_and_kill(world: World, planned: Planned, directory: Path, *, before: str) -> None:
    """Let a worker do the fills of a plan, and kill it just before a step."""
    worker = halted_worker(world, planned, directory, before=before)
    assert {gap["status"] for gap in world.gaps()} == {"BACKFILLING"}
    worker.kill()
    wait_until_free(world)


def halted_worker(world: World, planned: Planned, directory: Path, *, before: str) -> ManagedProcess:
    """Return a worker that stands still in the middle of a fill."""
    order = Order(
        url=world.exchange.url,
        dsn=world.dsn,
        tickers=world.tickers,
        params=planned.request.model_dump(mode="json"),
        halt_before=before,
        run=list(planned.run),
        items=planned.items,
    )
    worker = start_worker(order, directory)
    worker.wait_for_line("halted", timeout_s=PATIENCE_S)
    return worker


def wait_until_free(world: World) -> None:
    """Wait until PostgreSQL has noticed that a worker is gone."""
    held = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %(c)s"
    wait_for(lambda: not world.rows(held, c=FILL_LOCK), "the worker's lock outlived it")


def test_gaps_of_a_worker_killed_after_the_write_are_failed_and_then_seen_filled(
    holed: World, tmp_path: Path
) -> None:
    planned = holed.plan()
    fill_and_kill(holed, planned, tmp_path, before="settle")

    summary = holed.result(planned)

    assert (summary["gaps_detected"], summary["gaps_failed"], summary["gaps_filled"]) == (3, 3, 0)
    for gap in holed.gaps():
        assert (gap["status"], gap["attempts"]) == ("FAILED", 1)
        assert gap["error_message"] == "the task ended before it could report this gap's outcome"
        assert gap["next_attempt_s"] is not None

    holed.exchange.clear_calls()
    later = holed.run()
    assert (later["gaps_detected"], later["gaps_filled"], later["total_candles_filled"]) == (3, 3, 0)
    assert holed.exchange.calls("OHLC") == []
    assert {gap["filled_from"] for gap in holed.gaps()} == {"observed"}
    assert_complete(holed)


def test_a_retried_task_fills_what_its_killed_predecessor_had_fetched_in_vain(
    holed: World, tmp_path: Path
) -> None:
    planned = holed.plan()
    fill_and_kill(holed, planned, tmp_path, before="write")

    assert holed.fill(planned) == []

    summary = holed.result(planned)
    assert (summary["gaps_detected"], summary["gaps_filled"], summary["gaps_failed"]) == (3, 3, 0)
    assert summary["total_candles_filled"] == 10
    assert {gap["filled_from"] for gap in holed.gaps()} == {"ohlc"}
    assert {gap["attempts"] for gap in holed.gaps()} == {1}
    assert_complete(holed)


def test_the_next_run_takes_up_what_a_killed_worker_and_its_lost_run_left(
    holed: World, tmp_path: Path
) -> None:
    fill_and_kill(holed, holed.plan(), tmp_path, before="write")

    summary = holed.run()

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["total_candles_filled"]) == (3, 3, 10)
    assert_complete(holed)


def test_a_fill_whose_ledger_connection_breaks_after_the_write_costs_nothing(holed: World) -> None:
    def break_off() -> None:
        with psycopg.connect(holed.dsn, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'ohlcv' AND datname = current_database()"
            )

    planned = holed.plan()
    holed.before_step = at_step("settle", break_off)
    with pytest.raises(psycopg.OperationalError):
        holed.fill(planned)

    holed.before_step = lambda _: None
    wait_until_free(holed)
    assert holed.result(planned)["gaps_failed"] == 3
    assert holed.run()["gaps_filled"] == 3
    assert_complete(holed)


def test_gaps_being_filled_are_left_alone_by_another_run(holed: World) -> None:
    other = another(holed)
    plans: list[Planned] = []

    def look() -> None:
        plans.append(other.plan())
        gaps = holed.gaps()
        assert [(gap["start_s"], gap["end_s"]) for gap in gaps] == holes(holed)
        assert {gap["status"] for gap in gaps} == {"BACKFILLING"}

    holed.before_step = at_step("settle", look)
    first = holed.run()
    (plan,) = plans
    assert other.fill(plan) == []
    second = other.result(plan)

    assert (first["gaps_filled"], first["total_candles_filled"]) == (3, 10)
    assert (second["gaps_detected"], second["gaps_filled"], second["total_candles_filled"]) == (3, 3, 0)
    assert len(holed.exchange.calls("OHLC")) == 1
    assert_complete(holed)


@pytest.mark.parametrize("meet_before", ["detect_gaps", "reconcile", "plan", "fill"])
@pytest.mark.parametrize("is_loaded", [True, False], ids=["three holes", "never loaded"])
def test_two_overlapping_runs_close_every_gap_once_with_one_call(
    world: World, meet_before: str, is_loaded: bool
) -> None:
    if is_loaded:
        world.store(HOURLY, world.window(HOURLY), without=holes(world))
    barrier = Barrier(2, timeout=PATIENCE_S)
    summaries: list[dict[str, Any]] = []

    def run(mine: World) -> None:
        mine.before_step = at_step(meet_before, barrier.wait)
        summaries.append(mine.run())

    threads = [Thread(target=run, args=(another(world),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    first, second = summaries
    for summary in summaries:
        assert_sums_hold(summary)
        assert (summary["raised"], summary["errors"], summary["gaps_failed"]) == ([], [], 0)
    n_gaps, n_candles = (3, 10) if is_loaded else (2, 720)
    assert len(world.gaps()) == n_gaps
    assert first["total_candles_filled"] + second["total_candles_filled"] == n_candles
    assert max(first["gaps_filled"], second["gaps_filled"]) == n_gaps
    assert len(world.exchange.calls("OHLC")) == 1
    assert_complete(world)


@pytest.mark.parametrize(
    ("interval", "is_loaded", "is_known"),
    [
        pytest.param(60, True, True, id="a known series with holes"),
        pytest.param(60, True, False, id="a series with holes, never processed"),
        pytest.param(60, False, False, id="a series never loaded"),
        pytest.param(21600, False, False, id="a series younger than its window"),
    ],
)
def test_a_scan_older_than_another_runs_fill_brings_no_closed_gap_back(
    world: World, interval: int, is_loaded: bool, is_known: bool
) -> None:
    series = Series("XBTUSD", interval)
    if is_loaded:
        world.store(series, world.window(series), without=holes(world))
    if is_known:
        world.plan(intervals=[interval])
    other = another(world)
    other.before_step = at_step("reconcile", lambda: world.run(intervals=[interval]))

    planned = other.plan(intervals=[interval])

    assert_complete(world, series)
    n_gaps = len(world.gaps())
    assert n_gaps == (3 if is_loaded else len(gaps_of([world.window(series)], interval)))
    assert planned.items == []
    assert other.fill(planned) == []
    assert_sums_hold(other.result(planned))
    before = world.contents()
    assert world.run(intervals=[interval])["gaps_detected"] == 0
    assert world.contents() == before
    assert len(world.exchange.calls("OHLC")) == 1


def test_a_run_whose_gaps_another_run_has_closed_since_its_plan_asks_nothing(holed: World) -> None:
    planned = holed.plan()
    another(holed).run()
    holed.exchange.clear_calls()

    assert holed.fill(planned) == []

    summary = holed.result(planned)
    assert (summary["gaps_detected"], summary["gaps_filled"], summary["total_candles_filled"]) == (3, 3, 0)
    assert holed.exchange.calls("OHLC") == []
