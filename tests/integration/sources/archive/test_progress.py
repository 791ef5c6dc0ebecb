"""An ingest says in the log how many rows are read and written, and how many files are done."""

from __future__ import annotations

import logging
import re
from itertools import count
from typing import TYPE_CHECKING

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive import members, staging

if TYPE_CHECKING:
    import pytest

    from tests.integration.archive_world import ArchiveWorld

HOUR = 3600
HOURLY = Series("XBTUSD", 60)
READ = re.compile(r"XBTUSD_60\.csv: read (\d+) of about (\d+) rows, (.+) left")
WROTE = re.compile(r"XBTUSD 60: (compared|compared and wrote) (\d+) of (\d+) rows, (.+) left")


def test_a_slow_ingest_says_every_half_minute_how_far_it_is(
    archive: ArchiveWorld, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BATCH_ROWS", 100)
    monkeypatch.setattr(members, "BLOCK_BYTES", 4096)
    caplog.set_level(logging.INFO)
    start_s = archive.world.window(HOURLY, buckets=2000)[0]
    path = archive.csv(HOURLY, (start_s, start_s + 600 * HOUR))
    size = path.stat().st_size
    # Each look at the clock finds it half a minute later.
    archive.world.clock = count(step=30).__next__

    done = archive.run(path=path.name, trust="file")

    assert (done["errors"], done["rows_written"]) == ([], 600)
    read = [one for one in map(READ.fullmatch, caplog.messages) if one]
    assert len(read) == -(-size // 4096) - 1
    assert [int(one[1]) for one in read] == sorted({int(one[1]) for one in read})
    assert all(abs(int(one[2]) - 600) <= 30 for one in read)
    wrote = [one for one in map(WROTE.fullmatch, caplog.messages) if one]
    assert [(one[1], int(one[2]), int(one[3])) for one in wrote] == [
        ("compared and wrote", rows, 600) for rows in range(100, 600, 100)
    ]
    assert wrote[0][4] == "2 minutes"
    assert wrote[-1][4] == "less than a minute"


def test_a_dry_run_says_that_it_only_compares(
    archive: ArchiveWorld, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BATCH_ROWS", 100)
    caplog.set_level(logging.INFO)
    start_s = archive.world.window(HOURLY, buckets=2000)[0]
    path = archive.csv(HOURLY, (start_s, start_s + 300 * HOUR))
    archive.run(path=path.name, trust="file")
    caplog.clear()
    archive.world.clock = count(step=30).__next__

    archive.run(path=path.name, trust="file", dry_run=True)

    assert {one[1] for one in map(WROTE.fullmatch, caplog.messages) if one} == {"compared"}


def test_a_quick_ingest_says_nothing(archive: ArchiveWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    start_s = archive.world.window(HOURLY, buckets=2000)[0]
    path = archive.csv(HOURLY, (start_s, start_s + 600 * HOUR))
    archive.world.clock = lambda: 0.0

    assert archive.run(path=path.name, trust="file")["rows_written"] == 600

    assert not [text for text in caplog.messages if " left" in text]


def test_several_files_of_a_task_are_counted(archive: ArchiveWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    start_s = archive.world.window(HOURLY, buckets=2000)[0] // (4 * HOUR) * 4 * HOUR
    for interval in (60, 240):
        archive.csv(Series("XBTUSD", interval), (start_s, start_s + 600 * HOUR))
    run, request, items = archive.find(path=".", trust="file", intervals=[60, 240])
    assert len(items) == 2
    archive.world.clock = count(step=30).__next__

    assert (
        archive.ingest(run, request, [{"label": "both", "files": [f for i in items for f in i["files"]]}])
        == []
    )

    said = [text for text in caplog.messages if " of 2 files" in text]
    assert [text.split(",")[0] for text in said] == ["ingested 1 of 2 files"]
