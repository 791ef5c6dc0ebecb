"""``read`` hands candles out as they are, in every form, and never over a hole."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, get_args

import polars as pl
import pytest

from kraken_ohlcv.core.times import iso
from kraken_ohlcv.reader import shape
from kraken_ohlcv_cli import options
from tests.integration.kraken_ohlcv_cli.test_status import hole_at, keep_up, lose
from tests.integration.trades_world import HOURLY, store_history

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line import CommandLine
    from tests.integration.world import World

ONE = ("read", "XBTUSD", "--interval", "60")


def test_words_are_those_of_the_reader() -> None:
    assert get_args(options.OnMissing) == get_args(shape.OnMissing)
    assert get_args(options.Empty) == get_args(shape.Empty)


def test_every_form_has_every_candle_bit_by_bit(world: World, cli: CommandLine, tmp_path: Path) -> None:
    window = keep_up(world)
    truth = world.truth(HOURLY, window)
    span = ("--from", iso(window[0]), "--to", iso(window[1]))

    text = cli(*ONE, *span)
    for suffix in ("csv", "parquet", "json"):
        assert cli(*ONE, *span, "--out", str(tmp_path / f"candles.{suffix}")).code == 0

    rows = list(csv.DictReader(io.StringIO(text.out)))
    closes = [one.close for one in truth.values()]
    assert text.code == 0
    assert [float(row["close"]) for row in rows] == closes
    assert [row["ts"] for row in rows] == [f"{iso(ts_s)}Z" for ts_s in truth]
    assert (tmp_path / "candles.csv").read_text() == text.out
    frame = pl.read_parquet(tmp_path / "candles.parquet")
    assert frame["close"].to_list() == closes
    lines = json.loads((tmp_path / "candles.json").read_text())
    assert [one["close"] for one in lines] == closes
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "candles.csv",
        "candles.json",
        "candles.parquet",
    ]


def test_a_hole_ends_the_command_with_its_cure_and_writes_no_file(
    world: World, cli: CommandLine, tmp_path: Path
) -> None:
    window = keep_up(world)
    hole = hole_at(window, hours=60, length=3)
    lose(world, hole)
    out = tmp_path / "candles.csv"

    done = cli(*ONE, "--out", str(out))
    as_json = cli(*ONE, "--json")

    assert (done.code, done.out, out.exists()) == (1, "", False)
    assert f"3 buckets missing from {iso(hole[0])} to {iso(hole[1])}" in done.err
    (found,) = as_json.json["holes"]
    assert (found["start_s"], found["end_s"], found["buckets"]) == (*hole, 3)


def test_a_hole_that_is_allowed_is_marked_or_left_out(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    lose(world, hole_at(window, hours=60, length=3))
    span = ("--from", iso(window[0]), "--to", iso(window[0] + 700 * 3600))

    marked = cli(*ONE, *span, "--on-missing", "mark", "--json").json
    dropped = cli(*ONE, *span, "--on-missing", "drop", "--json").json

    assert sum(one["status"] == "missing" for one in marked) == 3
    assert {one["close"] for one in marked if one["status"] == "missing"} == {None}
    assert len(marked) - len(dropped) == 3


def test_an_old_file_stays_when_the_read_fails(world: World, cli: CommandLine, tmp_path: Path) -> None:
    window = keep_up(world)
    lose(world, hole_at(window, hours=60, length=3))
    out = tmp_path / "candles.csv"
    out.write_text("before")
    assert cli(*ONE, "--out", str(out)).code == 1
    assert out.read_text() == "before"


def test_several_tickers_side_by_side(world: World, cli: CommandLine) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    window = keep_up(world)
    span = ("--from", iso(window[0]), "--to", iso(window[0] + 48 * 3600))
    done = cli("read", "XBTUSD", "ETHUSD", "-i", "60", *span, "--wide", "--column", "close", "--json")
    assert done.code == 0, done.err
    assert {"close_XBTUSD", "close_ETHUSD"} <= set(done.json[0])


def test_people_get_both_ends_of_a_long_table(world: World, cli: CommandLine) -> None:
    window = store_history(world, HOURLY, buckets=0, without=[])
    world.run()
    done = cli(*ONE, "--from", iso(window[0]), "--format", "table")
    assert "720 rows" in done.out
    assert "..." in done.out
    assert len(done.out.splitlines()) < 60


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(["--out", "candles.xlsx"], "name it .csv, .parquet or .json", id="suffix"),
        pytest.param(["--format", "parquet"], "name a file with --out", id="parquet without a file"),
        pytest.param(["--format", "table", "--out", "a.csv"], "a table goes to the terminal", id="table"),
        pytest.param(["--column", "price"], "column 'price' is not one of", id="no column"),
        pytest.param(["--from", "yesterday"], "'yesterday'", id="no time"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(
    world: World, cli: CommandLine, options: list[str], sentence: str
) -> None:
    keep_up(world)
    done = cli(*ONE, *options)
    assert (done.code, sentence in done.err) == (2, True), done.err


def test_a_folder_that_is_not_there_is_named(world: World, cli: CommandLine, tmp_path: Path) -> None:
    keep_up(world)
    done = cli(*ONE, "--out", str(tmp_path / "nowhere" / "candles.csv"))
    assert done.code == 2
    assert f"there is no folder '{tmp_path / 'nowhere'}'; make it first" in " ".join(done.err.split())
