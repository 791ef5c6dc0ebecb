"""The wheel without Airflow: what it brings by itself reads, exports and says what is complete."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.core.times import iso
from tests.environments import install, python_with
from tests.integration.trades_world import HOURLY, store_history
from tests.integration.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin

pytestmark = pytest.mark.development

READ = """
from kraken_ohlcv import complete_until, read_candles
frame = read_candles("XBTUSD", 60, {start!r}, {end!r})
assert frame["status"].unique().to_list() == ["stored"], frame
print(frame.height, complete_until("XBTUSD", 60))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Give the scripts' folder of an environment with the wheel and what it says it needs."""
    with zipfile.ZipFile(wheel) as opened:
        (metadata,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        needed = Parser().parsestr(opened.read(metadata).decode()).get_all("Requires-Dist", [])
    folder = tmp_path_factory.mktemp("alone")
    python = python_with(folder, needed)
    install(python, wheel)
    return python.parent


@pytest.fixture
def stores(
    exchange: ExchangeAdmin,
    kraken_conn: str,
    ledger_uri: str,
    candle_table: str,
    questdb_server: QuestDBServer,
) -> tuple[World, dict[str, str]]:
    """Give a world with a complete API window, and the environment that names its stores."""
    del kraken_conn, candle_table
    world = World(exchange, ledger_uri)
    store_history(world, HOURLY, buckets=0, without=[])
    world.run()
    return world, {CANDLES_URL_ENV: questdb_server.url(), LEDGER_URL_ENV: ledger_uri}


def run(program: Path, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a bare environment."""
    return subprocess.run(  # noqa: S603 (of our tests)
        [str(program), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON that a command has printed."""
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


def test_airflow_is_not_there_and_its_commands_say_what_they_need(alone: Path, tmp_path: Path) -> None:
    found = run(alone / "python", "-c", "import airflow", cwd=tmp_path)
    assert "ModuleNotFoundError" in found.stderr
    for command in (["set-up", "stores"], ["set-up", "users"], ["import-celery", "mapping.yaml"]):
        done = run(alone / "kraken-ohlcv", *command, cwd=tmp_path)
        assert done.returncode == 2
        assert "install kraken-ohlcv-airflow[airflow]" in done.stderr


def test_it_says_what_is_complete(alone: Path, stores: tuple[World, dict[str, str]], tmp_path: Path) -> None:
    _, variables = stores
    for command in ("kraken-ohlcv", "python"):
        module = ("-m", "kraken_ohlcv_cli") if command == "python" else ()
        done = run(
            alone / command, *module, "status", "--interval", "60", "--json", cwd=tmp_path, **variables
        )
        assert (done.returncode, answer(done)["is_complete"]) == (0, True)


def test_it_checks_the_configuration_and_prices_a_repair(
    alone: Path, stores: tuple[World, dict[str, str]], tmp_path: Path
) -> None:
    _, variables = stores
    checked = run(alone / "kraken-ohlcv", "config", "check", "--json", cwd=tmp_path, **variables)
    assert answer(checked)["is_good"]
    plan = run(alone / "kraken-ohlcv", "plan", "--interval", "60", "--json", cwd=tmp_path, **variables)
    assert answer(plan)["series_complete"] == 1


def test_it_reads_candles_in_python_and_on_the_command_line(
    alone: Path, stores: tuple[World, dict[str, str]], tmp_path: Path
) -> None:
    world, variables = stores
    window = world.window(HOURLY)
    start, end = iso(window[0]), iso(window[1])
    truth = world.truth(HOURLY, window)

    done = run(alone / "python", "-c", READ.format(start=start, end=end), cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == str(len(truth))

    command = ("read", "XBTUSD", "--interval", "60", "--from", start, "--to", end, "--out", "candles.csv")
    done = run(alone / "kraken-ohlcv", *command, cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    header, *lines = (tmp_path / "candles.csv").read_text().splitlines()
    closes = [float(line.split(",")[header.split(",").index("close")]) for line in lines]
    assert closes == [candle.close for candle in truth.values()]


def test_it_exports_and_goes_on_with_an_export(
    alone: Path, stores: tuple[World, dict[str, str]], tmp_path: Path
) -> None:
    _, variables = stores
    command = ("export", "out", "XBTUSD", "--interval", "60", "--json")
    first = answer(run(alone / "kraken-ohlcv", *command, cwd=tmp_path, **variables))
    again = answer(run(alone / "kraken-ohlcv", *command, cwd=tmp_path, **variables))
    assert first["rows"] > 0
    assert (first["written"], first["unchanged"]) == (again["unchanged"], again["written"])
    assert (tmp_path / "out" / "manifest.json").is_file()
