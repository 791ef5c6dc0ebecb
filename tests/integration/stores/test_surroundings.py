"""What is wrong around the package is told before work starts, and the cure that is told cures it."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.errors import QuestDBError, QuestDBRefusedError, QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import SurroundingsError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv.stores.schema import ensure_candle_table, migrate_ledger
from kraken_ohlcv.stores.surroundings import (
    LEAST_FREE_BYTES,
    check_ledger,
    check_room,
    server_findings,
    table_findings,
)
from local.questdb import PASSWORD, USER, start_questdb
from tests.conftest import set_connection
from tests.integration.damage import candle
from tests.integration.pooler import pooler
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer

DDL = statement("create_ohlcv")
CLOSED = {"QDB_HTTP_USER": "web", "QDB_HTTP_PASSWORD": "web-secret", "QDB_PG_READONLY_USER_ENABLED": "true"}
READ_ONLY = {"QDB_PG_SECURITY_READONLY": "true", "QDB_HTTP_SECURITY_READONLY": "true"}
SILENT = {"QDB_CAIRO_WAL_APPLY_ENABLED": "false", "QDB_LINE_HTTP_ENABLED": "false"}
DESTROYING = ("drop", "truncate", "rename", "delete", "remove")
HOURLY = Series("XBTUSD", 60)
OLD_S = 1_500_000_000 // 3600 * 3600
NEW_S = OLD_S + 9 * 365 * 86400


@pytest.fixture
def questdb(candle_table: str, questdb_conn: str) -> QuestDBClient:
    """Give a hook of a QuestDB without a candle table."""
    assert candle_table
    return QuestDBHook(questdb_conn_id=questdb_conn).client()


@pytest.fixture(scope="module")
def other_server(service_directory: Path) -> Iterator[QuestDBServer]:
    """Give a QuestDB that is started again where a test needs other settings."""
    server = start_questdb(service_directory / "questdb-surroundings", env=CLOSED)
    yield server
    server.stop()


def started(server: QuestDBServer, monkeypatch: pytest.MonkeyPatch, **more: Any) -> QuestDBClient:
    """Return a hook of a server that runs with other settings (those in capitals)."""
    settings = {name: value for name, value in more.items() if name.isupper()}
    fields = {name: value for name, value in more.items() if not name.isupper()}
    if server.env != settings:
        server.stop()
        server.env = settings
        server.start()
    connection = {"login": USER, "password": PASSWORD} | fields
    extra = {"http_port": server.http_port} | connection.pop("extra", {})
    set_connection(
        monkeypatch,
        "questdb_other",
        conn_type="questdb",
        host="127.0.0.1",
        port=server.pg_port,
        extra=extra,
        **connection,
    )
    return QuestDBHook(questdb_conn_id="questdb_other").client()


def emptied(questdb: QuestDBClient) -> None:
    """Take the candle table away; its name stays reserved for a moment."""

    def is_delisted() -> bool:
        questdb.query("DROP TABLE IF EXISTS ohlcv")
        try:
            questdb.query("CREATE TABLE ohlcv (v INT)")
        except QuestDBError:
            return False
        questdb.query("DROP TABLE ohlcv")
        return True

    wait_for(is_delisted)


def store(questdb: QuestDBClient, *opens_s: int, source: str = "ohlc") -> None:
    rows = [candle(HOURLY, ts_s, source=source) for ts_s in opens_s]
    questdb.write_batch("ohlcv", statement("insert_candle"), rows)


def count(questdb: QuestDBClient) -> int:
    return int(questdb.query("SELECT count() FROM ohlcv")[0][0])


def altered(questdb: QuestDBClient, *statements: str) -> None:
    """Make the table, store two candles nine years apart, and change it."""
    ensure_candle_table(questdb)
    store(questdb, OLD_S, NEW_S)
    for one in statements:
        questdb.query(one)
        questdb.wait_applied("ohlcv")


def cure(questdb: QuestDBClient) -> str:
    """Check that the table is refused, run the statements that are told; return what was told."""
    with pytest.raises(SurroundingsError) as refused:
        ensure_candle_table(questdb)
    told = str(refused.value)
    found = table_findings(questdb)
    assert found
    for finding in found:
        assert finding.statements, told
        for one in finding.statements:
            assert one in told
            questdb.query(one)
            questdb.wait_applied("ohlcv")
    assert not any(word in told.casefold() for word in DESTROYING)
    ensure_candle_table(questdb)
    return told


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param(["ALTER TABLE ohlcv SET TTL 50 YEARS"], "has a TTL of 50 years", id="a TTL"),
        pytest.param(["ALTER TABLE ohlcv DEDUP DISABLE"], "keep a candle twice", id="no deduplication"),
        pytest.param(
            ["ALTER TABLE ohlcv DEDUP ENABLE UPSERT KEYS(ts, ticker)"],
            "or replace another one",
            id="a key less",
        ),
        pytest.param(
            ["ALTER TABLE ohlcv DEDUP ENABLE UPSERT KEYS(ts, ticker, interval, source)"],
            "not deduplicated by ts, ticker, interval:",
            id="a key more",
        ),
        pytest.param(["ALTER TABLE ohlcv DROP COLUMN vwap"], "has no column vwap", id="a column less"),
        pytest.param(
            ["ALTER TABLE ohlcv ALTER COLUMN trades TYPE INT"],
            "column trades of table ohlcv is INT, not LONG",
            id="a figure of another type",
        ),
        pytest.param(
            ["ALTER TABLE ohlcv ALTER COLUMN interval TYPE INT"],
            "column interval of table ohlcv is INT, not SYMBOL",
            id="a key of another type",
        ),
        pytest.param(
            ["ALTER TABLE ohlcv DEDUP DISABLE", "ALTER TABLE ohlcv DROP COLUMN source"],
            "has no column source: run ALTER TABLE ohlcv ADD COLUMN source SYMBOL; table ohlcv would keep",
            id="two things at once",
        ),
    ],
)
def test_a_table_that_was_altered_is_refused_and_the_statement_told_cures_it_and_keeps_every_candle(
    questdb: QuestDBClient, changes: list[str], named: str
) -> None:
    altered(questdb, *changes)
    assert named in cure(questdb)
    assert count(questdb) == 2
    store(questdb, OLD_S, NEW_S, NEW_S + 3600, source="trades")
    assert count(questdb) == 3


VIEW = """CREATE MATERIALIZED VIEW daily WITH BASE ohlcv REFRESH IMMEDIATE AS (
    SELECT ts, ticker, sum(volume) volume FROM ohlcv WHERE interval = '60' SAMPLE BY 1d) PARTITION BY YEAR"""


def test_a_table_of_an_earlier_version_gets_its_moments_and_keeps_candles_and_views(
    questdb: QuestDBClient,
) -> None:
    questdb.query(DDL.replace(",\n    stored_at TIMESTAMP", ""))
    questdb.query(
        "INSERT INTO ohlcv (ts, ticker, interval, volume, source)"
        " VALUES ('2026-10-01', 'XBTUSD', '60', 1.5, 'archive_rim')"
    )
    questdb.query(VIEW)
    try:
        ensure_candle_table(questdb)
        ensure_candle_table(questdb)
        assert questdb.query("SELECT volume, source, stored_at FROM ohlcv") == [
            (1.5, "archive_provisional", None)
        ]
        store(questdb, NEW_S)
        assert questdb.query("SELECT stored_at FROM ohlcv") == [(None,), (None,)]
    finally:
        questdb.query("DROP MATERIALIZED VIEW daily")
    assert "stored_at" in {name for name, *_ in questdb.query(statement("table_columns"))}


def test_several_processes_that_meet_a_table_of_an_earlier_version_all_go_on(questdb: QuestDBClient) -> None:
    questdb.query(DDL.replace(",\n    stored_at TIMESTAMP", ""))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ensure_candle_table, QuestDBClient(questdb.address)) for _ in range(4)]:
            done.result()
    store(questdb, NEW_S)
    assert count(questdb) == 1


def test_a_ttl_is_named_with_its_length_and_its_cure_lets_candles_of_any_age_in_again(
    questdb: QuestDBClient,
) -> None:
    altered(questdb, "ALTER TABLE ohlcv SET TTL 12 MONTHS")
    assert "QuestDB discards candles: table ohlcv has a TTL of 1 year: run" in cure(questdb)
    store(questdb, OLD_S, NEW_S)
    assert count(questdb) == 2


def test_a_table_without_a_wal_is_cured_by_the_statements_told_and_a_restart(
    other_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    questdb = started(other_server, monkeypatch, **CLOSED)
    emptied(questdb)
    questdb.query(DDL.partition(" WAL")[0] + " BYPASS WAL")
    questdb.query("INSERT INTO ohlcv (ts, ticker, interval) VALUES ('2026-10-01', 'XBTUSD', '60')")
    with pytest.raises(
        SurroundingsError, match=r"table ohlcv has no WAL: run .* start QuestDB again, then run"
    ):
        ensure_candle_table(questdb)
    (finding,) = table_findings(questdb)
    set_type, enable = finding.statements
    questdb.query(set_type)
    other_server.stop()
    other_server.start()
    with pytest.raises(SurroundingsError, match="keep a candle twice"):
        ensure_candle_table(questdb)
    questdb.query(enable)
    questdb.wait_applied("ohlcv")
    ensure_candle_table(questdb)
    assert count(questdb) == 1


def test_a_suspended_table_is_told_with_its_reason_and_loses_nothing(questdb: QuestDBClient) -> None:
    altered(questdb)
    questdb.query("ALTER TABLE ohlcv SUSPEND WAL WITH 'DISK FULL', 'no space'")
    questdb.query("INSERT INTO ohlcv (ts, ticker, interval) VALUES ('2026-10-01', 'XBTUSD', '60')")
    assert "suspended, QuestDB accepts candles but does not show them (DISK FULL: no space): fix" in cure(
        questdb
    )
    assert count(questdb) == 3


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param(DDL.replace("trades LONG", "trades LONG,\n    note VARCHAR"), id="a column more"),
        pytest.param(DDL.replace("BY MONTH", "BY DAY"), id="a partition a day"),
        pytest.param(DDL.replace("BY MONTH", "BY YEAR"), id="a partition a year"),
        pytest.param(DDL.replace("MONTH WAL", "MONTH TTL 200 YEARS WAL"), id="a TTL no candle reaches"),
    ],
)
def test_a_table_with_which_everything_works_is_taken_as_it_is(
    questdb: QuestDBClient, definition: str
) -> None:
    questdb.query(definition)
    ensure_candle_table(questdb)
    store(questdb, OLD_S, NEW_S)
    store(questdb, NEW_S, source="trades")
    assert count(questdb) == 2


@pytest.mark.parametrize(
    ("definitions", "why"),
    [
        pytest.param(
            ["CREATE TABLE ohlcv (time TIMESTAMP, price DOUBLE) TIMESTAMP(time) PARTITION BY DAY WAL"],
            "it has no column ts",
            id="somebody else's",
        ),
        pytest.param(
            [DDL.replace("ts TIMESTAMP", "ts TIMESTAMP_NS")], "column ts is TIMESTAMP_NS", id="nanoseconds"
        ),
        pytest.param(
            [
                DDL
                .replace("source SYMBOL", "source SYMBOL, at TIMESTAMP")
                .replace(") TIMESTAMP(ts)", ") TIMESTAMP(at)")
                .replace("KEYS(ts", "KEYS(at, ts")
            ],
            "ts is not its designated timestamp",
            id="another designated timestamp",
        ),
        pytest.param(["CREATE VIEW ohlcv AS (SELECT * FROM base)"], "it is a view", id="a view"),
        pytest.param(
            [DDL.replace("stored_at TIMESTAMP", "stored_at VARCHAR")],
            "its column stored_at is VARCHAR, not TIMESTAMP",
            id="a column of its own called stored_at",
        ),
    ],
)
def test_a_table_that_no_statement_makes_ours_is_left_alone(
    questdb: QuestDBClient, definitions: list[str], why: str
) -> None:
    questdb.query("CREATE TABLE IF NOT EXISTS base (ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for one in definitions:
        questdb.query(one)
    try:
        with pytest.raises(SurroundingsError) as refused:
            ensure_candle_table(questdb)
    finally:
        if "VIEW" in definitions[0]:
            questdb.query("DROP VIEW ohlcv")
    assert f"table ohlcv in QuestDB is not this package's: {why}" in str(refused.value)
    assert "leave it as it is and let connection questdb_default name another QuestDB" in str(refused.value)


def test_a_table_without_partitions_is_left_alone(
    other_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    questdb = started(other_server, monkeypatch, **CLOSED)
    emptied(questdb)
    questdb.query(DDL.partition(" PARTITION")[0] + " PARTITION BY NONE")
    with pytest.raises(
        SurroundingsError, match="not this package's: it has no partitions, which QuestDB cannot"
    ):
        ensure_candle_table(questdb)


def test_a_second_login_of_the_extra_opens_http(
    other_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"http_login": "web", "http_password": "web-secret"}
    hook = started(other_server, monkeypatch, **CLOSED, extra=extra)
    hook.check_bulk()
    assert hook.query("SELECT 1") == [(1,)]


def test_no_http_at_all_is_an_outage_that_names_the_port_field(
    other_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = started(other_server, monkeypatch, **CLOSED, extra={"http_port": 1})
    with pytest.raises(
        QuestDBUnavailableError, match=r"127.0.0.1:1 \(HTTP\) is .* correct http_port in the extra"
    ):
        hook.check_bulk()


@pytest.mark.parametrize(
    ("ask", "settings", "told"),
    [
        pytest.param(
            ensure_candle_table,
            {**CLOSED, "login": "user"},
            "lets login 'user' only read: give connection questdb_other a login that may write",
            id="a login that reads",
        ),
        pytest.param(
            QuestDBClient.check_bulk,
            CLOSED,
            r"\(HTTP\) refuses login 'admin': put its http.user and http.password into the extra of "
            "connection questdb_other as http_login and http_password",
            id="another login than PGWire",
        ),
        pytest.param(
            QuestDBClient.check_bulk,
            {**CLOSED, "extra": {"http_login": "web", "http_password": "no"}},
            "refuses login 'web'",
            id="a wrong second login",
        ),
        pytest.param(
            ensure_candle_table,
            READ_ONLY,
            r"takes no writes \(pg.security.readonly is true\): set pg.security.readonly=false",
            id="PGWire reads only",
        ),
        pytest.param(
            QuestDBClient.check_bulk,
            READ_ONLY,
            r"\(HTTP\) takes no writes: set http.security.readonly=false",
            id="HTTP reads only",
        ),
        pytest.param(
            ensure_candle_table,
            SILENT,
            r"does not show them \(cairo.wal.apply.enabled is false\): set cairo.wal.apply.enabled=true",
            id="writes are never applied",
        ),
        pytest.param(
            QuestDBClient.check_bulk,
            SILENT,
            r"\(HTTP\) takes no rows: set line.http.enabled=true",
            id="no rows over HTTP",
        ),
    ],
)
def test_a_server_that_stores_nothing_is_told_with_login_or_setting(
    other_server: QuestDBServer,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[QuestDBClient], None],
    settings: dict[str, Any],
    told: str,
) -> None:
    with pytest.raises((SurroundingsError, QuestDBRefusedError), match=told) as refused:
        ask(started(other_server, monkeypatch, **settings))
    assert "secret" not in str(refused.value)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the name of an empty database."""
    name = f"around_{uuid.uuid4().hex[:12]}"
    postgres_server.create_database(name)
    yield name
    postgres_server.drop_database(name)


def test_a_pooler_that_changes_sessions_is_refused_before_the_ledger_is_touched(
    postgres_server: PostgresServer, database: str
) -> None:
    with (
        pooler(postgres_server.socket_directory, user="postgres", database=database) as between,
        pytest.raises(SurroundingsError, match=r"pool_mode transaction .* set pool_mode=session") as refused,
    ):
        migrate_ledger(f"host=127.0.0.1 port={between.port} user=postgres dbname={database} sslmode=prefer")
    assert "connection ohlcv_postgres" in str(refused.value)
    with psycopg.connect(postgres_server.uri(database)) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


def test_plain_sessions_are_accepted(postgres_server: PostgresServer, database: str) -> None:
    check_ledger(postgres_server.uri(database))


def test_a_server_that_takes_no_writes_is_refused(postgres_server: PostgresServer, database: str) -> None:
    uri = postgres_server.uri(database) + "&options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(SurroundingsError, match=r"takes no writes \(a replica, .* name the primary server"):
        migrate_ledger(uri)


def test_a_role_without_rights_is_told_the_statement_that_gives_them(
    postgres_server: PostgresServer, database: str
) -> None:
    role = f"{database}_role"
    with psycopg.connect(postgres_server.uri(database), autocommit=True) as admin:
        admin.execute(f'CREATE ROLE "{role}" LOGIN')
        uri = postgres_server.uri(database).replace("postgres@", f"{role}@")
        try:
            for cure in ("GRANT CREATE ON SCHEMA public", "CREATE EXTENSION btree_gist"):
                with pytest.raises(SurroundingsError, match=cure) as refused:
                    migrate_ledger(uri)
                assert "connection ohlcv_postgres refuses the ledger's tables" in str(refused.value)
                admin.execute(str(refused.value).partition("run ")[2].partition(" in it")[0])
            migrate_ledger(uri)
        finally:
            admin.execute(f'DROP OWNED BY "{role}"')
            admin.execute(f'DROP ROLE "{role}"')


@pytest.mark.parametrize(
    ("revision", "cure"),
    [
        ("9999", "a newer version of this package migrated it: install that version again"),
        ("0900", "a newer version of this package migrated it: install that version again"),
        ("0007", "which is older than version 0.1.0: run version 0.1.0 on it once, then this version again"),
        ("0001", "which is older than version 0.1.0: run version 0.1.0 on it once, then this version again"),
    ],
)
def test_a_ledger_of_a_version_that_leads_nowhere_is_refused_with_the_version_to_install(
    postgres_server: PostgresServer, database: str, revision: str, cure: str
) -> None:
    uri = postgres_server.uri(database)
    migrate_ledger(uri)
    with psycopg.connect(uri) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    with pytest.raises(SurroundingsError, match=f"ohlcv_postgres is at revision {revision}.*{cure}"):
        migrate_ledger(uri)
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]


def test_runs_that_begin_together_all_read_the_servers_settings(questdb: QuestDBClient) -> None:
    with ThreadPoolExecutor(4) as threads:
        asked = threads.map(server_findings, [questdb] * 400)
        assert list(asked) == [[]] * 400


def test_a_disk_that_is_nearly_full_is_named_with_its_folder(questdb: QuestDBClient, tmp_path: Path) -> None:
    ensure_candle_table(questdb)
    work = tmp_path / "not" / "yet" / "there"
    with pytest.raises(SurroundingsError) as refused:
        check_room(questdb, work, free_bytes=lambda _: LEAST_FREE_BYTES - 1)
    assert re.findall(r"the disk of (.+?) \S+/(\S+) has", str(refused.value)) == [
        ("QuestDB's folder", "db"),
        ("the work folder", tmp_path.name),
    ]
    assert "has 511 MiB left, less than the 512 MiB that a run may need: free space on it" in str(
        refused.value
    )
    check_room(questdb, work, free_bytes=lambda _: LEAST_FREE_BYTES)
