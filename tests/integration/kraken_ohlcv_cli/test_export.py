"""``export`` writes what the library exports, and ends with what is missing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.export.formats import ExportFormat
from kraken_ohlcv_cli.options import Format
from tests.integration.kraken_ohlcv_cli.test_status import hole_at, keep_up
from tests.integration.trades_world import HOUR, HOURLY, store_history

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.command_line import CommandLine
    from tests.integration.world import World


def whole_months(world: World) -> int:
    """Return how many buckets lie between the first of a month and the API window."""
    window_start_s, _ = world.window(HOURLY)
    return (window_start_s - month_of(window_start_s)[0]) // HOUR


def keep_whole_months(world: World, *, without: Sequence[Range] = ()) -> None:
    """Store the hourly series from the first of a month on, and let a run see it."""
    store_history(world, HOURLY, buckets=whole_months(world), without=[])
    world.run()
    if without:
        world.questdb.query("TRUNCATE TABLE ohlcv")
        store_history(world, HOURLY, buckets=whole_months(world), without=list(without))


def test_words_are_those_of_the_exporter() -> None:
    assert {one.value for one in Format} == {str(one) for one in ExportFormat}


def test_an_export_goes_on_where_it_stands(world: World, cli: CommandLine, tmp_path: Path) -> None:
    keep_whole_months(world)
    command = ("export", str(tmp_path / "out"), "XBTUSD", "--interval", "60")

    first, again = cli(*command, "--json"), cli(*command)

    assert (first.code, again.code) == (0, 0)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    months = manifest["series"]["XBTUSD_60"]["months"]
    assert first.json["written"] == len(months)
    assert first.json["rows"] == sum(one["rows"] for one in months.values())
    assert f"0 months written, {len(months)} unchanged" in again.out


def test_only_the_forms_asked_for_are_written(world: World, cli: CommandLine, tmp_path: Path) -> None:
    keep_up(world)
    cli("export", str(tmp_path / "out"), "XBTUSD", "--interval", "60", "--format", "ledger")
    names = {file.name for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert {"manifest.json", "ledger.jsonl.gz"} <= names
    assert not [name for name in names if name.endswith((".csv", ".parquet"))]


def test_a_hole_is_exported_as_one_and_ends_with_one(world: World, cli: CommandLine, tmp_path: Path) -> None:
    keep_whole_months(world, without=[hole_at(world.window(HOURLY), hours=60, length=3)])

    done = cli("export", str(tmp_path / "out"), "XBTUSD", "--interval", "60", "--json")

    assert (done.code, done.json["holes"]["missing"]) == (1, 3)


def test_a_folder_of_somebody_else_is_left_alone(world: World, cli: CommandLine, tmp_path: Path) -> None:
    keep_up(world)
    (tmp_path / "theirs.txt").write_text("theirs")
    done = cli("export", str(tmp_path), "XBTUSD", "--interval", "60")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.txt"]
