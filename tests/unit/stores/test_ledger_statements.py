"""The SQL for QuestDB, one statement per file, and the statements of the ledger, one topic per file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from kraken_ohlcv.clients.statements import StatementError, parse, statements
from kraken_ohlcv.clients.statements import statement as ledger_statement
from kraken_ohlcv.stores.queries import statement
from tests.environments import ROOT

INCLUDE = ROOT / "include"
FILES = sorted((INCLUDE / "sql").glob("*/*.sql"))
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


@pytest.mark.parametrize(
    "file", [pytest.param(file, id=file.stem) for file in FILES if file.parent.name == "questdb"]
)
def test_a_file_for_questdb_holds_one_statement_whose_values_are_driver_parameters(file: Path) -> None:
    text = NOT_SQL.sub("", file.read_text(encoding="utf-8"))
    assert text.strip()
    assert ";" not in text
    assert "%" not in DRIVER_PARAMETER.sub("", text)


def test_a_statement_for_questdb_is_found_by_the_name_of_its_file() -> None:
    assert statement("read_candles").startswith("-- QuestDB. The stored candles")
    with pytest.raises(FileNotFoundError, match="no_such_statement"):
        statement("no_such_statement")


def test_a_statement_of_the_ledger_is_found_by_its_name_and_knows_its_parameters() -> None:
    found = ledger_statement("start_attempt")
    assert found.text.startswith("-- Mark a gap as being filled")
    assert found.parameters == {"gap_id", "now_s", "is_first_try"}
    with pytest.raises(StatementError, match="no statement is called no_such_statement"):
        ledger_statement("no_such_statement")


def test_every_statement_of_the_ledger_says_what_it_is_for_and_is_used() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in INCLUDE.rglob("*.py"))
    assert len(statements()) > 80
    for found in statements().values():
        assert found.text.startswith("-- ")
        assert f'"{found.name}"' in code, f"nothing uses {found.name}"


SOUND = (
    "-- PostgreSQL. Fruit.\n\n-- name: eat\n-- Eat one; all of it.\nDELETE FROM fruit WHERE name = %(name)s\n"
)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param(
            {"a.sql": SOUND, "b.sql": SOUND}, "b.sql: eat: this name is taken", id="same name, two files"
        ),
        pytest.param(
            {"a.sql": SOUND + "\n-- name: eat\nSELECT 1\n"}, "this name is taken", id="same name, one file"
        ),
        pytest.param({"a.sql": SOUND.replace("PostgreSQL", "QuestDB")}, "begin with", id="other server"),
        pytest.param({"a.sql": SOUND.replace("name: eat\n", "Eat\n")}, "begin with", id="SQL without a name"),
        pytest.param({"a.sql": SOUND.replace("eat\n", "Eat it\n")}, "small letters", id="bad name"),
        pytest.param(
            {"a.sql": SOUND + "\n-- name: rot\n-- Nothing.\n"}, "rot: write one statement", id="no SQL"
        ),
        pytest.param(
            {"a.sql": SOUND + "-- include: rotten\n"}, "no part above is called rotten", id="unknown part"
        ),
        pytest.param({"a.sql": SOUND + "; SELECT 1"}, "without a semicolon", id="two statements"),
        pytest.param(
            {"a.sql": SOUND.replace("%(name)s", "%s")}, "write values as", id="marker without a name"
        ),
        pytest.param(
            {"a.sql": SOUND.replace("all of", "100 % of")}, "a percent sign as %%", id="in a comment"
        ),
        pytest.param({"a.sql": SOUND + " AND n % 2 = 0"}, "a percent sign as %%", id="lone percent sign"),
    ],
)
def test_a_file_that_could_be_misread_is_refused(files: dict[str, str], says: str) -> None:
    with pytest.raises(StatementError, match=re.escape(says)):
        parse(files)


def test_what_statements_of_a_file_share_is_written_once() -> None:
    part = "-- part: sweet\nWHERE name = %(name)s\n\n"
    pick = "-- name: pick\nSELECT 1 FROM fruit\n-- include: sweet\n\n"
    eat = "-- name: eat\nDELETE FROM fruit\n-- include: sweet\n"
    found = parse({"a.sql": "-- PostgreSQL. Fruit.\n\n" + part + pick + eat})
    assert found.keys() == {"pick", "eat"}
    assert found["eat"].text == "DELETE FROM fruit\nWHERE name = %(name)s"
    assert found["pick"].parameters == {"name"}


def test_a_sound_file_is_read() -> None:
    (found,) = parse({"a.sql": SOUND}).values()
    assert found.name == "eat"
    assert found.parameters == {"name"}


@dataclass
class Fruit:
    """Holds more than a statement takes."""

    name: str
    colour: str = "red"


@pytest.mark.parametrize(
    ("given", "named", "values"),
    [
        pytest.param((), {"name": "fig"}, {"name": "fig"}, id="by name"),
        pytest.param((Fruit("fig"),), {}, {"name": "fig"}, id="from an object that has more"),
        pytest.param(({"name": "fig", "n": 1},), {}, {"name": "fig"}, id="from a mapping that has more"),
        pytest.param(({"n": 1}, Fruit("fig")), {}, {"name": "fig"}, id="from the first that has it"),
        pytest.param((Fruit("fig"),), {"name": "plum"}, {"name": "plum"}, id="a name wins"),
        pytest.param((Fruit("fig"),), {"name": None}, {"name": None}, id="none by name wins"),
    ],
)
def test_each_parameter_gets_its_value(
    given: tuple[object, ...], named: dict[str, object], values: dict[str, object]
) -> None:
    (found,) = parse({"a.sql": SOUND}).values()
    assert found.values(given, named) == values


def test_a_parameter_without_a_value_or_a_value_without_a_parameter_is_an_error() -> None:
    (found,) = parse({"a.sql": SOUND}).values()
    with pytest.raises(TypeError, match="statement eat has no value for name"):
        found.values(({"colour": "red"},), {})
    with pytest.raises(TypeError, match="statement eat takes no colour"):
        found.values((Fruit("fig"),), {"colour": "red"})
