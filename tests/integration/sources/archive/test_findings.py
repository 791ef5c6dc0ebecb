"""What is wrong with a file of the archive is kept in the ledger, by content of the file and kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.schema import migrate_ledger
from tests.integration.archive_world import ArchiveWorld, archive_row, archive_text
from tests.integration.revisions import go_to

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY, QUARTERS = Series("XBTUSD", 60), Series("XBTUSD", 15)
HOUR, DAY = 3600, 86400
END = 1782864000
"""Of the second quarter of 2026, epoch seconds UTC."""
COVERED = (END - 20 * DAY, END)
RELEASE = "Kraken_OHLCVT_2026Q2"


def of_kinds(world: World) -> dict[str, tuple[int, int | None, int | None]]:
    """Return what is known of the files: count, first and last bucket as hours since the first one."""
    found = world.rows(
        "SELECT kind, n, (extract(epoch FROM first_ts)::bigint - %(start)s) / 3600 AS first_hour,"
        " (extract(epoch FROM last_ts)::bigint - %(start)s) / 3600 AS last_hour FROM archive_findings"
        " ORDER BY kind",
        start=COVERED[0],
    )
    return {row["kind"]: (row["n"], row["first_hour"], row["last_hour"]) for row in found}


def at(hour: int) -> int:
    """Return an open time of the file, epoch seconds UTC."""
    return COVERED[0] + hour * HOUR


def hours(first: int, end: int) -> Range:
    """Return a range of the file, epoch seconds UTC."""
    return at(first), at(end)


def defective(archive: ArchiveWorld) -> None:
    """Store candles, and write a release with a defect of each kind that spoils no whole file."""
    world = archive.world
    truth = world.truth(HOURLY, COVERED)
    weaker = replace(truth[at(200)], trades=truth[at(200)].trades - 1, volume=truth[at(200)].volume / 2)
    stronger = replace(truth[at(201)], trades=truth[at(201)].trades + 1, source="trades")
    write_candles(
        world.questdb, HOURLY, [one for ts_s, one in truth.items() if at(100) <= ts_s < at(400)], COVERED
    )
    write_candles(world.questdb, HOURLY, [weaker, stronger], COVERED)
    archive.csv(QUARTERS, COVERED, without=[hours(30, 32), hours(20, 21)], name=f"{RELEASE}/XBTUSD_15.csv")
    left_out = {*range(10, 13), 30, 31, 300}
    lines = []
    for number, (ts_s, candle) in enumerate(truth.items()):
        if number in left_out:
            continue
        counted = replace(candle, trades=candle.trades + 1) if number == 40 else candle
        lines.append(archive_row(counted))
        if number == 50:
            lines.append(archive_row(replace(candle, trades=candle.trades + 2)))
        if number == 60:
            lines.append(f"{ts_s + 60},rubbish")
    (archive.folder / RELEASE / "XBTUSD_60.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


def test_each_defect_of_a_file_is_kept_once_with_its_buckets_and_a_second_ingest_changes_nothing(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    defective(archive)

    done = archive.run(path=".", intervals=[60])

    assert done["errors"] == []
    assert of_kinds(world) == {
        "busy_hole": (2, 30, 31),
        "last_day": (24, 456, 479),
        "left_out": (4, 10, 300),
        "odd_rows": (3, 50, 50),
        "other_count": (1, 40, 40),
        "replaced": (1, 200, 200),
        "stored_else": (1, 300, 300),
        "stored_other": (1, 201, 201),
        "two_rows": (1, 50, 50),
        "unsupported": (1, 20, 20),
    }
    kept = world.rows("SELECT * FROM archive_findings ORDER BY kind")
    assert {(row["release"], row["name"], row["run_id"]) for row in kept} == {
        ("2026Q2", f"{RELEASE}/XBTUSD_60.csv", done["run"].run_id)
    }
    details = {row["kind"]: row["detail"] for row in kept}
    assert details["busy_hole"] == {"ranges": [["2026-06-12T06:00:00", "2026-06-12T08:00:00"]]}
    assert [row for row in details["odd_rows"]["rows"] if row.endswith("rubbish")] == [
        f"line 58: 2 fields instead of 7: {at(60) + 60},rubbish"
    ]

    archive.run(path=".", intervals=[60])
    again = archive.run(path=".", intervals=[60], again=True)

    assert again["files_ingested"] == 1
    assert world.rows("SELECT * FROM archive_findings ORDER BY kind") == kept


def test_a_dry_run_keeps_no_finding(archive: ArchiveWorld) -> None:
    defective(archive)
    assert archive.run(path=".", intervals=[60], dry_run=True)["contradictions"]
    assert of_kinds(archive.world) == {}


def test_a_zip_that_is_refused_as_a_whole_is_kept_until_a_sound_one_lies_there(archive: ArchiveWorld) -> None:
    world, name = archive.world, f"{RELEASE}.zip"
    (archive.folder / name).write_bytes(b"no zip at all")
    member = archive.csv(HOURLY, (END - 2 * DAY, END))
    archive.run(path=".", intervals=[60], dry_run=True)
    assert [row["kind"] for row in world.rows("SELECT kind FROM archive_findings")] == []

    done = archive.run(path=".", intervals=[60])

    whole = "SELECT * FROM archive_findings WHERE ticker IS NULL"
    (row,) = world.rows(whole)
    assert (row["name"], row["release"], row["kind"], row["n"]) == (name, "2026Q2", "refused", 1)
    assert done["errors"] == [row["detail"]["why"]]
    archive.run(path=".", intervals=[60])
    assert world.rows(whole) == [row]

    archive.zip(name, {"readme.txt": "nothing here"})
    for path in (name, f"./{name}"):
        with pytest.raises(ArchiveRefusedError, match="holds 0 files"):
            archive.find(path=path, intervals=[60])
        (empty,) = world.rows(whole)
        assert (empty["name"], "holds 0 files" in empty["detail"]["why"]) == (name, True)
    go_to(world.dsn, "0037")
    migrate_ledger(world.dsn)
    assert world.rows(whole) == []

    with pytest.raises(ArchiveRefusedError):
        archive.find(path=name, intervals=[60])
    archive.zip(name, {member.name: member.read_bytes()})
    archive.run(path=name, intervals=[60])
    assert world.rows(whole) == []


def test_only_the_first_odd_rows_of_a_file_are_kept_and_all_are_counted(archive: ArchiveWorld) -> None:
    lines = archive_text(archive.world.truth(HOURLY, COVERED).values()).splitlines()
    lines[100:] = [text for line in lines[100:] for text in (line, *["rubbish"] * (line == lines[100]) * 70)]
    (archive.folder / "XBTUSD_60.csv").write_text("\n".join(lines) + "\n", encoding="ascii")

    archive.run(path="XBTUSD_60.csv")

    (row,) = archive.world.rows("SELECT * FROM archive_findings WHERE kind = 'odd_rows'")
    assert (row["n"], row["first_ts"], len(row["detail"]["rows"])) == (70, None, 10)


def test_contradictions_recorded_by_earlier_versions_are_findings_after_the_migration_and_back(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    defective(archive)
    archive.run(path=".", intervals=[60])
    carried = ("left_out", "other_count", "stored_else", "stored_other", "two_rows", "unsupported")
    kept = {kind: found for kind, found in of_kinds(world).items() if kind in carried}
    assert len(kept) == len(carried)

    go_to(world.dsn, "0031")
    (file,) = world.rows("SELECT findings FROM archive_files")
    recorded = {one["what"]: one["buckets"] for one in file["findings"]}
    assert recorded["left out, although a candle is stored"] == 1
    migrate_ledger(world.dsn)

    assert of_kinds(world) == kept
