"""Files of thin one-minute candles: what is stored, proven and missing, minute by minute."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.archive_world import ArchiveWorld, archive_text
from tests.integration.ledger_pages import all_pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.coverage import Coverage
    from tests.integration.world import World

MINUTES: Final = Series("DAIUSD", 1)
MINUTE, DAY = 60, 86400
BORDER: Final = 1790812800
"""2026-10-01, where two quarters meet."""
QUIET: Final = 0.56


@pytest.fixture
def thin(archive: ArchiveWorld) -> ArchiveWorld:
    """Give a world with a thin pair."""
    archive.world.catalogue([MINUTES.ticker])
    return archive


def candle(ts_s: int, source: str = "archive") -> StoredCandle:
    return StoredCandle(ts_s, 100.0, 110.0, 90.0, 105.0, None, 1.5, ts_s // 60 % 9 + 1, source=source)


def random_minutes(covered: Range, *, seed: int) -> set[int]:
    """Return the minutes of a range that traded, among them the first and the last."""
    chance = random.Random(seed)
    found = {ts_s for ts_s in range(*covered, MINUTE) if chance.random() >= QUIET}
    return found | {covered[0], covered[1] - MINUTE}


def put(thin: ArchiveWorld, traded: Iterable[int]) -> None:
    path = thin.folder / f"{MINUTES.ticker}_1.csv"
    path.write_text(archive_text(candle(ts_s) for ts_s in sorted(traded)), encoding="ascii")


def minutes(times: Iterable[int]) -> BucketSet:
    return BucketSet.of_points(times, step=MINUTE)


def pages_of(world: World) -> Coverage:
    with connect(world.dsn) as connection:
        pages = all_pages(connection, MINUTES)
    assert pages is not None
    return pages


def proven(pages: Coverage) -> BucketSet:
    return pages.empty.by[Evidence.ARCHIVE]


def gaps_before(world: World, end_s: int) -> list[dict[str, Any]]:
    return [gap for gap in world.gaps(MINUTES) if gap["start_s"] < end_s]


def assert_in_step(world: World) -> Coverage:
    """Check pages and gaps against the candles stored; return the pages."""
    pages = pages_of(world)
    (row,) = world.rows(
        "SELECT extract(epoch FROM start_ts)::bigint AS a, extract(epoch FROM until_ts)::bigint AS b"
        " FROM series WHERE interval_minutes = 1"
    )
    grid = (row["a"], row["b"])
    stored = minutes(world.stored(MINUTES, grid))
    assert stored
    assert pages.missing | pages.empty.all | stored == BucketSet.of_ranges([grid], step=MINUTE)
    assert not (pages.missing | pages.empty.all) & stored
    for month, counted in pages.reconciled.items():
        assert counted == len(stored.within(month))
    open_gaps = [gap for gap in world.gaps(MINUTES) if gap["status"] != "FILLED"]
    assert sum(gap["missing_candles"] for gap in open_gaps) == len(pages.missing)
    for gap in open_gaps:
        part = pages.missing.within((gap["start_s"], gap["end_s"]))
        assert (gap["missing_candles"], part.start_s, part.end_s) == (
            len(part),
            gap["start_s"],
            gap["end_s"],
        )
    return pages


def test_all_minutes_that_a_thin_file_leaves_out_are_proven_but_those_of_last_days(
    thin: ArchiveWorld,
) -> None:
    world = thin.world
    covered = (BORDER - 5 * DAY, BORDER + 3 * DAY)
    traded = random_minutes(covered, seed=1)
    put(thin, traded)

    done = thin.run(path=".", intervals=[1], trust="file")

    assert (done["errors"], done["rows_written"]) == ([], len(traded))
    pages = assert_in_step(world)
    quiet = minutes(range(*covered, MINUTE)) - minutes(traded)
    last_days = BucketSet.of_ranges([(BORDER - DAY, BORDER), (covered[1] - DAY, covered[1])], step=MINUTE)
    assert proven(pages) == quiet - last_days
    assert pages.missing.within(covered) == quiet & last_days
    before = gaps_before(world, covered[1])

    assert world.run(intervals=[1])["errors"] == []
    assert gaps_before(world, covered[1]) == before
    assert_in_step(world)
    again = thin.run(path=".", intervals=[1], again=True)
    assert (again["rows_written"], again["rows_equal"]) == (0, len(traded))
    assert proven(assert_in_step(world)) == proven(pages)


def test_candles_stored_beside_and_between_the_rows_of_a_file_are_accounted_for(thin: ArchiveWorld) -> None:
    world = thin.world
    month = month_of(BORDER)
    covered = (BORDER + 5 * DAY, BORDER + 8 * DAY)
    traded = random_minutes(covered, seed=2)
    between = sorted(set(range(*covered, MINUTE)) - traded)[100:104]
    beside = [covered[0] - 7 * MINUTE, covered[1] + 3 * MINUTE, month[0]]
    for ts_s in (*between, *beside):
        write_candles(world.questdb, MINUTES, [candle(ts_s, source="imported")], (ts_s, ts_s + MINUTE))
    world.run(intervals=[1])
    put(thin, traded)

    done = thin.run(path=".", intervals=[1], trust="file")

    assert (done["errors"], done["rows_written"]) == ([], len(traded))
    pages = assert_in_step(world)
    assert pages.reconciled[month] == len(traded) + len(between) + len(beside)
    quiet = minutes(range(covered[0], covered[1] - DAY, MINUTE)) - minutes(traded) - minutes(between)
    assert proven(pages) == quiet


def test_a_candle_written_by_somebody_else_during_an_ingest_is_seen(thin: ArchiveWorld) -> None:
    world = thin.world
    covered = (BORDER + 5 * DAY, BORDER + 7 * DAY)
    traded = random_minutes(covered, seed=3)
    put(thin, traded)
    strange = [covered[1] + 60 * MINUTE, covered[1] + 62 * MINUTE]

    def intrude(step: str) -> None:
        if step == "applied":
            rows = [candle(ts_s, source="imported") for ts_s in strange]
            write_candles(world.questdb, MINUTES, rows, (strange[0], strange[-1] + MINUTE))

    thin.before_step = intrude
    done: dict[str, Any] = thin.run(path=".", intervals=[1], trust="file")

    assert done["errors"] == []
    pages = assert_in_step(world)
    assert not pages.missing & minutes(strange)
