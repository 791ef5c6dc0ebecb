"""Hooks and ledger connections made from Airflow connections; the domain gets them as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_hooks.kraken import KrakenHook
from kraken_hooks.questdb import QuestDBHook

from include.ohlcv.ledger.session import RunKey, connect
from include.ohlcv.names import KRAKEN_CONN_ID, LEDGER_CONN_ID, QUESTDB_CONN_ID
from kraken_hooks.dsn import ledger_dsn

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from include.ohlcv.ledger.session import Connection


def kraken() -> KrakenHook:
    """Return the hook of the exchange."""
    return KrakenHook(KRAKEN_CONN_ID)


def questdb() -> QuestDBHook:
    """Return the hook of the candle store."""
    return QuestDBHook(questdb_conn_id=QUESTDB_CONN_ID)


def ledger() -> AbstractContextManager[Connection]:
    """Return a context manager of a connection to the ledger."""
    return connect(ledger_dsn(LEDGER_CONN_ID))


def run_key(context: Any) -> RunKey:
    """Return the identity of the running DAG run.

    :param context: Airflow's task context
    :return: DAG id and run id
    """
    dag_run = context["dag_run"]
    return RunKey(dag_run.dag_id, dag_run.run_id)
