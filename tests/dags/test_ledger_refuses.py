"""A ledger that refuses a connection for a moment makes no good run red."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.step_errors import sentence_of
from tests.dags.test_backfill_run import run_dag
from tests.integration.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.dag_processing.dagbag import DagBag

    from local.postgres import PostgresServer
    from simulators.exchange_client import ExchangeAdmin


@pytest.fixture
def world(
    exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str, airflow_db: str
) -> World:
    """Give a world whose DAGs Airflow can run."""
    del kraken_conn, candle_table, airflow_db
    return World(exchange, ledger_uri)


@contextmanager
def no_room(server: PostgresServer, uri: str) -> Iterator[str]:
    """Let the ledger's database take no other connection, in the words of PostgreSQL; give its URI."""
    with psycopg.connect(server.uri("postgres"), autocommit=True) as admin:
        role, limited = "crowded", psycopg.conninfo.make_conninfo(uri, user="crowded")
        admin.execute(f"DROP ROLE IF EXISTS {role}")
        admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
        with psycopg.connect(limited):
            yield limited
        admin.execute(f"DROP ROLE {role}")


def test_the_sentence_about_a_full_server_says_so_and_not_that_it_is_to_be_started(
    postgres_server: PostgresServer, ledger_uri: str
) -> None:
    with (
        no_room(postgres_server, ledger_uri) as uri,
        pytest.raises(psycopg.OperationalError) as caught,
        connect(uri),
    ):
        pass
    said = sentence_of(caught.value)
    assert "the ledger has too many clients (connection ohlcv_postgres)" in said
    assert "start PostgreSQL" not in said


def test_a_result_that_meets_a_refused_connection_asks_again(
    dag_bag: DagBag, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kraken_ohlcv_airflow.connections as hooks  # noqa: PLC0415 (imports Airflow)

    del world
    refusals = itertools.count()
    real = hooks.connect

    @contextmanager
    def refuse_once(dsn: str, **arguments: Any) -> Iterator[Any]:
        if asking_for_result() and next(refusals) == 0:
            raise psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already")
        with real(dsn, **arguments) as connection:
            yield connection

    def asking_for_result() -> bool:
        from airflow.sdk import get_current_context  # noqa: PLC0415

        found: Any = get_current_context()["ti"]
        return bool(found.task_id == "result")

    monkeypatch.setattr(hooks, "connect", refuse_once)

    state, states, result = run_dag(dag_bag, "backfill_tier1_daily", tickers=["XBTUSD"], intervals=[60])

    assert next(refusals) > 1
    assert (state, states["result"]) == ("success", "success")
    assert result is not None
    assert (result["gaps_filled"], result["errors"]) == (2, [])
