"""What service ``db-migration`` runs, on the real databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from airflow.sdk import Connection
from psycopg.conninfo import conninfo_to_dict

from kraken_hooks.dsn import libpq_dsn
from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv_airflow.setup.stores import ensure_ledger_database, libpq_dsn_of
from kraken_ohlcv_airflow.setup.users import passwords, write_passwords
from local.processes import ROOT
from local.questdb import PASSWORD, USER
from tests.deploy.compose import filled_in, project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer


@pytest.fixture
def ledger(postgres_server: PostgresServer) -> Iterator[Connection]:
    """Give a connection to a role and a database that do not exist."""
    name = f"set_up_{uuid.uuid4().hex[:12]}"
    yield Connection(
        conn_id="ohlcv_postgres",
        conn_type="postgres",
        host=postgres_server.socket_directory,
        login=name,
        password=uuid.uuid4().hex,
        schema=name,
    )
    postgres_server.drop_database(name)
    with psycopg.connect(postgres_server.uri("postgres"), autocommit=True) as admin:
        admin.execute(f'DROP ROLE IF EXISTS "{name}"')


def role_password(server: PostgresServer, role: str) -> object:
    """Return a role's stored password."""
    with psycopg.connect(server.uri("postgres")) as admin:
        return admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()


def test_an_absent_role_and_database_are_made_and_closed_to_others(
    postgres_server: PostgresServer, ledger: Connection
) -> None:
    ensure_ledger_database(ledger, postgres_server.uri("postgres"))
    with psycopg.connect(libpq_dsn(ledger)) as connection:
        connection.execute("CREATE EXTENSION btree_gist")
        connection.execute("CREATE TABLE gap (id int)")
        (is_superuser,) = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() or (None,)
    with psycopg.connect(postgres_server.uri("postgres")) as admin:
        (can_all,) = admin.execute(
            "SELECT EXISTS (SELECT FROM pg_database, aclexplode(datacl) WHERE datname = %s AND grantee = 0)",
            (ledger.schema,),
        ).fetchone() or (None,)
    assert is_superuser is False
    assert can_all is False


def test_a_working_connection_is_left_alone(postgres_server: PostgresServer, ledger: Connection) -> None:
    ensure_ledger_database(ledger, postgres_server.uri("postgres"))
    before = role_password(postgres_server, str(ledger.login))
    ledger.password = uuid.uuid4().hex
    # Nobody may make anything, and nobody needs to.
    ensure_ledger_database(ledger, None)
    assert role_password(postgres_server, str(ledger.login)) == before


def test_a_role_that_is_there_gets_the_new_password(
    postgres_server: PostgresServer, ledger: Connection
) -> None:
    ensure_ledger_database(ledger, postgres_server.uri("postgres"))
    before = role_password(postgres_server, str(ledger.login))
    # The test's server trusts everybody: a database that is absent stands for a refused password.
    postgres_server.drop_database(str(ledger.schema))
    ledger.password = uuid.uuid4().hex
    ensure_ledger_database(ledger, postgres_server.uri("postgres"))
    assert role_password(postgres_server, str(ledger.login)) != before


def test_a_role_that_may_make_databases_and_roles_is_enough(
    postgres_server: PostgresServer, ledger: Connection
) -> None:
    with psycopg.connect(postgres_server.uri("postgres"), autocommit=True) as admin:
        admin.execute("CREATE ROLE maker LOGIN CREATEDB CREATEROLE")
    try:
        ensure_ledger_database(ledger, f"host={postgres_server.socket_directory} user=maker dbname=postgres")
        psycopg.connect(libpq_dsn(ledger)).close()
    finally:
        postgres_server.drop_database(str(ledger.schema))
        with psycopg.connect(postgres_server.uri("postgres"), autocommit=True) as admin:
            admin.execute(f'DROP OWNED BY maker; DROP ROLE "{ledger.login}"; DROP ROLE maker')


@pytest.mark.parametrize(
    ("who", "says"),
    [
        pytest.param(None, "Create its role and database", id="nobody may make them"),
        pytest.param("nobody", "Create them manually", id="who may is not there"),
    ],
)
def test_a_ledger_that_cannot_be_made_is_one_sentence_without_the_password(
    postgres_server: PostgresServer, ledger: Connection, who: str | None, says: str
) -> None:
    admin_dsn = who and f"host={postgres_server.socket_directory} user={who} dbname=postgres"
    ledger.password = uuid.uuid4().hex
    with pytest.raises(SetUpError, match=says) as refused:
        ensure_ledger_database(ledger, admin_dsn)
    assert "ohlcv_postgres does not work" in str(refused.value)
    assert ledger.password not in str(refused.value)


def test_the_command_of_the_service_prepares_empty_stores_and_may_be_repeated(
    postgres_server: PostgresServer, questdb_server: QuestDBServer, ledger: Connection, tmp_path: Path
) -> None:
    service = project(filled_in())["services"]["db-migration"]
    metadata = f"set_up_airflow_{uuid.uuid4().hex[:12]}"
    postgres_server.create_database(metadata)
    with questdb_server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ohlcv")
    # Everything as in the container, but for where the stores are.
    environment = {
        **os.environ,
        **{name: value for name, value in service["environment"].items() if value is not None},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres_server.uri(metadata).replace(
            "postgresql://", "postgresql+psycopg2://", 1
        ),
        "AIRFLOW_CONN_OHLCV_POSTGRES": json.dumps({
            "conn_type": "postgres",
            "host": ledger.host,
            "login": ledger.login,
            "password": ledger.password,
            "schema": ledger.schema,
        }),
        "AIRFLOW_CONN_QUESTDB_DEFAULT": json.dumps({
            "conn_type": "questdb",
            "host": "127.0.0.1",
            "port": questdb_server.pg_port,
            "login": USER,
            "password": PASSWORD,
        }),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
    }
    program, *arguments = service["command"]
    assert program == "python"
    for _ in range(2):
        done = subprocess.run(  # noqa: S603 (arguments of the compose file)
            [sys.executable, *arguments],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    with psycopg.connect(postgres_server.uri(metadata)) as airflow:
        pools = airflow.execute(
            "SELECT pool, slots, include_deferred FROM slot_pool ORDER BY pool"
        ).fetchall()
    with psycopg.connect(libpq_dsn(ledger)) as connection:
        (tables,) = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('gap_records', 'series')"
        ).fetchone() or (None,)
    with questdb_server.connect() as connection:
        candles = connection.execute("SELECT count() FROM ohlcv").fetchall()
    postgres_server.drop_database(metadata)
    assert ("kraken_api", 1, True) in pools
    assert tables == 2
    assert candles == [(0,)]


@pytest.mark.parametrize(
    ("uri", "dsn"),
    [
        pytest.param(
            "postgresql+psycopg2://airflow:s%40fe@db:5433/meta",
            "host=db port=5433 user=airflow password=s@fe dbname=meta",
            id="driver and escaped password",
        ),
        pytest.param(
            "postgresql://postgres@/airflow?host=/run/pg",
            "host=/run/pg user=postgres dbname=airflow",
            id="folder of a unix socket",
        ),
        pytest.param("postgresql://db/meta?sslmode=require", "host=db dbname=meta sslmode=require", id="TLS"),
    ],
)
def test_airflows_database_address_is_understood_by_libpq(uri: str, dsn: str) -> None:
    assert conninfo_to_dict(str(libpq_dsn_of(uri))) == conninfo_to_dict(dsn)


def test_a_database_other_than_postgresql_has_nobody_who_could_make_the_ledger() -> None:
    assert libpq_dsn_of("sqlite:////tmp/airflow.db") is None


def test_each_user_gets_the_password_of_the_environment() -> None:
    environment = {"AIRFLOW_PASSWORD_ADMIN": "a" * 12, "AIRFLOW_PASSWORD_VIEWER": "v" * 12}
    assert passwords(["admin:admin", " viewer:viewer"], environment) == {
        "admin": "a" * 12,
        "viewer": "v" * 12,
    }


@pytest.mark.parametrize("password", [None, "", "elevenchars"], ids=["absent", "empty", "too short"])
def test_a_user_without_a_decent_password_is_refused_by_name(password: str | None) -> None:
    environment = {} if password is None else {"AIRFLOW_PASSWORD_VIEWER": password}
    with pytest.raises(SetUpError, match="AIRFLOW_PASSWORD_VIEWER"):
        passwords(["viewer:viewer"], environment)


def test_the_passwords_file_is_for_its_owner_only_even_when_it_was_open_before(tmp_path: Path) -> None:
    file = tmp_path / "made" / "passwords.json"
    write_passwords(file, {"admin": "first"})
    file.chmod(0o666)
    write_passwords(file, {"admin": "second"})
    assert json.loads(file.read_text()) == {"admin": "second"}
    assert file.stat().st_mode & 0o777 == 0o600
