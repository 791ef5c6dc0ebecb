"""Nothing hangs: a store that stands still ends a statement in time, in one sentence."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import polars as pl
import psycopg
import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.bounded import BoundedConnection, StatementTimeoutError
from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.stores.ledger.session import FILL_LOCK, connect, fill_lock
from kraken_ohlcv_airflow.connections import ledger
from kraken_ohlcv_airflow.step_errors import sentence_of
from tests.conftest import set_connection
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.questdb import QuestDBServer

SHORT_S = 0.5


def stop(pid: int) -> None:
    """Let a process stand still, all its threads; the kernel goes on answering for its connections."""
    os.kill(pid, signal.SIGSTOP)
    threads = [task / "stat" for task in Path(f"/proc/{pid}/task").iterdir()]
    wait_for(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads))


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process for a while."""
    stop(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class StopsOnceConnected(QuestDBClient):
    """A client whose server stands still as soon as a connection is open."""

    stop: Callable[[], object]

    def connect(self) -> Any:
        """Connect, then let the server stand still."""
        connection = super().connect()
        self.stop()
        return connection


@pytest.fixture
def hook(questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StopsOnceConnected]:
    """Give a hook that waits half a second for a statement of a server that then stands still."""
    set_connection(
        monkeypatch,
        "questdb_default",
        conn_type="questdb",
        host="127.0.0.1",
        port=questdb_server.pg_port,
        login="admin",
        password="quest",  # noqa: S106 (QuestDB's documented default)
        extra={"http_port": questdb_server.http_port, "statement_timeout_s": SHORT_S, "connect_timeout": 2},
    )
    assert questdb_server.process is not None
    pid = questdb_server.process.pid
    hook = StopsOnceConnected(QuestDBHook("questdb_default").address())
    hook.stop = lambda: stop(pid)
    yield hook
    os.kill(pid, signal.SIGCONT)


ROW = {"ts": datetime(2026, 11, 1, tzinfo=UTC)}

WORK = [
    pytest.param(lambda hook: hook.query("SELECT 1"), id="a query"),
    pytest.param(lambda hook: hook.wait_applied("ohlcv"), id="waiting for the WAL"),
    pytest.param(
        lambda hook: hook.write_batch("ohlcv", "INSERT INTO ohlcv (ts) VALUES (%(ts)s)", [ROW]), id="a write"
    ),
]


@pytest.mark.parametrize("work", WORK)
def test_a_questdb_that_stands_still_ends_a_statement_in_one_sentence(
    hook: StopsOnceConnected, work: Callable[[QuestDBClient], object]
) -> None:
    with pytest.raises(QuestDBUnavailableError) as caught:
        work(hook)
    said = str(caught.value)
    assert f"has not answered a statement for {SHORT_S} s" in said
    assert "statement_timeout_s in the extra of connection questdb_default" in said
    assert "\n" not in said


def test_a_questdb_that_stands_still_ends_a_bulk_load(hook: StopsOnceConnected) -> None:
    hook.stop()
    frame = pl.DataFrame({"at": [1_700_000_000], "open": [1.0]})
    with pytest.raises(QuestDBUnavailableError, match="HTTP"):
        hook.send_frame("ohlcv", frame, symbols={"ticker": "XBTUSD"}, at="at")


def test_a_questdb_that_stands_still_lets_nobody_connect_for_ever(hook: StopsOnceConnected) -> None:
    hook.stop()
    with pytest.raises(QuestDBUnavailableError):
        hook.query("SELECT 1")


def test_a_postgresql_that_stands_still_ends_a_statement_of_the_ledger(
    ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kraken_ohlcv.stores.ledger.session.LATER_S", 0.1)
    with connect(ledger_uri, statement_timeout_s=SHORT_S) as connection:
        row = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
        assert row is not None
        with standing_still(row["pid"]):
            with pytest.raises(StatementTimeoutError) as caught:
                connection.execute("SELECT 1")
            assert connection.closed
    assert "(connection ohlcv_postgres): check whether PostgreSQL hangs" in sentence_of(caught.value)


def test_a_statement_of_the_ledger_that_takes_too_long_is_ended_by_the_server(
    ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ledger_uri
    given = os.environ["AIRFLOW_CONN_OHLCV_POSTGRES"]
    monkeypatch.setenv("AIRFLOW_CONN_OHLCV_POSTGRES", with_extra(given, statement_timeout_s=SHORT_S))
    with ledger() as connection:
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            connection.execute("SELECT pg_sleep(60)")
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}
    assert "raise statement_timeout_s" in sentence_of(caught.value)


def with_extra(given: str, **extra: Any) -> str:
    """Return a connection in JSON with more in its extra."""
    fields = json.loads(given)
    return json.dumps(fields | {"extra": (fields.get("extra") or {}) | extra})


def test_a_fill_waits_longer_for_another_fill_than_a_statement_may_take(ledger_uri: str) -> None:
    taken = Event()

    def wait_and_take() -> None:
        with connect(ledger_uri, statement_timeout_s=SHORT_S) as connection, fill_lock(connection, 7):
            taken.set()

    with connect(ledger_uri) as first:
        with fill_lock(first, 7):
            second = Thread(target=wait_and_take)
            second.start()
            waits = "SELECT FROM pg_locks WHERE NOT granted AND classid = %s"
            wait_for(lambda: first.execute(waits, (FILL_LOCK,)).fetchone() is not None)
            first.execute("SELECT pg_sleep(%s)", (3 * SHORT_S,))
            assert not taken.is_set()
        second.join()
    assert taken.is_set()


def test_the_call_slot_gives_up_a_connection_that_stands_still(
    ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kraken_ohlcv.clients.exchange.limiter.STATEMENT_TIMEOUT_S", SHORT_S)
    slot = CallSlot(ledger_uri, min_interval_s=0.01)
    with slot.hold():
        pass
    with connect(ledger_uri) as watching:
        pids = [
            row["pid"]
            for row in watching.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        ]
    (pid,) = pids
    with standing_still(pid):
        # Only the backend of this connection stands still: on a new one it goes on.
        slot.push_back(0.001)
    slot.close()


def test_a_connection_without_patience_is_as_any_other(ledger_uri: str) -> None:
    with BoundedConnection.connect(ledger_uri) as connection:
        assert connection.patience_s is None
        assert connection.execute("SELECT pg_sleep(0.01)").fetchone() is not None
