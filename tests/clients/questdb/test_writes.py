"""Writes to QuestDB: all or nothing, readable after, and every way in which they are not applied."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.errors import (
    NotAppliedInTimeError,
    QuestDBError,
    QuestDBUnavailableError,
    TableSuspendedError,
)
from local.questdb import PASSWORD, USER, start_questdb
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from local.questdb import QuestDBServer

TABLE = "hook_writes"
DDL = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (ts TIMESTAMP, name SYMBOL, price DOUBLE)
TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, name)"""
INSERT = "INSERT INTO hook_writes (ts, name, price) VALUES (%(ts)s, %(name)s, %(price)s)"
START = datetime(2026, 11, 1, tzinfo=UTC)


def rows(count: int, *, first: int = 0, price: Any = 1.0) -> list[dict[str, Any]]:
    return [
        {"ts": START + timedelta(hours=number), "name": "a", "price": price}
        for number in range(first, first + count)
    ]


def stored(hook: QuestDBClient) -> int:
    return int(hook.query("SELECT count() FROM hook_writes")[0][0])


def answers(hook: QuestDBClient) -> bool:
    """Tell whether the server takes a connection."""
    with suppress(QuestDBUnavailableError):
        return hook.query("SELECT 1") == [(1,)]
    return False


def point_to(server: QuestDBServer, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> QuestDBClient:
    """Return a hook for a server, made through a connection of its own."""
    connection = {
        "conn_type": "questdb",
        "host": "127.0.0.1",
        "port": server.pg_port,
        "login": USER,
        "password": PASSWORD,
        **fields,
    }
    monkeypatch.setenv("AIRFLOW_CONN_QUESTDB_OTHER", json.dumps(connection))
    return QuestDBHook(questdb_conn_id="questdb_other").client()


@pytest.fixture
def hook(questdb_conn: str) -> Iterator[QuestDBClient]:
    """Give a hook and an empty table."""
    questdb = QuestDBHook(questdb_conn_id=questdb_conn).client()
    questdb.query(f"DROP TABLE IF EXISTS {TABLE}")
    questdb.query(DDL)
    return questdb


def test_write_is_readable_when_it_returns(hook: QuestDBClient) -> None:
    for number in range(15):
        hook.write_batch(TABLE, INSERT, rows(1, first=number))
        assert stored(hook) == number + 1


def test_batch_is_one_transaction(hook: QuestDBClient) -> None:
    def transactions() -> int:
        return int(hook.query("SELECT sequencerTxn FROM wal_tables() WHERE name = 'hook_writes'")[0][0])

    before = transactions()
    hook.write_batch(TABLE, INSERT, rows(1500))
    assert transactions() == before + 1
    assert stored(hook) == 1500


def test_same_rows_again_change_nothing_and_later_ones_win(hook: QuestDBClient) -> None:
    hook.write_batch(TABLE, INSERT, rows(10))
    hook.write_batch(TABLE, INSERT, list(reversed(rows(10))))
    assert stored(hook) == 10
    hook.write_batch(TABLE, INSERT, rows(1, price=2.0))
    assert hook.query("SELECT price FROM hook_writes ORDER BY ts LIMIT 2") == [(2.0,), (1.0,)]


def test_statements_run_after_what_was_committed_is_applied(hook: QuestDBClient) -> None:
    with hook.connect() as connection:
        connection.cursor().executemany(INSERT, rows(3))
        connection.commit()
    counts = hook.query_each(
        "SELECT count() FROM hook_writes",
        "SELECT count() FROM hook_writes WHERE price > 1",
        applied=TABLE,
    )
    assert counts == [[(3,)], [(0,)]]


def test_a_statement_that_is_refused_among_others_is_an_error(hook: QuestDBClient) -> None:
    with pytest.raises(QuestDBError, match="nowhere"):
        hook.query_each("SELECT count() FROM hook_writes", "SELECT count() FROM nowhere")


def test_no_rows_need_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_QUESTDB_DEFAULT", '{"conn_type": "questdb", "host": "127.0.0.1", "port": 1}'
    )
    QuestDBHook().client().write_batch(TABLE, INSERT, [])


def test_one_bad_row_stores_none_and_the_next_batch_works(hook: QuestDBClient) -> None:
    batch = [*rows(50), {**rows(1, first=50)[0], "price": "not a number"}, *rows(50, first=51)]
    with pytest.raises(QuestDBError) as caught:
        hook.write_batch(TABLE, INSERT, batch)
    assert type(caught.value) is QuestDBError
    assert stored(hook) == 0
    hook.write_batch(TABLE, INSERT, rows(3))
    assert stored(hook) == 3


def test_suspended_table_is_an_error_that_names_the_cure(hook: QuestDBClient) -> None:
    hook.query(f"ALTER TABLE {TABLE} SUSPEND WAL WITH 'DISK FULL', 'no space'")
    with pytest.raises(TableSuspendedError, match=f"no space.*ALTER TABLE {TABLE} RESUME WAL"):
        hook.write_batch(TABLE, INSERT, rows(3))
    with pytest.raises(TableSuspendedError):
        hook.wait_applied(TABLE)
    assert stored(hook) == 0
    hook.query(f"ALTER TABLE {TABLE} RESUME WAL")
    hook.wait_applied(TABLE)
    assert stored(hook) == 3


def test_restart_applies_what_a_suspended_table_has_pending(
    hook: QuestDBClient, questdb_server: QuestDBServer
) -> None:
    hook.query(f"ALTER TABLE {TABLE} SUSPEND WAL WITH 'DISK FULL', 'no space'")
    with pytest.raises(TableSuspendedError):
        hook.write_batch(TABLE, INSERT, rows(1))
    questdb_server.stop()
    questdb_server.start()
    hook.wait_applied(TABLE)
    assert stored(hook) == 1


def test_wait_for_a_table_without_wal_is_an_error(hook: QuestDBClient) -> None:
    with pytest.raises(QuestDBError, match="no table no_such_table with a WAL"):
        hook.wait_applied("no_such_table")


def test_write_that_is_not_applied_in_time_is_an_error(
    service_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_questdb(service_directory / "lazy", env={"QDB_CAIRO_WAL_APPLY_ENABLED": "false"})
    try:
        lazy = point_to(server, monkeypatch, extra={"apply_timeout_s": 0.5})
        lazy.query(DDL)
        began = time.monotonic()
        with pytest.raises(NotAppliedInTimeError, match=f"table {TABLE}: .* not readable after 0.5 s"):
            lazy.write_batch(TABLE, INSERT, rows(1))
        assert time.monotonic() - began >= 0.5
    finally:
        server.stop()


def test_stopped_server_is_unavailable_and_works_again_after_its_start(
    hook: QuestDBClient, questdb_server: QuestDBServer
) -> None:
    hook.write_batch(TABLE, INSERT, rows(2))
    questdb_server.kill()
    where = rf"QuestDB at 127\.0\.0\.1:{questdb_server.pg_port} is out of reach"
    with pytest.raises(QuestDBUnavailableError, match=where):
        hook.write_batch(TABLE, INSERT, rows(3))
    with pytest.raises(QuestDBUnavailableError, match=where):
        hook.query("SELECT 1")
    with pytest.raises(QuestDBUnavailableError, match=where):
        hook.wait_applied(TABLE)
    with pytest.raises(QuestDBUnavailableError, match=where):
        hook.query(DDL)
    works, said = QuestDBHook().test_connection()
    assert (works, "out of reach" in said) == (False, True)
    questdb_server.start()
    hook.write_batch(TABLE, INSERT, rows(3))
    assert stored(hook) == 3
    assert QuestDBHook().test_connection()[0]


def test_server_killed_during_a_statement_is_unavailable(
    hook: QuestDBClient, questdb_server: QuestDBServer
) -> None:
    timer = threading.Timer(0.5, questdb_server.kill)
    timer.start()
    with pytest.raises(QuestDBUnavailableError):
        hook.query("SELECT count() FROM long_sequence(4000000000) WHERE rnd_double() < 0.5")
    timer.join()  # its sockets close before the process has ended; the next test would take it for running


def test_wrong_password_is_not_taken_for_an_outage(
    questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = point_to(questdb_server, monkeypatch, password="wrong-one")  # noqa: S106 (that is the point)
    with pytest.raises(QuestDBError, match=r"refuses login .* of connection questdb_other") as caught:
        hook.query("SELECT 1")
    assert not isinstance(caught.value, QuestDBUnavailableError)
    assert "wrong-one" not in str(caught.value)


def test_server_without_a_free_connection_is_unavailable_after_the_connect_timeout(
    questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = point_to(questdb_server, monkeypatch, extra={"connect_timeout": 2, "http_port": 1})
    held: list[Any] = []

    def all_taken() -> bool:
        with suppress(QuestDBUnavailableError):  # the server may still be closing those of an earlier test
            held.append(hook.connect())
        return len(held) == 64

    try:
        wait_for(all_taken)
        with pytest.raises(QuestDBUnavailableError):
            hook.query("SELECT 1")
    finally:
        for connection in held:
            connection.close()
    wait_for(lambda: answers(hook))


def test_no_connection_stays_open_after_a_call(hook: QuestDBClient) -> None:
    for _ in range(80):  # more than the server has
        hook.query("SELECT 1")
    for _ in range(5):
        with pytest.raises(QuestDBError):
            hook.query("SELECT nonsense")


def test_table_is_made_once_by_several_at_the_same_time(hook: QuestDBClient) -> None:
    hook.query(f"DROP TABLE {TABLE}")
    errors: list[Exception] = []

    def ensure() -> None:
        try:
            hook.query(DDL)
        except QuestDBError as error:
            errors.append(error)

    threads = [threading.Thread(target=ensure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    hook.write_batch(TABLE, INSERT, rows(1))
    hook.query(DDL)
    assert stored(hook) == 1
