"""A spoilt CSV or zip through both stores: nothing untrue is stored, nothing that traded is proven empty.

What no reader can notice (a sound number in place of another, a row that is missing) is stored or proven with
the archive's rank only, and a walk through trades puts it right.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from tests.archive_mutations import CSV_MUTATIONS, ZIP_MUTATIONS, foreign_file, is_silent
from tests.conftest import EXCHANGE_NOW
from tests.integration.archive_world import ArchiveWorld, archive_text
from tests.mutations import Mutated, examples, mutated, tally
from tests.zips import zip_bytes

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY, OTHER = Series("XBTUSD", 60), Series("ETHUSD", 60)
HOUR, DAY = 3600, 86400
HOURS: Final = 144
WEAK: Final = {"archive", "archive_provisional"}


def covered(world: World) -> Range:
    """Return whole days before the API window."""
    end = (world.window(HOURLY, buckets=800)[0]) // DAY * DAY
    return end - HOURS * HOUR, end


def begin(archive: ArchiveWorld) -> Range:
    """Make a world with a hole of 30 hours, two of them quiet; return the range of the file."""
    world = archive.world
    world.clear(["XBTUSD"], clock=EXCHANGE_NOW)
    for folder in (archive.folder, archive.work_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    span = covered(world)
    start = span[0]
    world.exchange.quiet("XBTUSD", start + 50 * HOUR, start + 52 * HOUR)
    world.exchange.quiet("XBTUSD", start + 90 * HOUR, start + 91 * HOUR)
    world.store(HOURLY, (start, world.window(HOURLY)[1]), without=[(start + 40 * HOUR, start + 70 * HOUR)])
    return span


def figures(candle: StoredCandle) -> tuple[float, ...]:
    """Return what a file of the archive says of a candle; sums of volumes have noise."""
    return (candle.open, candle.high, candle.low, candle.close, round(candle.volume, 6), candle.trades)


def assert_right(archive: ArchiveWorld, span: Range, spoilt: Mutated) -> None:
    """Check stores and ledger against the truth; after a silent mutation, once trades were walked through."""
    world = archive.world
    truth, stored = world.truth(HOURLY, span), world.stored(HOURLY, span)
    if is_silent(spoilt):
        wrong = {ts for ts in stored if ts not in truth or figures(stored[ts]) != figures(truth[ts])}
        assert {stored[ts].source for ts in wrong} <= WEAK
        days = {"start": iso(span[0])[:10], "end": iso(span[1])[:10]}
        done = world.run(repair_from=["trades"], repair_range=days, trades_call_budget=1000)
        assert done["errors"] == []
        stored = world.stored(HOURLY, span)
        assert stored.keys() >= truth.keys()
    there = stored.keys() & truth.keys()
    assert {ts: figures(stored[ts]) for ts in there} == {ts: figures(truth[ts]) for ts in there}
    if not is_silent(spoilt):
        assert there == stored.keys()
    assert ranges.intersect(world.proven(HOURLY), ranges.from_points(truth, step=HOUR)) == []


def ingest(archive: ArchiveWorld) -> dict[str, Any]:
    """Take in what is in the folder; the only errors are typed."""
    try:
        return archive.run(path=".", intervals=[60])
    except ArchiveRefusedError as error:
        return {"errors": [str(error)]}


@pytest.mark.parametrize("kind", ["csv", "zip"])
@examples(5)
@given(data=st.data())
def test_whatever_is_done_to_a_file_only_the_truth_is_stored(
    archive: ArchiveWorld, kind: str, data: DataObject
) -> None:
    span = begin(archive)
    sound = archive_text(archive.world.truth(HOURLY, span).values()).encode()
    if kind == "csv":
        foreign = [
            foreign_file(name, archive_text(archive.world.truth(series, span).values()).encode())
            for name, series in (
                ("other pair's file", OTHER),
                ("other interval's file", Series("XBTUSD", 240)),
            )
        ]
        spoilt = data.draw(mutated(sound, [*CSV_MUTATIONS, *foreign]))
        (archive.folder / "XBTUSD_60.csv").write_bytes(spoilt.value)
    else:
        spoilt = data.draw(mutated(zip_bytes({"XBTUSD_60.csv": sound, "MANIFEST.json": "{}"}), ZIP_MUTATIONS))
        (archive.folder / "x.zip").write_bytes(spoilt.value)
    tally(f"archive {kind}, both stores", spoilt)

    ingest(archive)

    assert_right(archive, span, spoilt)
