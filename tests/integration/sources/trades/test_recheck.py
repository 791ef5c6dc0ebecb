"""A range repaired on demand, and history that the catalogue asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.stores.test_contradictions import iso_day
from tests.integration.trades_world import BOTH, DAY, HOUR, HOURLY, assert_true, true_trades

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

START, END = "2026-09-01", "2026-09-06"


def seconds(day: str) -> int:
    """Return the first moment of a day."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


SPAN: Range = (seconds(START), seconds(END))
RECHECK = {"repair_from": ["trades"], "repair_range": {"start": START, "end": END}}


@pytest.fixture
def loaded(world: World) -> World:
    """Give a world with all hourly candles since before the range."""
    world.store(HOURLY, (SPAN[0] - 10 * DAY, world.window(HOURLY)[1]), without=[])
    return world


def spoil(world: World, ts_s: int, *, source: str = "ohlc", **changes: object) -> None:
    """Put another version of a candle into the store."""
    true = world.truth(HOURLY, (ts_s, ts_s + HOUR))[ts_s]
    wrong = replace(true, source=source, **changes)
    write_candles(world.questdb, HOURLY, [wrong], (ts_s, ts_s + HOUR))


def test_a_range_is_checked_again_and_what_differs_from_the_trades_is_corrected_and_logged(
    loaded: World,
) -> None:
    spoil(loaded, SPAN[0], volume=9.0, trades=999)
    spoil(loaded, SPAN[1] - HOUR, high=10**6)
    spoil(loaded, SPAN[1], high=10**6)  # outside

    summary = loaded.run(**RECHECK)

    assert (summary["errors"], summary["gaps_detected"], summary["candles_restated"]) == ([], 0, 2)
    assert loaded.stored(HOURLY, SPAN).keys() == loaded.truth(HOURLY, SPAN).keys()
    for ts_s, candle in loaded.stored(HOURLY, SPAN).items():
        assert candle.figures() == loaded.truth(HOURLY, SPAN)[ts_s].figures()
    rows = loaded.rows("SELECT * FROM candle_restatements ORDER BY ts")
    assert [(row["source"], row["applied_at"] is not None) for row in rows] == [("trades", True)] * 2
    assert (rows[0]["old"]["trades"], rows[0]["new"]["trades"] < 999) == (999, True)
    calls = len(loaded.exchange.calls("Trades"))
    assert calls == summary["trade_calls"] <= -(-true_trades(loaded, "XBTUSD", SPAN) // 1000) + 2
    assert summary["trades_left_open"] == []

    before = loaded.contents()["ohlcv"]
    assert loaded.run(**RECHECK)["candles_restated"] == 0
    assert loaded.contents()["ohlcv"] == before


def test_a_range_repaired_on_demand_takes_nothing_else_up(loaded: World) -> None:
    with connect(loaded.dsn):
        loaded.questdb.query("DROP TABLE ohlcv")
    inside = (SPAN[0] + 5 * HOUR, SPAN[0] + 9 * HOUR)
    outside = (SPAN[0] - 5 * DAY, SPAN[0] - 4 * DAY)
    loaded.__post_init__()
    loaded.store(HOURLY, (SPAN[0] - 10 * DAY, loaded.window(HOURLY)[1]), without=[inside, outside])

    summary = loaded.run(**RECHECK)

    assert (summary["gaps_filled"], summary["gaps_unfillable"], summary["errors"]) == (1, 1, [])
    left = [gap for gap in loaded.gaps(HOURLY) if gap["status"] != "FILLED"]
    assert [(gap["start_s"], gap["end_s"]) for gap in left] == [outside]
    assert loaded.exchange.calls("OHLC") == []


def test_candles_from_before_the_beginning_of_a_series_are_counted_and_told(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end))
    world.run(repair_from=["ohlc"])
    first = start // DAY * DAY - 30 * DAY
    span = (first, first + 2 * DAY)
    days = {"start": iso_day(span[0]), "end": iso_day(span[1])}

    summary = world.run(repair_from=["trades"], repair_range=days)

    stored = world.stored(HOURLY, span)
    assert stored.keys() == world.truth(HOURLY, span).keys()
    assert summary["total_candles_filled"] == len(stored) == 48
    (repaired,) = summary["repaired"]
    assert {name: repaired[name] for name in ("ticker", "interval", "from", "to", "candles_stored")} == {
        "ticker": "XBTUSD",
        "interval": 60,
        "from": f"{days['start']}T00:00:00",
        "to": f"{days['end']}T00:00:00",
        "candles_stored": 48,
    }
    again = world.run(repair_from=["trades"], repair_range=days)
    assert again["total_candles_filled"] == 0
    (checked,) = again["repaired"]
    assert (checked["candles_compared"], checked["candles_differing"]) == (48, 0)
    n_trades = sum(candle.trades for candle in stored.values())
    assert checked["last_trade_id"] - checked["first_trade_id"] + 1 == n_trades


def test_a_check_that_runs_out_of_calls_goes_on_where_it_stopped(loaded: World) -> None:
    spoil(loaded, SPAN[1] - HOUR, volume=9.0)
    first = loaded.run(trades_call_budget=1, **RECHECK)
    assert (first["trade_calls"], first["candles_restated"], first["errors"]) == (1, 0, [])
    (rest,) = first["trades_left_open"]
    assert START < rest["from"] < rest["to"] == f"{END}T00:00:00"

    second = loaded.run(**RECHECK)

    assert (second["candles_restated"], second["trades_left_open"]) == (1, [])
    made = first["trade_calls"] + second["trade_calls"]
    assert made <= -(-true_trades(loaded, "XBTUSD", SPAN) // 1000) + 2


def test_a_gap_within_reach_of_the_ohlc_call_can_be_had_from_trades(world: World) -> None:
    start, end = world.window(HOURLY)
    hole = (start + 300 * HOUR, start + 320 * HOUR)
    world.store(HOURLY, (start, end), without=[hole])
    days = {
        "start": datetime.fromtimestamp(hole[0] - DAY, UTC).date().isoformat(),
        "end": datetime.fromtimestamp(hole[1] + DAY, UTC).date().isoformat(),
    }

    summary = world.run(repair_from=["trades"], repair_range=days)

    assert (summary["gaps_filled"], summary["errors"]) == (1, [])
    assert world.exchange.calls("OHLC") == []
    assert {gap["filled_from"] for gap in world.gaps(HOURLY)} == {"trades"}
    assert_true(world, HOURLY, (start, end))


def wish(world: World, ticker: str, day: date | None) -> None:
    """Let the catalogue want the history of a ticker."""
    with connect(world.dsn) as connection:
        sync_catalogue(
            connection,
            [CatalogueEntry(ticker=ticker, base="X", quote="USD", tier="TIER1", history_from=day)],
        )


def test_history_that_the_catalogue_wants_is_repaired_like_any_other_gap(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[])
    world.run(**BOTH)
    assert world.exchange.calls("Trades") == []
    day = datetime.fromtimestamp(start - 9 * DAY, UTC).date()
    wish(world, "XBTUSD", day)

    summary = world.run(**BOTH)

    assert (summary["gaps_filled"], summary["errors"]) == (1, [])
    assert_true(world, HOURLY, (seconds(day.isoformat()), end))
    before = world.contents()
    assert world.run(**BOTH)["gaps_detected"] == 0
    assert world.contents() == before


def test_no_history_is_wanted_from_before_the_first_trade(world: World) -> None:
    listed_s = next(pair["listed_s"] for pair in world.exchange.pairs() if pair["ticker"] == "XBTUSD")
    weekly = Series("XBTUSD", 10080)
    wish(world, "XBTUSD", date(2013, 9, 1))

    world.run(intervals=[1440], trades_call_budget=0, **BOTH)

    (series,) = world.rows("SELECT extract(epoch FROM start_ts)::bigint AS start_s FROM series")
    assert series["start_s"] == int(listed_s) // DAY * DAY
    assert len(world.exchange.calls("Trades")) == 1
    world.run(intervals=[weekly.interval_minutes], trades_call_budget=0, **BOTH)
    assert len(world.exchange.calls("Trades")) == 1
