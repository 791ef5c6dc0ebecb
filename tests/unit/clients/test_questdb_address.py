"""The URL of a QuestDB."""

from __future__ import annotations

import pytest

from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.export import literal
from kraken_ohlcv.core.errors import SetUpError

NAME = "OHLCV_CANDLES_URL"


def test_a_url_says_where_and_who() -> None:
    url = "postgresql://kim:p%40ss@db.example:8813/candles?http_port=9001&http_login=web&sslmode=disable"

    address = QuestDBAddress.of_url(url, name=NAME)

    assert (address.host, address.port, address.database, address.http_port) == (
        "db.example",
        8813,
        "candles",
        9001,
    )
    assert (address.user, address.password, address.http_login) == ("kim", "p@ss", "web")
    assert address.libpq["sslmode"] == "disable"
    assert "connect_timeout" in address.libpq


def test_what_a_url_leaves_out_is_questdbs_default() -> None:
    address = QuestDBAddress.of_url("postgresql://db", name=NAME)

    assert (address.port, address.database, address.http_port, address.user) == (8812, "qdb", 9000, None)
    assert (address.apply_timeout_s, address.statement_timeout_s) == (30.0, 120.0)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("db:8812", "is no URL of a QuestDB", id="no scheme"),
        pytest.param("mysql://u:s3cret@db", "is no URL of a QuestDB", id="another scheme"),
        pytest.param("postgresql://u:s3cret@db:port/qdb", "is no URL", id="port"),
        pytest.param("postgresql://u:s3cret@db?http_port=web", "http_port is 'web'", id="HTTP port"),
        pytest.param(
            "postgresql://u:s3cret@db?http_port=70000", "http_port is '70000'", id="HTTP port too large"
        ),
        pytest.param(
            "postgresql://u:s3cret@db?statement_timeout_s=0", "statement_timeout_s is '0'", id="no time"
        ),
        pytest.param(
            "postgresql://u:s3cret@db?apply_timeout_s=nan", "apply_timeout_s is 'nan'", id="no number"
        ),
    ],
)
def test_a_url_that_cannot_be_used_names_the_field_and_no_password(url: str, said: str) -> None:
    with pytest.raises(SetUpError) as refused:
        QuestDBAddress.of_url(url, name=NAME)

    assert said in str(refused.value)
    assert str(refused.value).startswith(NAME)
    assert "s3cret" not in str(refused.value)


def test_a_text_in_a_statement_ends_where_it_ends() -> None:
    assert literal("X'; DROP TABLE ohlcv --") == "'X''; DROP TABLE ohlcv --'"
    assert literal(42) == "42"
    for value in (True, 1.5, None, b"x"):
        with pytest.raises(TypeError):
            literal(value)
