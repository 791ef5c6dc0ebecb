"""An archive file from the user's folder to closed gaps, on the real stores."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.staging import TWO_ROWS
from tests.integration.archive_world import ArchiveWorld, archive_text
from tests.zips import SPOILT, zip_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kraken_ohlcv.core.ranges import Range
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


def by_month(hole: Range) -> list[Range]:
    """Return the gaps that a hole is: one in each UTC month."""
    return [(max(hole[0], month[0]), min(hole[1], month[1])) for month in months_in([hole])]


def test_a_file_closes_the_gaps_past_the_edge_that_wait_for_it(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    hole = (old[0] + 100 * HOUR, old[0] + 160 * HOUR)
    whole = (old[0], world.window(HOURLY)[1])
    world.store(HOURLY, whole, without=[hole])
    world.run()
    assert gaps(world) == [(*hole, "UNFILLABLE", "outside_api_window", None)]
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
    assert done["files_skipped"] == []
    assert gaps(world) == [
        (*part, "UNFILLABLE", "outside_api_window", None) for part in by_month((old[1], window[0]))
    ]
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
    # The month that ends with the quarter before it has a gap of its own, which stays as it is.
    assert done["gaps_detected"] == done["gaps_unfillable"] == 1
    assert gaps(world) == [
        (hole[0], start, "UNFILLABLE", "outside_api_window", None),
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


def test_a_file_in_which_a_week_stands_twice_is_taken_as_if_it_stood_once(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    path = archive.csv(HOURLY, old)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[300:], *lines[:468]]))

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["rows_written"], done["rows_bad"], done["errors"], done["warnings"]) == (600, 0, [], [])
    assert done["files"][0]["rows_repeated"] == 168
    assert {ts: one.close for ts, one in world.stored(HOURLY, old).items()} == {
        ts: one.close for ts, one in world.truth(HOURLY, old).items()
    }


@pytest.mark.parametrize("is_first", [True, False], ids=["the smaller row first", "the smaller row last"])
def test_of_two_rows_of_one_hour_neither_is_stored_nor_anything_proven_there(
    archive: ArchiveWorld, old: Range, is_first: bool
) -> None:
    world = archive.world
    hour = old[0] + 100 * HOUR
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]), without=[(hour + 2 * HOUR, hour + 3 * HOUR)])
    world.run()
    stored = world.stored(HOURLY, old)
    path = archive.csv(HOURLY, old)
    lines = path.read_text().splitlines(keepends=True)
    for at in (100, 102):
        open_s, price = lines[at].split(",")[:2]
        small = f"{open_s},{price},{price},{price},{price},0.5,3\n"
        lines[at] = small + lines[at] if is_first else lines[at] + small
    path.write_text("".join(lines))

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["rows_written"], done["rows_bad"], done["rows_good"], done["errors"]) == (0, 4, 598, [])
    assert done["contradictions"] == {TWO_ROWS: 2}
    assert world.stored(HOURLY, old) == stored
    assert world.proven(HOURLY) == []
    assert [gap[:2] for gap in gaps(world)] == [(hour + 2 * HOUR, hour + 3 * HOUR)]


def test_of_odd_rows_over_one_percent_a_warning_names_file_and_number(
    archive: ArchiveWorld, old: Range
) -> None:
    path = archive.csv(HOURLY, old)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:300], *["rubbish\n"] * 7, *lines[300:]]))

    done = archive.run(path="XBTUSD_60.csv", max_bad_rows=0)

    assert (done["rows_written"], done["rows_bad"], done["errors"]) == (600, 7, [])
    obsolete, odd = done["warnings"]
    assert obsolete.startswith("param max_bad_rows has no effect")
    assert (
        odd == f"XBTUSD_60.csv: 7 of 607 rows are odd and were left out; {done['reject_files'][0]} names them"
    )


@pytest.mark.parametrize("content", ["", "\n", "timestamp,open,high,low,close,volume,trades\n"])
def test_an_empty_file_is_nothing_to_take_in_and_no_failure(archive: ArchiveWorld, content: str) -> None:
    (archive.folder / "XBTUSD_60.csv").write_text(content)
    done = archive.run(path=".", intervals=[60])
    assert (done["files_found"], done["files_empty"], done["errors"], done["raised"]) == (1, 1, [], [])
    assert done["warnings"] == ["XBTUSD_60.csv: nothing to ingest"]


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param("timestamp,price,volume\n1700000000,1,1\n", id="another header"),
        pytest.param("rubbish\n" * 20, id="rubbish"),
    ],
)
def test_beside_an_unreadable_file_the_sound_one_is_in_and_proves_nothing(
    archive: ArchiveWorld, old: Range, spoilt: str
) -> None:
    world = archive.world
    quiet = (old[0] + 50 * HOUR, old[0] + 53 * HOUR)
    world.exchange.quiet("XBTUSD", *quiet)
    text = archive_text(world.truth(HOURLY, old).values())
    archive.zip("x.zip", {"XBTUSD_60.csv": text, "XBTUSD_15.csv": spoilt})

    done = archive.run(path=".", tickers=["XBTUSD"], intervals=[60])

    assert (done["files_ingested"], done["rows_written"], done["errors"]) == (1, 597, [])
    assert world.proven(HOURLY) == []
    (warning,) = done["warnings"]
    assert warning.startswith("x.zip!XBTUSD_60.csv: XBTUSD_15.csv, a file of the same pair, cannot be read")
    both = archive.run(path=".", tickers=["XBTUSD"], intervals=[15, 60], again=True)
    (error,) = both["errors"]
    assert error.startswith("x.zip!XBTUSD_15.csv: ")
    assert (both["files_ingested"], both["files_refused"]) == (1, 1)


def test_what_is_wrong_in_a_folder_is_named_and_everything_else_is_in(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    text = archive_text(world.truth(HOURLY, old).values())
    (archive.folder / "XBTUSD_60.csv").write_text(text)
    cut_off = zip_bytes({"ETHUSD_60.csv": text})[:-40]
    (archive.folder / "cut_off.zip").write_bytes(cut_off)
    (archive.folder / "linked.zip").symlink_to(archive.folder / "cut_off.zip")
    (archive.folder / "ETHUSD_60 (1).csv").write_text("")
    (archive.folder / "README.md").write_text("")
    archive.zip("outer.zip", {"Q1_2025.zip": cut_off, "README.txt": "", "DAIUSD_60.csv": text})

    done = archive.run(path=".", tickers=["XBTUSD", "ETHUSD"], intervals=[60])

    assert (done["files_ingested"], done["files_refused"], done["rows_written"]) == (1, 4, 600)
    assert len(done["errors"]) == 4
    said = "\n".join(sorted(done["errors"]))
    for expected in (
        r"^ETHUSD_60 \(1\)\.csv: name is not <ALTNAME>_<minutes>\.csv; it may be one that was requested",
        r"^cut_off\.zip is not a complete zip: .*; download it again$",
        r"^linked\.zip: is a symbolic link; put what it leads to into the archive folder itself$",
        r"^outer\.zip!Q1_2025\.zip: unpack it into a folder of the archive folder",
    ):
        assert re.search(expected, said, re.MULTILINE), expected
    assert [example for one in done["files_skipped"] for example in one["examples"]] == [
        "README.md",
        "outer.zip!README.txt",
    ]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda zipped: zipped.unlink(), "does not exist in the archive folder", id="gone"),
        pytest.param(lambda zipped: zipped.write_bytes(b"PK"), "is not a complete zip", id="cut off"),
    ],
)
def test_of_a_zip_that_cannot_be_opened_when_its_turn_comes_the_reason_is_told(
    archive: ArchiveWorld, old: Range, spoil: Callable[[Path], object], said: str
) -> None:
    content = archive.csv(HOURLY, old).read_bytes()
    run, request, items = archive.find(path=archive.zip("x.zip", {"XBTUSD_60.csv": content}).name)
    spoil(archive.folder / "x.zip")
    (error,) = archive.ingest(run, request, items)
    assert said in str(error)
    result = archive.result(run, request)
    assert (result["files_refused"], result["files_failed"]) == (1, 0)
    assert said in result["errors"][0]


def test_two_quarters_in_one_zip_are_both_taken(archive: ArchiveWorld) -> None:
    world = archive.world
    start, end = QUARTER_2026Q2
    texts = [
        archive_text(world.truth(HOURLY, span).values())
        for span in ((start - 9 * DAY, start), (end - 9 * DAY, end))
    ]
    archive.zip("both.zip", {"Q1_2026/XBTUSD_60.csv": texts[0], "Q2_2026\\XBTUSD_60.csv": texts[1]})

    done = archive.run(path="both.zip", tickers=["XBTUSD"], intervals=[60])

    assert (done["files_ingested"], done["rows_written"], done["errors"]) == (2, 2 * 9 * 24, [])
    files = world.rows("SELECT name, release FROM archive_files ORDER BY name")
    assert [(file["name"], file["release"]) for file in files] == [
        ("both.zip!Q1_2026/XBTUSD_60.csv", "2026Q1"),
        ("both.zip!Q2_2026\\XBTUSD_60.csv", "2026Q2"),
    ]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("XBTUSD_60.csv", "encrypted"),
        ("XBTUSD_60.csv", "wrong CRC"),
        ("ETHUSD_60.csv", "method 9"),
        ("MANIFEST.json", "encrypted"),
    ],
)
def test_a_spoilt_member_is_an_error_of_its_own_when_it_was_asked_for(
    archive: ArchiveWorld, old: Range, name: str, how: str
) -> None:
    members = {
        f"{ticker}_60.csv": archive_text(archive.world.truth(Series(ticker, 60), old).values())
        for ticker in ("XBTUSD", "SOLUSD", "ETHUSD", "DAIUSD")
    }
    others = {"DAIUSD_60.csv": members.pop("DAIUSD_60.csv")}
    content = zip_bytes(members | {"MANIFEST.json": '{"product": "ohlcvt"}' * 10})
    (archive.folder / "x.zip").write_bytes(SPOILT[how](content, name))
    archive.zip("y.zip", others)

    done = archive.run(path=".", tickers=["XBTUSD", "SOLUSD", "DAIUSD"], intervals=[60])

    n_wanted = 2 if name == "XBTUSD_60.csv" else 3
    assert (done["files_ingested"], done["files_refused"]) == (n_wanted, 3 - n_wanted)
    assert [error.startswith("x.zip!XBTUSD_60.csv: ") for error in done["errors"]] == [True] * (3 - n_wanted)
    if name == "MANIFEST.json":
        assert done["files_skipped"][0]["examples"] == ["x.zip!MANIFEST.json"]


def test_a_ticker_asked_for_by_name_of_which_there_is_no_file_is_an_error(
    archive: ArchiveWorld, old: Range
) -> None:
    archive.csv(HOURLY, old)
    done = archive.run(path=".", tickers=["XBTUSD", "SOLUSD"], intervals=[60])
    assert (done["files_ingested"], done["errors"]) == (
        1,
        ["ticker SOLUSD: there is no file of it with candles of 60 minutes"],
    )


def test_zero_bytes_in_rows_and_odd_bytes_in_names_stop_nothing(archive: ArchiveWorld, old: Range) -> None:
    path = archive.csv(HOURLY, old)
    path.write_bytes(path.read_bytes() + b"12\0,1\n" * 8)
    name = os.fsencode(archive.folder / "notes") + b"\xff.csv"
    with open(name, "w") as file:  # noqa: PTH123 (no text holds this name)
        file.write("")

    done = archive.run(path=".", tickers=["XBTUSD"], intervals=[60])

    assert (done["files_ingested"], done["rows_bad"], done["errors"]) == (1, 8, [])
    assert done["files_skipped"][0]["examples"] == ["notes\ufffd.csv"]
