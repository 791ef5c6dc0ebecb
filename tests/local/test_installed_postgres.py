"""A PostgreSQL that is there already: what a mode keeps of it, and what it makes there."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import psycopg
import pytest
from airflow.sdk import Connection

from kraken_hooks.dsn import libpq_dsn
from local.installed_postgres import InstalledPostgres, choose_postgres, installed_postgres
from local.processes import SandboxError, hold_port
from local.settings import ModeHome
from local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import PostgresServer

TCP = "postgresql://ann:p%40ss@db.example:5433/postgres?sslmode=require"


@pytest.fixture
def home(tmp_path: Path) -> ModeHome:
    """Give the folder of a mode that was never started."""
    return ModeHome("live", sandbox=tmp_path)


@pytest.fixture
def maker_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of a role that may make databases and is no superuser."""
    with psycopg.connect(postgres_server.admin_uri, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS maker_of_modes")
        admin.execute("CREATE ROLE maker_of_modes LOGIN CREATEDB")
    yield postgres_server.admin_uri.replace("postgres@", "maker_of_modes@")
    with psycopg.connect(postgres_server.admin_uri, autocommit=True) as admin:
        admin.execute("DROP ROLE maker_of_modes")


def test_each_database_has_its_own_address_and_connection() -> None:
    server = InstalledPostgres(TCP)
    assert server.uri("ohlcv_live") == "postgresql://ann:p%40ss@db.example:5433/ohlcv_live?sslmode=require"
    fields = server.connection("ohlcv_live")
    assert fields == {
        "conn_type": "postgres",
        "host": "db.example",
        "port": 5433,
        "login": "ann",
        "password": "p@ss",
        "schema": "ohlcv_live",
        "extra": {"sslmode": "require"},
    }
    assert "p@ss" not in repr(server)


def test_it_holds_both_databases_of_a_mode_under_names_that_say_so(
    home: ModeHome, maker_url: str, postgres_server: PostgresServer
) -> None:
    choose_postgres(home, {"POSTGRES_URL": maker_url})
    stack = Stack(home)
    names = stack.ledger_database, stack.metadata_database
    assert names == ("ohlcv_live", "ohlcv_live_airflow")
    assert stack.services()["postgres"]
    try:
        assert [stack.postgres.create_database(name) for name in (*names, *names)] == [
            True,
            True,
            False,
            False,
        ]
        fields = stack.postgres.connection(names[0])
        with psycopg.connect(libpq_dsn(Connection(conn_id="ohlcv_postgres", **fields))) as ledger:
            ledger.execute("CREATE EXTENSION btree_gist")
        assert not stack.down(), "a server of others is not ours to stop"
        assert stack.services()["postgres"]
    finally:
        for name in names:
            stack.postgres.drop_database(name)
    assert not (home.path / "postgres").exists()
    del postgres_server


def test_the_choice_lasts_until_another_one_and_only_its_owner_reads_it(
    home: ModeHome, maker_url: str
) -> None:
    choose_postgres(home, {"POSTGRES_URL": maker_url})
    assert stat.S_IMODE((home.path / "postgres-url").stat().st_mode) == 0o600
    state = home.load_state()
    state.metadata_ready_for = "3.3.2"
    home.save_state(state)
    choose_postgres(home, {})
    assert installed_postgres(home) == InstalledPostgres(maker_url)
    assert home.load_state().metadata_ready_for == "3.3.2"

    choose_postgres(home, {"POSTGRES_URL": "embedded"})
    assert installed_postgres(home) is None
    assert home.load_state().metadata_ready_for is None, "the other server was not prepared"
    assert (Stack(home).ledger_database, Stack(home).metadata_database) == ("ohlcv", "airflow")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("mysql://ann:hidden@db/x", "is no URL of a PostgreSQL", id="another server"),
        pytest.param("postgresql://ann:hid/den@db/x", "is no URL of a PostgreSQL", id="password not escaped"),
        pytest.param("host=db password=hidden", "is no URL of a PostgreSQL", id="no URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(
    home: ModeHome, url: str, says: str
) -> None:
    with pytest.raises(SandboxError, match=says) as refused:
        choose_postgres(home, {"POSTGRES_URL": url})
    assert "hid" not in str(refused.value)
    assert installed_postgres(home) is None


def test_a_server_that_does_not_answer_is_refused_before_anything_starts(home: ModeHome) -> None:
    with hold_port() as held:
        url = f"postgresql://ann:hidden@127.0.0.1:{held.getsockname()[1]}/postgres"
        with pytest.raises(SandboxError, match=r"POSTGRES_URL: .*refused") as refused:
            choose_postgres(home, {"POSTGRES_URL": url})
    assert "hidden" not in str(refused.value)
    assert installed_postgres(home) is None


def test_a_role_that_may_make_no_database_is_refused(
    home: ModeHome, maker_url: str, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.admin_uri, autocommit=True) as admin:
        admin.execute("ALTER ROLE maker_of_modes NOCREATEDB")
    with pytest.raises(SandboxError, match=r"ALTER ROLE \.\.\. CREATEDB"):
        choose_postgres(home, {"POSTGRES_URL": maker_url})
