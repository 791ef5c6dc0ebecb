"""An ingest that dies anywhere is repaired by running again; a second run changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.core.errors import FillError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive import staging
from tests.integration.archive_world import ArchiveWorld, archive_text

if TYPE_CHECKING:
    from pathlib import Path

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
HOUR = 3600
SLICE_ROWS = 50


class DeathError(BaseException):
    """The process is gone: nothing in the code may catch this."""


@pytest.fixture
def archive(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveWorld:
    """Give an archive folder; a slice is small, so that a file of some days has many."""
    monkeypatch.setattr(staging, "BATCH_ROWS", SLICE_ROWS)
    (tmp_path / "archive").mkdir()
    return ArchiveWorld(world, tmp_path / "archive", tmp_path / "work")


@pytest.fixture
def old(archive: ArchiveWorld) -> Range:
    """Give a range past the edge, of which nothing is stored, and its file; the gap is known."""
    world = archive.world
    start = world.window(HOURLY, buckets=2000)[0]
    covered = (start, start + 320 * HOUR)
    world.store(HOURLY, (start - 10 * HOUR, world.window(HOURLY)[1]), without=[covered])
    world.run()
    archive.csv(HOURLY, (covered[0] - 5 * HOUR, covered[1] + 5 * HOUR))
    return covered


def dies_at(step: str, occurrence: int) -> Any:
    seen = {"n": 0}

    def act(name: str) -> None:
        seen["n"] += name == step
        if name == step and seen["n"] == occurrence:
            raise DeathError

    return act


CRASHES = [
    pytest.param("slice", 1, 0, id="before the first slice"),
    pytest.param("sent", 1, 45, id="after the first slice"),
    pytest.param("sent", 4, 195, id="between slices"),
    pytest.param("applied", 8, 320, id="after the last slice, before the ledger"),
]


@pytest.mark.parametrize(("step", "occurrence", "n_stored"), CRASHES)
def test_a_crash_leaves_whole_slices_and_the_next_run_does_the_rest(
    archive: ArchiveWorld, old: Range, step: str, occurrence: int, n_stored: int
) -> None:
    world = archive.world
    archive.before_step = dies_at(step, occurrence)
    with pytest.raises(DeathError):
        archive.run(path="XBTUSD_60.csv")
    archive.before_step = lambda _: None
    world.questdb.wait_applied("ohlcv")
    assert len(world.stored(HOURLY, old)) == n_stored
    assert [gap["status"] for gap in world.gaps(HOURLY)] == ["UNFILLABLE"]
    assert world.rows("SELECT * FROM archive_files") == []

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["rows_written"], done["files_ingested"], done["errors"]) == (320 - n_stored, 1, [])
    assert (done["gaps_filled"], done["total_candles_filled"]) == (1, 320)
    assert [(gap["status"], gap["filled_from"]) for gap in world.gaps(HOURLY)] == [("FILLED", "archive")]
    assert world.stored(HOURLY, old).keys() == world.truth(HOURLY, old).keys()
    assert list((archive.work_folder / "under-way").iterdir()) == []
    before = world.contents()
    again = archive.run(path="XBTUSD_60.csv")
    assert (again["files_known"], again["gaps_detected"], again["rows_written"]) == (1, 0, 0)
    assert world.contents() == before


def test_a_crash_inside_the_ledger_leaves_it_as_it_was(
    archive: ArchiveWorld, old: Range, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = archive.world
    before = world.contents()

    def dies(*_: Any, **__: Any) -> None:
        raise DeathError

    with monkeypatch.context() as patch:
        # The last statement of the transaction.
        patch.setattr("kraken_ohlcv.sources.archive.fetch.value", dies)
        with pytest.raises(DeathError):
            archive.run(path="XBTUSD_60.csv")
    after = world.contents()
    assert {name: after[name] for name in after if name != "ohlcv"} == {
        name: before[name] for name in before if name != "ohlcv"
    }

    done = archive.run(path="XBTUSD_60.csv")
    assert (done["rows_written"], done["rows_equal"], done["gaps_filled"]) == (0, 330, 1)
    assert len(world.stored(HOURLY, old)) == 320


def test_a_second_try_of_the_same_task_ends_what_the_first_began(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    run, request, items = archive.find(path="XBTUSD_60.csv")

    def fails(step: str) -> None:
        if step == "sent":
            raise QuestDBUnavailableError("the server went away")

    archive.before_step = fails
    (error,) = archive.ingest(run, request, items)
    assert isinstance(error, FillError)
    first = archive.result(run, request)
    assert first["errors"] == ["XBTUSD_60.csv: the server went away"]
    assert (first["files_failed"], first["gaps_filled"]) == (1, 0)

    archive.before_step = lambda _: None
    assert archive.ingest(run, request, items) == []
    second = archive.result(run, request)
    assert (second["files_ingested"], second["files_failed"], second["errors"]) == (1, 0, [])
    assert archive.ingest(run, request, items) == []
    assert archive.result(run, request) == second
    assert len(world.stored(HOURLY, old)) == 320


def test_a_file_whose_task_says_nothing_is_named(archive: ArchiveWorld, old: Range) -> None:
    del old
    run, request, _ = archive.find(path="XBTUSD_60.csv")
    assert archive.result(run, request)["errors"] == [
        "XBTUSD_60.csv: the task ended before it could report this file's outcome"
    ]


def test_a_dry_run_says_what_would_be_and_changes_nothing(archive: ArchiveWorld, old: Range) -> None:
    del old
    world = archive.world
    before = world.contents()
    done = archive.run(path="XBTUSD_60.csv", dry_run=True)
    assert (done["files_checked"], done["rows_written"], done["rows_equal"]) == (1, 320, 10)
    assert world.contents() == before
    assert world.rows("SELECT * FROM archive_files") == []


@pytest.mark.parametrize("place", ["folder", "server"])
def test_a_zip_replaced_after_it_was_found_is_not_taken_for_the_one_that_was(
    archive: ArchiveWorld, place: str
) -> None:
    world = archive.world
    name, span = "Kraken_OHLCVT_2026Q2.zip", (1775001600, 1775001600 + 30 * 86400)

    def publish(without: int) -> None:
        candles = list(world.truth(DAILY, span).values())[without:]
        archive.zip(name, {"XBTUSD_1440.csv": archive_text(candles)})
        defects = [{"kind": "days", "ticker": "XBTUSD", "from": span[0], "to": span[0] + without * 86400}]
        world.exchange.archive(tickers=["XBTUSD"], intervals=[1440], defects=defects)

    asked = {"path": name} if place == "folder" else {"quarter": "2026Q2"}
    publish(0)
    run, request, items = archive.find(**asked, intervals=[1440])
    publish(2)

    raised = archive.ingest(run, request, items)

    said = f"{name} was replaced after the run had found it; run again"
    assert [str(error).endswith(said) for error in raised] == [True]
    assert [said in error for error in archive.result(run, request)["errors"]] == [True]
    assert world.rows("SELECT FROM archive_files") == []
    assert archive.run(**asked, intervals=[1440])["files_ingested"] == 1
