"""The statements of ``include/sql/ledger``: one file per topic, each statement under ``-- name: ...``.

What statements of a file share stands above them under ``-- part: ...``; ``-- include: ...`` takes it in.
The files look like those of aiosql. It is not used: it makes a driver call of each statement by marks on its
name, and knows neither psycopg's row factories nor the check of parameters below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

HEADER: Final = "-- PostgreSQL. "
"""Begins each file, since statements for QuestDB look alike."""

SECTION: Final = re.compile(r"^-- (name|part): (.*)\n", re.MULTILINE)
INCLUDE: Final = re.compile(r"^-- include: (.*)$", re.MULTILINE)
COMMENT: Final = re.compile(r"--.*")
PARAMETER: Final = re.compile(r"%\((\w+)\)s")
IDENTIFIER: Final = re.compile(r"[a-z][a-z_]*")


class StatementError(LookupError):
    """A statement is not there, is there twice, or cannot be read."""


class Statement(NamedTuple):
    """A statement.

    :ivar name: what callers know it by
    :ivar text: its comment and SQL, with ``%(name)s`` markers
    :ivar parameters: names of its driver parameters
    """

    name: str
    text: str
    parameters: frozenset[str]

    def values(self, given: tuple[object, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of each parameter.

        :param given: mappings, or objects with attributes, that hold more than the statement takes; the
            first that has a value gives it
        :param named: by name of the parameter; these win
        :raises TypeError: if a parameter has no value, or a name means none
        """
        if unknown := named.keys() - self.parameters:
            raise TypeError(f"statement {self.name} takes no {', '.join(sorted(unknown))}")
        return {name: named[name] if name in named else self._among(given, name) for name in self.parameters}

    def _among(self, given: tuple[object, ...], name: str) -> Any:
        for one in given:
            if isinstance(one, Mapping):
                if name in one:
                    return one[name]
            elif hasattr(one, name):
                return getattr(one, name)
        raise TypeError(f"statement {self.name} has no value for {name}")


def parse(topics: Mapping[str, str]) -> dict[str, Statement]:
    """Return the statements of some files by name.

    :param topics: text of each file, by file name
    :raises StatementError: if a file does not say that it is for PostgreSQL; a name is bad or there twice;
        there is no SQL or more than one statement under it; a ``%`` is no marker of a named parameter
    """
    found: dict[str, Statement] = {}
    for file, text in topics.items():
        header, *sections = SECTION.split(text)
        if not header.startswith(HEADER) or COMMENT.sub("", header).strip():
            raise StatementError(
                f"{file}: begin with the comment {HEADER!r}, then the first statement's name"
            )
        parts: dict[str, str] = {}
        for kind, name, body in zip(sections[::3], sections[1::3], sections[2::3], strict=True):
            where = f"{file}: {name}"
            if not IDENTIFIER.fullmatch(name):
                raise StatementError(f"{where}: write the name in small letters and underscores")
            if name in found or name in parts:
                raise StatementError(f"{where}: this name is taken; give each statement its own")
            if kind == "part":
                parts[name] = body.strip()
                continue
            if unknown := {*INCLUDE.findall(body)} - parts.keys():
                raise StatementError(f"{where}: no part above is called {', '.join(sorted(unknown))}")
            found[name] = _sound(where, name, INCLUDE.sub(lambda line, parts=parts: parts[line[1]], body))
    return found


def _sound(where: str, name: str, text: str) -> Statement:
    sql = COMMENT.sub("", text)
    if not sql.strip() or ";" in sql:
        raise StatementError(f"{where}: write one statement, without a semicolon")
    if "%" in PARAMETER.sub("", text).replace("%%", ""):
        # In comments, too: the driver reads them.
        raise StatementError(f"{where}: write values as %(name)s, and a percent sign as %%")
    return Statement(name, text.strip(), frozenset(PARAMETER.findall(text)))


@cache
def statements() -> dict[str, Statement]:
    """Return all statements of the ledger by name.

    :raises StatementError: see :func:`parse`
    """
    folder = files("kraken_ohlcv.sql") / "ledger"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return parse({name: (folder / name).read_text(encoding="utf-8") for name in names})


def statement(name: str) -> Statement:
    """Return one statement of the ledger.

    :param name: what stands behind ``-- name:``
    :raises StatementError: if there is none of this name
    """
    try:
        return statements()[name]
    except KeyError:
        raise StatementError(f"no statement is called {name}; see include/sql/ledger") from None
