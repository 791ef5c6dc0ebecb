"""Many rows out of QuestDB at once: its own export over HTTP, as a Parquet file in memory.

PGWire makes a Python object of each value; a file of columns is read many times faster. The server takes no
parameters over HTTP, so values go into the text here, quoted, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests

from kraken_ohlcv.clients.errors import QuestDBError, QuestDBRefusedError, QuestDBUnavailableError
from kraken_ohlcv.clients.http import new_session, timeouts
from kraken_ohlcv.clients.questdb.address import QuestDBAddress

MAGIC = b"PAR1"
"""Begins and ends each Parquet file: an answer that was cut off does not end with it."""


def literal(value: Any) -> str:
    """Return a value as it stands in a statement.

    :param value: whole number, or text
    :raises TypeError: if it is anything else
    """
    match value:
        case bool():
            raise TypeError(f"{value!r} is neither a whole number nor a text")
        case int():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
    raise TypeError(f"{value!r} is neither a whole number nor a text")


def export_parquet(
    address: QuestDBAddress, sql: str, parameters: Mapping[str, Any], *, session: requests.Session | None
) -> bytes:
    """Return the rows of a statement as a Parquet file.

    :param sql: statement; ``%(name)s`` marks a parameter, ``%%`` a percent sign
    :param parameters: by name; whole numbers and texts
    :param session: HTTP session to use, or None for a new one
    :return: the file; times are in microseconds UTC
    :raises QuestDBUnavailableError: if the server cannot be reached, or drops the connection
    :raises QuestDBRefusedError: if it refuses the login, or exports nothing
    :raises QuestDBError: if it refuses the statement
    """
    where = f"QuestDB at {address.host}:{address.http_port} (HTTP)"
    text = sql % {name: literal(value) for name, value in parameters.items()}
    try:
        answer = (session or new_session()).get(
            f"http://{address.host}:{address.http_port}/exp",
            params={"query": text, "fmt": "parquet"},
            headers={"Statement-Timeout": str(round(address.statement_timeout_s * 1000))},
            auth=address.http_auth,
            timeout=timeouts(address.statement_timeout_s),
        )
    except requests.RequestException as error:
        raise QuestDBUnavailableError(
            f"{where} is out of reach or dropped the connection ({type(error).__name__})"
        ) from error
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        raise QuestDBRefusedError(f"{where} exports nothing to this login (status {answer.status_code})")
    content = answer.content
    if answer.status_code == HTTPStatus.OK and content.startswith(MAGIC) and content.endswith(MAGIC):
        return content
    said = " ".join(answer.text[:500].split()) if not content.startswith(MAGIC) else "the file is cut off"
    raise QuestDBError(f"{where} refuses a statement (status {answer.status_code}): {said}")
