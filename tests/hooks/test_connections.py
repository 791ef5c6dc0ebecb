"""What the hooks read from Airflow connections, and what Airflow's forms know of them."""

from __future__ import annotations

import importlib.metadata
import json
import tomllib
from typing import Any

import psycopg
import pytest
from airflow.sdk import Connection
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

import kraken_ohlcv
from kraken_hooks.archive import ArchiveHook
from kraken_hooks.connection_fields import KrakenExtra, base_url
from kraken_hooks.dsn import ledger_dsn, libpq_dsn
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.provider import get_provider_info
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.errors import ConnectionFieldError
from kraken_ohlcv.clients.exchange.client import KRAKEN_URL
from tests.environments import ROOT


def connection(**fields: Any) -> Connection:
    return Connection.from_json(json.dumps({"conn_type": "kraken", **fields}), conn_id="some_id")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        pytest.param({}, "https://api.kraken.com", id="nothing: Kraken itself"),
        pytest.param({"host": ""}, "https://api.kraken.com", id="empty host: Kraken itself"),
        pytest.param({"host": "https://api.kraken.com"}, "https://api.kraken.com", id="with scheme"),
        pytest.param({"host": "https://api.kraken.com//"}, "https://api.kraken.com", id="trailing slashes"),
        pytest.param({"host": " api.kraken.com "}, "https://api.kraken.com", id="without scheme: https"),
        pytest.param(
            {"host": "localhost", "schema": "http"}, "http://localhost", id="scheme in the schema field"
        ),
        pytest.param({"host": "http://127.0.0.1:8123"}, "http://127.0.0.1:8123", id="port in the host"),
        pytest.param({"host": "http://127.0.0.1", "port": 8123}, "http://127.0.0.1:8123", id="port field"),
        pytest.param(
            {"host": "http://127.0.0.1:1", "port": 2}, "http://127.0.0.1:1", id="port in the host wins"
        ),
        pytest.param({"host": "http://[::1]:8123/"}, "http://[::1]:8123", id="IPv6"),
        pytest.param({"host": "http://proxy/kraken/"}, "http://proxy/kraken", id="below a path"),
    ],
)
def test_base_url_is_found_however_the_host_is_written(fields: dict[str, Any], url: str) -> None:
    assert base_url(connection(**fields), default=KRAKEN_URL) == url


def test_base_url_of_a_connection_given_as_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_DEFAULT", "kraken://https%3A%2F%2Fapi.kraken.com/")
    assert KrakenHook().base_url == "https://api.kraken.com"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("ftp://api.kraken.com", "ftp://api.kraken.com"),
        ("https://", "https://"),
        ("https://api.kraken.com?x=1", "x=1"),
        ("https://api.kraken.com:notaport", "notaport"),
    ],
)
def test_host_that_is_no_address_is_refused_by_value(host: str, said: str) -> None:
    with pytest.raises(ConnectionFieldError, match="connection some_id: host") as caught:
        base_url(connection(host=host), default=KRAKEN_URL)
    assert said in str(caught.value)


def test_password_in_the_host_is_refused_and_not_shown() -> None:
    with pytest.raises(ConnectionFieldError) as caught:
        base_url(connection(host="https://user:hunter2@api.kraken.com"), default=KRAKEN_URL)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("value", "number"), [(0.25, 0.25), (2, 2.0), ("1.5", 1.5), (None, 1.0), ("", 1.0)])
def test_interval_is_a_number_above_zero(value: object, number: float) -> None:
    assert KrakenExtra.of(connection(extra={"min_interval_s": value})).min_interval_s == number


@pytest.mark.parametrize("value", [0, -1, "fast", "nan", "inf", True, [1], {}])
def test_other_interval_is_refused_by_value(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"conn_type": "kraken", "host": "http://127.0.0.1:1", "extra": {"min_interval_s": value}}
    monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_DEFAULT", json.dumps(fields))
    hook = KrakenHook()
    with pytest.raises(
        ConnectionFieldError, match="connection kraken_default: min_interval_s in the extra"
    ) as caught:
        hook.get_conn()
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["nine thousand", "9000.5", 9000.5, 0, -9000, 65536, True, [9000], {}])
def test_an_http_port_that_is_none_is_refused_by_value_and_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    fields = {"conn_type": "questdb", "extra": {"http_port": value}}
    monkeypatch.setenv("AIRFLOW_CONN_QUESTDB_DEFAULT", json.dumps(fields))
    with pytest.raises(
        ConnectionFieldError,
        match="connection questdb_default: http_port in the extra must be a whole number from 1 to 65535",
    ) as caught:
        QuestDBHook().address()
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [["secret"], {"is": "secret"}, True])
def test_a_password_that_is_no_text_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    fields = {"conn_type": "questdb", "extra": {"http_password": value}}
    monkeypatch.setenv("AIRFLOW_CONN_QUESTDB_DEFAULT", json.dumps(fields))
    with pytest.raises(ConnectionFieldError, match="http_password in the extra must be a text") as caught:
        QuestDBHook().address()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "port"),
    [
        pytest.param({}, 9000, id="none: QuestDB's own"),
        pytest.param({"http_port": None}, 9000, id="null: QuestDB's own"),
        pytest.param({"http_port": ""}, 9000, id="an empty field of the form: QuestDB's own"),
        pytest.param({"http_port": "9010"}, 9010, id="as text"),
        pytest.param({"http_port": 65535}, 65535, id="the highest"),
    ],
)
def test_an_http_port_may_be_text_or_left_out(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], port: int
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_QUESTDB_DEFAULT", json.dumps({"conn_type": "questdb", "extra": extra}))
    assert QuestDBHook().address().http_port == port


def test_kraken_connection_test_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_DEFAULT", '{"conn_type": "kraken"}')
    works, said = KrakenHook().test_connection()
    assert not works
    assert "ohlcv_postgres" in said


def test_ledger_is_reached_over_the_socket_directory_in_the_host_field(ledger_uri: str) -> None:
    with psycopg.connect(ledger_dsn()) as db, psycopg.connect(ledger_uri) as same:
        assert db.info.dbname == same.info.dbname
        assert db.info.host.startswith("/")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"host": "db", "port": 5433, "login": "me", "password": "p w'", "schema": "ohlcv"},
            {"host": "db", "port": "5433", "user": "me", "password": "p w'", "dbname": "ohlcv"},
            id="all fields, quoted",
        ),
        pytest.param(
            {"login": "me", "schema": "ohlcv", "extra": {"host": "/run/postgresql"}},
            {"host": "/run/postgresql", "user": "me", "dbname": "ohlcv"},
            id="socket directory in the extra",
        ),
        pytest.param(
            {"host": "db", "extra": {"host": "other", "sslmode": "require", "cursor": "dictcursor"}},
            {"host": "db", "sslmode": "require"},
            id="extra: libpq's keys pass, Airflow's do not, the field wins",
        ),
    ],
)
def test_dsn_holds_what_libpq_knows(fields: dict[str, Any], expected: dict[str, str]) -> None:
    assert psycopg.conninfo.conninfo_to_dict(libpq_dsn(connection(**fields))) == expected


def test_airflow_finds_both_connection_types_and_their_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = ProvidersManagerTaskRuntime().hooks
    for conn_type, hook_class in (
        ("kraken", KrakenHook),
        ("kraken_archive", ArchiveHook),
        ("questdb", QuestDBHook),
    ):
        found = hooks[conn_type]
        assert found is not None
        assert found.package_name == "kraken-ohlcv-airflow"
        assert found.connection_testable
        monkeypatch.setenv("AIRFLOW_CONN_FORM_MADE", json.dumps({"conn_type": conn_type}))
        hook = Connection.get("form_made").get_hook()
        assert type(hook) is hook_class
        assert getattr(hook, hook_class.conn_name_attr) == "form_made"


def test_forms_offer_the_fields_the_hooks_read() -> None:
    types = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}
    assert set(types) == {"kraken", "kraken_archive", "questdb"}
    assert set(types["kraken_archive"]["conn-fields"]) == {"timeout_s"}
    assert set(types["kraken"]["conn-fields"]) == {"min_interval_s", "timeout_s", "max_clock_skew_s"}
    assert set(types["questdb"]["conn-fields"]) == {
        "http_port",
        "http_login",
        "http_password",
        "apply_timeout_s",
        "statement_timeout_s",
    }
    for entry in types.values():
        assert entry["ui-field-behaviour"]


def test_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert importlib.metadata.version(project["name"]) == kraken_ohlcv.__version__
    assert get_provider_info()["versions"] == [kraken_ohlcv.__version__]
    assert get_provider_info()["package-name"] == project["name"]


def test_airflow_does_not_execute_the_package_as_plugins() -> None:
    assert "kraken_hooks/" in (ROOT / "plugins" / ".airflowignore").read_text().splitlines()
