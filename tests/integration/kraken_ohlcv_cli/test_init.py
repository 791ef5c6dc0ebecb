"""``init`` prepares both stores with few rights, and Airflow's own database is not even asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.core.settings import CANDLES_URL_ENV, KRAKEN_POOL, LEDGER_URL_ENV
from kraken_ohlcv.stores.ledger.session import connect
from local.processes import ROOT, hold_port
from local.questdb import PASSWORD, USER
from tests.integration.command_line import name_stores
from tests.integration.trades_world import HOURLY, store_history
from tests.integration.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin
    from tests.integration.command_line import CommandLine

DATABASE = "init_of_the_ledger"
OWNER, RUNNER = "init_owner", "init_runner"
CONNECT = f"GRANT CONNECT ON DATABASE {DATABASE} TO {OWNER}"
CREATE = f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}"


def documented_rights() -> list[str]:
    """Return the grants of docs/YOUR_AIRFLOW.md, with the names of this test."""
    document = (ROOT / "docs" / "YOUR_AIRFLOW.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```postgresql\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    _, grants = block.split("\\connect ohlcv\n")
    for name, own in (("ohlcv", DATABASE), ("ohlcv_owner", OWNER), ("ohlcv_runner", RUNNER)):
        grants = re.sub(rf"\b{name}\b", own, grants)
    return [statement for statement in grants.split(";") if statement.strip()]


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URI of a database in which nobody but its owner may do anything, and two roles beside."""
    postgres_server.drop_database(DATABASE)
    postgres_server.create_database(DATABASE)
    uri = postgres_server.uri(DATABASE)
    with psycopg.connect(uri, autocommit=True) as admin:
        admin.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        for role in (OWNER, RUNNER):
            admin.execute(f"DROP ROLE IF EXISTS {role}")
            admin.execute(f"CREATE ROLE {role} LOGIN")
    yield uri
    postgres_server.drop_database(DATABASE)
    with psycopg.connect(postgres_server.uri("postgres"), autocommit=True) as admin:
        for role in (OWNER, RUNNER):
            admin.execute(f"DROP ROLE {role}")


def of_role(uri: str, role: str) -> str:
    """Return the URI for another role."""
    return uri.replace("postgres@", f"{role}@")


def grant(uri: str, *statements: str) -> None:
    """Run statements as the server's administrator."""
    with psycopg.connect(uri, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement)


@contextmanager
def refusing_address() -> Iterator[str]:
    """Give the URL of a database at a port where nobody listens."""
    with hold_port(None) as held:
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{held.getsockname()[1]}/airflow"


@pytest.mark.parametrize("named_by", ["URLs", "connections"])
def test_stores_are_prepared_while_airflows_database_is_out_of_reach(
    empty_database: str, questdb_server: QuestDBServer, candle_table: str, tmp_path: Path, named_by: str
) -> None:
    del candle_table  # there is none
    stores = {CANDLES_URL_ENV: questdb_server.url(), LEDGER_URL_ENV: empty_database}
    if named_by == "connections":
        socket_folder = empty_database.rpartition("host=")[2].replace("%2F", "/")
        fields = {
            "ohlcv_postgres": {"conn_type": "postgres", "host": socket_folder, "login": "postgres"}
            | {"schema": DATABASE},
            "questdb_default": {
                "conn_type": "questdb",
                "host": "127.0.0.1",
                "login": USER,
                "password": PASSWORD,
            }
            | {"port": questdb_server.pg_port, "schema": "qdb"},
        }
        stores = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(one) for name, one in fields.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "OHLCV"))}
    with refusing_address() as metadata:
        done = subprocess.run(
            [sys.executable, "-m", "kraken_ohlcv_cli", "init"],
            env={
                **kept,
                **stores,
                "AIRFLOW_HOME": str(tmp_path),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
                "OHLCV_POOL": "acme_kraken",
                "PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT / 'plugins'}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "airflow pools set acme_kraken 1 " in done.stdout
    with psycopg.connect(empty_database) as ledger:
        assert ledger.execute("SELECT count(*) FROM gap_records").fetchone() == (0,)
    with questdb_server.connect() as questdb:
        assert questdb.execute("SELECT count() FROM ohlcv").fetchall() == [(0,)]


def test_a_role_that_owns_nothing_prepares_and_one_that_only_writes_rows_runs(
    exchange: ExchangeAdmin,
    kraken_conn: str,
    candle_table: str,
    empty_database: str,
    questdb_server: QuestDBServer,
    cli: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del kraken_conn, candle_table
    grant(empty_database, *documented_rights())
    name_stores(monkeypatch, questdb_server, of_role(empty_database, OWNER))
    for _ in range(2):
        done = cli("init")
        assert (done.code, f"airflow pools set {KRAKEN_POOL} 1" in done.out) == (0, True), done.err

    runner = of_role(empty_database, RUNNER)
    world = World(exchange, runner)
    start, _ = world.window(HOURLY)
    store_history(world, HOURLY, buckets=0, without=[(start + 3600, start + 7200)])
    world.run()
    with connect(runner) as ledger:
        assert ledger.execute("SELECT count(*) AS n FROM gap_records WHERE status = 'FILLED'").fetchone() == {
            "n": 1
        }
    # As the first task of a run does, and a role that may change no table: there is nothing to migrate.
    name_stores(monkeypatch, questdb_server, runner)
    assert cli("init").code == 0


@pytest.mark.parametrize(
    ("rights", "cure"),
    [
        pytest.param((), "permission denied for database", id="may not connect"),
        pytest.param(
            (CONNECT,),
            f'GRANT CREATE ON SCHEMA public TO "{OWNER}"',
            id="may make no table",
        ),
        pytest.param(
            (CONNECT, CREATE),
            "CREATE EXTENSION btree_gist in it as a superuser",
            id="may make no extension",
        ),
    ],
)
def test_a_missing_right_is_named(
    empty_database: str,
    questdb_server: QuestDBServer,
    cli: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    rights: tuple[str, ...],
    cure: str,
) -> None:
    grant(empty_database, *rights)
    name_stores(monkeypatch, questdb_server, of_role(empty_database, OWNER))
    done = cli("init")
    assert (done.code, cure in done.err) == (1, True), done.err


@pytest.mark.parametrize(
    ("setting", "url", "said"),
    [
        pytest.param(LEDGER_URL_ENV, "", f"set {LEDGER_URL_ENV}", id="no ledger"),
        pytest.param(CANDLES_URL_ENV, "", f"set {CANDLES_URL_ENV}", id="no candles"),
        pytest.param(LEDGER_URL_ENV, "postgresql://ohlcv:se@cret@db/x", "write it like", id="password"),
    ],
)
def test_a_url_that_cannot_be_used_is_wrong_usage_and_holds_its_password_back(
    questdb_server: QuestDBServer,
    cli: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    url: str,
    said: str,
) -> None:
    name_stores(monkeypatch, questdb_server, "postgresql://ohlcv@nowhere.invalid/ohlcv")
    monkeypatch.setenv(setting, url)
    done = cli("init")
    assert (done.code, said in done.err, "cret" in done.err) == (2, True, False), done.err
