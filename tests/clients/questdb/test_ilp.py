"""Bulk loads into a QuestDB whose HTTP asks for a login, as every deployment's does."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from kraken_ohlcv.clients.errors import QuestDBError
from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.ilp import prepare_frame
from local.questdb import DATABASE, PASSWORD, USER, QuestDBServer, start_questdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAME = pl.DataFrame({"ts": [1_700_000_000, 1_700_003_600], "price": [1.5, 2.5]})


@pytest.fixture(scope="module")
def closed_server(service_directory: Path) -> Iterator[QuestDBServer]:
    """Give a QuestDB whose HTTP takes the login of PGWire, and nobody without one."""
    login = {"QDB_HTTP_USER": USER, "QDB_HTTP_PASSWORD": PASSWORD}
    server = start_questdb(service_directory / "questdb-closed", env=login)
    with server.connect() as connection:
        connection.execute(
            "CREATE TABLE bulk (ts TIMESTAMP, price DOUBLE) TIMESTAMP(ts) PARTITION BY DAY WAL"
        )
    yield server
    server.stop()


def address_of(server: QuestDBServer, **login: Any) -> QuestDBAddress:
    """Return an address with a login, or without."""
    others = {"user": None, "password": None, "http_login": None, "http_password": None, **login}
    return QuestDBAddress(
        host="127.0.0.1",
        port=server.pg_port,
        database=DATABASE,
        http_port=server.http_port,
        apply_timeout_s=30,
        statement_timeout_s=120,
        libpq={},
        name="questdb_default",
        **others,
    )


def test_rows_reach_a_server_that_asks_for_the_login_of_the_connection(closed_server: QuestDBServer) -> None:
    prepare_frame(
        address_of(closed_server, user=USER, password=PASSWORD), "bulk", FRAME, symbols={}, at="ts"
    ).send()
    with closed_server.connect() as connection:
        row = connection.execute("SELECT sequencerTxn FROM wal_tables() WHERE name = 'bulk'").fetchone()
    assert row == (1,)


def test_rows_that_are_prepared_and_never_sent_are_not_stored(closed_server: QuestDBServer) -> None:
    address = address_of(closed_server, user=USER, password=PASSWORD)
    with closed_server.connect() as connection:
        before = connection.execute("SELECT sequencerTxn FROM wal_tables() WHERE name = 'bulk'").fetchone()
        prepared = prepare_frame(address, "bulk", FRAME, symbols={}, at="ts")
        del prepared
        gc.collect()
        after = connection.execute("SELECT sequencerTxn FROM wal_tables() WHERE name = 'bulk'").fetchone()
    assert after == before


@pytest.mark.parametrize(
    "login",
    [
        pytest.param({}, id="none"),
        pytest.param({"user": USER, "password": "not;it"}, id="wrong password with a separator"),
    ],
)
def test_a_server_that_refuses_the_login_is_an_error_without_the_password(
    closed_server: QuestDBServer, login: dict[str, str]
) -> None:
    with pytest.raises(QuestDBError, match=r"refuses (login|calls without a login)") as refused:
        prepare_frame(address_of(closed_server, **login), "bulk", FRAME, symbols={}, at="ts").send()
    assert "not;it" not in str(refused.value)
