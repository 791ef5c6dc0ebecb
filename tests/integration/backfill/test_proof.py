"""Emptiness is proven, never assumed; a real candle beats it, and no flat row ever costs a stored candle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series, parts_of
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.ledger_pages import proven

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

BUSY = Series("XBTUSD", 60)
THIN = Series("DAIUSD", 60)
HOUR = 3600
MINUTE = 60


@pytest.fixture
def busy(world: World) -> World:
    """Give a world in which half an hour passes without a new candle."""
    world.exchange.set_clock("2026-11-23T12:10:00Z")
    return world


@pytest.fixture
def thin(world: World) -> World:
    """Give a world whose only asset hardly trades."""
    world.catalogue(["DAIUSD"])
    return world


def hours(world: World, first: int, last: int) -> Range:
    """Return a range of the window, counted in hours from its old end."""
    start, _ = world.window(BUSY)
    return start + first * HOUR, start + last * HOUR


def empty_hours(world: World, series: Series) -> list[Range]:
    """Return the ranges of the window in which the exchange knows of no trade."""
    covered = world.window(series)
    return ranges.subtract([covered], ranges.from_points(world.truth(series, covered), step=HOUR))


def by_month(covered: Range) -> list[Range]:
    """Return a range cut at the first of each UTC month."""
    return [part for month in months_in([covered]) for part in ranges.intersect([covered], [month])]


def test_a_thin_pair_is_loaded_and_its_hours_without_trades_are_proven(thin: World) -> None:
    empty = empty_hours(thin, THIN)
    assert len(empty) > 50

    summary = thin.run()

    covered = thin.window(THIN)
    assert [(gap["status"], gap["filled_from"]) for gap in thin.gaps()] == [("FILLED", "ohlc")] * 2
    # All of the window was missing: a gap per month.
    assert [(gap["start_s"], gap["end_s"]) for gap in thin.gaps()] == by_month(covered)
    assert thin.stored(THIN, covered) == thin.truth(THIN, covered)
    assert thin.proven(THIN) == empty
    with connect(thin.dsn) as connection:
        assert {evidence for *_, evidence in proven(connection, THIN)} == {"ohlc"}
    assert summary["total_candles_filled"] == len(thin.stored(THIN, covered))


def test_hours_without_trades_are_gaps_closed_by_evidence_alone(thin: World) -> None:
    thin.store(THIN, thin.window(THIN))
    empty = empty_hours(thin, THIN)

    summary = thin.run()

    # Hours near each other are one gap, which counts those that were missing alone.
    parts = parts_of(BucketSet.of_ranges(empty, step=HOUR))
    assert [(gap["start_s"], gap["end_s"], gap["missing_candles"]) for gap in thin.gaps()] == parts
    assert sum(gap["missing_candles"] for gap in thin.gaps()) == ranges.count(empty, step=HOUR)
    assert {(gap["status"], gap["filled_from"]) for gap in thin.gaps()} == {("FILLED", "empty")}
    assert thin.proven(THIN) == empty
    assert summary["gaps_detected"] == summary["gaps_filled"] == len(parts)
    assert (summary["total_candles_filled"], summary["ohlc_calls"]) == (0, 1)


def test_a_gap_with_candles_and_empty_hours_is_filled_from_both(thin: World) -> None:
    start, end = thin.window(THIN)
    hole = (end - 100 * HOUR, end - 50 * HOUR)
    thin.store(THIN, (start, end), without=[hole])

    summary = thin.run()

    filled = [gap for gap in thin.gaps() if gap["start_s"] <= hole[0] and gap["end_s"] >= hole[1]]
    assert [gap["filled_from"] for gap in filled] == ["ohlc"]
    assert summary["total_candles_filled"] == len(thin.truth(THIN, hole)) < 50


def test_a_repeated_run_of_a_thin_pair_changes_nothing(thin: World) -> None:
    thin.run()
    before = thin.contents()
    thin.exchange.clear_calls()

    summary = thin.run()

    assert (summary["gaps_detected"], summary["gaps_standing"]) == (0, 0)
    assert thin.exchange.calls("OHLC") == []
    assert thin.contents() == before


def test_a_quiet_range_of_a_busy_series_is_proven_only_by_a_second_sight_half_an_hour_later(
    busy: World,
) -> None:
    quiet = hours(busy, 300, 303)
    busy.exchange.quiet("XBTUSD", *quiet)
    busy.store(BUSY, busy.window(BUSY))
    now_s = int(busy.exchange.now_s())

    first = busy.run()

    (gap,) = busy.gaps()
    assert (gap["start_s"], gap["end_s"], gap["status"]) == (*quiet, "DETECTED")
    assert gap["next_attempt_s"] == now_s + 30 * MINUTE
    assert (first["gaps_detected"], first["gaps_deferred"], first["raised"]) == (1, 1, [])
    assert busy.proven(BUSY) == []

    before = busy.contents()
    for minutes in (0, 29):
        busy.exchange.set_clock(now_s + minutes * MINUTE)
        repeated = busy.run(retry_failed=True)
        assert (repeated["gaps_detected"], repeated["gaps_standing"]) == (0, 1)
    assert busy.contents() == before
    assert len(busy.exchange.calls("OHLC")) == 1

    busy.exchange.set_clock(now_s + 31 * MINUTE)
    second = busy.run()

    (gap,) = busy.gaps()
    assert (gap["status"], gap["filled_from"]) == ("FILLED", "empty")
    assert busy.proven(BUSY) == [quiet]
    assert (second["gaps_filled"], second["total_candles_filled"]) == (1, 0)
    assert busy.rows("SELECT * FROM empty_sightings") == []


def test_what_traded_around_quiet_ranges_is_filled_and_only_the_quiet_ranges_wait(busy: World) -> None:
    quiet = [hours(busy, 302, 304), hours(busy, 306, 307)]
    for one in quiet:
        busy.exchange.quiet("XBTUSD", *one)
    busy.store(BUSY, busy.window(BUSY), without=[hours(busy, 300, 310)])

    summary = busy.run()

    (gap,) = busy.gaps()
    assert (gap["start_s"], gap["end_s"], gap["missing_candles"]) == (quiet[0][0], quiet[1][1], 3)
    assert (busy.missing(BUSY), gap["status"]) == (quiet, "DETECTED")
    assert (summary["gaps_detected"], summary["gaps_deferred"]) == (1, 1)
    assert summary["total_candles_filled"] == 7

    busy.exchange.advance(31 * MINUTE)
    assert busy.run()["gaps_filled"] == 1
    assert (busy.missing(BUSY), busy.proven(BUSY)) == ([], quiet)


def test_an_hour_that_closed_later_waits_for_its_own_second_sight(world: World) -> None:
    world.exchange.set_clock("2026-11-23T12:40:00Z")
    _, end = world.window(BUSY)
    early, late = hours(world, 300, 302), (end, end + HOUR)
    world.exchange.quiet("XBTUSD", *early)
    world.exchange.quiet("XBTUSD", *late)
    world.store(BUSY, world.window(BUSY))
    world.run()

    world.exchange.advance(25 * MINUTE)  # 13:05: the quiet hour has closed, so there is a reason to call
    world.run()
    waiting = {gap["start_s"]: gap["next_attempt_s"] for gap in world.gaps() if gap["status"] == "DETECTED"}
    assert waiting[late[0]] - waiting[early[0]] == 25 * MINUTE

    world.exchange.advance(6 * MINUTE)
    world.run()
    assert world.proven(BUSY) == [early]

    world.exchange.advance(25 * MINUTE)
    world.run()
    assert world.proven(BUSY) == [early, late]
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}


def test_a_wrongly_flat_candle_of_a_busy_series_is_stored_later_and_leaves_no_proof(busy: World) -> None:
    missing = hours(busy, 400, 401)
    busy.store(BUSY, busy.window(BUSY), without=[missing])
    busy.exchange.fault("flat", interval=60, ts=missing[0], ticker="XBTUSD")

    assert busy.run()["gaps_deferred"] == 1
    assert len(busy.rows("SELECT * FROM empty_sightings")) == 1

    busy.exchange.advance(31 * MINUTE)
    summary = busy.run()

    (gap,) = busy.gaps()
    assert (gap["status"], gap["filled_from"], summary["total_candles_filled"]) == ("FILLED", "ohlc", 1)
    assert busy.stored(BUSY, busy.window(BUSY)) == busy.truth(BUSY, busy.window(BUSY))
    assert busy.proven(BUSY) == []
    assert busy.rows("SELECT * FROM empty_sightings") == []


def test_a_stored_candle_is_never_lost_to_a_flat_row(busy: World) -> None:
    kept, missing = hours(busy, 400, 401), hours(busy, 100, 101)
    busy.store(BUSY, busy.window(BUSY), without=[missing])
    busy.exchange.fault("flat", interval=60, ts=kept[0], count=None)

    summary = busy.run()

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["candles_restated"]) == (1, 1, 0)
    assert busy.stored(BUSY, busy.window(BUSY)) == busy.truth(BUSY, busy.window(BUSY))
    assert busy.proven(BUSY) == []
    assert busy.rows("SELECT * FROM empty_sightings") == []


@pytest.mark.parametrize(
    ("still_quiet", "left"),
    [
        pytest.param(None, [], id="all of it traded"),
        pytest.param((0, 4), [(0, 4)], id="its end traded"),
        pytest.param((6, 12), [(6, 12)], id="its beginning traded"),
        pytest.param((3, 8), [(3, 8)], id="both ends traded"),
    ],
)
def test_a_real_candle_beats_proof_and_trims_the_proven_range(
    world: World, still_quiet: Range | None, left: list[Range]
) -> None:
    # Twelve hours of 720 are more than one in a hundred: the series is not busy, one sight is enough.
    start, end = hours(world, 400, 412)
    world.exchange.quiet("XBTUSD", start, end)
    world.run()
    assert world.proven(BUSY) == [(start, end)]

    world.exchange.clear_quiet()
    if still_quiet:
        world.exchange.quiet("XBTUSD", *hours(world, 400 + still_quiet[0], 400 + still_quiet[1]))
    world.exchange.advance(HOUR)
    summary = world.run()

    assert world.proven(BUSY) == [(start + a * HOUR, start + b * HOUR) for a, b in left]
    assert world.stored(BUSY, world.window(BUSY)) == world.truth(BUSY, world.window(BUSY))
    # Only the hour that has closed since was a gap; what had counted as empty was none, and is counted, too.
    assert (summary["gaps_detected"], summary["gaps_filled"]) == (1, 1)
    assert summary["total_candles_filled"] == 1 + 12 - ranges.count(world.proven(BUSY), step=HOUR)
