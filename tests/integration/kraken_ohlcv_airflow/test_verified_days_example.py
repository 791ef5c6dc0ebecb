"""The documentation's consumer of verified days, on real stores: what it does with a day in each state."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.verified_day import DayKey
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv_airflow.verified import verified_day
from tests.integration.completeness.test_verified_days import D2, HOURLY, look, take_away

if TYPE_CHECKING:
    from tests.integration.world import World

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "returns_of_verified_days.py"
KEY = str(DayKey("TIER1", 60, D2))


@pytest.fixture
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of the consumer, in a world whose days are complete and published."""
    world.store(HOURLY, world.window(HOURLY))
    world.plan()
    look(world)
    monkeypatch.setenv("RETURNS_FOLDER", str(tmp_path))
    return tmp_path


def consume(key: str = KEY) -> Any:
    """Do what a run of the consumer does for a partition."""
    task = runpy.run_path(str(EXAMPLE))["compute_returns"]
    return task.function(dag_run=SimpleNamespace(partition_key=key))


def written(folder: Path) -> dict[str, Any]:
    """Return what the consumer has written of the day."""
    (file,) = folder.iterdir()
    assert file.name == f"returns-{utc(D2).date()}.json"
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def test_a_verified_day_is_computed_once_per_revision(world: World, folder: Path) -> None:
    candles = list(world.stored(HOURLY, (D2, D2 + 24 * HOUR_S)).values())
    expected = {"XBTUSD": pytest.approx(candles[-1].close / candles[0].open - 1)}
    assert consume() == expected
    assert written(folder) == {"revision": 1, "returns": expected}
    with pytest.raises(AirflowSkipException, match="revision 1 is computed already"):
        consume()


def test_a_day_that_has_lost_a_candle_since_its_event_is_left_for_its_next_revision(
    world: World, folder: Path
) -> None:
    take_away(world, D2 + 3 * HOUR_S)
    # Nobody has noticed yet, and the event is on its way.
    with pytest.raises(AirflowSkipException, match=r"2026-11-21 is no longer complete"):
        consume()
    assert list(folder.iterdir()) == []

    world.run()
    look(world)
    consume()
    assert written(folder)["revision"] == 2


def test_a_day_that_was_left_for_a_loss_is_published_again_even_if_nobody_else_saw_the_loss(
    world: World, folder: Path
) -> None:
    open_s = D2 + 3 * HOUR_S
    part = open_s, open_s + HOUR_S
    candle = world.stored(HOURLY, part)[open_s]
    take_away(world, open_s)
    with pytest.raises(AirflowSkipException, match=r"its next revision starts another run"):
        consume()
    write_candles(world.questdb, HOURLY, [candle], part)

    world.run()
    assert look(world) == {D2: (2, "repaired")}
    consume()
    assert written(folder)["revision"] == 2
    assert look(world) == {}


def test_a_day_that_changes_while_it_is_read_is_read_again(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone_afterwards(key: str) -> Any:
        found = verified_day(key)
        take_away(world, D2 + 3 * HOUR_S)
        return found

    monkeypatch.setattr("kraken_ohlcv_airflow.verified.verified_day", gone_afterwards)
    with pytest.raises(RuntimeError, match="has changed while it was read"):
        consume()
    assert list(folder.iterdir()) == []


def test_other_tiers_and_intervals_are_skipped(folder: Path) -> None:
    with pytest.raises(AirflowSkipException, match="only the hours of TIER1"):
        consume("TIER2|1440|2026-11-21")
    assert list(folder.iterdir()) == []


def test_a_reader_is_told_what_a_day_holds_and_nothing_of_a_day_that_was_never_complete(
    folder: Path,
) -> None:
    del folder
    day = verified_day(KEY)
    assert day is not None
    assert (day["key"], day["revision"], day["series"], day["candles"]) == (KEY, 1, 1, 24)
    assert verified_day("TIER1|1440|2026-11-21") is None
    assert verified_day("TIER4|60|2026-11-21") is None
    for no_key in (
        "yesterday",
        "TIER1|60|20261121",
        "tier1|60|2026-11-21",
        "TIER1|61|2026-11-21",
        "TIER1|060|2026-11-21",
    ):
        with pytest.raises(BadRequestError, match="write it like"):
            verified_day(no_key)
