"""Answers of another pair or interval are refused; an odd part of an answer spoils only itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.errors import FillError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.detection.oddities import observe_oddities
from kraken_ohlcv.stores.ledger.incidents import read_open
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.trades_world import BOTH, assert_true, past, store_history

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOUR, DAY = 3600, 86400
HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
THIN = Series("DAIUSD", 60)


def figures(candles: dict[int, StoredCandle]) -> dict[int, dict[str, Any]]:
    """Return candles without their source."""
    return {ts_s: candle.figures() for ts_s, candle in candles.items()}


def open_gaps(world: World, series: Series) -> list[dict[str, Any]]:
    """Return the gaps that are not closed."""
    return [gap for gap in world.gaps(series) if gap["status"] != "FILLED"]


def assert_all_but(world: World, series: Series, lacking: list[Range]) -> None:
    """Check that the truth is stored, except in some ranges, and that no traded bucket is proven empty."""
    covered = world.window(series)
    truth = world.truth(series, covered)
    expected = {t: c for t, c in truth.items() if not any(a <= t < b for a, b in lacking)}
    assert len(expected) > 600
    assert figures(world.stored(series, covered)) == figures(expected)
    assert not [t for t in truth for a, b in world.proven(series) if a <= t < b]
    spoken = ranges.subtract(lacking, [(gap["start_s"], gap["end_s"]) for gap in open_gaps(world, series)])
    assert spoken == []


@pytest.mark.parametrize("described", [True, False], ids=["pair described", "pair not described"])
def test_candles_of_another_pair_are_refused_and_nothing_is_stored(world: World, described: bool) -> None:
    if not described:
        world.exchange.fault("altered", endpoint="AssetPairs", path=["XXBTZUSD"], count=None)
        world.run(intervals=[60], max_gaps_per_asset=1)  # knows of no pair XBTUSD
    world.clear(["XBTUSD"], clock="2026-11-23T12:34:56Z")
    world.exchange.fault("foreign_pair", endpoint="OHLC", pair="ETHUSD", count=None)

    summary = world.run()

    (error,) = summary["raised"]
    assert isinstance(error, FillError)
    assert "'XETHZUSD', not about XBTUSD" in str(error)
    assert world.stored(HOURLY, world.window(HOURLY)) == {}
    assert world.proven(HOURLY) == []
    assert ({gap["status"] for gap in world.gaps()}, summary["gaps_failed"]) == ({"FAILED"}, 2)
    assert len(world.exchange.calls("OHLC")) == 4

    world.exchange.clear_faults()
    assert world.run(retry_failed=True)["gaps_filled"] == 2
    assert_all_but(world, HOURLY, [])


def test_trades_of_another_pair_are_refused_and_nothing_is_stored(world: World) -> None:
    hole = past(world, HOURLY, first=200, last=150)
    whole = store_history(world, HOURLY, buckets=220, without=[hole])
    world.exchange.fault("foreign_pair", endpoint="Trades", pair="ETHUSD", count=None)

    summary = world.run(**BOTH)

    assert "'XETHZUSD', not about XBTUSD" in str(summary["raised"][0])
    assert world.stored(HOURLY, hole) == {}
    assert world.proven(HOURLY) == []

    world.exchange.clear_faults()
    world.run(retry_failed=True, **BOTH)
    assert_true(world, HOURLY, whole)


def test_the_first_trade_of_another_pair_does_not_say_when_ours_was_listed(world: World) -> None:
    world.exchange.fault("foreign_pair", endpoint="Trades", pair="ETHUSD", count=None)
    world.run(intervals=[21600])
    assert world.rows("SELECT first_trade_at FROM assets")[0]["first_trade_at"] is None


@pytest.mark.parametrize("served", [1440, 240, 30, 1])
def test_the_rows_of_another_interval_are_refused_and_prove_nothing(world: World, served: int) -> None:
    # Shortly after midnight, when the newest rows of both have the same open time.
    world.exchange.set_clock("2026-11-24T00:05:00Z")
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(end - 50 * HOUR, end - 20 * HOUR)])
    before = world.stored(HOURLY, (start, end))
    world.exchange.fault("foreign_interval", interval=60, served=served, count=None)

    summary = world.run()

    assert isinstance(summary["raised"][0], FillError)
    assert world.stored(HOURLY, (start - 999 * HOUR, end + DAY)) == before
    assert world.proven(HOURLY) == []
    assert world.rows("SELECT * FROM empty_sightings") == []

    world.exchange.clear_faults()
    world.run(retry_failed=True)
    assert_all_but(world, HOURLY, [])


ODD_ROWS = [
    "no_volume",
    "open_below_low",
    "high_below_low",
    "negative_volume",
    "nan",
    "off_grid",
    "short_row",
]


@pytest.mark.parametrize("what", [*ODD_ROWS, "no_time"])
def test_one_odd_row_leaves_its_bucket_open_and_all_others_are_stored(world: World, what: str) -> None:
    start, _ = world.window(HOURLY)
    odd = (start + 480 * HOUR, start + 481 * HOUR)
    world.exchange.fault("bad_row", endpoint="OHLC", what=what, ts=odd[0], count=None)

    summary = world.run()

    assert (summary["raised"], summary["errors"], summary["gaps_failed"]) == ([], [], 0)
    assert (summary["total_candles_filled"], summary["ohlc_calls"]) == (719, 1)
    assert_all_but(world, HOURLY, [odd])
    (gap,) = open_gaps(world, HOURLY)
    assert (gap["start_s"], gap["end_s"], gap["status"]) == (*odd, "DETECTED")
    assert "row [" in gap["error_message"]
    (warning,) = summary["warnings"]
    assert warning.startswith("XBTUSD OHLC 60: 1 of 721 rows cannot be used")

    before = world.contents()
    world.exchange.clear_calls()
    assert world.run()["gaps_standing"] == 1
    assert (world.exchange.calls("OHLC"), world.contents()) == ([], before)


@pytest.mark.parametrize("what", ["no_volume", "no_time"])
def test_the_bucket_of_an_odd_row_is_filled_from_trades_in_the_same_run(world: World, what: str) -> None:
    start, end = world.window(HOURLY)
    world.exchange.fault("bad_row", endpoint="OHLC", what=what, ts=start + 480 * HOUR, count=None)

    summary = world.run(**BOTH)

    assert (summary["raised"], summary["errors"], summary["gaps_deferred"]) == ([], [], 0)
    assert 1 <= summary["trade_calls"] <= 4
    assert_true(world, HOURLY, (start, end))
    assert world.stored(HOURLY, (start, end))[start + 480 * HOUR].source == "trades"


def test_a_row_of_five_zeros_and_no_trade_is_an_empty_bucket(world: World) -> None:
    world.catalogue(["DAIUSD"])
    covered = world.window(THIN)
    empty = ranges.subtract([covered], ranges.from_points(world.truth(THIN, covered), step=HOUR))
    world.exchange.fault("bad_row", endpoint="OHLC", what="five_zeros", ts=empty[3][0], count=None)

    assert world.run()["warnings"] == []

    assert_all_but_thin(world, empty)


def assert_all_but_thin(world: World, empty: list[Range]) -> None:
    """Check that a thin pair is whole and its quiet hours are proven."""
    covered = world.window(THIN)
    assert figures(world.stored(THIN, covered)) == figures(world.truth(THIN, covered))
    assert world.proven(THIN) == empty
    assert open_gaps(world, THIN) == []


def test_rows_left_out_prove_nothing_and_trades_tell_in_the_same_run(world: World) -> None:
    world.catalogue(["DAIUSD"])
    covered = world.window(THIN)
    empty = ranges.subtract([covered], ranges.from_points(world.truth(THIN, covered), step=HOUR))
    world.exchange.fault("omit_flat", count=None)

    alone = world.run()

    assert (alone["raised"], alone["errors"], alone["gaps_failed"]) == ([], [], 0)
    assert world.proven(THIN) == []
    assert {gap["status"] for gap in open_gaps(world, THIN)} == {"DETECTED"}

    world.exchange.advance(2 * HOUR)
    summary = world.run(**BOTH)

    assert (summary["raised"], summary["errors"], summary["gaps_failed"]) == ([], [], 0)
    truth = world.truth(THIN, world.window(THIN))
    newest = max(truth)
    assert figures(world.stored(THIN, world.window(THIN))) == figures(truth)
    # Behind the newest trade nothing bears out that none is missing.
    assert ranges.subtract([one for one in empty if one[1] <= newest], world.proven(THIN)) == []
    assert all(gap["start_s"] > newest for gap in open_gaps(world, THIN))


def test_many_odd_rows_are_the_pair_s_own_incident_which_ends_with_them(world: World) -> None:
    start, _ = world.window(HOURLY)
    for hour in range(100, 109):
        world.exchange.fault("bad_row", endpoint="OHLC", what="no_volume", ts=start + hour * HOUR, count=None)
    summary = world.run()
    assert summary["raised"] == []
    with connect(world.dsn) as connection:
        observe_oddities(connection, summary["run"], now_s=1, url=None)
        (key,) = read_open(connection)
    assert key == "pair:XBTUSD"

    world.exchange.clear_faults()
    for _ in range(2):
        world.exchange.advance(2 * HOUR)
        summary = world.run(retry_failed=True)
        with connect(world.dsn) as connection:
            observe_oddities(connection, summary["run"], now_s=2, url=None)
    with connect(world.dsn) as connection:
        assert read_open(connection) == {}
    assert_all_but(world, HOURLY, [])


def test_a_page_without_trades_whose_cursor_lies_ahead_does_not_end_a_walk(world: World) -> None:
    hole = past(world, HOURLY, first=300, last=200)
    store_history(world, HOURLY, buckets=320, without=[hole])
    world.exchange.fault("altered", endpoint="Trades", path=["XXBTZUSD"], value=[], skip=1, count=None)

    world.run(**BOTH)

    truth = figures(world.truth(HOURLY, hole))
    stored = figures(world.stored(HOURLY, hole))
    assert all(truth[ts_s] == candle for ts_s, candle in stored.items())
    assert world.proven(HOURLY) == []
    assert open_gaps(world, HOURLY)

    world.exchange.clear_faults()
    world.run(retry_failed=True, **BOTH)
    assert figures(world.stored(HOURLY, hole)) == truth


ODD_TRADES = [
    pytest.param([0], "0.00000", id="a price of zero"),
    pytest.param([0], None, id="no price"),
    pytest.param([2], "soon", id="no time"),
    pytest.param([6], None, id="no id"),
    pytest.param([], [1, 2, 3, 4, 5], id="five fields"),
    pytest.param([], None, id="null"),
]


@pytest.mark.parametrize(("path", "value"), ODD_TRADES)
def test_one_odd_trade_leaves_the_bucket_it_touches_open_and_the_others_stand(
    world: World, path: list[int], value: Any
) -> None:
    hole = past(world, HOURLY, first=300, last=200)
    store_history(world, HOURLY, buckets=320, without=[hole])
    world.exchange.fault("altered", endpoint="Trades", path=["*", 500, *path], value=value, count=None)

    summary = world.run(**BOTH)

    assert (summary["raised"], summary["errors"], summary["gaps_failed"]) == ([], [], 0)
    truth, stored = figures(world.truth(HOURLY, hole)), figures(world.stored(HOURLY, hole))
    assert all(truth[ts_s] == candle for ts_s, candle in stored.items())
    left = [gap for gap in open_gaps(world, HOURLY) if hole[0] <= gap["start_s"] < hole[1]]
    lacking = set(truth) - set(stored)
    assert {t for gap in left for t in range(gap["start_s"], gap["end_s"], HOUR)} == lacking
    assert 1 <= len(lacking) <= 6  # one or two hours per page
    assert all("Kraken's trades cannot be used here: trade " in gap["error_message"] for gap in left)
    assert world.proven(HOURLY) == []
    assert any(warning.startswith("XBTUSD Trades: ") for warning in summary["warnings"])

    world.exchange.clear_faults()
    world.run(retry_failed=True, **BOTH)
    assert figures(world.stored(HOURLY, hole)) == truth


def test_further_fields_and_keys_are_ignored_with_one_warning_a_run(world: World) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    hole = past(world, HOURLY, first=300, last=200)
    whole = store_history(
        world, HOURLY, buckets=320, without=[hole, (world.window(HOURLY)[1] - 9 * HOUR, 9**11)]
    )
    world.exchange.fault("altered", endpoint="OHLC", path=["*", "*", 8], value="9th", count=None)
    world.exchange.fault("altered", endpoint="Trades", path=["*", "*", 7], value="8th", count=None)
    for endpoint in ("OHLC", "Trades"):
        world.exchange.fault("altered", endpoint=endpoint, path=["served_by"], value="x", count=None)

    summary = world.run(**BOTH)

    assert (summary["raised"], summary["errors"]) == ([], [])
    assert_true(world, HOURLY, whole)
    assert len(summary["warnings"]) == len(set(summary["warnings"])) == 3


@pytest.mark.parametrize(
    ("endpoint", "path", "change"),
    [
        pytest.param("SystemStatus", ["timestamp"], {}, id="no timestamp"),
        pytest.param("Time", ["unixtime"], {"value": "1795437296.5"}, id="a time with a point, as text"),
        pytest.param("Time", ["rfc1123"], {}, id="no second form of the time"),
        pytest.param("OHLC", ["last"], {"value": "1795431600"}, id="last as text"),
        pytest.param("OHLC", ["last"], {}, id="no last"),
        pytest.param(
            "AssetPairs",
            ["NEWTHING"],
            {"value": {"altname": "NEWTHING", "status": "work_in_progress"}},
            id="a pair of which hardly anything is known",
        ),
        pytest.param("AssetPairs", ["ODD"], {"value": []}, id="a pair that is none"),
        pytest.param("AssetPairs", ["XXBTZUSD", "pair_decimals"], {"value": "1"}, id="decimals as text"),
    ],
)
def test_what_is_not_needed_may_lack_and_what_says_the_same_is_the_same(
    world: World, endpoint: str, path: list[str], change: dict[str, Any]
) -> None:
    world.exchange.fault("altered", endpoint=endpoint, path=path, count=None, **change)

    summary = world.run()

    assert (summary["raised"], summary["errors"]) == ([], [])
    assert_all_but(world, HOURLY, [])


def test_an_odd_entry_of_one_of_our_pairs_is_an_error_for_it_alone(world: World) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    world.exchange.fault("altered", endpoint="AssetPairs", path=["XETHZUSD", "status"], value=7, count=None)

    summary = world.run()

    assert_all_but(world, HOURLY, [])
    (error,) = summary["errors"]
    assert "XETHZUSD" in error
    assert world.rows("SELECT delisted_at FROM assets WHERE ticker = 'ETHUSD'")[0]["delisted_at"] is None


def test_a_pair_that_is_not_online_counts_for_what_its_answer_covers_and_is_said_once(world: World) -> None:
    start, end = world.window(HOURLY)
    quiet = end - 72 * HOUR
    world.exchange.set_pair("XBTUSD", "cancel_only")
    world.exchange.fault("stale", at=quiet, count=None)

    summary = world.run()

    assert (summary["raised"], summary["errors"], summary["gaps_failed"]) == ([], [], 0)
    truth = {t: c for t, c in world.truth(HOURLY, (start, end)).items() if t < quiet}
    stored = world.stored(HOURLY, (start, end))
    assert len(stored) > 640
    assert all(figures(truth)[t] == c.figures() for t, c in stored.items())
    assert [warning for warning in summary["warnings"] if "serves no candle after" in warning]
    (gap,) = open_gaps(world, HOURLY)
    assert "not online" in gap["error_message"]
    assert world.run()["warnings"] == []
