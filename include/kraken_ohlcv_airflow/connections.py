"""Hooks and ledger connections made from Airflow connections; the domain gets them as arguments."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import psycopg
from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential_jitter,
)

from kraken_hooks.archive import ArchiveHook
from kraken_hooks.connection_fields import Extra, Seconds
from kraken_hooks.dsn import libpq_dsn
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.clients.errors import ConnectionFieldError
from kraken_ohlcv.clients.exchange.client import KRAKEN_URL, KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.settings import (
    ARCHIVE_FOLDER_ENV,
    ARCHIVE_WORK_FOLDER_ENV,
    KRAKEN_ARCHIVE_CONN_ID,
    KRAKEN_CONN_ID,
    LEDGER_CONN_ID,
    QUESTDB_CONN_ID,
)
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.stores.ledger.session import STATEMENT_TIMEOUT_S, Connection, connect

log = logging.getLogger(__name__)

T = TypeVar("T")

LEDGER_PATIENCE_S: Final = 30.0


class _LedgerExtra(Extra):
    """What is ours in the extra of the ledger's connection."""

    statement_timeout_s: Seconds = STATEMENT_TIMEOUT_S


def kraken() -> KrakenClient:
    """Return a client of the exchange."""
    return KrakenHook(KRAKEN_CONN_ID).get_conn()


def exchange_url() -> str:
    """Return the base URL of the exchange."""
    return KrakenHook(KRAKEN_CONN_ID).base_url


def questdb() -> QuestDBClient:
    """Return a client of the candle store."""
    return QuestDBHook(questdb_conn_id=QUESTDB_CONN_ID).client()


def archive_server() -> ArchiveClient:
    """Return a client of the server with Kraken's archive; without a connection it is Kraken's own.

    :raises ConnectionFieldError: if there is no such connection, and another exchange than Kraken itself:
        invented and real candles must not mix
    """
    default_url = ARCHIVE_URL if exchange_url() == KRAKEN_URL else None
    return ArchiveHook(KRAKEN_ARCHIVE_CONN_ID, default_url=default_url).get_conn()


def archive_locator(*, allow_full_download: bool = False) -> ArchiveLocator:
    """Return where archive files come from and go to.

    :param allow_full_download: fetch a whole zip when the server cannot send parts of it
    """
    folder = os.environ.get(ARCHIVE_FOLDER_ENV)
    server = cache(archive_server)
    try:
        is_mirror = not server().belongs_to(exchange_url())
    except ConnectionFieldError:
        is_mirror = False  # what is fetched says what is wrong
    return ArchiveLocator(
        archive_folder=Path(folder) if folder else None,
        work_folder=work_folder(),
        server=server,
        allow_full_download=allow_full_download,
        is_mirror=is_mirror,
    )


def work_folder() -> Path:
    """Return the folder of our own for reject files, downloads and files under way; it may not exist yet."""
    named = os.environ.get(ARCHIVE_WORK_FOLDER_ENV)
    return Path(named) if named else Path(tempfile.gettempdir()) / "ohlcv-archive"


def ledger() -> AbstractContextManager[Connection]:
    """Return a context manager of a connection to the ledger; the connection's extra may bound statements."""
    fields = BaseHook.get_connection(LEDGER_CONN_ID)
    return connect(libpq_dsn(fields), **_LedgerExtra.of(fields).model_dump())


def patiently(read: Callable[[Connection], T]) -> T:
    """Return what a task reads from the ledger, asked again for half a minute while that is out of reach.

    For tasks whose failure would make a good run red.

    :param read: may be called again
    :raises psycopg.OperationalError: if the ledger did not answer in the end
    """

    def ask() -> T:
        with ledger() as connection:
            return read(connection)

    return Retrying(**again(LEDGER_PATIENCE_S, psycopg.OperationalError))(ask)


def again(patience_s: float, *errors: type[Exception]) -> dict[str, Any]:
    """Return tenacity's settings for work that is repeated while one of some errors ends it.

    :param patience_s: no attempt starts later than this after the first one, seconds; one wait takes a
        quarter of it at most
    :param errors: all others end the work at once
    :return: keyword arguments of ``Retrying`` and ``AsyncRetrying``
    """
    return {
        "retry": retry_if_exception_type(errors),
        "stop": stop_before_delay(patience_s),
        "wait": wait_exponential_jitter(max=patience_s / 4, jitter=0.5),
        "before_sleep": before_sleep_log(log, logging.WARNING),
        "reraise": True,
    }


def run_url(run: RunKey) -> str | None:
    """Return the address of a DAG run in the web UI.

    :return: URL below ``[api] base_url``, or None when that is not set
    """
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/dags/{run.dag_id}/runs/{quote(run.run_id)}" if base else None


def is_under_way(context: Any) -> Callable[[str, str], bool]:
    """Return a function that says whether a DAG run is queued or running.

    :param context: Airflow's task context
    :return: takes DAG id and run id
    """

    def ask(dag_id: str, run_id: str) -> bool:
        states = ["queued", "running"]
        return bool(context["ti"].get_dr_count(dag_id=dag_id, run_ids=[run_id], states=states))

    return ask


def run_key(context: Any) -> RunKey:
    """Return the identity of the running DAG run.

    :param context: Airflow's task context
    :return: DAG id and run id
    """
    dag_run = context["dag_run"]
    return RunKey(dag_run.dag_id, dag_run.run_id)
