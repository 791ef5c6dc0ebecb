"""The SQL templates: one statement a file, said for which server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest

from kraken_ohlcv.stores.queries import statement

FILES = sorted((Path(__file__).resolve().parents[2] / "include" / "sql").glob("*/*.sql"))
NOT_SQL = re.compile(r"--[^\n]*|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
DRIVER_PARAMETER = re.compile(r"%\(\w+\)s|%%")
HEADERS = {"ledger": "PostgreSQL. ", "questdb": "QuestDB. "}

every_file = pytest.mark.parametrize(
    "file", [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in FILES]
)


def test_both_servers_have_statements() -> None:
    assert {file.parent.name for file in FILES} == set(HEADERS)
    assert len(FILES) > 20


@every_file
def test_a_file_says_in_its_first_line_which_server_it_is_for(file: Path) -> None:
    first_line = file.read_text(encoding="utf-8").splitlines()[0]
    assert first_line.removeprefix("-- ").removeprefix("{#- ").startswith(HEADERS[file.parent.name])


@every_file
def test_a_file_holds_one_statement_whose_values_are_driver_parameters(file: Path) -> None:
    text = NOT_SQL.sub("", file.read_text(encoding="utf-8"))
    assert text.strip()
    assert ";" not in text
    assert "%" not in DRIVER_PARAMETER.sub("", text)


@pytest.mark.parametrize(
    ("server", "name", "begins"),
    [
        pytest.param("questdb", "read_candles", "-- QuestDB. The stored candles", id="QuestDB"),
        pytest.param("ledger", "close_gap", "-- PostgreSQL. Close a gap", id="PostgreSQL"),
    ],
)
def test_a_statement_is_found_by_server_and_name(
    server: Literal["ledger", "questdb"], name: str, begins: str
) -> None:
    assert statement(server, name).startswith(begins)


def test_a_statement_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="no_such_statement"):
        statement("ledger", "no_such_statement")
