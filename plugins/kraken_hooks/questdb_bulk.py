"""Many rows into QuestDB at once: one transaction over ILP/HTTP.

Rows go into an existing table only: a misspelt column or table would be *created* by the server (unless its
``line.auto.create.new.*`` settings forbid it), so the caller makes the table by DDL first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from questdb import QuestDBError as ClientError
from questdb import QuestDBErrorCode, Sender

from kraken_hooks.errors import QuestDBError, QuestDBUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

HTTP_PORT: Final = 9000
REQUEST_TIMEOUT_MS: Final = 60_000
PASSING: Final = frozenset({
    QuestDBErrorCode.SocketError,
    QuestDBErrorCode.ProtocolVersionError,
    QuestDBErrorCode.CouldNotResolveAddr,
    QuestDBErrorCode.ConnectTimeout,
    QuestDBErrorCode.ServerInternalError,
})
"""A server that is down says so in one of these; a resend is safe because of DEDUP."""


def send_frame(
    connection: Connection, table: str, frame: pl.DataFrame, *, symbols: Mapping[str, str], at: str
) -> None:
    """Send rows as one transaction: all of them are accepted, or none.

    They are not readable yet when this returns; see :meth:`QuestDBHook.wait_applied`.

    :param connection: to the server; its login, and ``http_port`` of its extra, count
    :param table: an existing table
    :param frame: at most 100,000 rows; text columns go into SYMBOL columns, nulls become NULL
    :param symbols: SYMBOL columns that have the same value in every row
    :param at: column with the time, epoch seconds UTC; it is sent as the table's designated timestamp
    :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
    :raises QuestDBError: if it refuses the rows
    """
    if frame.is_empty():
        return
    import pandas as pd  # noqa: PLC0415 (slow to import; the client takes no other frames)

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    columns: dict[str, Any] = {}
    for name, value in symbols.items():
        columns[name] = pd.Series([value], dtype=object).repeat(frame.height).to_numpy()
    for name in frame.columns:
        if name != at and frame[name].null_count() < frame.height:
            columns[name] = frame[name].to_numpy()
    columns["ts"] = frame[at].cast(pl.Int64).to_numpy().astype("datetime64[s]").astype("datetime64[us]")
    where = f"{connection.host}:{_http_port(connection)}"
    try:
        with Sender.from_conf(
            f"http::addr={where};auto_flush=off;request_timeout={REQUEST_TIMEOUT_MS};{_login(connection)}"
        ) as sender:
            sender.dataframe(pd.DataFrame(columns), table_name=table, symbols=[*symbols, *texts], at="ts")
            sender.flush()
    except ClientError as error:
        said = " ".join(str(error).split())
        if error.code in PASSING:
            raise QuestDBUnavailableError(
                f"QuestDB at {where} (HTTP) is out of reach or dropped the connection: {said}"
            ) from error
        raise QuestDBError(f"QuestDB at {where} (HTTP) refuses rows for {table}: {said}") from error


def _login(connection: Connection) -> str:
    """Return the login in the form of the client; a server that has no ``http.user`` ignores it."""
    if not connection.login or not connection.password:
        return ""
    fields = {"username": connection.login, "password": connection.password}
    return "".join(f"{name}={value.replace(';', ';;')};" for name, value in fields.items())


def _http_port(connection: Connection) -> int:
    return int(connection.extra_dejson.get("http_port") or HTTP_PORT)
