"""The embedded PostgreSQL: databases, restart, take-over, stale pid file."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from local.postgres import is_postgres_running, start_postgres
from local.scratch import scratch_directory
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import PostgresServer


@pytest.fixture
def own_directory() -> Iterator[Path]:
    directory = scratch_directory("pg")
    yield directory
    shutil.rmtree(directory)


def test_listens_on_no_tcp_port(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.uri("postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_creating_a_database_twice_keeps_it(postgres_server: PostgresServer) -> None:
    postgres_server.create_database("twice")
    with psycopg.connect(postgres_server.uri("twice")) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    postgres_server.create_database("twice")
    postgres_server.create_database("copied", template="twice")
    with psycopg.connect(postgres_server.uri("copied")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    for name in ("twice", "copied"):
        postgres_server.drop_database(name)


@pytest.mark.parametrize("name", ["data", "too-long-for-a-socket" * 5], ids=["short path", "long path"])
def test_survives_stop_kill_and_a_stale_pid_file(own_directory: Path, name: str) -> None:
    data = own_directory / name
    server = start_postgres(data)
    sockets = Path(server.socket_directory)
    assert (sockets == data) == (name == "data")
    server.create_database("kept")
    again = start_postgres(data)
    assert again == server, "a running server is taken over"

    server.stop()
    assert not is_postgres_running(data)
    start_postgres(data)
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=PATIENCE_S)

    lines = (data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    lock = sockets / ".s.PGSQL.5432.lock"
    lock.write_text(f"{os.getpid()}\n")
    assert not is_postgres_running(data), "this test's process is no server although its pid is in the file"
    server = start_postgres(data)
    with psycopg.connect(server.uri("kept")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.stop()
    assert not is_postgres_running(data)
    assert not lock.exists()
    assert sockets.exists() == (name == "data"), "nothing is left in the temporary folder"
