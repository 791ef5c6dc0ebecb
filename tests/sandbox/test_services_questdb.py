"""The embedded QuestDB: ports, restart, kill, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import requests

from kraken_hooks.questdb import QuestDBHook
from sandbox.questdb import start_questdb

if TYPE_CHECKING:
    from sandbox.questdb import QuestDBServer


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
    getattr(questdb_server, end)()
    assert not questdb_server.is_running()
    questdb_server.start()
    assert (questdb_server.pg_port, questdb_server.http_port) == ports
    # Acknowledged is not yet readable: a killed server applies its log only after it answers again.
    QuestDBHook().wait_applied(candle_table)
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
