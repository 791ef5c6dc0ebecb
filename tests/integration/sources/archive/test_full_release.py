"""The full release read from its server in parts, by ranges, as if it were a zip in the user's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from kraken_ohlcv.clients.errors import ArchiveServerError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.archive_world import ArchiveWorld

HOURLY = Series("XBTUSD", 60)
HOUR, DAY = 3600, 86400
Q2_END = 1782864000
NAME = "Kraken_OHLCVT_Full_2026Q2.zip"
LIST = "OHLCVT_Full_PARTS_SHA256SUMS.txt"
PART_BYTES = 100_000
RELEASES: dict[str, Any] = {"tickers": ["XBTUSD"], "intervals": [15, 60, 1440], "part_bytes": PART_BYTES}


@pytest.fixture
def listed_s(archive: ArchiveWorld) -> int:
    """Give the pair's first moment; the archive holds everything since, in parts."""
    archive.world.exchange.archive(**RELEASES)
    (found,) = (pair["listed_s"] for pair in archive.world.exchange.pairs() if pair["ticker"] == "XBTUSD")
    return int(found) // HOUR * HOUR


def asked(archive: ArchiveWorld) -> list[dict[str, Any]]:
    return archive.world.exchange.archive_requests()


def states(archive: ArchiveWorld) -> list[tuple[Any, ...]]:
    return [
        (gap["start_s"], gap["end_s"], gap["status"], gap["filled_from"])
        for gap in archive.world.gaps(HOURLY)
    ]


def holed(archive: ArchiveWorld, listed_s: int) -> tuple[Range, Range]:
    """Store the whole history but for two holes of past years, in the second of which nothing traded."""
    world = archive.world
    hole, quiet = (
        (listed_s + 30 * DAY, listed_s + 33 * DAY),
        (listed_s + 60 * DAY, listed_s + 60 * DAY + HOUR),
    )
    world.exchange.quiet("XBTUSD", *quiet)
    world.store(HOURLY, (listed_s, world.window(HOURLY)[1]), without=[hole])
    world.run()
    assert states(archive) == [(*hole, "UNFILLABLE", None), (*quiet, "UNFILLABLE", None)]
    return hole, quiet


@pytest.mark.parametrize("name", ["full", "Full_2026Q2"])
def test_of_the_full_release_the_wanted_members_are_fetched_across_its_parts(
    archive: ArchiveWorld, listed_s: int, name: str
) -> None:
    hole, quiet = holed(archive, listed_s)

    done = archive.run(quarter=name, intervals=[60])

    assert (done["files_ingested"], done["errors"], done["raised"]) == (1, [], [])
    assert (done["rows_written"], done["quarter"]) == (72, name)
    # An hour without a trade between hours of many is rather lost than silent: trades are asked about it.
    assert states(archive) == [(*hole, "FILLED", "archive"), (*quiet, "UNFILLABLE", None)]
    assert archive.world.proven(HOURLY) == []
    (file,) = archive.world.rows("SELECT * FROM archive_files")
    assert (file["release"], file["verified"], file["name"]) == (
        "Full_2026Q2",
        "crc32",
        f"{NAME}!XBTUSD_60.csv",
    )
    fetched = [one for one in asked(archive) if one["name"] != LIST]
    assert {one["name"].rpartition(".part")[0] for one in fetched} == {NAME}
    assert len({one["name"] for one in fetched}) > 3
    assert all(one["range"] for one in fetched)

    before = archive.world.contents()
    again = archive.run(quarter=name, intervals=[60])
    assert (again["files_known"], again["files_found"], again["gaps_detected"]) == (1, 1, 0)
    assert archive.world.contents() == before


def test_the_same_release_in_the_users_folder_is_known_whole_or_in_parts(
    archive: ArchiveWorld, listed_s: int
) -> None:
    del listed_s
    assert archive.run(quarter="full", intervals=[1440])["files_ingested"] == 1
    content = b""
    url = archive.world.exchange.archive_url
    listed = requests.get(f"{url}/{LIST}", timeout=30).text
    for part in sorted(line.split()[1] for line in listed.splitlines()):
        body = requests.get(f"{url}/{part}", timeout=30).content
        (archive.folder / part).write_bytes(body)
        content += body
    (archive.folder / LIST).write_text(listed)

    assert archive.run(path=f"{NAME}.part00", intervals=[1440])["files_known"] == 1

    (archive.folder / f"{NAME}.part01").write_bytes(b"damaged")
    with pytest.raises(ArchiveRefusedError, match=f"{NAME}.part01 has SHA-256"):
        archive.find(path=NAME, intervals=[1440])
    (archive.folder / "whole").mkdir()
    (archive.folder / "whole" / NAME).write_bytes(content)
    assert archive.run(path=f"whole/{NAME}", intervals=[1440])["files_known"] == 1


@pytest.mark.parametrize(
    "order",
    [
        pytest.param({"sums": False}, id="in parts that no list names"),
        pytest.param({"part_bytes": None}, id="whole, in the list"),
        pytest.param({"part_bytes": None, "sums": False}, id="whole, without a list"),
        pytest.param({"naming": "quarter_first"}, id="the quarter first in its name"),
        pytest.param({"layout": "foldered"}, id="below a folder"),
    ],
)
def test_a_mirror_may_keep_the_full_release_otherwise(
    archive: ArchiveWorld, listed_s: int, order: dict[str, Any]
) -> None:
    del listed_s
    archive.world.exchange.archive(**RELEASES | order)
    done = archive.run(quarter="Full_2026Q2", intervals=[1440])
    assert (done["files_ingested"], done["errors"], done["files"][0]["contradictions"]) == (1, [], [])


def test_a_full_release_that_is_not_published_is_no_failure(archive: ArchiveWorld, listed_s: int) -> None:
    del listed_s
    done = archive.run(quarter="Full_2026Q3")
    assert (done["not_published"], done["files_found"], done["errors"]) == (["Full_2026Q3"], 0, [])
    assert {one["name"] for one in asked(archive)} == {
        LIST,
        *(f"Kraken_OHLCVT_Full_{q}.zip{part}" for q in ("2026Q3", "Q3_2026") for part in ("", ".part00")),
    }

    archive.world.exchange.archive(**RELEASES, sums=False)
    done = archive.run(quarter="full")
    assert (done["not_published"], done["errors"]) == (["full"], [])
    assert "Kraken_OHLCVT.zip" in {one["name"] for one in asked(archive)}

    archive.world.exchange.set_clock(float(Q2_END + 92 * DAY + 80 * DAY))
    archive.world.exchange.archive(**RELEASES)
    done = archive.run(quarter="full", intervals=[1440])
    assert [one["file"] for one in done["files"]] == ["Kraken_OHLCVT_Full_2026Q3.zip!XBTUSD_1440.csv"]


def test_without_ranges_the_parts_are_fetched_only_if_allowed_and_checked_one_by_one(
    archive: ArchiveWorld, listed_s: int
) -> None:
    del listed_s
    order: dict[str, Any] = RELEASES | {"ranges": False}
    archive.world.exchange.archive(**order)
    with pytest.raises(ArchiveRefusedError, match="allow_full_download"):
        archive.find(quarter="full", intervals=[1440])

    archive.world.exchange.archive(**order, wrong_sum=True)
    with pytest.raises(
        ArchiveServerError, match=r"part00 has SHA-256 [0-9a-f]{64}, published is [0-9a-f]{64}"
    ):
        archive.find(quarter="full", intervals=[1440], allow_full_download=True)
    assert list((archive.work_folder / "downloads").iterdir()) == []

    archive.world.exchange.archive(**order)
    done = archive.run(quarter="full", intervals=[1440], allow_full_download=True)
    assert (done["files_ingested"], done["errors"]) == (1, [])
    downloads = sorted((archive.work_folder / "downloads").iterdir())
    fetched_whole = [one["name"] for one in asked(archive) if one["range"] is None and one["name"] != LIST]
    assert fetched_whole == [path.name for path in downloads]
    assert len(downloads) > 3

    downloads[1].unlink()
    archive.world.exchange.archive(**order)
    again = archive.run(quarter="full", intervals=[1440], allow_full_download=True)
    assert (again["files_known"], again["errors"]) == (1, [])
    assert {one["name"] for one in asked(archive)} == {LIST, downloads[1].name}


def test_a_part_that_the_list_names_and_the_server_lacks_is_no_release_that_is_not_published(
    archive: ArchiveWorld, listed_s: int
) -> None:
    del listed_s
    archive.world.exchange.archive(**RELEASES, lost_part=2)
    with pytest.raises(ArchiveServerError, match=f"{NAME}.part02 does not exist .* although {LIST} names it"):
        archive.find(quarter="full", intervals=[1440])
