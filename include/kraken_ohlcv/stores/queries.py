"""Loads the SQL templates of ``include/sql/questdb``: one statement per file, values as driver parameters.

The ledger's statements are loaded by ``stores.ledger.statements``.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined


@cache
def statement(name: str) -> str:
    """Return the text of one statement.

    :param name: file name without ``.sql``
    :return: SQL with ``%(name)s`` markers
    :raises FileNotFoundError: if there is no such file
    """
    return (files("kraken_ohlcv.sql") / "questdb" / f"{name}.sql").read_text(encoding="utf-8")


def rendered(name: str, **params: Any) -> str:
    """Return the text of a statement whose shape depends on how many values it takes.

    :param name: file name without ``.sql``
    :param params: numbers and fixed words for the template; values from data are driver parameters
    :return: SQL with ``%(name)s`` markers
    :raises FileNotFoundError: if there is no such file
    :raises jinja2.UndefinedError: if the template asks for a param that is not given
    """
    # SQL is no HTML: nothing from data goes through the template.
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.from_string(statement(name)).render(**params)
