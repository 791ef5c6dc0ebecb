"""The embedded PostgreSQL and QuestDB for one run of benchmarks, in a temporary folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from local.postgres import PostgresServer, start_postgres
from local.questdb import PASSWORD, USER, QuestDBServer, start_questdb
from local.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kraken_ohlcv.clients.questdb.client import QuestDBClient

LEDGER_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Services:
    """What a benchmark works with.

    :ivar directory: empty folder for its files
    :ivar postgres: a running PostgreSQL
    :ivar questdb: a running QuestDB
    :ivar say: prints what happens, for the user who waits
    """

    directory: Path
    postgres: PostgresServer
    questdb: QuestDBServer
    say: Callable[[str], None]

    def new_ledger(self) -> str:
        """Return the URI of a new, migrated, empty ledger."""
        from kraken_ohlcv.stores.schema import migrate_ledger  # noqa: PLC0415 (imports Alembic)

        logging.getLogger("alembic").setLevel(logging.WARNING)
        name = f"ledger_{next(LEDGER_NUMBERS)}"
        self.postgres.create_database(name)
        uri = self.postgres.uri(name)
        migrate_ledger(uri)
        return uri

    def empty_candle_store(self) -> QuestDBClient:
        """Return a hook of the candle store, whose table is made anew."""
        from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415 (imports Airflow)
        from kraken_ohlcv.stores.schema import ensure_candle_table  # noqa: PLC0415 (imports Airflow)

        with self.questdb.connect() as connection:
            connection.execute("DROP TABLE IF EXISTS ohlcv")
        hook = QuestDBHook(questdb_conn_id="questdb_default").client()
        ensure_candle_table(hook)
        return hook


@contextmanager
def running_services(say: Callable[[str], None]) -> Iterator[Services]:
    """Start the services for a ``with`` block, and remove them and their data after it.

    :param say: tells what happens
    :return: context manager of the services
    :raises SandboxError: if one does not start
    """
    # Not in a folder closed to others: PostgreSQL started by root runs as another user.
    directory = scratch_directory("bench")
    # Airflow reads this at import; the user's own Airflow is neither read nor changed.
    os.environ["AIRFLOW_HOME"] = str(directory / "airflow")
    postgres = start_postgres(directory / "postgres")
    questdb = QuestDBServer(directory / "questdb")
    try:
        questdb = start_questdb(directory / "questdb")
        os.environ["AIRFLOW_CONN_QUESTDB_DEFAULT"] = json.dumps({
            "conn_type": "questdb",
            "host": "127.0.0.1",
            "port": questdb.pg_port,
            "login": USER,
            "password": PASSWORD,
            "extra": {"http_port": questdb.http_port, "apply_timeout_s": 600},
        })
        work = directory / "work"
        work.mkdir()
        yield Services(work, postgres, questdb, say)
    finally:
        questdb.stop()
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)
