"""An archive file from the user's folder to closed gaps, on the real stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.gaps import Series
from tests.integration.archive_world import ArchiveWorld, archive_text

if TYPE_CHECKING:
    from include.ohlcv.ranges import Range
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HOUR = 3600
DAY = 86400
QUARTER_2026Q2 = (1775001600, 1782864000)


@pytest.fixture
def old(world: World) -> Range:
    """Give a range that ends well before the API's edge."""
    start = world.window(HOURLY, buckets=2000)[0]
    return start, start + 600 * HOUR


def gaps(world: World) -> list[tuple[int, int, str, str | None, str | None]]:
    return [
        (row["start_s"], row["end_s"], row["status"], row["unfillable_reason"], row["filled_from"])
        for row in world.gaps(HOURLY)
    ]


def test_a_file_closes_the_gaps_past_the_edge_that_wait_for_it(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    hole = (old[0] + 100 * HOUR, old[0] + 160 * HOUR)
    whole = (old[0], world.window(HOURLY)[1])
    world.store(HOURLY, whole, without=[hole])
    world.run()
    assert gaps(world) == [(*hole, "UNFILLABLE", "past_edge", None)]
    archive.csv(HOURLY, old)

    done = archive.run(path="XBTUSD_60.csv")

    assert gaps(world) == [(*hole, "FILLED", None, "archive")]
    assert (done["files_ingested"], done["rows_written"], done["rows_equal"]) == (1, 60, 540)
    assert (done["gaps_filled"], done["gaps_detected"], done["total_candles_filled"]) == (1, 1, 60)
    assert (done["errors"], done["contradictions"], done["raised"]) == ([], {}, [])
    truth, stored = world.truth(HOURLY, whole), world.stored(HOURLY, whole)
    assert stored.keys() == truth.keys()
    assert all(stored[ts_s].close == truth[ts_s].close for ts_s in truth)
    assert {stored[ts_s].source for ts_s in range(*hole, HOUR)} == {"archive"}
    assert {stored[ts_s].vwap for ts_s in range(*hole, HOUR)} == {None}
    before = world.contents()

    assert archive.run(path="XBTUSD_60.csv")["files_known"] == 1
    again = archive.run(path="XBTUSD_60.csv", again=True)

    assert (again["files_ingested"], again["rows_written"], again["rows_equal"]) == (1, 0, 600)
    after = world.contents()
    assert after["ohlcv"] == before["ohlcv"]
    assert after["gap_records"] == before["gap_records"]


def test_older_candles_lower_the_start_of_the_series_and_what_lies_between_becomes_a_gap(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    window = world.window(HOURLY)
    world.store(HOURLY, window)
    world.run()
    assert gaps(world) == []
    archive.zip(
        "Kraken_OHLCVT_Q3_2026.zip",
        {
            "master_q3/XBTUSD_60.csv": archive_text(world.truth(HOURLY, old).values()),
            "__MACOSX/master_q3/._XBTUSD_60.csv": b"\x00\x05\x16\x07",
            "master_q3/XBTUSD_720.csv": "1,2\n",
        },
    )

    done = archive.run(path="Kraken_OHLCVT_Q3_2026.zip", tickers=["XBTUSD"], intervals=[60])

    assert (done["files_found"], done["files_ingested"], done["errors"]) == (1, 1, [])
    assert [one["reason"] for one in done["files_skipped"]] == [
        "interval 720 is not one of Kraken's OHLC intervals"
    ]
    assert gaps(world) == [(old[1], window[0], "UNFILLABLE", "past_edge", None)]
    (series,) = world.rows("SELECT extract(epoch FROM start_ts)::bigint AS start_s FROM series")
    assert series["start_s"] == old[0]
    assert len(world.stored(HOURLY, old)) == 600


def test_of_a_published_quarter_only_the_wanted_members_are_fetched_and_gaps_close(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    world.exchange.archive(tickers=["XBTUSD", "DAIUSD"], intervals=[60, 1440])
    start, end = QUARTER_2026Q2
    hole = (start + 10 * DAY, start + 12 * DAY)
    world.store(HOURLY, (start, world.window(HOURLY)[1]), without=[hole])
    world.run()
    assert [gap[:2] for gap in gaps(world)] == [hole]

    done = archive.run(quarter="2026Q2", intervals=[60])

    assert (done["files_ingested"], done["rows_written"], done["raised"]) == (1, 48, [])
    assert done["rows_equal"] == (end - start) // HOUR - 48
    assert gaps(world) == [(*hole, "FILLED", None, "archive")]
    names = {asked["name"] for asked in world.exchange.archive_requests()}
    assert names == {"Kraken_OHLCVT_2026Q2.zip"}
    (file,) = world.rows("SELECT * FROM archive_files")
    assert (file["release"], file["verified"], file["identity"][:6]) == ("2026Q2", "crc32", "crc32:")
    assert archive.run(quarter="2026Q2", intervals=[60])["files_known"] == 1


def test_a_quarter_that_is_not_published_is_no_failure_and_gaps_say_what_they_wait_for(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    start, end = QUARTER_2026Q2[1], QUARTER_2026Q2[1] + 92 * DAY
    hole = (start - 5 * HOUR, start + 5 * HOUR)
    world.store(HOURLY, (start - DAY, world.window(HOURLY)[1]), without=[hole])
    world.run()

    done = archive.run(quarter="2026Q3")

    assert (done["not_published"], done["files_found"], done["errors"]) == (["2026Q3"], 0, [])
    assert done["gaps_detected"] == done["gaps_unfillable"] == 2
    assert gaps(world) == [
        (hole[0], start, "UNFILLABLE", "past_edge", None),
        (start, hole[1], "UNFILLABLE", "not_published", None),
    ]
    again = archive.run(quarter="2026Q3")
    assert again["gaps_detected"] == 0
    assert world.run()["gaps_detected"] == 0

    world.exchange.set_clock(float(end + 80 * DAY))
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60])
    done = archive.run(quarter="2026Q3", intervals=[60])
    assert (done["files_ingested"], done["not_published"]) == (1, [])
    assert [row["filled_from"] for row in world.gaps(HOURLY) if row["start_s"] == start] == ["archive"]


def test_a_server_without_ranges_is_refused_unless_a_full_download_is_allowed(archive: ArchiveWorld) -> None:
    world = archive.world
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60], ranges=False)

    with pytest.raises(ArchiveRefusedError, match="allow_full_download"):
        archive.find(quarter="2026Q2", intervals=[60])
    done = archive.run(quarter="2026Q2", intervals=[60], allow_full_download=True)

    assert (done["files_ingested"], done["errors"]) == (1, [])
    assert [path.name for path in (archive.work_folder / "downloads").iterdir()] == [
        "Kraken_OHLCVT_2026Q2.zip"
    ]
