"""When a row that a file leaves out is taken as proof that nothing traded, on the real stores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series, parts_of
from kraken_ohlcv.sources.archive.proof import LEFT_OUT, OTHER_COUNT, STORED_OTHER
from kraken_ohlcv.stores.candle_store import write_candles
from tests.integration.archive_world import ArchiveWorld, archive_text

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY, DAILY, QUARTERS = Series("DAIUSD", 60), Series("DAIUSD", 1440), Series("DAIUSD", 15)
HOUR, DAY = 3600, 86400
BORDER = 1790812800
"""2026-10-01, where two quarters meet."""


@pytest.fixture
def thin(archive: ArchiveWorld) -> ArchiveWorld:
    """Give a world with a pair that has quiet hours, a few trades in the others."""
    archive.world.catalogue(["DAIUSD"])
    return archive


@pytest.fixture
def old(thin: ArchiveWorld) -> Range:
    """Give a range past the edge, inside one quarter."""
    start = thin.world.window(DAILY, buckets=90)[0]
    return start, start + 240 * HOUR


def silent(world: World, covered: Range) -> list[Range]:
    """Return the hours between the first and the last candle of a range in which nothing traded."""
    traded = list(world.truth(HOURLY, covered))
    span = (traded[0], traded[-1] + HOUR)
    found = ranges.subtract([span], ranges.from_points(traded, step=HOUR))
    assert found
    return found


def test_hours_that_all_files_leave_out_are_proven_empty_and_close_their_gaps(
    thin: ArchiveWorld, old: Range
) -> None:
    world = thin.world
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]))
    world.run()
    thin.csv(HOURLY, old)
    thin.csv(QUARTERS, old)
    expected = ranges.intersect(silent(world, old), [(old[0], max(world.truth(HOURLY, old)) + HOUR - DAY)])

    done = thin.run(path=".", intervals=[60])

    assert (done["errors"], done["contradictions"], done["files"][0]["remarks"]) == ([], {}, [])
    assert [one for one in world.proven(HOURLY) if one[0] < old[1]] == expected
    closed = [gap for gap in world.gaps(HOURLY) if gap["status"] == "FILLED" and gap["start_s"] < old[1]]
    assert {gap["filled_from"] for gap in closed} == {"empty"}
    # One per month; that of the second one also holds hours of the last day, which stay open.
    first, second = parts_of(BucketSet.of_ranges(expected, step=HOUR))
    assert [(gap["start_s"], gap["end_s"], gap["missing_candles"]) for gap in closed] == [first]
    assert ranges.intersect(world.missing(HOURLY), expected) == []
    (left,) = [gap for gap in world.gaps(HOURLY) if second.end_s <= gap["start_s"] < second.end_s + DAY]
    assert left["status"] == "UNFILLABLE"


def test_proof_of_emptiness_yields_to_a_real_candle(thin: ArchiveWorld, old: Range) -> None:
    world = thin.world
    hole = (old[0] + 50 * HOUR, old[0] + 53 * HOUR)
    world.exchange.quiet("DAIUSD", *hole)
    thin.csv(HOURLY, old)
    thin.run(path="DAIUSD_60.csv")
    assert not ranges.subtract([hole], world.proven(HOURLY))

    world.exchange.clear_quiet()
    thin.csv(HOURLY, old)
    done = thin.run(path="DAIUSD_60.csv")

    assert (done["files_ingested"], done["files"][0]["version"]) == (1, 2)
    traded = ranges.from_points(world.truth(HOURLY, old), step=HOUR)
    assert ranges.intersect(traded, [hole])
    assert not ranges.intersect(world.proven(HOURLY), traded)


def halves(world: World, covered: Range) -> list[StoredCandle]:
    """Return candles of twelve hours, which only the archive has."""
    found: dict[int, StoredCandle] = {}
    for ts_s, one in world.truth(Series("XBTUSD", 60), covered).items():
        start_s = ts_s // (12 * HOUR) * 12 * HOUR
        so_far = found.get(start_s)
        found[start_s] = (
            replace(one, ts_s=start_s)
            if so_far is None
            else replace(
                so_far,
                high=max(so_far.high, one.high),
                low=min(so_far.low, one.low),
                close=one.close,
                volume=so_far.volume + one.volume,
                trades=so_far.trades + one.trades,
            )
        )
    return list(found.values())


@pytest.mark.parametrize("has_halves", [True, False], ids=["beside 12-hour candles", "alone"])
def test_a_day_left_out_between_busy_days_is_not_proven_empty(
    archive: ArchiveWorld, has_halves: bool
) -> None:
    world, busy = archive.world, Series("XBTUSD", 1440)
    start = world.window(busy, buckets=90)[0]
    covered, day = (start, start + 30 * DAY), (start + 15 * DAY, start + 16 * DAY)
    archive.csv(busy, covered, without=[day])
    if has_halves:
        (archive.folder / "XBTUSD_720.csv").write_text(archive_text(halves(world, covered)))

    done = archive.run(path=".", intervals=[1440])

    assert (done["files_ingested"], done["rows_written"], done["errors"]) == (1, 29, [])
    assert world.proven(busy) == []
    assert done["contradictions"] == ({LEFT_OUT: 1} if has_halves else {})
    assert done["files_skipped"] == []
    assert world.questdb.query("SELECT count() FROM ohlcv WHERE interval = '720'") == [(0,)]


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        pytest.param("trades", True, id="a candle from trades"),
        pytest.param("archive", True, id="a candle of another release with more trades"),
        pytest.param("imported", False, id="an imported candle does not count"),
    ],
)
def test_a_file_that_contradicts_a_stored_candle_proves_nothing_in_that_quarter(
    thin: ArchiveWorld, source: str, marks: bool
) -> None:
    world = thin.world
    covered = (BORDER - 12 * DAY, BORDER + 12 * DAY)
    truth = world.truth(HOURLY, covered)
    stored = list(truth.values())[:100]
    stored[50] = replace(stored[50], trades=stored[50].trades + 1, source=source)
    assert stored[-1].ts_s < BORDER
    write_candles(world.questdb, HOURLY, stored, covered)
    thin.csv(HOURLY, covered)

    done = thin.run(path="DAIUSD_60.csv")

    assert done["contradictions"] == ({STORED_OTHER: 1} if marks else {})
    proven = world.proven(HOURLY)
    in_first = ranges.intersect(proven, [(covered[0], BORDER)])
    assert bool(in_first) is not marks
    assert ranges.intersect(proven, [(BORDER, covered[1])])
    assert not ranges.intersect(proven, [(BORDER - DAY, BORDER)])


def test_a_file_without_one_of_its_pair_that_can_be_read_goes_in_and_proves_nothing(
    thin: ArchiveWorld, old: Range
) -> None:
    world = thin.world
    thin.csv(HOURLY, old)
    (thin.folder / "DAIUSD_15.csv").write_text("timestamp,price,volume\n1,2,3\n")

    done = thin.run(path=".", intervals=[60])

    assert (done["files_ingested"], done["files_refused"], done["errors"]) == (1, 0, [])
    assert world.stored(HOURLY, old).keys() == world.truth(HOURLY, old).keys()
    assert world.proven(HOURLY) == []
    (remark,) = done["files"][0]["remarks"]
    assert remark.startswith("DAIUSD_15.csv, a file of the same pair, cannot be read")


def test_a_row_that_shorter_candles_contradict_is_not_stored_and_is_named(
    thin: ArchiveWorld, old: Range
) -> None:
    world = thin.world
    candles = list(world.truth(HOURLY, old).values())
    wrong = candles[20]
    candles[20] = replace(wrong, trades=wrong.trades + 3)
    (thin.folder / "DAIUSD_60.csv").write_text(archive_text(candles))
    thin.csv(QUARTERS, old)

    done = thin.run(path=".", intervals=[60])

    assert done["contradictions"] == {OTHER_COUNT: 1}
    assert world.truth(HOURLY, old).keys() - world.stored(HOURLY, old).keys() == {wrong.ts_s}
    assert not ranges.intersect(world.proven(HOURLY), [(wrong.ts_s, wrong.ts_s + HOUR)])
    missing = [(gap["start_s"], gap["end_s"]) for gap in world.gaps(HOURLY) if gap["status"] != "FILLED"]
    assert ranges.intersect(missing, [(wrong.ts_s, wrong.ts_s + HOUR)])
