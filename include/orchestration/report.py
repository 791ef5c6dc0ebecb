"""Incidents from outside of tasks: Airflow's callbacks see, record and tell within their own few seconds."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

import psycopg
from airflow.sdk.exceptions import AirflowRuntimeError

from include.ohlcv.ledger.incident_rows import observe
from include.ohlcv.ledger.session import connect
from include.ohlcv.names import LEDGER_CONN_ID
from kraken_hooks.dsn import ledger_dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from include.ohlcv.incidents import Trouble
    from include.ohlcv.ledger.session import Connection, RunKey

log = logging.getLogger(__name__)

MIGRATING: Final = threading.Lock()
"""Alembic keeps its state in the module; the triggerer may run several callbacks at once."""


def report(look: Callable[[Connection], Mapping[str, Trouble | None]]) -> int:
    """Bring incidents up to what a callback sees, and send what follows from it.

    What cannot be sent now stays in the outbox, which every DAG's own task sends later.

    :param look: called with the ledger; returns what :func:`include.ohlcv.ledger.incident_rows.observe` takes
    :return: messages put into the outbox
    :raises psycopg.OperationalError: if the ledger cannot be reached
    """
    dsn = ledger_dsn(LEDGER_CONN_ID)
    try:
        return _report(dsn, look)
    except psycopg.errors.UndefinedTable:
        # The very first run, whose first task did not come to making the ledger's schema.
        from include.ohlcv.schema import migrate_ledger  # noqa: PLC0415 (Alembic is slow to import)

        with MIGRATING:
            migrate_ledger(dsn)
        return _report(dsn, look)
