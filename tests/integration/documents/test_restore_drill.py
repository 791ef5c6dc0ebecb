"""The restore drill of docs/OPERATIONS.md: by its seals, a backup says which of its days are whole."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from kraken_ohlcv.core.times import utc
from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.seals.finding import FindingKind
from kraken_ohlcv.seals.sealing import seal
from kraken_ohlcv.seals.verify import verify
from kraken_ohlcv.stores.ledger.seals import head
from local.postgres import PSQL
from local.questdb import start_questdb
from tests.documents import shell_blocks, statements
from tests.integration.damage import NOW, History, spoil
from tests.integration.ledger_pages import know
from tests.integration.reader.test_as_of import put
from tests.integration.reader.test_read_candles import AAA, HERE

if TYPE_CHECKING:
    from pathlib import Path

    from kraken_ohlcv.reader.stores import Stores
    from kraken_ohlcv.seals.verify import Verification
    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer

DAY = 86_400
DRILL = "ledger_drill"


def day(number: int) -> int:
    """Return a UTC day, counted back from today: its first second, epoch seconds UTC."""
    return (NOW // DAY - number) * DAY


def restate(stores: Stores, of_day: int) -> None:
    """Replace the candle of a day's noon by one of more trades, and seal what has changed."""
    put(stores, {(day(of_day) - HERE) // 3600 + 12: 9})
    seal(stores, now_s=NOW)


def copy_candles(stores: Stores, server: QuestDBServer, to: Path) -> None:
    """Copy QuestDB while it runs, by the recipe as it stands."""
    texts = [found.text for found in statements() if found.document == "docs/OPERATIONS.md"]
    create, release = (text for text in texts if text.startswith("CHECKPOINT"))
    (recipe,) = [block for block in shell_blocks("docs/OPERATIONS.md") if "_restore" in block]
    to.mkdir()
    folders = {"QUESTDB": str(server.directory / "root"), "COPY": str(to / "root")}
    stores.questdb.query(create)
    try:
        subprocess.run(["sh", "-c", recipe], check=True, env={**os.environ, **folders})  # noqa: S603, S607
    finally:
        stores.questdb.query(release)


def dump(uri: str, to: Path) -> Path:
    """Back the ledger up."""
    subprocess.run([PSQL.with_name("pg_dump"), "-Fc", uri, "-f", to], check=True)  # noqa: S603 (a constant)
    return to


def drill(postgres: PostgresServer, restored: QuestDBServer, ledger: Path, root: str) -> Verification:
    """Restore a ledger beside the one that is there, and verify it with the restored candles."""
    postgres.create_database(DRILL)
    uri = postgres.uri(DRILL)
    try:
        subprocess.run([PSQL.with_name("pg_restore"), "-d", uri, ledger], check=True)  # noqa: S603
        with open_stores(restored.url(), uri, clock=lambda: NOW) as stores:
            return verify(root=root, stores=stores)
    finally:
        postgres.drop_database(DRILL)


def test_a_drill_names_the_days_in_which_the_backups_of_both_stores_differ_and_no_others(
    stores: Stores,
    postgres_server: PostgresServer,
    questdb_server: QuestDBServer,
    ledger_uri: str,
    tmp_path: Path,
    service_directory: Path,
) -> None:
    spoil(ledger_uri, stores.questdb, History([], {}))
    know(stores.ledger, AAA, day(6))
    put(stores, dict.fromkeys(range((day(6) - HERE) // 3600, -1), 3))
    seal(stores, now_s=NOW)
    older = dump(ledger_uri, tmp_path / "older.dump")
    restate(stores, 4)
    root = head(stores.ledger).hash
    copy = service_directory / "drill"
    copy_candles(stores, questdb_server, copy)
    beside = dump(ledger_uri, tmp_path / "beside.dump")
    restate(stores, 3)
    newer = dump(ledger_uri, tmp_path / "newer.dump")

    restored = start_questdb(copy)
    try:
        whole = drill(postgres_server, restored, beside, root)
        of_newer = drill(postgres_server, restored, newer, root)
        of_older = drill(postgres_server, restored, older, root)
    finally:
        restored.stop()

    assert whole.findings == []
    assert whole.days >= 5
    assert whole.root is not None
    assert [utc(day_s) for _, day_s in of_newer.days_touched] == [utc(day(3))]
    assert FindingKind.ROOT_UNKNOWN not in of_newer.kinds
    assert {utc(day_s) for _, day_s in of_older.days_touched} == {utc(day(4))}
    assert {FindingKind.LEDGER_OLDER, FindingKind.ROOT_UNKNOWN} <= set(of_older.kinds)
