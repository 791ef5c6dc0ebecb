"""The SQL of README and docs runs on the real stores; so do the backup and the way back."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from itertools import groupby
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.core.errors import SurroundingsError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv.stores.schema import ensure_candle_table
from kraken_ohlcv.stores.surroundings import ENABLE_DEDUP
from local.postgres import PSQL
from local.questdb import start_questdb
from tests.documents import Found, shell_blocks, statements
from tests.integration.damage import candle
from tests.patience import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HAS_ITS_OWN_TEST = "docs/SQL.md"
CANDLES = re.compile(r"\b(FROM|INTO|TABLE|UPDATE) ohlcv|\bwal_tables\(\)|^CHECKPOINT")
"""What stands in QuestDB; everything else is the ledger's."""

FOUND = [found for found in statements() if found.document != HAS_ITS_OWN_TEST]
OF_CANDLES = [found for found in FOUND if CANDLES.search(found.text)]
OF_LEDGER = [found for found in FOUND if not CANDLES.search(found.text)]
BLOCKS = [list(those) for _, those in groupby(OF_LEDGER, key=lambda one: (one.document, one.line))]


def test_statements_for_both_stores_are_found() -> None:
    assert len(OF_LEDGER) >= 10
    assert len(OF_CANDLES) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=lambda those: f"{those[0].document}:{those[0].line}")
def test_the_statements_of_a_block_run_on_the_ledger(block: list[Found], ledger_uri: str) -> None:
    with psycopg.connect(ledger_uri) as connection:
        for found in block:
            connection.execute(found.text)
        connection.rollback()


def test_the_statements_run_on_the_candles_in_their_order_and_lose_none(world: World) -> None:
    end = world.window(HOURLY)[1]
    world.store(HOURLY, (end - 10 * 3600, end - 2 * 3600))
    columns = "ticker, interval, open, high, low, close, vwap, volume, trades, source"
    insert = f"INSERT INTO ohlcv (ts, {columns}) SELECT {{}}, {columns} FROM ohlcv LIMIT 1"  # noqa: S608
    for sql in (insert.format("dateadd('m', 7, ts)"), "ALTER TABLE ohlcv DEDUP DISABLE", insert.format("ts")):
        world.questdb.query(sql)
        world.questdb.wait_applied("ohlcv")
    with pytest.raises(SurroundingsError, match="keep a candle twice"):
        ensure_candle_table(world.questdb)
    world.questdb.query(ENABLE_DEDUP)
    # The two errors that send a reader to these statements, one after the other.
    errors = [world.run()["errors"]]
    rows = {}
    for found in OF_CANDLES:
        rows[found.text] = world.questdb.query(found.text)
        world.questdb.wait_applied("ohlcv")
        if "-stray" in found.text:
            errors.append(world.run()["errors"])
    (strays,) = [rows[one] for one in rows if "<> 0" in one and one.startswith("SELECT")]
    assert [row[2].minute for row in strays] == [7]
    (twice,) = [rows[one] for one in rows if "rows > 1" in one]
    assert [(row[0], row[1], row[3]) for row in twice] == [("XBTUSD", "60", 2)]
    assert ["grid" in errors[0][0], "stored twice" in errors[1][0]] == [True, True]
    assert world.run()["errors"] == []
    assert world.stored(HOURLY, world.window(HOURLY)) == world.truth(HOURLY, world.window(HOURLY))
    aside = world.questdb.query(
        "SELECT interval, count() FROM ohlcv WHERE interval <> '60' ORDER BY interval"
    )
    assert aside == [("60-stray", 1), ("60-twice", 9)]


def test_a_copy_made_while_a_writer_is_at_work_is_read_again(
    world: World, questdb_server: QuestDBServer, service_directory: Path
) -> None:
    """The recipe of docs/OPERATIONS.md, word for word; files vanish from a copy as a busy server's do."""
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end))
    before = world.questdb.query("SELECT count() FROM ohlcv")
    create, release = (one.text for one in OF_CANDLES if one.text.startswith("CHECKPOINT"))
    (recipe,) = [block for block in shell_blocks("docs/OPERATIONS.md") if "_restore" in block]
    copy = service_directory / "copy"
    is_over = threading.Event()
    writes: list[int] = []

    def write() -> None:
        hook = QuestDBHook(questdb_conn_id="questdb_default").client()
        while not is_over.is_set():
            # Into the months that hold candles, whose files QuestDB replaces then.
            ts_s = start + len(writes) * 3600
            rows = [candle(Series("ETHUSD", 60), ts_s)]
            hook.write_batch("ohlcv", statement("insert_candle"), rows)
            writes.append(ts_s)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: len(writes) > 3)
        world.questdb.query(create)
        folders = {"QUESTDB": str(questdb_server.directory / "root"), "COPY": str(copy / "root")}
        copy.mkdir()
        n_writes = len(writes)
        subprocess.run(["sh", "-c", recipe], check=True, env={**os.environ, **folders})  # noqa: S603, S607
        wait_for(lambda: len(writes) > n_writes + 3)
        world.questdb.query(release)
    finally:
        is_over.set()
        writer.join()
    # What a writer's server removes while cp reads: files of its write-ahead log that were applied.
    for segment in sorted((copy / "root" / "db").glob("ohlcv~*/wal*/*/*.d"))[:3]:
        segment.unlink()
    restored = start_questdb(copy)
    try:
        with restored.connect() as connection:
            of_before = connection.execute("SELECT count() FROM ohlcv WHERE ticker = 'XBTUSD'").fetchall()
            of_writer = connection.execute("SELECT count() FROM ohlcv WHERE ticker = 'ETHUSD'").fetchall()
            connection.execute(
                "INSERT INTO ohlcv (ts, ticker, interval) VALUES ('2026-01-01T00:00:00Z', 'SOLUSD', '60')"
            )
    finally:
        restored.stop()
    assert of_before == before
    assert isinstance(of_writer[0][0], int)
    assert 3 < of_writer[0][0] <= len(writes)


def test_a_dumped_ledger_comes_back_beside_the_one_that_is_there(
    postgres_server: PostgresServer, ledger_uri: str, tmp_path: Path
) -> None:
    with psycopg.connect(ledger_uri) as connection:
        connection.execute("INSERT INTO exchange (base_url) VALUES ('https://kept.example')")
    dump = tmp_path / "ledger.dump"
    run = [PSQL.with_name("pg_dump"), "-Fc", ledger_uri, "-f", dump]
    subprocess.run(run, check=True)  # noqa: S603 (a constant)
    with psycopg.connect(ledger_uri) as connection:
        connection.execute("UPDATE exchange SET base_url = 'https://newer.example'")
    postgres_server.create_database("ledger_before")
    before = postgres_server.uri("ledger_before")
    subprocess.run([PSQL.with_name("pg_restore"), "-d", before, dump], check=True)  # noqa: S603 (a constant)
    for uri, url in ((before, "https://kept.example"), (ledger_uri, "https://newer.example")):
        with psycopg.connect(uri) as connection:
            assert connection.execute("SELECT base_url FROM exchange").fetchall() == [(url,)]
    postgres_server.drop_database("ledger_before")
