"""A spoilt CSV or zip through both stores: nothing untrue is stored, nothing that traded is proven empty.

What no reader can notice (a sound number in place of another, a row that is missing) is stored or proven with
the archive's rank only, and a walk through trades puts it right. A folder holds a spoilt file of each of many
pairs.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given

from kraken_ohlcv.core.gap import Series
from tests.archive_mutations import CSV_MUTATIONS, ROW_ONLY, ZIP_MUTATIONS, foreign_file, is_silent, untouched
from tests.integration.archive_world import archive_text
from tests.integration.batch import AROUND_S, DAY, HOUR, NOW_S, THICK, THIN, YOUNG, Batch
from tests.mutations import examples, plan_of, seeds, spoil, tally
from tests.zips import zip_bytes

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World
    from tests.mutations import Mutated

FILES: Final = [Series(ticker, 60) for ticker in [*THICK[:8], *THIN[:7], *YOUNG[:5]]]
END_S: Final = (NOW_S - 800 * HOUR) // DAY * DAY
SPAN: Final = (END_S - 144 * HOUR, END_S)
"""Whole days before the API window."""
WEAK: Final = {"archive", "archive_provisional"}


def hours(first: int, end: int) -> Range:
    """Return some hours of the span, counted from its start."""
    return SPAN[0] + first * HOUR, SPAN[0] + end * HOUR


def begin(archive: ArchiveWorld) -> Batch:
    """Make an empty folder, and a world in which each series has a hole of 30 hours, two of them quiet."""
    for folder in (archive.folder, archive.work_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    quiet = {series.ticker: [hours(50, 52), hours(90, 91)] for series in FILES}
    batch = Batch(archive.world, FILES, covered=lambda _: SPAN, quiet=quiet)
    batch.store(lambda _: [hours(40, 70)])
    return batch


def text_of(world: World, series: Series) -> bytes:
    """Return the sound file of a series that is none of the batch's."""
    return archive_text(world.truth(series, SPAN).values()).encode()


@pytest.mark.parametrize("kind", ["csv", "zip"])
@examples(1, batch=len(FILES))
@given(seed=seeds)
def test_whatever_is_done_to_a_file_only_the_truth_is_stored(
    archive: ArchiveWorld, kind: str, seed: int
) -> None:
    batch = begin(archive)
    other_pair = foreign_file("other pair's file", text_of(archive.world, Series("ATOMUSD", 60)))
    drawn: dict[Series, Mutated] = {}
    wrong: list[str] = []
    for series in FILES:
        name = f"{series.ticker}_60.csv"
        sound = archive_text(one for ts_s, one in batch.truth[series].items() if ts_s < SPAN[1]).encode()
        if kind == "csv":
            coarse = text_of(archive.world, Series(series.ticker, 240))
            foreign = [other_pair, foreign_file("other interval's file", coarse)]
            drawn[series] = spoil(sound, plan_of([*CSV_MUTATIONS, *foreign], seed, series))
            (archive.folder / name).write_bytes(drawn[series].value)
        else:
            whole = zip_bytes({name: sound, "MANIFEST.json": "{}"})
            drawn[series] = spoil(whole, plan_of(ZIP_MUTATIONS, seed, series))
            (archive.folder / f"{series.ticker}.zip").write_bytes(drawn[series].value)
        tally(f"archive {kind}, both stores", drawn[series])

    archive.run(path=".", intervals=[60])

    batch.look()
    silent = [series for series, spoilt in drawn.items() if is_silent(spoilt)]
    for series, spoilt in drawn.items():
        who = f"{series}, seed {seed}: {spoilt.names}"
        faults = batch.faults(series, of=WEAK if series in silent else ())
        wrong += [f"{who}: {fault}" for fault in faults]
        if kind == "csv" and series not in silent and set(spoilt.names) <= ROW_ONLY:
            sound = archive_text(one for ts_s, one in batch.truth[series].items() if ts_s < SPAN[1]).encode()
            lost = untouched(sound, spoilt.value) & set(batch.missing(series))
            wrong += [f"{who}: {min(lost)} was not touched, and is not stored"] if lost else []
    batch.walk(silent, around_s=AROUND_S)
    batch.look()
    for series in silent:
        who = f"{series}, seed {seed}: {drawn[series].names}"
        wrong += [f"{who}: {fault}, after the walk through trades" for fault in batch.faults(series)]
        wrong += [f"{who}: {ts_s} is missing after the walk" for ts_s in batch.missing(series)[:1]]
    assert not wrong, "\n".join(wrong)
