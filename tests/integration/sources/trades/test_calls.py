"""A walk makes no call whose answer it does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.backfill import context_of
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.trades.estimate import UNKNOWN_TRADES_A_DAY, trade_counts
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.trades_world import (
    DAY,
    HOUR,
    THIN,
    assert_sums_hold,
    true_trades,
)

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

MINUTES = Series("XBTUSD", 1)
TRADES = {"repair_from": ["trades"]}


def calls_for(trades: int) -> int:
    """Return how many pages hold so many trades."""
    return -(-trades // 990)


def a_day_later(world: World, intervals: list[int]) -> dict[int, Range]:
    """Let everything be known, and a day pass; return what is missing then of each interval."""
    known = {interval: world.window(Series(world.tickers[0], interval))[1] for interval in intervals}
    assert world.run(tickers=world.tickers, intervals=intervals)["errors"] == []
    world.exchange.advance(DAY)
    world.exchange.clear_calls()
    return {
        interval: (end_s, world.window(Series(world.tickers[0], interval))[1])
        for interval, end_s in known.items()
    }


@pytest.mark.parametrize("ticker", ["DAIUSD", "XBTUSD"])
@pytest.mark.parametrize("intervals", [[60], [1, 5, 60]], ids=["one interval", "several at once"])
def test_the_last_day_of_a_pair_with_few_trades_costs_one_call(
    world: World, ticker: str, intervals: list[int]
) -> None:
    world.tickers = [ticker]
    world.catalogue(world.tickers)
    missing = a_day_later(world, intervals)
    assert 20 < true_trades(world, ticker, missing[60]) < 600

    summary = world.run(tickers=world.tickers, intervals=intervals, **TRADES)

    assert_sums_hold(summary)
    assert (summary["errors"], summary["raised"], summary["trades_left_open"]) == ([], [], [])
    assert len(world.exchange.calls("Trades")) == summary["trade_calls"] == 1
    for interval, part in missing.items():
        series = Series(ticker, interval)
        truth, stored = world.truth(series, part), world.stored(series, part)
        assert truth
        assert {t: c.figures() for t, c in stored.items()} == {t: c.figures() for t, c in truth.items()}
        # Nothing has traded since that would prove that nothing else has.
        settled = ranges.union(ranges.from_points(truth, step=60 * interval), world.proven(series))
        left = ranges.subtract([part], settled)
        assert all(start > max(truth) for start, _ in left)
        still_open = [(g["start_s"], g["end_s"]) for g in world.gaps(series) if g["status"] != "FILLED"]
        assert still_open == left


@pytest.mark.parametrize("intervals", [[1], [60], [60, 1]], ids=str)
def test_without_daily_candles_the_days_before_tell_how_many_trades_to_expect(
    world: World, intervals: list[int]
) -> None:
    day_s = world.window(MINUTES)[1] // DAY * DAY - DAY
    for interval in intervals:
        world.store(Series("XBTUSD", interval), (day_s - 2 * DAY, day_s + 2 * HOUR))
    run = world.plan(intervals=intervals, **TRADES).run

    with connect(world.dsn) as connection:
        context = context_of(connection, world.kraken(), world.questdb, run)
        counts = trade_counts(context, "XBTUSD", [(day_s + 2 * HOUR, day_s + DAY)], may_ask=False)

    assert counts.days == {
        one_s: true_trades(world, "XBTUSD", (one_s, one_s + DAY)) for one_s in (day_s - 2 * DAY, day_s - DAY)
    }
    assert counts.in_day(day_s) == counts.days[day_s - DAY] != UNKNOWN_TRADES_A_DAY


def test_the_first_walk_of_a_pair_begins_shortly_before_its_range(world: World) -> None:
    start_s, end_s = world.window(MINUTES)

    summary = world.run(intervals=[1], **TRADES)

    assert (summary["errors"], summary["raised"]) == ([], [])
    trades = true_trades(world, "XBTUSD", (start_s // HOUR * HOUR - HOUR, end_s // HOUR * HOUR + HOUR))
    assert summary["trade_calls"] <= calls_for(trades)
    assert world.stored(MINUTES, (start_s, end_s)).keys() == world.truth(MINUTES, (start_s, end_s)).keys()


def test_a_range_that_begins_in_a_long_silence_is_proven_from_its_head(world: World) -> None:
    world.catalogue([THIN.ticker])
    start_s, end_s = world.window(THIN)
    world.exchange.quiet(THIN.ticker, start_s - 10 * DAY, start_s + 5 * HOUR)

    summary = world.run(tickers=[THIN.ticker], **TRADES)

    assert (summary["errors"], summary["raised"]) == ([], [])
    truth = world.truth(THIN, (start_s, end_s))
    assert min(truth) >= start_s + 5 * HOUR
    assert world.proven(THIN)[0][0] == start_s
