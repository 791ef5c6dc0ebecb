"""The SQL of README and docs runs on the real stores; so do the backup and the way back."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.ohlcv.schema import ensure_candle_table
from kraken_hooks.questdb import QuestDBHook
from sandbox.postgres import PSQL
from tests.documents import Found, statements

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.questdb import QuestDBServer

HAS_ITS_OWN_TEST = "docs/SQL.md"
CANDLES = re.compile(r"\b(FROM|INTO|TABLE) ohlcv|\bwal_tables\(\)")
"""What stands in QuestDB; everything else is the ledger's."""

FOUND = [found for found in statements() if found.document != HAS_ITS_OWN_TEST]
OF_CANDLES = [found for found in FOUND if CANDLES.search(found.text)]
OF_LEDGER = [found for found in FOUND if not CANDLES.search(found.text)]


def test_statements_for_both_stores_are_found() -> None:
    assert len(OF_LEDGER) >= 10
    assert len(OF_CANDLES) >= 5


@pytest.mark.parametrize("found", OF_LEDGER, ids=lambda one: f"{one.document}:{one.line}")
def test_the_statement_runs_on_the_ledger(found: Found, ledger_uri: str) -> None:
    with psycopg.connect(ledger_uri) as connection:
        connection.execute(found.text)


def test_the_statements_run_on_the_candles_in_their_order(
    candle_table: str, questdb_conn: str, questdb_server: QuestDBServer
) -> None:
    ensure_candle_table(QuestDBHook(questdb_conn))
    with questdb_server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ohlcv_with_strays")
        connection.execute(
            f"INSERT INTO {candle_table} (ts, ticker, interval) VALUES"  # noqa: S608 (a constant)
            " ('2026-11-20T10:00:00Z', 'XBTUSD', '60'), ('2026-11-20T10:07:00Z', 'XBTUSD', '60')"
        )
    QuestDBHook(questdb_conn).wait_applied(candle_table)
    rows = {}
    for found in OF_CANDLES:
        with questdb_server.connect() as connection:
            cursor = connection.execute(found.text)
            rows[found.text] = cursor.fetchall() if cursor.description else []
    (strays,) = [rows[found.text] for found in OF_CANDLES if "<> 0" in found.text]
    assert [row[2].minute for row in strays if isinstance(row, tuple)] == [7]
    ensure_candle_table(QuestDBHook(questdb_conn))
    (kept,) = QuestDBHook(questdb_conn).query("SELECT count() FROM ohlcv")
    assert kept == (1,)


def test_a_dumped_ledger_comes_back(ledger_uri: str, tmp_path: Path) -> None:
    with psycopg.connect(ledger_uri) as connection:
        connection.execute("INSERT INTO exchange (base_url) VALUES ('https://kept.example')")
    dump = tmp_path / "ledger.dump"
    run = [PSQL.with_name("pg_dump"), "-Fc", ledger_uri, "-f", dump]
    subprocess.run(run, check=True)  # noqa: S603 (a constant)
    with psycopg.connect(ledger_uri) as connection:
        connection.execute("DELETE FROM exchange")
    back = [PSQL.with_name("pg_restore"), "--clean", "--if-exists", "-d", ledger_uri, dump]
    subprocess.run(back, check=True)  # noqa: S603 (a constant)
    with psycopg.connect(ledger_uri) as connection:
        assert connection.execute("SELECT base_url FROM exchange").fetchall() == [("https://kept.example",)]
