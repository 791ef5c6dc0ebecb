"""Somebody without the stores reads an export with the standard library alone, and finds every damage."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.export import export_candles, verify_offline
from kraken_ohlcv.stores.candle_store import read_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.damage import NOW, TIERS, histories, recount, spoil
from tests.integration.export.exports import FIGURES, lines_of, manifest_of, opened
from tests.integration.ledger_pages import proven

if TYPE_CHECKING:
    from pathlib import Path

    from local.questdb import QuestDBServer
    from tests.integration.damage import History
    from tests.integration.world import World

INTERVALS = (60, 1440)
LONG_AGO = 1_600_000_000
TWO_MINUTES_S = 120
MISSING = ("fillable", "expiring", "unfillable")


def check(folder: Path) -> tuple[int, str]:
    """Run it with nothing but the standard library; return its exit code and what it says."""
    ended = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-I", "-S", verify_offline.__file__, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=TWO_MINUTES_S,
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(*INTERVALS))
def test_an_export_of_random_damage_says_of_every_bucket_what_the_raw_rows_say(
    world: World,
    questdb_server: QuestDBServer,
    tmp_path_factory: pytest.TempPathFactory,
    history: History,
) -> None:
    spoil(world.dsn, world.questdb, history)
    folder = tmp_path_factory.mktemp("damaged") / "out"
    with opened(questdb_server, world.dsn, NOW) as stores:
        done = export_candles(folder, list(TIERS), INTERVALS, stores=stores)
    counted = 0
    for one in history.series:
        expected = recount(world.dsn, world.questdb, one.series)
        if f"{one.series.ticker}_{one.series.interval_minutes}" in done.without:
            assert expected == {}
            continue
        lines = {line["ts"]: line for line in lines_of(folder, one.series)}
        counted += len(lines)
        words = dict.fromkeys(MISSING, "missing") | {
            by: f"empty_{by}" for by in ("archive", "ohlc", "trades")
        }
        said = {ts_s: line["status"] for ts_s, line in lines.items()}
        assert {ts_s: said.get(ts_s) for ts_s in expected} == {
            ts_s: words.get(kind, kind) for ts_s, kind in expected.items()
        }
        # What else there is lies before the series' start, in the same month: never loaded, but for proofs.
        with connect(world.dsn) as connection:
            stretches = proven(connection, one.series)
        assert {ts_s: said[ts_s] for ts_s in said.keys() - expected.keys()} == {
            ts_s: next((f"empty_{by}" for start, end, by in stretches if start <= ts_s < end), "missing")
            for ts_s in range(min(lines), min(expected), one.series.interval_minutes * 60)
        }
        candles = read_candles(world.questdb, one.series, (LONG_AGO, NOW))
        for ts_s, candle in candles.items():
            if ts_s in expected:
                assert {name: float.fromhex(lines[ts_s][name]) for name in FIGURES} == {
                    name: getattr(candle, name) for name in FIGURES
                }
    code, text = check(folder)
    assert (code, counted) == (0, done.buckets), text


@pytest.fixture
def export(world: World, questdb_server: QuestDBServer, tmp_path: Path) -> Path:
    """Give an export of three days of hours with a hole."""
    series = Series("XBTUSD", 60)
    start_s, end_s = world.window(series, buckets=72)
    world.store(series, (start_s, end_s), without=[(start_s + 36_000, start_s + 39_600)])
    with opened(questdb_server, world.dsn, world.exchange.now_s()) as stores:
        export_candles(tmp_path / "out", "XBTUSD", 60, stores=stores)
    return tmp_path / "out"


def month_folder(folder: Path) -> Path:
    """Return the folder of the newest month."""
    return sorted(one for one in (folder / "XBTUSD_60").iterdir())[-1]


def test_a_whole_export_is_found_whole(export: Path) -> None:
    code, text = check(export)
    assert (code, text.splitlines()[-1]) == (0, "whole")


@pytest.mark.parametrize("name", ["ledger.jsonl.gz", "candles.parquet", "XBTUSD_60.incomplete.csv"])
@pytest.mark.parametrize(
    ("way", "said"),
    [("gone", "cannot be read: No such file"), ("cut off", "holds"), ("a bit flipped", "holds")],
)
def test_any_damaged_file_is_found(export: Path, name: str, way: str, said: str) -> None:
    path = month_folder(export) / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if way == "cut off":
        path.write_bytes(data[:-1])
    elif way == "a bit flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    code, text = check(export)
    assert code == 1
    assert f"{name}: {said}" in text


def test_a_candle_changed_together_with_the_hash_of_its_file_is_still_found(export: Path) -> None:
    path = month_folder(export) / "ledger.jsonl.gz"
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b'"missing"', b'"pending"', 1)))
    manifest = json.dumps(manifest_of(export))
    month = list(manifest_of(export)["series"]["XBTUSD_60"]["months"].values())[-1]
    new = hashlib.sha256(path.read_bytes()).hexdigest()
    (export / "manifest.json").write_text(
        manifest.replace(month["files"]["ledger"]["sha256"], new), encoding="utf-8"
    )
    code, said = check(export)
    assert code == 1
    assert "lines_sha256 is" in said
    assert "holes is {'missing'" in said
