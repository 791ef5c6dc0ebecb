"""Whose candles a file holds is asked before anything of it is stored or believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.errors import FillRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.candle_store import write_candles
from tests.integration.archive_world import ArchiveWorld, archive_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY, DAILY, QUARTERS = Series("XBTUSD", 60), Series("XBTUSD", 1440), Series("XBTUSD", 15)
HOUR, DAY = 3600, 86400


@pytest.fixture
def old(world: World) -> Range:
    """Give a range past the edge, on the grid of days."""
    start = world.window(DAILY, buckets=90)[0]
    return start, start + 240 * HOUR


def scaled(candles: Iterable[StoredCandle], factor: float) -> list[StoredCandle]:
    """Return the candles of another quote currency, as it were."""
    return [
        replace(
            one,
            open=one.open * factor,
            high=one.high * factor,
            low=one.low * factor,
            close=one.close * factor,
        )
        for one in candles
    ]


def foreign_file(archive: ArchiveWorld, covered: Range, factor: float, series: Series = HOURLY) -> None:
    """Write a file whose prices are those of another series."""
    truth = archive.world.truth(series, covered).values()
    path = archive.folder / f"{series.ticker}_{series.interval_minutes}.csv"
    path.write_text(archive_text(scaled(truth, factor)), encoding="ascii")


def put(world: World, series: Series, covered: Range, *, source: str) -> None:
    """Store the exchange's candles as those of a source."""
    candles = [replace(one, source=source) for one in world.truth(series, covered).values()]
    write_candles(world.questdb, series, candles, covered)


def assert_untouched(archive: ArchiveWorld, before: dict[str, list[Any]], done: dict[str, Any]) -> None:
    """Assert that a refused file has left no trace."""
    assert (done["files_refused"], done["files_ingested"], done["rows_written"]) == (1, 0, 0)
    assert [type(error) for error in done["raised"]] == [FillRefusedError]
    after = archive.world.contents()
    assert after["ohlcv"] == before["ohlcv"]
    assert (after["coverage_changes"], after["gap_records"]) == (
        before["coverage_changes"],
        before["gap_records"],
    )
    assert archive.world.rows("SELECT * FROM archive_files") == []


@pytest.mark.parametrize("factor", [1.0008, 0.92, 3.0], ids=str)
def test_a_file_of_another_quote_currency_is_refused_before_anything_is_stored(
    archive: ArchiveWorld, old: Range, factor: float
) -> None:
    world = archive.world
    stored = (old[0], old[0] + 200 * HOUR)
    world.store(HOURLY, stored)
    world.run()
    before = world.contents()
    foreign_file(archive, old, factor)

    done = archive.run(path="XBTUSD_60.csv")

    assert_untouched(archive, before, done)
    (error,) = done["errors"]
    assert "200 of the 200 candles" in error
    assert "100% in the close" in error
    assert '"trust": "file"' in error
    assert archive.run(path="XBTUSD_60.csv", dry_run=True)["files_refused"] == 1


@pytest.mark.parametrize(
    ("n_wrong", "is_refused"),
    [pytest.param(4, False, id="2 % differ"), pytest.param(5, True, id="a candle more than 2 % differ")],
)
def test_a_few_restated_candles_make_no_file_foreign(
    archive: ArchiveWorld, old: Range, n_wrong: int, is_refused: bool
) -> None:
    world = archive.world
    truth = world.truth(HOURLY, old)
    stored = list(truth.values())[:200]
    stored[:n_wrong] = [replace(one, trades=one.trades + 1) for one in stored[:n_wrong]]
    write_candles(world.questdb, HOURLY, stored, old)
    archive.csv(HOURLY, old)

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["files_refused"], done["files_ingested"]) == (int(is_refused), int(not is_refused))
    if not is_refused:
        assert done["files"][0]["identified_by"] == "stored candles"


@pytest.mark.parametrize("source", ["imported", "archive_provisional"])
def test_candles_that_nothing_has_identified_refuse_no_file(
    archive: ArchiveWorld, old: Range, source: str
) -> None:
    world = archive.world
    wrong = [replace(one, source=source) for one in scaled(world.truth(HOURLY, old).values(), 1.0008)]
    write_candles(world.questdb, HOURLY, wrong, old)
    archive.csv(HOURLY, old)

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["files_ingested"], done["errors"]) == (1, [])
    assert done["files"][0]["identified_by"] == "candles of the exchange"
    truth, stored = world.truth(HOURLY, old), world.stored(HOURLY, old)
    right = [ts_s for ts_s in truth if ts_s < old[1] - DAY]
    assert len(right) == 216
    for ts_s in right:
        assert (stored[ts_s].close, stored[ts_s].source) == (truth[ts_s].close, "archive")


@pytest.mark.parametrize("factor", [1.0008, 0.92], ids=str)
@pytest.mark.parametrize(
    ("hours", "calls"),
    [
        pytest.param((100, 160), ["OHLC"], id="over a hole of sixty hours"),
        pytest.param((-300, 0), ["OHLC"], id="older than all that is stored"),
        pytest.param((-18000, -17940), ["Trades"], id="two years older, and shorter than a week"),
    ],
)
def test_where_nothing_stored_can_be_compared_the_exchange_is_asked_once_and_refuses(
    archive: ArchiveWorld, old: Range, hours: tuple[int, int], calls: list[str], factor: float
) -> None:
    world = archive.world
    covered = (old[0] + hours[0] * HOUR, old[0] + hours[1] * HOUR)
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]), without=[covered])
    world.run()
    before = world.contents()
    foreign_file(archive, covered, factor)
    made = len(world.exchange.calls("OHLC")), len(world.exchange.calls("Trades"))

    done = archive.run(path="XBTUSD_60.csv")

    assert_untouched(archive, before, done)
    assert "candles of the exchange" in done["errors"][0]
    now_made = len(world.exchange.calls("OHLC")), len(world.exchange.calls("Trades"))
    assert tuple(b - a for a, b in zip(made, now_made, strict=True)) == (
        calls.count("OHLC"),
        calls.count("Trades"),
    )


@pytest.mark.parametrize(
    "hours",
    [(100, 160), (-300, 0), (-18000, -17940)],
    ids=["over a hole", "older than all", "two years older, and shorter than a week"],
)
def test_the_true_file_is_identified_by_the_exchange(
    archive: ArchiveWorld, old: Range, hours: tuple[int, int]
) -> None:
    world = archive.world
    covered = (old[0] + hours[0] * HOUR, old[0] + hours[1] * HOUR)
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]), without=[covered])
    archive.csv(HOURLY, covered)

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["errors"], done["files_unverified"]) == ([], [])
    assert done["files"][0]["identified_by"] == "candles of the exchange"
    assert {one.source for one in world.stored(HOURLY, (covered[0], covered[1] - DAY)).values()} == {
        "archive"
    }


@pytest.mark.parametrize("other", [DAILY, QUARTERS], ids=["longer", "shorter"])
@pytest.mark.parametrize("factor", [1.0, 1.0008], ids=["the true file", "a foreign file"])
def test_another_interval_of_the_pair_identifies_or_refuses(
    archive: ArchiveWorld, old: Range, other: Series, factor: float
) -> None:
    world = archive.world
    covered = (old[0], old[0] + 12 * DAY)
    put(world, other, covered, source="archive")
    foreign_file(archive, covered, factor)

    done = archive.run(path="XBTUSD_60.csv")

    assert world.exchange.calls("OHLC") == world.exchange.calls("Trades") == []
    if factor == 1.0:
        assert done["files"][0]["identified_by"] == "stored candles of other intervals"
    else:
        assert (done["files_refused"], world.stored(HOURLY, covered)) == (1, {})
        assert "stored candles of other intervals" in done["errors"][0]


def test_a_file_whose_prices_break_off_at_both_ends_is_refused_although_nobody_can_be_asked(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    hole = (old[0] + 100 * HOUR, old[0] + 160 * HOUR)
    world.store(HOURLY, old, without=[hole])
    world.exchange.set_pair("XBTUSD", "delisted")
    before = world.contents()
    foreign_file(archive, hole, 0.8)

    done = archive.run(path="XBTUSD_60.csv")

    assert_untouched(archive, before, done)
    assert "do not go on where those stored beside it end" in done["errors"][0]


def kinds(world: World) -> list[str]:
    """Return what is known to be wrong with the hourly file."""
    found = world.rows("SELECT kind FROM archive_findings WHERE interval_minutes = 60 ORDER BY kind")
    return [row["kind"] for row in found]


def unverified(archive: ArchiveWorld, covered: Range, factor: float) -> dict[str, Any]:
    """Take in a file of a pair that the exchange no longer knows."""
    archive.world.exchange.set_pair("XBTUSD", "delisted")
    foreign_file(archive, covered, factor)
    return archive.run(path="XBTUSD_60.csv")


@pytest.mark.parametrize("factor", [1.0, 1.0008], ids=["true", "foreign"])
def test_a_file_that_nothing_can_be_compared_with_is_provisional_proves_nothing_and_is_named(
    archive: ArchiveWorld, old: Range, factor: float
) -> None:
    world = archive.world
    world.exchange.quiet("XBTUSD", old[0] + 50 * HOUR, old[0] + 53 * HOUR)

    done = unverified(archive, old, factor)

    assert (done["files_ingested"], done["errors"]) == (1, [])
    assert done["files_unverified"] == ["XBTUSD_60.csv"]
    assert {one.source for one in world.stored(HOURLY, old).values()} == {"archive_provisional"}
    assert world.proven(HOURLY) == []
    (file,) = world.rows("SELECT * FROM archive_files")
    assert file["identified_by"] is None
    assert kinds(world) == ["busy_hole", "unidentified"]


def test_an_unverified_file_replaces_nothing(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    first = (old[0], old[0] + 9 * HOUR)
    imported = [replace(one, trades=1, source="imported") for one in world.truth(HOURLY, first).values()]
    write_candles(world.questdb, HOURLY, imported, first)

    done = unverified(archive, old, 1.0)

    assert done["candles_corrected"] == 0
    assert list(world.stored(HOURLY, first).values()) == imported


def test_an_unverified_file_is_judged_at_the_first_overlap(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    world.exchange.quiet("XBTUSD", old[0] + 50 * HOUR, old[0] + 53 * HOUR)
    unverified(archive, old, 1.0)
    put(world, HOURLY, (old[0], old[0] + 40 * HOUR), source="trades")

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["files_ingested"], done["files_known"], done["files_unverified"]) == (1, 0, [])
    later = world.stored(HOURLY, (old[0] + 40 * HOUR, old[1] - DAY))
    assert {one.source for one in later.values()} == {"archive"}
    assert archive.run(path="XBTUSD_60.csv")["files_known"] == 1


def test_an_unverified_file_that_turns_out_foreign_is_refused_at_the_first_overlap(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    unverified(archive, old, 1.0008)
    put(world, HOURLY, (old[0], old[0] + 40 * HOUR), source="trades")

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["files_refused"], done["files_ingested"]) == (1, 0)
    assert "40 of the 40 candles" in done["errors"][0]
    assert kinds(world) == ["other_series"]


@pytest.mark.parametrize("factor", [1.0, 1.0008], ids=["true", "foreign"])
def test_an_unverified_file_is_judged_by_the_next_run_when_another_interval_has_come(
    archive: ArchiveWorld, old: Range, factor: float
) -> None:
    world = archive.world
    covered = (old[0], old[0] + 14 * DAY)
    unverified(archive, covered, factor)
    put(world, DAILY, covered, source="trades")
    archive.csv(DAILY, covered)

    done = archive.run(path="XBTUSD_1440.csv", intervals=[1440])

    inner = {one.source for one in world.stored(HOURLY, (covered[0], covered[1] - DAY)).values()}
    (file,) = world.rows("SELECT identified_by FROM archive_files WHERE interval_minutes = 60")
    if factor == 1.0:
        assert (inner, file["identified_by"]) == ({"archive"}, "stored candles of other intervals")
        last = {one.source for one in world.stored(HOURLY, (covered[1] - DAY, covered[1])).values()}
        assert last == {"archive_provisional"}
        assert done["warnings"] == []
        assert kinds(world) == []
    else:
        assert (inner, file["identified_by"]) == ({"archive_provisional"}, None)
        (warning,) = done["warnings"]
        assert warning.startswith("XBTUSD_60.csv was ingested as provisional")
        assert kinds(world) == ["other_series", "unidentified"]


def test_a_file_that_is_trusted_replaces_what_differs_and_all_of_it_is_logged(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    wrong = scaled(world.truth(HOURLY, old).values(), 1.0008)
    wrong[3] = replace(wrong[3], source="trades", trades=10**6)
    write_candles(world.questdb, HOURLY, wrong, old)
    archive.csv(HOURLY, old)
    assert archive.run(path="XBTUSD_60.csv")["files_refused"] == 1
    dry = archive.run(path="XBTUSD_60.csv", trust="file", dry_run=True)
    assert (dry["candles_corrected"], world.stored(HOURLY, old)[wrong[0].ts_s]) == (240, wrong[0])

    done = archive.run(path="XBTUSD_60.csv", trust="file")

    assert (done["candles_corrected"], done["errors"]) == (240, [])
    truth, stored = world.truth(HOURLY, old), world.stored(HOURLY, old)
    assert all(stored[ts_s].close == truth[ts_s].close for ts_s in truth)
    assert all(one.vwap is None or one.low <= one.vwap <= one.high for one in stored.values())
    logged = world.rows("SELECT * FROM candle_restatements WHERE applied_at IS NOT NULL")
    assert len(logged) == 240


def test_a_zip_whose_published_checksum_fits_is_identified_by_its_name(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    members = {"XBTUSD_60.csv": archive_text(world.truth(HOURLY, old).values())}
    path = archive.zip("Kraken_OHLCVT_2026Q3.zip", members)
    sums = path.with_name("Kraken_OHLCVT_2026Q3_SHA256SUMS.txt")
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")

    done = archive.run(path=path.name, intervals=[60])

    assert done["files"][0]["identified_by"] == "its name, as it was published"
    assert world.exchange.calls("OHLC") == []
    assert {one.source for one in world.stored(HOURLY, old).values()} == {"archive"}


def test_a_published_file_is_refused_when_what_is_stored_contradicts_it(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    world.store(HOURLY, old)
    members = {"XBTUSD_60.csv": archive_text(scaled(world.truth(HOURLY, old).values(), 1.0008))}
    path = archive.zip("Kraken_OHLCVT_2026Q3.zip", members)
    sums = path.with_name("Kraken_OHLCVT_2026Q3_SHA256SUMS.txt")
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    assert archive.run(path=path.name, intervals=[60])["files_refused"] == 1
