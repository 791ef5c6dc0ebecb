"""Stores by URL: logins that may only read, ways to QuestDB, other versions, and the exchange's time."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests

from kraken_ohlcv import complete_until, coverage, open_stores, read_candles
from kraken_ohlcv.clients.errors import QuestDBRefusedError, QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.reader.stores import LedgerUnavailableError
from kraken_ohlcv.stores.history import read_past
from kraken_ohlcv.stores.ledger.moments import settled_us
from local.questdb import DATABASE, PASSWORD, USER, start_questdb
from tests.conftest import ROOT, set_connection
from tests.integration.damage import NOW, Damaged, History, candle
from tests.integration.reader.test_random_damage import INSERT, damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kraken_ohlcv.reader.stores import Stores
    from local.questdb import QuestDBServer

READER = {
    "QDB_PG_READONLY_USER_ENABLED": "true",
    "QDB_PG_READONLY_USER": "reader",
    "QDB_PG_READONLY_PASSWORD": "reads",
}
AAA = Series("AAAUSD", 60)
ROLE = "CREATE ROLE reads_only LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reads_only"


@pytest.fixture(scope="module")
def guarded_server(service_directory: Path) -> Iterator[QuestDBServer]:
    """Give a QuestDB that asks for a login over HTTP, and has one over PGWire that may only read."""
    server = start_questdb(service_directory / "guarded", env=READER, http_password="other")  # noqa: S106
    yield server
    server.stop()


@pytest.fixture
def reads_only(ledger_uri: str) -> Iterator[str]:
    """Give the URL of the ledger for a role that may only read."""
    with psycopg.connect(ledger_uri, autocommit=True) as connection:
        connection.execute(ROLE.encode())
        yield ledger_uri.replace("postgres@", "reads_only@")
        connection.execute("DROP OWNED BY reads_only; DROP ROLE reads_only")


def fill(stores: Stores, ledger_uri: str) -> None:
    """Store 900 hours but one, which is proven empty."""
    damaged = Damaged(AAA, -900, set(range(-900, 0)) - {-7}, [(-7, -6, "trades")])
    damage(stores, ledger_uri, History([damaged], {}))


def test_logins_that_may_only_read_read_the_same(
    guarded_server: QuestDBServer,
    ledger_uri: str,
    reads_only: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415 (imports Airflow)
    from kraken_ohlcv.stores.schema import ensure_candle_table  # noqa: PLC0415 (imports Alembic)

    caplog.set_level(logging.INFO, "kraken_ohlcv")
    pg_port, http_port = guarded_server.pg_port, guarded_server.http_port
    set_connection(
        monkeypatch, "questdb_default", conn_type="questdb", host="127.0.0.1", port=pg_port, login=USER,
        password=PASSWORD, extra={"http_port": http_port},
    )  # fmt: skip
    ensure_candle_table(QuestDBHook(questdb_conn_id="questdb_default").client())
    owner = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{pg_port}/{DATABASE}?http_port={http_port}&http_password=other"
    reader = f"postgresql://reader:reads@127.0.0.1:{pg_port}/{DATABASE}?http_port={http_port}"
    found: dict[str, list[Any]] = {}
    for name, candles_url, ledger_url in (
        ("owner", f"{owner}&http_login={USER}", ledger_uri),
        ("reader", reader, reads_only),
    ):
        with open_stores(candles_url, ledger_url, clock=lambda: NOW) as stores:
            if name == "owner":
                fill(stores, ledger_uri)
                with psycopg.connect(ledger_uri, autocommit=True) as connection:
                    connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reads_only")
            caplog.clear()
            frames = (
                read_candles("AAAUSD", 60, empty="fill_close", stores=stores),
                read_candles(["AAAUSD", "BBBUSD"], 60, on_missing="mark", stores=stores),
                coverage("AAAUSD", 60, stores=stores),
            )
            span, at_us = (NOW - 1000 * 3600, NOW), settled_us(stores.ledger)
            past = read_past(stores.questdb, stores.ledger, AAA, span, at_us=at_us)
            found[name] = [
                *(frame.to_dicts() for frame in frames),
                complete_until("AAAUSD", 60, stores=stores),
                (past.start_s, past.candles.to_dicts(), past.empty.all, past.unknown),
            ]
        assert ("over PGWire" in caplog.text) == (name == "reader")
    assert found["reader"] == found["owner"]
    assert len(found["reader"][0]) == 900
    with open_stores(reader, reads_only) as stores:
        with pytest.raises(Exception, match="denied"):
            stores.questdb.query("INSERT INTO ohlcv (ts) VALUES (now())")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            stores.ledger.execute("DELETE FROM series")


def test_an_http_port_where_nobody_listens_is_done_without(
    stores: Stores, candles_url: str, ledger_uri: str
) -> None:
    fill(stores, ledger_uri)
    usual = read_candles("AAAUSD", 60, stores=stores)
    unheard = f"{candles_url.partition('?')[0]}?http_port=9"

    with open_stores(unheard, ledger_uri, clock=lambda: NOW) as others:
        assert read_candles("AAAUSD", 60, stores=others).equals(usual)


def test_an_http_port_of_another_questdb_is_never_read(
    stores: Stores,
    candles_url: str,
    ledger_uri: str,
    guarded_server: QuestDBServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from kraken_ohlcv.stores.schema import ensure_candle_table  # noqa: PLC0415 (imports Alembic)

    caplog.set_level(logging.INFO, "kraken_ohlcv")
    fill(stores, ledger_uri)
    usual = read_candles("AAAUSD", 60, stores=stores)
    login = f"http_login={USER}&http_password=other"
    other = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{guarded_server.pg_port}/{DATABASE}?{login}"
    elsewhere = QuestDBClient(
        QuestDBAddress.of_url(f"{other}&http_port={guarded_server.http_port}", name="other")
    )
    ensure_candle_table(elsewhere)
    elsewhere.write_batch("ohlcv", INSERT, [candle(AAA, NOW // 3600 * 3600 - 7200, close=9.0)])
    crossed = f"{candles_url.partition('?')[0]}?http_port={guarded_server.http_port}&{login}"

    with open_stores(crossed, ledger_uri, clock=lambda: NOW) as others:
        assert read_candles("AAAUSD", 60, stores=others).equals(usual)

    assert f"port {guarded_server.http_port} of 127.0.0.1 belongs to another QuestDB" in caplog.text


@contextmanager
def answering(status: int, body: Callable[[str], bytes]) -> Iterator[int]:
    """Give the port of an HTTP server that answers each path so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = body(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "spoilt"),
    [
        pytest.param(200, lambda whole: whole[:-100], id="cut off"),
        pytest.param(200, lambda _: b"", id="empty"),
        pytest.param(200, lambda _: b"ts,open\n1,2\n", id="another format"),
        pytest.param(200, lambda whole: whole[:4] + b"?" * 200 + whole[-4:], id="not what it claims"),
        pytest.param(400, lambda _: b'{"error": "invalid format"}', id="refused"),
        pytest.param(502, lambda _: b"<html>Bad gateway</html>", id="a proxy's error"),
    ],
)
def test_an_export_that_is_not_whole_is_not_believed(
    stores: Stores, candles_url: str, ledger_uri: str, status: int, spoilt: Callable[[bytes], bytes]
) -> None:
    fill(stores, ledger_uri)
    usual = read_candles("AAAUSD", 60, stores=stores)
    address = stores.questdb.address

    def body(path: str) -> bytes:
        return spoilt(requests.get(f"http://127.0.0.1:{address.http_port}{path}", timeout=60).content)

    with (
        answering(status, body) as port,
        open_stores(
            f"{candles_url.partition('?')[0]}?http_port={port}", ledger_uri, clock=lambda: NOW
        ) as others,
    ):
        assert read_candles("AAAUSD", 60, stores=others).equals(usual)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param(
            "UPDATE alembic_version SET version_num = '0020'",
            "of an older version (revision 0020",
            id="older",
        ),
        pytest.param(
            "UPDATE alembic_version SET version_num = '9999'", "of a newer version (revision 9999", id="newer"
        ),
        pytest.param("DROP TABLE alembic_version", "holds no ledger", id="another database"),
        pytest.param("DELETE FROM alembic_version", "holds no ledger", id="never migrated"),
    ],
)
def test_a_ledger_of_another_version_is_one_clear_sentence(
    stores: Stores, candles_url: str, ledger_uri: str, sql: str, said: str
) -> None:
    stores.ledger.execute(sql.encode())

    with pytest.raises(SetUpError) as refused, open_stores(candles_url, ledger_uri):
        pass

    assert said in str(refused.value)
    assert "OHLCV_LEDGER_URL" in str(refused.value)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param("DROP TABLE ohlcv", "has no table ohlcv", id="no table"),
        pytest.param("ALTER TABLE ohlcv DROP COLUMN vwap", "has no column vwap", id="another table"),
    ],
)
def test_a_candle_table_of_another_version_is_one_clear_sentence(
    stores: Stores, candles_url: str, ledger_uri: str, sql: str, said: str
) -> None:
    stores.questdb.query(sql)
    if sql.startswith("ALTER"):
        stores.questdb.wait_applied("ohlcv")

    with pytest.raises(SetUpError) as refused, open_stores(candles_url, ledger_uri):
        pass

    assert said in str(refused.value)
    assert "OHLCV_CANDLES_URL" in str(refused.value)


def test_a_role_without_rights_is_told_which(
    stores: Stores, candles_url: str, ledger_uri: str, reads_only: str
) -> None:
    stores.ledger.execute("REVOKE SELECT ON coverage_months FROM reads_only")
    fill(stores, ledger_uri)

    with (
        pytest.raises(
            SetUpError, match=r"permission denied for table coverage_months.*GRANT SELECT ON ALL TABLES"
        ),
        open_stores(candles_url, reads_only, clock=lambda: NOW) as others,
    ):
        read_candles("AAAUSD", 60, stores=others)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        pytest.param("OHLCV_CANDLES_URL", None, "set OHLCV_CANDLES_URL, or give it", id="no candles"),
        pytest.param("OHLCV_LEDGER_URL", None, "set OHLCV_LEDGER_URL, or give it", id="no ledger"),
        pytest.param(
            "OHLCV_CANDLES_URL", "http://localhost:9000", "write it like postgresql://", id="another scheme"
        ),
        pytest.param(
            "OHLCV_LEDGER_URL", "postgresql://u:s3cret@h:x/y?z", "OHLCV_LEDGER_URL cannot be", id="no URL"
        ),
        pytest.param(
            "OHLCV_LEDGER_URL", "postgresql://u:p@s3cret@127.0.0.1:9/y", "@ is %40", id="an at sign in it"
        ),
        pytest.param(
            "OHLCV_LEDGER_URL", "postgresql://u:1/s3cret@127.0.0.1:9/y", "/ is %2F", id="a slash in it"
        ),
        pytest.param("OHLCV_LEDGER_URL", "s3cret", "OHLCV_LEDGER_URL cannot be", id="only a password"),
        pytest.param(
            "OHLCV_CANDLES_URL", "postgresql://u:1/s3cret@127.0.0.1:9/y", "no URL", id="a slash in QuestDB's"
        ),
    ],
)
def test_a_url_that_cannot_be_used_names_its_setting_and_no_password(
    candles_url: str,
    ledger_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str | None,
    said: str,
) -> None:
    monkeypatch.setenv("OHLCV_CANDLES_URL", candles_url)
    monkeypatch.setenv("OHLCV_LEDGER_URL", ledger_uri)
    monkeypatch.delenv(setting) if value is None else monkeypatch.setenv(setting, value)

    with pytest.raises(SetUpError) as refused:
        read_candles("AAAUSD", 60)

    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_wrong_login_is_refused_by_its_setting(stores: Stores, candles_url: str, ledger_uri: str) -> None:
    del stores
    with (
        pytest.raises(QuestDBRefusedError, match="OHLCV_CANDLES_URL"),
        open_stores(candles_url.replace(PASSWORD, "wrong"), ledger_uri),
    ):
        pass


def test_a_ledger_url_that_leads_to_a_questdb_is_said_so(stores: Stores, candles_url: str) -> None:
    del stores
    with (
        pytest.raises(SetUpError, match="the database of OHLCV_LEDGER_URL holds no ledger"),
        open_stores(candles_url, candles_url.partition("?")[0]),
    ):
        pass


def test_a_ledger_out_of_reach_is_named(candles_url: str) -> None:
    with (
        pytest.raises(LedgerUnavailableError, match="the ledger of OHLCV_LEDGER_URL is out of reach"),
        open_stores(candles_url, "postgresql://u:p@127.0.0.1:9/ohlcv"),
    ):
        pass


def test_a_questdb_out_of_reach_is_said_so(ledger_uri: str) -> None:
    with pytest.raises(QuestDBUnavailableError), open_stores("postgresql://u:p@127.0.0.1:9/qdb", ledger_uri):
        pass


def test_the_time_is_the_exchanges_as_the_newest_run_asked_it(
    stores: Stores, candles_url: str, ledger_uri: str
) -> None:
    fill(stores, ledger_uri)
    insert = (
        "INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, plan, asked_at) VALUES"
        " ('backfill_tier1_daily', %s, to_timestamp(%s), 'TIER1', '{60}', %s,"
        " clock_timestamp() - make_interval(secs => %s))"
    )
    for run in (
        ("old", NOW - 7200, None, 3 * 86400),
        ("new", NOW - 3600, None, 3600),
        ("by the worker's clock", NOW + 99999, "{}", 0),
    ):
        stores.ledger.execute(insert, run)

    with open_stores(candles_url, ledger_uri) as others:
        assert 0 <= others.clock() - NOW < 300
        frame = read_candles("AAAUSD", 60, on_missing="mark", stores=others)

    assert frame["available_at"].max().timestamp() == NOW // 3600 * 3600


def test_names_for_readers_are_imported_at_first_use_and_airflow_never() -> None:
    script = (
        "import sys, json, kraken_ohlcv as k; before = sorted(sys.modules); k.read_candles;"
        "print(json.dumps([before, sorted(sys.modules)]))"
    )
    answer = subprocess.run(  # noqa: S603 (our own interpreter)
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT / "include"
    )
    before, after = map(set, json.loads(answer.stdout))

    assert not before & {"polars", "numpy", "psycopg", "kraken_ohlcv.core"}
    assert "polars" in after
    assert not after & {"airflow", "alembic", "sqlalchemy", "pandas", "questdb"}
