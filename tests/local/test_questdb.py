"""The embedded QuestDB: ports, restart, kill, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import requests
from questdb import Sender

from kraken_hooks.questdb import QuestDBHook
from local.questdb import start_questdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.questdb import QuestDBServer


def test_answers_on_both_ports(questdb_server: QuestDBServer) -> None:
    with questdb_server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    ping = requests.get(f"http://127.0.0.1:{questdb_server.http_port}/ping", timeout=60)
    assert ping.status_code == 204


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_keeps_data_and_ports_over(end: str, questdb_server: QuestDBServer, candle_table: str) -> None:
    ports = questdb_server.pg_port, questdb_server.http_port
    with questdb_server.connect() as connection:
        connection.execute("CREATE TABLE ohlcv (ts TIMESTAMP, n LONG) TIMESTAMP(ts) PARTITION BY MONTH WAL")
        connection.execute("INSERT INTO ohlcv VALUES ('2026-11-01', 7)")
    unpacked = questdb_server.directory / "tmp"
    n_files = len(list(unpacked.iterdir()))
    assert n_files
    getattr(questdb_server, end)()
    assert not questdb_server.is_running()
    questdb_server.start()
    assert len(list(unpacked.iterdir())) <= n_files, "what a killed one left is gone"
    assert (questdb_server.pg_port, questdb_server.http_port) == ports
    # Acknowledged is not yet readable: a killed server applies its log only after it answers again.
    QuestDBHook().client().wait_applied(candle_table)
    with questdb_server.connect() as connection:
        assert connection.execute("SELECT n FROM ohlcv").fetchall() == [(7,)]


def test_second_start_takes_over_the_running_server(questdb_server: QuestDBServer) -> None:
    assert questdb_server.process is not None
    again = start_questdb(questdb_server.directory)
    assert again.process == questdb_server.process
    assert (again.pg_port, again.http_port) == (questdb_server.pg_port, questdb_server.http_port)


def test_misspelt_table_is_refused_over_http(questdb_server: QuestDBServer) -> None:
    answer = requests.post(
        f"http://127.0.0.1:{questdb_server.http_port}/write",
        data="ohlvc,ticker=XBTUSD close=1.0 1\n",
        timeout=5,
    )
    assert answer.status_code == 400
    with questdb_server.connect() as connection, pytest.raises(psycopg.DatabaseError, match="does not exist"):
        connection.execute("SELECT * FROM ohlvc")


@pytest.fixture(scope="module")
def closed_server(service_directory: Path) -> Iterator[QuestDBServer]:
    """Give a QuestDB as the local stack starts it."""
    server = start_questdb(service_directory / "questdb-asks", http_password="a-password")  # noqa: S106
    yield server
    server.stop()


@pytest.mark.parametrize("path", ["/exec", "/exp", "/imp", "/write", "/settings/none"])
@pytest.mark.parametrize("login", [None, ("admin", "quest")], ids=["no login", "the login of PGWire"])
def test_a_web_page_can_neither_read_nor_drop_candles(
    closed_server: QuestDBServer, path: str, login: tuple[str, str] | None
) -> None:
    with closed_server.connect() as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS kept (ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL"
        )
    for method in ("GET", "POST"):
        answer = requests.request(
            method,
            f"http://127.0.0.1:{closed_server.http_port}{path}",
            params={"query": "DROP TABLE kept"},
            headers={"Origin": "https://elsewhere.example", "Host": "elsewhere.example"},
            auth=login,
            timeout=60,
        )
        assert answer.status_code in {401, 404, 405}
    with closed_server.connect() as connection:
        assert connection.execute("SELECT count() FROM kept").fetchall() == [(0,)]


def test_who_has_the_password_of_http_gets_in(closed_server: QuestDBServer) -> None:
    address = f"http://127.0.0.1:{closed_server.http_port}/exec"
    answer = requests.get(address, params={"query": "SELECT 1"}, auth=("admin", "a-password"), timeout=60)
    assert answer.json()["dataset"] == [[1]]
    with Sender.from_conf(f"{closed_server.ilp_settings}auto_flush=off;") as sender:
        sender.flush()
