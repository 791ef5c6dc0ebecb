"""Incidents from outside of tasks: what Airflow's callbacks see is recorded and shown, and tried again."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg
from tenacity import AsyncRetrying, Retrying

from kraken_hooks.dsn import ledger_dsn
from kraken_ohlcv.core.errors import DeliveryError
from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.settings import LEDGER_CONN_ID
from kraken_ohlcv.monitoring.notify import deliver
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import Connection, connect
from kraken_ohlcv_airflow.connections import again

if TYPE_CHECKING:
    Look: TypeAlias = Callable[[Connection], Mapping[str, Problem | None]]

log = logging.getLogger(__name__)

TRANSIENT: Final = (psycopg.OperationalError, DeliveryError)
"""What another attempt may cure."""

MIGRATING: Final = threading.Lock()
"""Alembic keeps its state in the module, and the triggerer may run several callbacks at once."""


def report(look: Look, *, url: str | None = None, slack_wait_s: float) -> None:
    """Bring incidents up to what a callback sees, and show what has become of them.

    :param look: called with the ledger; returns what
        :func:`kraken_ohlcv.stores.ledger.incidents.observe` takes
    :param url: where to look at the run, or None
    :param slack_wait_s: how long to wait when Slack asks for it, seconds, >= 0
    :raises psycopg.OperationalError: if the ledger cannot be reached
    :raises DeliveryError: if a message could not be sent; a task of the next run sends it
    """
    dsn = ledger_dsn(LEDGER_CONN_ID)
    try:
        _report(dsn, look, url, slack_wait_s)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        # No task of this version has run yet: at first, or since an upgrade.
        from kraken_ohlcv.stores.schema import migrate_ledger  # noqa: PLC0415 (Alembic is slow to import)

        with MIGRATING:
            migrate_ledger(dsn)
        _report(dsn, look, url, slack_wait_s)


def _report(dsn: str, look: Look, url: str | None, slack_wait_s: float) -> None:
    # Slack's client is slow to import, and every task instance imports this file.
    from kraken_ohlcv_airflow.slack import slack_channel  # noqa: PLC0415

    now_s = int(time.time())
    with connect(dsn) as connection:
        observe(connection, look(connection), now_s=now_s, url=url)
        # Also without news: an earlier attempt may have failed to show what it saw.
        deliver(connection, slack_channel(), now_s=now_s, max_wait_s=slack_wait_s)


def patiently(work: Callable[[], None], patience_s: float) -> None:
    """Do something that reports, again while ledger or Slack do not answer.

    :param work: may be done again
    :param patience_s: no attempt starts later than this after the first one, seconds
    :raises psycopg.OperationalError: if the ledger did not answer in the end
    """
    try:
        Retrying(**again(patience_s, *TRANSIENT))(work)
    except DeliveryError as error:
        log.warning("%s", error)


async def patiently_in_thread(work: Callable[[], str], patience_s: float) -> str:
    """Do something that reports in a thread, again while ledger or Slack do not answer.

    :param work: may be done again; it may block
    :param patience_s: no attempt starts later than this after the first one, seconds
    :return: what ``work`` returns, or the sentence of :class:`DeliveryError`
    :raises psycopg.OperationalError: if the ledger did not answer in the end
    """
    try:
        return await AsyncRetrying(**again(patience_s, *TRANSIENT))(asyncio.to_thread, work)
    except DeliveryError as error:
        log.warning("%s", error)
        return str(error)
