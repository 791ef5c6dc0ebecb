"""``price`` states what a series cost at a time, and ends with 1 when that is not proven."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kraken_ohlcv.core.times import iso
from tests.integration.kraken_ohlcv_cli.test_status import hole_at, keep_up, lose
from tests.integration.trades_world import HOURLY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line import CommandLine
    from tests.integration.world import World

HOUR = 3600


def test_text_json_and_files_say_the_same_and_a_hole_ends_with_1_and_its_cure(
    world: World, cli: CommandLine, tmp_path: Path
) -> None:
    window = keep_up(world)
    at_s = window[1] - 50 * HOUR + 60
    before, around = at_s - 60 - HOUR, at_s - 60
    truth = world.truth(HOURLY, window)
    asked = ("price", "xbtusd", f"{iso(at_s)}Z", "--interval", "60")

    told = cli(*asked, "--out", str(tmp_path / "price.json"))
    as_json = cli(*asked, "--json", "--out", str(tmp_path / "price.txt"))

    assert (told.code, as_json.code) == (0, 0), told.err
    statement = as_json.json
    assert (statement["price"], statement["is_proven"]) == (truth[before].close, True)
    assert (statement["candle"]["from"], statement["candle"]["to"]) == (f"{iso(before)}Z", f"{iso(around)}Z")
    assert statement["candle"]["candle"]["source"] == "ohlc"
    assert statement["containing"]["candle"]["close"] == truth[around].close
    assert f"price       {truth[before].close!r}" in told.out
    kept = json.loads((tmp_path / "price.json").read_text())
    moments = {kept.pop("as_of"), statement.pop("as_of")}
    assert (kept, len(moments)) == (statement, 2)
    assert "price       " in (tmp_path / "price.txt").read_text()

    lose(world, hole_at(window, hours=52, length=2))
    unproven = cli(*asked)

    assert unproven.code == 1
    assert "price       not proven" in unproven.out
    assert f"2 buckets missing from {iso(before - HOUR)}" in unproven.out


def test_what_cannot_be_asked_is_wrong_usage(world: World, cli: CommandLine, tmp_path: Path) -> None:
    keep_up(world)
    asked = ("price", "XBTUSD", "2026-11-20T12:00Z", "--interval", "60")
    for arguments, said in (
        ((*asked, "--out", str(tmp_path / "price.html")), "name it .json or .txt"),
        ((*asked, "--as-of", "2026-11-21", "--snapshot", "one"), "give --as-of or --snapshot"),
        (("price", "XBTUSD", "2036-11-20", "--interval", "60"), "is in the future"),
    ):
        done = cli(*arguments)
        assert (done.code, said in done.err) == (2, True), done.err
    assert list(tmp_path.iterdir()) == []
