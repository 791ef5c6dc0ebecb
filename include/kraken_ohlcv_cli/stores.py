"""The stores as a command reaches them: by URL, or as the Airflow does in whose environment it is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from urllib.parse import quote, urlencode

from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.reader.stores import Stores, open_stores


@contextmanager
def opened(candles_url: str | None, ledger_url: str | None) -> Iterator[Stores]:
    """Open both stores, see :func:`kraken_ohlcv.reader.stores.open_stores`.

    :param candles_url: as somebody gave it, or None
    :param ledger_url: likewise
    """
    with open_stores(*urls(candles_url, ledger_url)) as stores:
        yield stores


def urls(candles_url: str | None, ledger_url: str | None) -> tuple[str | None, str | None]:
    """Return the URLs of both stores: those given, of the environment, or of Airflow's connections.

    Airflow counts only where it is installed, knows both connections, and no URL at all is given.

    :return: QuestDB's and the ledger's; None where there is none; hold passwords: never log them
    """
    given = candles_url or os.environ.get(CANDLES_URL_ENV), ledger_url or os.environ.get(LEDGER_URL_ENV)
    if any(given) or find_spec("airflow") is None:
        return given
    from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415 (seconds)

    from kraken_hooks.dsn import ledger_dsn  # noqa: PLC0415
    from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415

    try:
        return url_of(QuestDBHook().address()), ledger_dsn()
    except AirflowNotFoundException:
        return given


def url_of(address: QuestDBAddress) -> str:
    """Return a URL that says what an address does; holds its password.

    :return: :meth:`kraken_ohlcv.clients.questdb.address.QuestDBAddress.of_url` reads it
    """
    login = ""
    if address.user:
        password = "" if address.password is None else f":{quote(address.password, safe='')}"
        login = f"{quote(address.user, safe='')}{password}@"
    host = f"[{address.host}]" if ":" in address.host else address.host
    query = {
        "http_port": address.http_port,
        "http_login": address.http_login,
        "http_password": address.http_password,
        "apply_timeout_s": address.apply_timeout_s,
        "statement_timeout_s": address.statement_timeout_s,
        **address.libpq,
    }
    said = urlencode({name: value for name, value in query.items() if value is not None})
    return f"postgresql://{login}{host}:{address.port}/{quote(address.database, safe='')}?{said}"
