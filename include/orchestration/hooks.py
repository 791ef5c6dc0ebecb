"""Hooks and ledger connections made from Airflow connections; the domain gets them as arguments."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk.configuration import conf

from include.ohlcv.archive.shelf import Shelf
from include.ohlcv.ledger.session import RunKey, connect
from include.ohlcv.names import (
    ARCHIVE_FOLDER_ENV,
    ARCHIVE_WORK_FOLDER_ENV,
    KRAKEN_ARCHIVE_CONN_ID,
    KRAKEN_CONN_ID,
    LEDGER_CONN_ID,
    QUESTDB_CONN_ID,
)
from kraken_hooks.archive import ARCHIVE_URL, ArchiveHook
from kraken_hooks.connection_fields import KRAKEN_URL
from kraken_hooks.dsn import ledger_dsn
from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from include.ohlcv.ledger.session import Connection


def kraken() -> KrakenHook:
    """Return the hook of the exchange."""
    return KrakenHook(KRAKEN_CONN_ID)


def questdb() -> QuestDBHook:
    """Return the hook of the candle store."""
    return QuestDBHook(questdb_conn_id=QUESTDB_CONN_ID)


def archive_server() -> ArchiveHook:
    """Return the hook of the server with Kraken's archive; without a connection it is Kraken's own.

    For another exchange than Kraken itself there is no default: invented and real candles must not mix.
    """
    return ArchiveHook(
        KRAKEN_ARCHIVE_CONN_ID, default_url=ARCHIVE_URL if kraken().base_url == KRAKEN_URL else None
    )


def archive_shelf(*, allow_full_download: bool = False) -> Shelf:
    """Return where archive files come from and go to.

    :param allow_full_download: fetch a whole zip when the server cannot send parts of it
    """
    folder = os.environ.get(ARCHIVE_FOLDER_ENV)
    server = archive_server()
    return Shelf(
        archive_folder=Path(folder) if folder else None,
        work_folder=work_folder(),
        server=server,
        allow_full_download=allow_full_download,
        is_mirror=not server.belongs_to(kraken().base_url),
    )


def work_folder() -> Path:
    """Return the folder of our own for reject files, downloads and files under way; it may not exist yet."""
    named = os.environ.get(ARCHIVE_WORK_FOLDER_ENV)
    return Path(named) if named else Path(tempfile.gettempdir()) / "ohlcv-archive"


def ledger() -> AbstractContextManager[Connection]:
    """Return a context manager of a connection to the ledger."""
    return connect(ledger_dsn(LEDGER_CONN_ID))


def run_url(run: RunKey) -> str | None:
    """Return the address of a DAG run in the web UI.

    :param run: the run
    :return: URL below ``[api] base_url``, or None when that is not set
    """
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/dags/{run.dag_id}/runs/{quote(run.run_id)}" if base else None


def is_under_way(context: Any) -> Callable[[str, str], bool]:
    """Return a function that tells whether a DAG run is queued or running.

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
