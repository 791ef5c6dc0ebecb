"""``config check`` names every fault with its cure: in the plan of what is kept, and in both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table
from local.questdb import start_questdb
from tests.integration.command_line import only_reads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.questdb import QuestDBServer
    from tests.integration.command_line import CommandLine
    from tests.integration.world import World

CHECK = ("config", "check", "--json")
LINE = "assets: [{ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}]\n"


def wrong(cli: CommandLine, *options: str) -> list[tuple[str, str]]:
    """Return what is wrong, after a look at the exit code."""
    done = cli(*CHECK, *options)
    found = [(one["about"], one["said"]) for one in done.json["checks"] if not one["is_good"]]
    assert (done.code, done.json["is_good"]) == (1 if found else 0, not found)
    return found


def test_the_shipped_plan_and_fresh_stores_are_good(world: World, cli: CommandLine) -> None:
    del world
    done = cli(*CHECK)
    assert done.code == 0
    assert [one["about"] for one in done.json["checks"]] == ["plan", "ledger", "candles"]


def test_without_urls_only_the_plan_is_checked(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CANDLES_URL_ENV, LEDGER_URL_ENV, "AIRFLOW_CONN_QUESTDB_DEFAULT"):
        monkeypatch.delenv(name)
    done = cli(*CHECK)
    assert done.code == 0
    assert "not checked" in done.json["checks"][-1]["said"]


def test_mistakes_in_the_plan_are_named_with_their_lines(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "assets.yaml"
    file.write_text(
        "assets:\n"
        "  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n"
        "  - {ticker: XBT/EUR, base: BTC, quote: EUR, tier: TIER1}\n"
        "  - {ticker: ETHUSD, base: ETH, quote: USD, tier: TIER9}\n"
    )
    found = wrong(cli, "--assets-file", str(file))
    assert [about for about, _ in found] == ["plan", "plan"]
    assert "line 3" in found[0][1]
    assert "line 4" in found[1][1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(f"{LINE}tiers: {{TIER1: {{schedule: nonsense}}}}\n", "line 2", id="schedule"),
        pytest.param("assets: [", "not YAML", id="no YAML"),
        pytest.param(None, "set OHLCV_ASSETS_FILE", id="no file"),
    ],
)
def test_a_plan_that_cannot_be_read_is_named_with_its_cure(
    cli: CommandLine, tmp_path: Path, text: str | None, sentence: str
) -> None:
    file = tmp_path / "assets.yaml"
    if text is not None:
        file.write_text(text)
    ((about, said),) = wrong(cli, "--assets-file", str(file))
    assert (about, sentence in said) == ("plan", True), said


def test_a_candle_table_that_loses_candles_is_named_with_its_cure(world: World, cli: CommandLine) -> None:
    world.questdb.query("ALTER TABLE ohlcv SET TTL 1 MONTH")
    ((about, said),) = wrong(cli)
    assert about == "candles"
    assert "run ALTER TABLE ohlcv SET TTL 1000 YEARS" in said


def test_a_store_out_of_reach_is_the_one_that_is_named(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "postgresql://somebody:hush@127.0.0.1:9/db"
    monkeypatch.setenv(LEDGER_URL_ENV, nowhere)
    ((about, said),) = wrong(cli)
    assert (about, "hush" in said) == ("ledger", False)
    monkeypatch.setenv(LEDGER_URL_ENV, world.dsn)
    monkeypatch.setenv(CANDLES_URL_ENV, nowhere)
    ((about, said),) = wrong(cli)
    assert (about, "hush" in said) == ("candles", False)


def test_a_ledger_of_a_newer_version_is_named_with_its_cure(world: World, cli: CommandLine) -> None:
    with connect(world.dsn) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    ((about, said),) = wrong(cli)
    assert about == "ledger"
    assert "upgrade" in said


def test_people_get_a_line_per_check(world: World, cli: CommandLine) -> None:
    del world
    lines = cli("config", "check").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["good", "plan"], ["good", "ledger"], ["good", "candles"]]


@pytest.fixture(scope="module")
def guarded_server(service_directory: Path) -> Iterator[QuestDBServer]:
    """Give a QuestDB with a login that may only read."""
    settings = {
        "QDB_PG_READONLY_USER_ENABLED": "true",
        "QDB_PG_READONLY_USER": "reader",
        "QDB_PG_READONLY_PASSWORD": "reads",
    }
    server = start_questdb(service_directory / "guarded_cli", env=settings)
    yield server
    server.stop()


def test_logins_that_only_read_are_no_fault_of_who_reads(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch, guarded_server: QuestDBServer
) -> None:
    owner = QuestDBAddress.of_url(guarded_server.url(), name="owner")
    ensure_candle_table(QuestDBClient(owner))
    monkeypatch.setenv(CANDLES_URL_ENV, guarded_server.url("reader", "reads"))
    with only_reads(world.dsn) as dsn:
        monkeypatch.setenv(LEDGER_URL_ENV, dsn)
        assert wrong(cli) == []
