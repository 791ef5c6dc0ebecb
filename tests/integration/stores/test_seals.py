"""The log of seals grows by linked entries, and the database itself refuses everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.merkle import leaf_hash
from kraken_ohlcv.core.seal import NO_ENTRY, DaySeal, RecordsSeal, SealedRecord, SealReason, day_root
from kraken_ohlcv.stores.ledger.moments import open_write, settled_us
from kraken_ohlcv.stores.ledger.seals import (
    RECORDS_OF_ENTRY,
    Draft,
    Head,
    append,
    day_seals,
    find_seals,
    head,
    newest_of,
    newest_seals,
    read_log,
    record_drafts,
    root_of_day,
    sealed_days,
    sealing,
    unsealed_records,
)
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.stores.ledger.session import Connection
    from local.postgres import PostgresServer

XBT, ETH = Series("XBTUSD", 60), Series("ETHUSD", 1440)
DAY = 20_000 * DAY_S


@pytest.fixture(scope="module")
def shared_ledger(postgres_server: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Give a ledger to all tests of this file, each of which adds to its log."""
    postgres_server.create_database("ledger_of_seals", template=ledger_template)
    yield postgres_server.uri("ledger_of_seals")
    postgres_server.drop_database("ledger_of_seals")


@pytest.fixture
def ledger(shared_ledger: str) -> Iterator[Connection]:
    """Give the ledger with a log of two entries."""
    with connect(shared_ledger) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE seal_log")
        connection.execute("SET session_replication_role = origin")
        append(connection, [draft(XBT), draft(ETH)])
        yield connection


def draft(series: Series, day_s: int = DAY, *, revision: int = 1, leaves: bytes = b"12345678") -> Draft:
    """Return a seal of a day of two buckets."""
    root = leaf_hash(f"{series}{revision}".encode()).hex()
    seal = DaySeal(
        number=99,
        before="whatever",
        as_of_us=1_700_000_000_000_000 + revision,
        series=series,
        day_s=day_s,
        revision=revision,
        reasons=(SealReason.FIRST if revision == 1 else SealReason.FILLED,),
        root=root,
        root_before=None if revision == 1 else root,
        stored=1,
        empty=0,
        missing=1,
    )
    return Draft(seal, leaves)


def insert(connection: Connection, **changes: Any) -> None:
    """Insert an entry as anybody could who may write to the ledger."""
    newest = head(connection)
    values = {"number": newest.number + 1, "before": newest.hash, **changes}
    entry = RecordsSeal(
        number=values["number"],
        before=values["before"],
        as_of_us=1,
        table="series_starts",
        records=(SealedRecord("1", "XBTUSD", 60, DAY, "00" * 32),),
    )
    text = values.get("text", entry.text)
    hashed = values.get("hash", leaf_hash(text.encode()))
    connection.execute(
        "INSERT INTO seal_log (number, entry, entry_hash) VALUES (%s, %s, %s)",
        (values.get("column", values["number"]), text, hashed),
    )


def test_entries_get_their_number_and_the_hash_of_the_one_before(ledger: Connection) -> None:
    first, second = read_log(ledger)
    assert (first.number, first.entry.before, second.number, second.entry.before) == (
        1,
        NO_ENTRY,
        2,
        first.hash,
    )
    assert first.hash == first.entry.hash
    assert first.leaves == b"12345678"
    assert head(ledger) == Head(2, second.hash, second.entry.as_of_us)
    assert find_seals(ledger, second.hash) == [second]
    assert [one.number for one in read_log(ledger, after=1)] == [2]


def test_days_are_read_by_series_and_day_and_newest_revision(ledger: Connection) -> None:
    append(ledger, [draft(XBT, revision=2), draft(XBT, DAY + DAY_S), draft(XBT, DAY + 3 * DAY_S)])
    assert [one.number for one in day_seals(ledger, tickers=["XBTUSD"], intervals=[60])] == [1, 3, 4, 5]
    assert [one.number for one in day_seals(ledger, last_s=DAY)] == [1, 2, 3]
    assert [one.number for one in newest_seals(ledger)] == [2, 3, 4, 5]
    assert [one.number for one in newest_seals(ledger, first_s=DAY + DAY_S, last_s=DAY + 2 * DAY_S)] == [4]
    found = newest_of(ledger, [(XBT, DAY), (XBT, DAY + 2 * DAY_S), (ETH, DAY)])
    assert {key: one.number for key, one in found.items()} == {(XBT, DAY): 3, (ETH, DAY): 2}
    assert sealed_days(ledger) == {
        ETH: [range(DAY, DAY + 1, DAY_S)],
        XBT: [range(DAY, DAY + DAY_S + 1, DAY_S), range(DAY + 3 * DAY_S, DAY + 3 * DAY_S + 1, DAY_S)],
    }
    assert root_of_day(ledger, DAY) == day_root(one.day for one in newest_seals(ledger, last_s=DAY))
    assert root_of_day(ledger, DAY + 2 * DAY_S) is None


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE seal_log SET leaves = NULL WHERE number = 1", id="update"),
        pytest.param("DELETE FROM seal_log WHERE number = 2", id="delete"),
        pytest.param("TRUNCATE seal_log", id="truncate"),
    ],
)
def test_what_is_in_the_log_stays(ledger: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="only grows"):
        ledger.execute(statement)
    assert head(ledger).number == 2


OTHER_TEXT = RecordsSeal(number=3, before=NO_ENTRY, as_of_us=1, table="t", records=()).text


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        pytest.param({"number": 4}, psycopg.errors.RaiseException, "entry 4 does not follow", id="gap"),
        pytest.param({"before": NO_ENTRY}, psycopg.errors.RaiseException, "entry 3", id="other link"),
        pytest.param({"number": 2}, psycopg.errors.UniqueViolation, None, id="number taken"),
        pytest.param({"number": 0}, psycopg.errors.CheckViolation, None, id="number before the first"),
        pytest.param({"hash": b"0" * 32}, psycopg.errors.CheckViolation, "its_hash", id="other hash"),
        pytest.param({"column": 4}, psycopg.errors.CheckViolation, "its_number", id="two numbers"),
        pytest.param({"text": "{}"}, psycopg.errors.IntegrityError, None, id="no entry"),
    ],
)
def test_an_entry_that_does_not_extend_the_log_is_refused(
    ledger: Connection, changes: dict[str, Any], error: type[Exception], said: str | None
) -> None:
    with pytest.raises(error, match=said):
        insert(ledger, **changes)
    insert(ledger)
    assert head(ledger).number == 3


def test_a_revision_is_sealed_once_and_a_refused_batch_leaves_nothing(ledger: Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        append(ledger, [draft(XBT, DAY + DAY_S), draft(XBT)])
    assert head(ledger).number == 2


def test_one_sealing_at_a_time(ledger: Connection, shared_ledger: str) -> None:
    with sealing(ledger), connect(shared_ledger) as other:
        taken = "SELECT pg_try_advisory_lock(%s, 0) AS got"
        assert other.execute(taken, (0x4F4E,)).fetchone() == {"got": False}
    with sealing(ledger):
        assert head(ledger).number == 2


def test_records_are_sealed_once_in_entries_of_a_table(ledger: Connection) -> None:
    count = RECORDS_OF_ENTRY + 1
    for table in ("series_starts", "added_candles"):
        ledger.execute(f"TRUNCATE {table}")
    with open_write(ledger):
        ledger.execute(
            "INSERT INTO series_starts (ticker, interval_minutes, start_ts)"
            " SELECT 'XBTUSD', 60, to_timestamp(n * 3600) FROM generate_series(1, %s) AS n",
            (count,),
        )
        ledger.execute(
            "INSERT INTO added_candles (ticker, interval_minutes, month, first_bucket, buckets)"
            " VALUES ('ETHUSD', 1440, '2026-11-01', 2, '101')"
        )
    until_us = settled_us(ledger, is_kept=True)
    append(ledger, record_drafts(unsealed_records(ledger, until_us=until_us), as_of_us=until_us))
    entries = [one.entry for one in read_log(ledger, after=2)]
    assert [(one.table, len(one.records)) for one in entries if isinstance(one, RecordsSeal)] == [
        ("added_candles", 1),
        ("series_starts", RECORDS_OF_ENTRY),
        ("series_starts", 1),
    ]
    (added,) = entries[0].records if isinstance(entries[0], RecordsSeal) else ()
    # The third of November.
    assert (added.ticker, added.interval_minutes, added.ts_s) == ("ETHUSD", 1440, 1_793_664_000)
    assert list(unsealed_records(ledger, until_us=settled_us(ledger))) == []
    # What is recorded of a row afterwards is another row; what is altered has another hash.
    ledger.execute("UPDATE added_candles SET buckets = '111'")
    changed = ledger.execute(
        "SELECT sha256 FROM sealable_records WHERE table_name = 'added_candles'"
    ).fetchone()
    assert changed is not None
    assert changed["sha256"] != added.sha256
