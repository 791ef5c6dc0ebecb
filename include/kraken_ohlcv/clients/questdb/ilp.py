"""Many rows into QuestDB at once: one transaction over ILP/HTTP.

Rows go into an existing table only: a misspelt column or table would be *created* by the server (unless its
``line.auto.create.new.*`` settings forbid it), so the caller makes the table by DDL first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any, Final

import polars as pl
import requests
from questdb import QuestDBError as ClientError
from questdb import QuestDBErrorCode, Sender

from kraken_ohlcv.clients.errors import QuestDBError, QuestDBRefusedError, QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.address import QuestDBAddress

PROBE_TIMEOUT_S: Final = 10
PASSING: Final = frozenset({
    QuestDBErrorCode.SocketError,
    QuestDBErrorCode.ProtocolVersionError,
    QuestDBErrorCode.CouldNotResolveAddr,
    QuestDBErrorCode.ConnectTimeout,
    QuestDBErrorCode.ServerInternalError,
})
"""A server that is down says so in one of these; a resend is safe because of DEDUP."""


class PreparedFrame:
    """Rows of one transaction, encoded; nothing of them is sent before :meth:`send`, and nothing without it.

    Encoding takes as long as the server needs for the rows: what sends many frames prepares the next one
    meanwhile.
    """

    def __init__(self, address: QuestDBAddress, table: str, sender: Sender, opened: ExitStack) -> None:
        self._address, self._table, self._sender, self._opened = address, table, sender, opened

    def send(self) -> None:
        """Send them, once: all of them are accepted, or none.

        They are not readable yet when this returns; see :meth:`QuestDBClient.wait_applied`.

        :raises QuestDBUnavailableError: if the server cannot be reached or drops the connection
        :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
        :raises QuestDBError: if it refuses the rows
        """
        with _typed_errors(self._address, self._table), self._opened:
            self._sender.flush()


def prepare_frame(
    address: QuestDBAddress,
    table: str,
    frame: pl.DataFrame,
    *,
    symbols: Mapping[str, str],
    at: str,
) -> PreparedFrame:
    """Encode rows as one transaction.

    :param address: of the server; ``statement_timeout_s`` is how long it may take to answer: the client adds
        a second for each 100 KiB sent, and one repeated try
    :param table: an existing table
    :param frame: at most 100,000 rows; text columns go into SYMBOL columns, nulls become NULL
    :param symbols: SYMBOL columns that have the same value in every row
    :param at: column with the time, epoch seconds UTC; it is sent as the table's designated timestamp
    :return: what is to be sent
    :raises QuestDBUnavailableError: if the server, which is asked how it wants them, cannot be reached
    :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
    :raises QuestDBError: if they cannot be encoded
    """
    import pandas as pd  # noqa: PLC0415 (slow to import; the client takes no other frames)

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    columns: dict[str, Any] = {
        name: pd.Series([value], dtype=object).repeat(frame.height).to_numpy()
        for name, value in symbols.items()
    }
    for name in frame.columns:
        if name != at and frame[name].null_count() < frame.height:
            columns[name] = frame[name].to_numpy()
    columns["ts"] = frame[at].cast(pl.Int64).to_numpy().astype("datetime64[s]").astype("datetime64[us]")
    user, password = address.http_auth or (None, None)
    with _typed_errors(address, table), ExitStack() as opened:
        sender = opened.enter_context(
            Sender.from_conf(
                f"http::addr={address.host}:{address.http_port};",
                username=user,
                password=password,
                auto_flush=False,
                request_timeout=round(address.statement_timeout_s * 1000),
            )
        )
        sender.dataframe(pd.DataFrame(columns), table_name=table, symbols=[*symbols, *texts], at="ts")
        return PreparedFrame(address, table, sender, opened.pop_all())


@contextmanager
def _typed_errors(address: QuestDBAddress, table: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        where = f"{address.host}:{address.http_port}"
        said = " ".join(str(error).split())
        if error.code in PASSING:
            raise QuestDBUnavailableError(
                f"QuestDB at {where} (HTTP) is out of reach or dropped the connection: {said}"
            ) from error
        check_bulk(address)
        raise QuestDBError(f"QuestDB at {where} (HTTP) refuses rows for {table}: {said}") from error


def check_bulk(address: QuestDBAddress) -> None:
    """Refuse a server that would take no rows over ILP/HTTP; nothing is written.

    :param address: as for :func:`prepare_frame`
    :raises QuestDBRefusedError: if it refuses the login, or takes no writes over HTTP
    :raises QuestDBUnavailableError: if the server cannot be reached
    Rule: QuestDB 9.3.4 answers a write without rows as it answers others, with 204 where it takes them
    (measured).
    """
    where = f"QuestDB at {address.host}:{address.http_port} (HTTP)"
    extra = f"the extra of connection {address.name}"
    login = address.http_auth
    try:
        answer = requests.post(
            f"http://{address.host}:{address.http_port}/write",
            data=b"",
            auth=login,
            timeout=PROBE_TIMEOUT_S,
        )
    except requests.RequestException as error:
        raise QuestDBUnavailableError(
            f"{where} is out of reach ({type(error).__name__}): start it, or correct http_port in {extra}"
        ) from error
    match HTTPStatus(answer.status_code):
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            raise QuestDBRefusedError(
                f"{where} refuses {f'login {login[0]!r}' if login else 'calls without a login'}: put its "
                f"http.user and http.password into {extra} as http_login and http_password"
            )
        case HTTPStatus.MISDIRECTED_REQUEST:
            raise QuestDBRefusedError(
                f"{where} takes no writes: set http.security.readonly=false and start it again"
            )
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED:
            raise QuestDBRefusedError(
                f"{where} takes no rows: set line.http.enabled=true and start it again, or correct http_port "
                f"in {extra}"
            )
