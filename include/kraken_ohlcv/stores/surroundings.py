"""What must be right around the package before a run begins: candle table, QuestDB's settings, ledger, disks.

Everything that can be known before work starts is judged here, at ``prepare`` and at set-up, and told in one
sentence with the statement that cures it. No cure ever destroys data.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from tenacity import (
    retry,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_random,
)

from kraken_ohlcv.clients.errors import QuestDBError, QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import SurroundingsError
from kraken_ohlcv.core.settings import CANDLE_TABLE, LEDGER_CONN_ID
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement

COLUMNS: Final = {
    "ts": "TIMESTAMP",
    "ticker": "SYMBOL",
    "interval": "SYMBOL",
    "open": "DOUBLE",
    "high": "DOUBLE",
    "low": "DOUBLE",
    "close": "DOUBLE",
    "vwap": "DOUBLE",
    "volume": "DOUBLE",
    "trades": "LONG",
    "source": "SYMBOL",
}
"""Type by column of the candle table, but for stored_at, which a table of an earlier version gets. Columns
beside these are left alone: every statement names its own."""
KEYS: Final = ("ts", "ticker", "interval")

ENABLE_DEDUP: Final = f"ALTER TABLE {CANDLE_TABLE} DEDUP ENABLE UPSERT KEYS({', '.join(KEYS)})"
LIFT_TTL: Final = f"ALTER TABLE {CANDLE_TABLE} SET TTL 1000 YEARS"
"""Rule: QuestDB 9.3.4 refuses a TTL of 0 on a table partitioned by month (measured)."""
HARMLESS_TTL_YEARS: Final = 100

FIRST_REVISION: Final = "0008"
"""The ledger of version 0.1.0; what led there is one step by now."""
UNKNOWN_REVISION: Final = re.compile(r"Can't locate revision identified by '(\w+)'")
"""What Alembic says of a ledger whose revision it does not know."""

POOLER_ROUNDS: Final = 5

SETTINGS_TRIES: Final = 5
"""Rule: of two SHOW PARAMETERS at the same time, one may fail in QuestDB 9.3.4 (one of 200, measured)."""

MEBIBYTE: Final = 1 << 20
LEAST_FREE_BYTES: Final = 512 * MEBIBYTE
"""Rule: a month that is written to holds 430 MB in advance, and a full disk suspends the table (measured)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    :ivar what: what is wrong
    :ivar do: what to do about it, a clause
    :ivar statements: for QuestDB, in their order; none loses a candle
    """

    what: str
    do: str
    statements: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.what}: {self.do}"


def refuse(findings: Iterable[Finding]) -> None:
    """Refuse to go on where something was found.

    :param findings: all that is known; told together, so that one look cures everything
    :raises SurroundingsError: if there is one
    """
    texts = [str(finding) for finding in findings]
    if texts:
        raise SurroundingsError("; ".join(texts))


def server_findings(questdb: QuestDBClient, *, is_writer: bool = True) -> list[Finding]:
    """Judge the settings of the server.

    :param is_writer: whether the login is to write candles
    :return: what is wrong
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    settings = _settings(questdb)
    found = [
        Finding(f"QuestDB takes no writes ({name} is true)", f"set {name}=false and start QuestDB again")
        for name in ("readonly", "pg.security.readonly")
        if settings.get(name) == "true"
    ]
    login = questdb.address.user
    reads_only = (
        settings.get("pg.readonly.user.enabled") == "true" and settings.get("pg.readonly.user") == login
    )
    if is_writer and reads_only:
        found.append(
            Finding(
                f"QuestDB lets login {login!r} only read",
                f"give connection {questdb.address.name} a login that may write (QuestDB's pg.user)",
            )
        )
    if settings.get("cairo.wal.apply.enabled") == "false":
        found.append(
            Finding(
                "QuestDB accepts candles but does not show them (cairo.wal.apply.enabled is false)",
                "set cairo.wal.apply.enabled=true and start QuestDB again",
            )
        )
    return found


def table_findings(questdb: QuestDBClient) -> list[Finding]:
    """Judge the candle table.

    :param questdb: client of the candle store, in which the table exists
    :return: what is wrong; nothing about partitions of another length or columns of somebody else's, with
        which everything works
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    columns = {name: (kind, is_key) for name, kind, is_key in questdb.query(statement("table_columns"))}
    (state,) = questdb.query(statement("table_definition"), {"table": CANDLE_TABLE})
    time_column, partition_by, is_wal, is_dedup, ttl_value, ttl_unit, is_suspended, _ = state
    if foreign := _not_ours(columns, time_column, partition_by):
        return [foreign_table(questdb, foreign)]
    found = _column_findings(columns)
    if not is_wal:
        found.append(
            Finding(
                f"table {CANDLE_TABLE} has no WAL",
                f"run ALTER TABLE {CANDLE_TABLE} SET TYPE WAL, start QuestDB again, then run {ENABLE_DEDUP}",
                (f"ALTER TABLE {CANDLE_TABLE} SET TYPE WAL", ENABLE_DEDUP),
            )
        )
    elif not is_dedup or {name for name, (_, is_key) in columns.items() if is_key} != set(KEYS):
        found.append(
            Finding(
                f"table {CANDLE_TABLE} would keep a candle twice or replace another one: its rows are not "
                f"deduplicated by {', '.join(KEYS)}",
                f"run {ENABLE_DEDUP}",
                (ENABLE_DEDUP,),
            )
        )
    if ttl_value and not (ttl_unit == "YEAR" and ttl_value >= HARMLESS_TTL_YEARS):
        found.append(
            Finding(
                f"QuestDB discards candles: table {CANDLE_TABLE} has a TTL of "
                f"{ttl_value} {ttl_unit.lower()}{'s' if ttl_value > 1 else ''}",
                f"run {LIFT_TTL}; what is missing by then is backfilled",
                (LIFT_TTL,),
            )
        )
    if is_suspended:
        found.append(_suspended(questdb))
    return found


def _not_ours(columns: dict[str, tuple[str, bool]], time_column: str | None, partition_by: str) -> str | None:
    """Return what makes a table one that no statement turns into ours, or None."""
    for name in KEYS:
        if name not in columns:
            return f"it has no column {name}"
    if columns["ts"][0] != COLUMNS["ts"]:
        return f"column ts is {columns['ts'][0]}, not {COLUMNS['ts']}, which QuestDB cannot change"
    if (moments := columns.get("stored_at", ("TIMESTAMP", False))[0]) != "TIMESTAMP":
        return f"its column stored_at is {moments}, not TIMESTAMP"
    if time_column != "ts":
        return "ts is not its designated timestamp, which QuestDB cannot change"
    if partition_by == "NONE":
        return "it has no partitions, which QuestDB cannot change"
    return None


def _column_findings(columns: dict[str, tuple[str, bool]]) -> list[Finding]:
    found = []
    for name, wanted in COLUMNS.items():
        there = columns.get(name, (None, False))[0]
        if there is None:
            cure = f"ALTER TABLE {CANDLE_TABLE} ADD COLUMN {name} {wanted}"
            found.append(Finding(f"table {CANDLE_TABLE} has no column {name}", f"run {cure}", (cure,)))
        elif there != wanted:
            cure = f"ALTER TABLE {CANDLE_TABLE} ALTER COLUMN {name} TYPE {wanted}"
            what = f"column {name} of table {CANDLE_TABLE} is {there}, not {wanted}"
            found.append(Finding(what, f"run {cure}", (cure,)))
    return found


def foreign_table(questdb: QuestDBClient, why: str) -> Finding:
    """Return what is wrong when no statement turns into ours what stands in the place of the candle table.

    :param why: what is there, a clause
    """
    return Finding(
        f"table {CANDLE_TABLE} in QuestDB is not this package's: {why}",
        f"leave it as it is and let connection {questdb.address.name} name another QuestDB",
    )


def _suspended(questdb: QuestDBClient) -> Finding:
    cure = f"ALTER TABLE {CANDLE_TABLE} RESUME WAL"
    ((tag, message),) = questdb.query(statement("suspended_because"), {"table": CANDLE_TABLE})
    return Finding(
        f"table {CANDLE_TABLE} is suspended, QuestDB accepts candles but does not show them "
        f"({tag or 'no error tag'}: {message or 'no message'})",
        f"fix the cause, often a full disk, then run {cure}; no candle is lost",
        (cure,),
    )


def check_ledger(dsn: str) -> None:
    """Refuse a way to PostgreSQL on which locks do not hold, and a server that takes no writes.

    A pooler that gives each transaction any session lets several fills of a series in at once: the lock stays
    with a session that somebody else gets next. It shows when two open connections meet the same session, or
    one connection meets two.

    :param dsn: libpq URI or DSN of the ledger's database
    :raises SurroundingsError: names what stands in the way, and the cure
    :raises psycopg.OperationalError: if the server cannot be reached
    """
    with connect(dsn) as one, connect(dsn) as other:
        one.prepare_threshold = other.prepare_threshold = None
        sessions = [(_session(one), _session(other)) for _ in range(POOLER_ROUNDS)]
        is_read_only = one.execute("SHOW transaction_read_only").fetchone()
    if len(set(sessions)) > 1 or len(set(sessions[0])) == 1:
        raise SurroundingsError(
            f"connection {LEDGER_CONN_ID} reaches PostgreSQL through a pooler that changes the session "
            "between transactions (pgbouncer with pool_mode transaction or statement): locks do not hold: "
            "let it name PostgreSQL itself, or set pool_mode=session for this database"
        )
    if is_read_only == {"transaction_read_only": "on"}:
        raise SurroundingsError(
            f"the PostgreSQL of connection {LEDGER_CONN_ID} takes no writes (a replica, or "
            "default_transaction_read_only is on): let the connection name the primary server"
        )


def why_not_migrated(error: BaseException | None, *, role: str) -> str | None:
    """Return why a ledger cannot be migrated, with the cure, or None when that is not known.

    :param error: Alembic's, or the driver's
    :param role: whose connection it is
    """
    said = " ".join(str(error).split())
    if (unknown := UNKNOWN_REVISION.search(said)) is not None:
        ledger = f"the ledger of connection {LEDGER_CONN_ID} is at revision {unknown[1]}"
        if unknown[1] < FIRST_REVISION:
            return (
                f"{ledger}, which is older than version 0.1.0: run version 0.1.0 on it once, then this "
                "version again"
            )
        return f"{ledger}: a newer version of this package migrated it: install that version again"
    match error:
        case psycopg.errors.InsufficientPrivilege() if "extension" in said:
            do = "run CREATE EXTENSION btree_gist in it as a superuser"
        case psycopg.errors.InsufficientPrivilege() if "schema public" in said:
            do = f'run GRANT CREATE ON SCHEMA public TO "{role}" in it as its owner'
        case psycopg.errors.InsufficientPrivilege():
            do = (
                "run kraken-ohlcv init as the owner of the ledger's tables, or make this role the owner "
                "of the database and of all that is in it"
            )
        case psycopg.errors.FeatureNotSupported() | psycopg.errors.UndefinedFile() if "btree_gist" in said:
            do = "install PostgreSQL's contrib package on its server, which brings extension btree_gist"
        case _:
            return None
    return f"the database of connection {LEDGER_CONN_ID} refuses the ledger's tables ({said}): {do}"


def _session(connection: Any) -> int:
    row: dict[str, int] = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
    return row["pid"]


def free_bytes(folder: Path) -> int:
    """Return how much room is left for a folder, bytes."""
    return shutil.disk_usage(folder).free


def check_room(
    questdb: QuestDBClient, work_folder: Path, *, free_bytes: Callable[[Path], int] = free_bytes
) -> None:
    """Refuse to begin on a disk that is nearly full, as far as this process can see the disks.

    :param questdb: client of the candle store; its disk counts where its folder is on this machine
    :param work_folder: folder of ours that is written to; while it does not exist, its parent counts
    :param free_bytes: asks how much room a folder has
    :raises SurroundingsError: names the folder and what is left
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    places = [("the work folder", _existing(work_folder))]
    if (root := _questdb_folder(questdb)) is not None:
        places.insert(0, ("QuestDB's folder", root))
    found = []
    for name, folder in places:
        free = free_bytes(folder)
        if free < LEAST_FREE_BYTES:
            found.append(
                Finding(
                    f"the disk of {name} {folder} has {free // MEBIBYTE} MiB left, less than the "
                    f"{LEAST_FREE_BYTES // MEBIBYTE} MiB that a run may need",
                    "free space on it",
                )
            )
    refuse(found)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _questdb_folder(questdb: QuestDBClient) -> Path | None:
    """Return the folder of QuestDB's tables if it is on this machine, which the candle table's own proves."""
    settings = _settings(questdb)
    scratch, tables = settings.get("cairo.sql.copy.work.root"), settings.get("cairo.root")
    if not scratch or not tables:
        return None
    # The server tells no root; by default this folder lies in it, beside that of the tables.
    root = Path(scratch).parent / tables
    ((*_, folder),) = questdb.query(statement("table_definition"), {"table": CANDLE_TABLE})
    return root if (root / folder).is_dir() else None


@retry(
    retry=retry_if_exception_type(QuestDBError) & retry_if_not_exception_type(QuestDBUnavailableError),
    stop=stop_after_attempt(SETTINGS_TRIES),
    wait=wait_random(max=0.2),
    reraise=True,
)
def _settings(questdb: QuestDBClient) -> dict[str, str | None]:
    return dict(questdb.query(statement("server_settings")))
