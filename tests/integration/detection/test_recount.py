"""Months that hold something else than before, but no newer candle: which series are asked about in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.stores.candle_store import read_candles
from tests.integration.detection.test_look import (
    DAILY,
    Recording,
    assert_ledger_is_true,
    drop_month,
    put,
    recording,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

__all__ = ["recording"]  # a fixture

ETHER = Series("ETHUSD", 1440)
OFF_GRID = 60


@pytest.fixture
def month(world: World) -> Range:
    """Return a month in the middle of the candles of two series that the ledger knows."""
    world.catalogue([DAILY.ticker, ETHER.ticker])
    for series in (DAILY, ETHER):
        world.store(series, world.window(series))
    world.plan(intervals=[1440])
    return month_of(world.window(DAILY)[0] + 300 * DAY_S)


def replace(world: World, month: Range, opens: dict[Series, Iterable[int]]) -> None:
    """Put other candles into a month, in the place of all that are there."""
    drop_month(world, month[0])
    for series, those in opens.items():
        put(world, series, sorted(those))


def counts(recording: Recording) -> list[str]:
    return [sql for sql in recording.read_ohlcv() if "count() n" in sql]


def counted(world: World, series: Series, month: Range) -> tuple[int, int, int, int]:
    """Return what the ledger says was counted: number, oldest, newest, and how far off the grid."""
    (row,) = world.rows(
        "SELECT stored, extract(epoch FROM first_ts)::bigint AS first_s, off_grid_us,"
        " extract(epoch FROM last_ts)::bigint AS last_s FROM coverage_months"
        " WHERE ticker = %(ticker)s AND interval_minutes = %(interval)s"
        " AND month = (to_timestamp(%(month_s)s) AT TIME ZONE 'UTC')::date",
        ticker=series.ticker,
        interval=series.interval_minutes,
        month_s=month[0],
    )
    return row["stored"], row["first_s"], row["last_s"], row["off_grid_us"]


def test_only_the_series_that_has_lost_a_candle_is_counted_in_full(
    world: World, recording: Recording, month: Range
) -> None:
    every = set(range(*month, DAY_S))
    hole = month[0] + 10 * DAY_S
    replace(world, month, {DAILY: every, ETHER: every - {hole}})
    recording.read_ohlcv()
    world.plan(intervals=[1440])
    briefly, in_full = counts(recording)
    assert "off_grid_us" not in briefly
    assert "off_grid_us" in in_full
    assert "ticker = " in in_full
    assert assert_ledger_is_true(world, DAILY) == set()
    assert assert_ledger_is_true(world, ETHER) == {hole}
    world.plan(intervals=[1440])
    assert counts(recording) == []


@pytest.mark.parametrize("lost", [{0}, {-1}, {0, 1, -1}], ids=["oldest", "newest", "both ends"])
def test_the_ends_of_what_is_left_are_those_that_the_ledger_names(
    world: World, month: Range, lost: set[int]
) -> None:
    every = list(range(*month, DAY_S))
    left = sorted(set(every) - {every[n] for n in lost})
    replace(world, month, {DAILY: every, ETHER: left})
    world.plan(intervals=[1440])
    assert counted(world, ETHER, month) == (len(left), left[0], left[-1], 0)
    assert counted(world, DAILY, month) == (len(every), every[0], every[-1], 0)
    assert assert_ledger_is_true(world, ETHER) == set(every) - set(left)


def test_as_many_candles_with_another_newest_one_are_noticed_at_once(world: World, month: Range) -> None:
    every = list(range(*month, DAY_S))
    replace(world, month, {DAILY: every, ETHER: every[:9] + every[10:]})
    world.plan(intervals=[1440])
    # The partition shows it: another series has lost a candle.
    replace(world, month, {DAILY: every[:20] + every[21:], ETHER: every[:-1]})
    world.plan(intervals=[1440])
    assert counted(world, ETHER, month) == (len(every) - 1, every[0], every[-2], 0)


def test_a_series_without_a_candle_left_is_missing_all_of_them(world: World, month: Range) -> None:
    every = set(range(*month, DAY_S))
    replace(world, month, {DAILY: every})
    world.plan(intervals=[1440])
    assert assert_ledger_is_true(world, ETHER) == every
    assert assert_ledger_is_true(world, DAILY) == set()


def test_a_series_that_has_lost_a_month_gets_it_back(world: World, month: Range) -> None:
    every = set(range(*month, DAY_S))
    replace(world, month, {DAILY: every})
    world.plan(intervals=[1440])
    put(world, ETHER, sorted(every))
    world.plan(intervals=[1440])
    assert assert_ledger_is_true(world, ETHER) == set()


def test_a_candle_off_the_grid_in_the_middle_is_an_error_of_its_series_alone(
    world: World, month: Range
) -> None:
    put(world, ETHER, [month[0] + 10 * DAY_S + OFF_GRID])
    planned = world.plan(intervals=[1440])
    (run,) = world.rows("SELECT remarks FROM backfill_runs WHERE run_id = %(run)s", run=planned.run[1])
    (error,) = run["remarks"]["errors"]
    assert error.startswith("ETHUSD 1440: stored candles do not lie on the 1440-minute grid")
    assert counted(world, ETHER, month)[3] == OFF_GRID * 1_000_000


def test_a_new_series_in_a_month_that_was_counted_is_judged_by_its_candles(
    world: World, recording: Recording, month: Range
) -> None:
    other = Series("XBTUSD", 240)
    opens = range(*month, 4 * 3600)
    put(world, other, opens)
    recording.read_ohlcv()
    world.plan(intervals=[240, 1440])
    assert counted(world, other, month)[:3] == (len(opens), opens[0], opens[-1])
    assert set(read_candles(world.questdb, other, month)) == set(opens)
    assert assert_ledger_is_true(world, DAILY) == set()


def test_candles_that_nobody_keeps_are_not_counted_in_full(
    world: World, recording: Recording, month: Range
) -> None:
    put(world, Series("NOBODYUSD", 1440), range(*month, DAY_S))
    recording.read_ohlcv()
    world.plan(intervals=[1440])
    (briefly,) = counts(recording)
    assert "off_grid_us" not in briefly
