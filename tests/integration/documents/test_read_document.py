"""The Python of docs/READ.md runs as it stands, on stores that a backfill has filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.documents import tokens

if TYPE_CHECKING:
    from local.questdb import QuestDBServer
    from tests.integration.world import World

DOCUMENT = "docs/READ.md"


def recipes() -> dict[str, str]:
    """Return the Python blocks by the heading above each."""
    found, heading, is_heading = {}, "", False
    for token in tokens(DOCUMENT):
        if token.type == "inline" and is_heading:
            heading = token.content
        is_heading = token.type == "heading_open"
        if token.type == "fence" and token.info == "python":
            assert heading not in found
            found[heading] = token.content
    return found


RECIPES = recipes()


def test_there_are_five_recipes_a_beginning_a_snapshot_and_a_price() -> None:
    assert len(RECIPES) == 8


@pytest.fixture
def kept(world: World, questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give stores with all hours and days of two pairs; the environment names them."""
    world.catalogue(["XBTUSD", "ETHUSD"])
    summary = world.run(intervals=[60, 1440])
    assert summary["gaps_unfillable"] == summary["gaps_failed"] == 0
    monkeypatch.setenv("OHLCV_CANDLES_URL", questdb_server.url())
    monkeypatch.setenv("OHLCV_LEDGER_URL", world.dsn)
    return world


def test_each_recipe_runs_as_it_stands(kept: World) -> None:
    del kept
    left: dict[str, dict[str, Any]] = {}
    for heading, code in RECIPES.items():
        left[heading] = {}
        exec(compile(code, f"{DOCUMENT}: {heading}", "exec"), left[heading])  # noqa: S102 (our own document)

    assert left["Read candles"]["hours"].height == 7 * 24
    signals = left["A frame for a backtest"]["signals"]
    assert signals.height == 21 * 24
    assert signals["close"].null_count() == 0
    closes = left["Daily closes of a tier"]["closes"]
    assert closes.columns == ["ts", "close_XBTUSD", "status_XBTUSD", "close_ETHUSD", "status_ETHUSD"]
    assert closes.height == 153
    known = left["Four hours from one, without looking ahead"]["known"]
    assert known.height == 21 * 24
    late = (
        known.filter(pl.col("available_at_4h") > pl.col("available_at"))
        if "available_at_4h" in known
        else known.clear()
    )
    assert late.height == 0
    assert left["As it was known"]["frame"].height == 21 * 24
    assert left["The price at a time"]["statement"].is_proven
    assert left["Wait until candles are complete"]["week"].height == 7 * 24
    assert left["Compare with a table of your own"]["differences"].height >= 24
