"""Commands find the stores by URL, or as the Airflow does in whose environment they are called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv_cli.stores import url_of, urls
from tests.integration.kraken_ohlcv_cli.test_status import ONE, keep_up

if TYPE_CHECKING:
    from tests.integration.command_line import CommandLine
    from tests.integration.world import World

SETTINGS = (CANDLES_URL_ENV, LEDGER_URL_ENV)


def test_airflows_connections_count_where_no_url_is_given(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_up(world)
    for name in SETTINGS:
        monkeypatch.delenv(name)
    assert cli(*ONE).code == 0


@pytest.mark.parametrize("setting", SETTINGS)
def test_one_url_alone_is_never_mixed_with_a_connection(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.delenv(setting)
    done = cli(*ONE)
    assert (done.code, setting in done.err) == (2, True)


def test_without_url_and_connection_the_setting_is_named(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*SETTINGS, "AIRFLOW_CONN_QUESTDB_DEFAULT", "AIRFLOW_CONN_OHLCV_POSTGRES"):
        monkeypatch.delenv(name)
    done = cli(*ONE)
    assert (done.code, CANDLES_URL_ENV in done.err) == (2, True)


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CANDLES_URL_ENV, "postgresql://one/qdb")
    monkeypatch.setenv(LEDGER_URL_ENV, "postgresql://two/ohlcv")
    assert urls("postgresql://three/qdb", None) == ("postgresql://three/qdb", "postgresql://two/ohlcv")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"user": "a:b@c/d", "password": "p@s/s?w#o:rd%"}, id="login with every sign"),
        pytest.param({"user": None, "password": None}, id="no login"),
        pytest.param({"host": "::1"}, id="IPv6"),
        pytest.param({"http_login": "x", "http_password": "y&z"}, id="another login for HTTP"),
        pytest.param({"database": "a b"}, id="database with a blank"),
        pytest.param({"apply_timeout_s": 2.5, "statement_timeout_s": 7.0}, id="timeouts"),
    ],
)
def test_a_connection_survives_as_a_url(candle_table: str, changes: dict[str, object]) -> None:
    del candle_table
    address = replace(QuestDBHook().address(), **changes)
    back = QuestDBAddress.of_url(url_of(address), name=address.name)
    libpq = {name: str(value) for name, value in back.libpq.items()}
    assert libpq == {name: str(value) for name, value in address.libpq.items()}
    assert replace(back, libpq=address.libpq) == address
