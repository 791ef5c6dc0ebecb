"""Incidents from outside of tasks: what Airflow's callbacks see is recorded, told, and tried again."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg
from tenacity import (
    AsyncRetrying,
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential_jitter,
)

from include.ohlcv.errors import OhlcvError
from include.ohlcv.ledger.incident_rows import observe
from include.ohlcv.ledger.session import connect
from include.ohlcv.names import LEDGER_CONN_ID
from kraken_hooks.dsn import ledger_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from include.ohlcv.incidents import Trouble
    from include.ohlcv.ledger.session import Connection

log = logging.getLogger(__name__)

MIGRATING: Final = threading.Lock()
"""Alembic keeps its state in the module, and the triggerer may run several callbacks at once."""


class NotSentError(OhlcvError):
    """Messages could not be sent now; they stay in the outbox, and a task of the next run sends them."""


def report(look: Callable[[Connection], Mapping[str, Trouble | None]]) -> None:
    """Bring incidents up to what a callback sees, and send what the outbox holds.

    :param look: called with the ledger; returns what :func:`include.ohlcv.ledger.incident_rows.observe` takes
    :raises psycopg.OperationalError: if the ledger cannot be reached
    :raises NotSentError: if a message waits in the outbox
    """
    dsn = ledger_dsn(LEDGER_CONN_ID)
    try:
        _report(dsn, look)
    except psycopg.errors.UndefinedTable:
        # A first run that failed before its first task had made the schema.
        from include.ohlcv.schema import migrate_ledger  # noqa: PLC0415 (Alembic is slow to import)

        with MIGRATING:
            migrate_ledger(dsn)
        _report(dsn, look)


def _report(dsn: str, look: Callable[[Connection], Mapping[str, Trouble | None]]) -> None:
    with connect(dsn) as connection:
        seen = look(connection)
        kinds = observe(connection, seen, now_s=int(time.time()))
        if kinds or any(trouble is not None for trouble in seen.values()):
            _send(connection)


def _send(connection: Connection) -> None:
    # Slack's client is slow to import, and every task instance imports this file.
    from include.ohlcv.alerts.delivery import deliver  # noqa: PLC0415
    from include.orchestration.slack import slack_channel  # noqa: PLC0415

    deliver(connection, slack_channel(), now_s=int(time.time()))


def patiently(work: Callable[[], None], patience_s: float) -> None:
    """Do something that reports, again while ledger or Slack do not answer.

    :param work: may be done again
    :param patience_s: no attempt starts later than this after the first one, seconds
    :raises psycopg.OperationalError: if the ledger did not answer in the end
    """
    try:
        Retrying(**_again(patience_s))(work)
    except NotSentError as error:
        log.warning("%s", error)


async def patiently_in_thread(work: Callable[[], str], patience_s: float) -> str:
    """Do something that reports in a thread, again while ledger or Slack do not answer.

    :param work: may be done again; it may block
    :param patience_s: no attempt starts later than this after the first one, seconds
    :return: what ``work`` returns, or the sentence of :class:`NotSentError`
    :raises psycopg.OperationalError: if the ledger did not answer in the end
    """
    try:
        return await AsyncRetrying(**_again(patience_s))(asyncio.to_thread, work)
    except NotSentError as error:
        log.warning("%s", error)
        return str(error)


def _again(patience_s: float) -> dict[str, Any]:
    return {
        "retry": retry_if_exception_type((psycopg.OperationalError, NotSentError)),
        "stop": stop_before_delay(patience_s),
        "wait": wait_exponential_jitter(initial=0.5, max=30, jitter=0.5),
        "before_sleep": before_sleep_log(log, logging.WARNING),
        "reraise": True,
    }
