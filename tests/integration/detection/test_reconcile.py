"""Ledgers of many series are written together; whoever works on one of them holds up and loses nothing."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.detection.reconcile import SERIES_AT_ONCE
from kraken_ohlcv.stores.ledger.series_state import bump_revision, read_state
from kraken_ohlcv.stores.ledger.session import connect, series_transaction
from tests.integration.world import Planned, World, at_step
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.stores.ledger.session import Connection

HOUR = 3600
TICKERS = ["XBTUSD", "ETHUSD", "SOLUSD", "ADAUSD"]
BUSY = Series("SOLUSD", 60)


@pytest.fixture
def an_hour_later(world: World) -> World:
    """Give a world that knows four complete series, each of which lacks its newest candle by now."""
    world.catalogue(TICKERS)
    for ticker in TICKERS:
        series = Series(ticker, 60)
        world.store(series, world.window(series))
    world.plan()
    assert world.gaps() == []
    world.exchange.advance(HOUR)
    return world


def gaps_of_each(world: World) -> list[int]:
    return [len(world.gaps(Series(ticker, 60))) for ticker in TICKERS]


def newest(world: World) -> tuple[int, int]:
    end = world.window(BUSY)[1]
    return end - HOUR, end


class OtherRun:
    """A run of another worker up to its plan, in a thread."""

    def __init__(self, world: World) -> None:
        self.error: Exception | None = None
        self._world = world
        self._thread = Thread(target=self._plan)

    def _plan(self) -> None:
        try:
            World(self._world.exchange, self._world.dsn, TICKERS).plan()
        except psycopg.OperationalError as error:
            self.error = error

    def begin(self) -> None:
        """Let it go on until the gaps of all series but the busy one are told."""
        self._thread.start()
        wait_for(lambda: gaps_of_each(self._world) == [1, 1, 0, 1])

    def end(self) -> None:
        """Wait for it."""
        self._thread.join()


@contextmanager
def busy_series(world: World) -> Iterator[tuple[Connection, int]]:
    """Change the ledger of one series, as another task does."""
    with connect(world.dsn) as connection:
        series_id = read_state(connection, BUSY).series_id
        with series_transaction(connection, series_id):
            yield connection, series_id


def test_a_series_that_another_task_changes_holds_up_none_of_the_others(an_hour_later: World) -> None:
    run = OtherRun(an_hour_later)
    with busy_series(an_hour_later):
        run.begin()
    run.end()
    assert run.error is None
    assert gaps_of_each(an_hour_later) == [1, 1, 1, 1]
    assert an_hour_later.plan().items != []
    assert gaps_of_each(an_hour_later) == [1, 1, 1, 1]


def test_a_series_that_was_filled_meanwhile_is_looked_at_again(an_hour_later: World) -> None:
    run = OtherRun(an_hour_later)
    with busy_series(an_hour_later) as (connection, series_id):
        run.begin()
        an_hour_later.store(BUSY, newest(an_hour_later))
        bump_revision(connection, series_id)
    run.end()
    assert run.error is None
    assert gaps_of_each(an_hour_later) == [1, 1, 0, 1]


def test_a_run_that_loses_its_connection_keeps_what_it_has_told_and_the_next_one_tells_the_rest(
    an_hour_later: World,
) -> None:
    run = OtherRun(an_hour_later)
    with busy_series(an_hour_later):
        run.begin()
        with psycopg.connect(an_hour_later.dsn, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        run.end()
    assert isinstance(run.error, psycopg.OperationalError)
    assert gaps_of_each(an_hour_later) == [1, 1, 0, 1]
    summary = an_hour_later.run()
    assert (summary["gaps_filled"], summary["total_candles_filled"]) == (4, 4)
    assert gaps_of_each(an_hour_later) == [1, 1, 1, 1]


def test_a_gap_that_cannot_be_written_leaves_its_whole_batch_untold(an_hour_later: World) -> None:
    with connect(an_hour_later.dsn) as connection:
        connection.execute(
            "ALTER TABLE gap_records ADD CONSTRAINT broken CHECK (ticker <> 'SOLUSD') NOT VALID"
        )
        with pytest.raises(psycopg.errors.CheckViolation):
            an_hour_later.plan()
        assert gaps_of_each(an_hour_later) == [0, 0, 0, 0]
        assert an_hour_later.rows("SELECT FROM gap_outcomes") == []
        connection.execute("ALTER TABLE gap_records DROP CONSTRAINT broken")
    an_hour_later.plan()
    assert gaps_of_each(an_hour_later) == [1, 1, 1, 1]


def test_two_runs_over_more_series_than_one_transaction_takes_tell_every_gap_once(world: World) -> None:
    tickers = world.exchange.synthetic(SERIES_AT_ONCE + 50)
    world.catalogue(tickers)
    barrier = Barrier(2, timeout=60)
    workers = [World(world.exchange, world.dsn, tickers) for _ in range(2)]
    runs: list[Planned] = []

    def plan(worker: World) -> None:
        worker.before_step = at_step("reconcile", barrier.wait)
        runs.append(worker.plan())

    threads = [Thread(target=plan, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(runs) == 2
    # Each series has a gap in each month of its window.
    found = [(gap["ticker"], gap["start_s"]) for gap in world.gaps()]
    assert len(found) == len(set(found)) == 2 * len(tickers)
    told = world.rows("SELECT run_id, count(*) AS n FROM gap_outcomes GROUP BY run_id")
    assert [row["n"] for row in told] == [len(found)] * 2
