"""Every write has a moment of its own, and a snapshot lies before whatever is still open."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.core.errors import SnapshotError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.moments import open_write, settled_us
from kraken_ohlcv.stores.ledger.session import connect, value
from kraken_ohlcv.stores.ledger.snapshots import (
    find_snapshot,
    list_reads,
    list_snapshots,
    note_read,
    pin_snapshot,
)
from tests.integration.ledger_pages import add_proof
from tests.integration.ledger_pages import know as know_series
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.stores.ledger.session import Connection

HOURLY = Series("XBTUSD", 60)
HOUR = 3600
START = 1_795_392_000


def know(connection: Connection) -> None:
    """Make the series known."""
    connection.execute("INSERT INTO assets VALUES ('XBTUSD', 'XBT', 'USD', 'TIER1', TRUE, 0)")
    know_series(connection, HOURLY, START)


def set_clock_back(connection: Connection) -> None:
    """Let the functions of the ledger see, in this session, a clock that is a year behind."""
    connection.execute("CREATE SCHEMA earlier")
    connection.execute(
        "CREATE FUNCTION earlier.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
        " AS $$ SELECT pg_catalog.clock_timestamp() - INTERVAL '1 year' $$"
    )
    connection.execute("SET search_path = earlier, pg_catalog, public")


def recorded(connection: Connection) -> list[int]:
    """Return the moments at which proofs were recorded, in their order."""
    rows = connection.execute(
        "SELECT microseconds(recorded_at) AS us FROM coverage_changes ORDER BY change_id"
    ).fetchall()
    return [row["us"] for row in rows]


def test_a_later_write_has_a_later_moment_even_when_the_clock_is_set_back(ledger_uri: str) -> None:
    with connect(ledger_uri) as connection:
        with open_write(connection) as first:
            pass
        with open_write(connection) as second:
            pass
        set_clock_back(connection)
        with open_write(connection) as third:
            pass
    assert first < second
    assert third == second + 1


def test_a_write_and_what_the_ledger_records_of_it_in_any_transaction_have_one_moment(
    ledger_uri: str,
) -> None:
    with connect(ledger_uri) as connection:
        know(connection)
        with open_write(connection) as moment_us:
            add_proof(connection, HOURLY, START, START + HOUR)
            add_proof(connection, HOURLY, START + 5 * HOUR, START + 6 * HOUR)
        add_proof(connection, HOURLY, START + 9 * HOUR, START + 10 * HOUR)
        with connection.transaction():
            add_proof(connection, HOURLY, START + 12 * HOUR, START + 13 * HOUR)
            add_proof(connection, HOURLY, START + 14 * HOUR, START + 15 * HOUR)
        found = recorded(connection)
    assert found[:2] == [moment_us, moment_us]
    assert moment_us < found[2] < found[3] == found[4]


def test_a_savepoint_taken_back_takes_its_moment_along(ledger_uri: str) -> None:
    with connect(ledger_uri) as connection:
        know(connection)
        with connection.transaction():
            with connection.transaction(force_rollback=True):
                add_proof(connection, HOURLY, START, START + HOUR)
            settled = settled_us(connection)
            add_proof(connection, HOURLY, START, START + HOUR)
        (found,) = recorded(connection)
    assert found > settled


@pytest.mark.parametrize(
    "is_of_session", [True, False], ids=["a write of candles", "a transaction of the ledger"]
)
def test_a_snapshot_lies_just_before_the_oldest_open_write_and_is_now_when_none_is_open(
    ledger_uri: str, is_of_session: bool
) -> None:
    with connect(ledger_uri) as writer, connect(ledger_uri) as other:
        know(writer)
        if is_of_session:
            with open_write(writer) as oldest_us, connect(ledger_uri) as later, open_write(later):
                snapshot = pin_snapshot(other, "during")
        else:
            with writer.transaction():
                add_proof(writer, HOURLY, START, START + HOUR)
                snapshot = pin_snapshot(other, "during")
            (oldest_us,) = recorded(writer)
        with open_write(writer) as next_us:
            pass
        after = pin_snapshot(other, "after")
    assert snapshot.moment_us == oldest_us - 1
    assert snapshot.pinned_us > oldest_us
    assert after.moment_us >= next_us


def test_a_process_that_dies_closes_its_write(ledger_uri: str) -> None:
    with connect(ledger_uri) as other, connect(ledger_uri) as writer:
        moment_us = value(writer, "begin_session_write")
        assert settled_us(other) < moment_us
        other.execute("SELECT pg_terminate_backend(%s)", (writer.info.backend_pid,))
        wait_for(lambda: settled_us(other) > moment_us)


def test_no_write_gets_a_moment_before_a_snapshot_even_when_the_clock_is_set_back(ledger_uri: str) -> None:
    with connect(ledger_uri) as connection:
        snapshot = pin_snapshot(connection, "before")
        set_clock_back(connection)
        with open_write(connection) as moment_us:
            settled = settled_us(connection)
        again = pin_snapshot(connection, "after")
    assert snapshot.moment_us == settled
    assert snapshot.moment_us < moment_us == again.moment_us


def test_a_login_that_may_only_read_sees_which_writes_are_open(ledger_uri: str) -> None:
    with connect(ledger_uri) as owner:
        owner.execute("DROP ROLE IF EXISTS only_reads")
        owner.execute("CREATE ROLE only_reads IN ROLE pg_read_all_data")
        with open_write(owner) as moment_us, connect(ledger_uri) as reader:
            reader.execute("SET default_transaction_read_only = on")
            reader.execute("SET ROLE only_reads")
            assert settled_us(reader) == moment_us - 1


def test_a_statement_that_is_given_up_leaves_no_gate_shut(ledger_uri: str) -> None:
    with connect(ledger_uri) as holder, connect(ledger_uri) as waiter, connect(ledger_uri) as third:
        holder.execute("SELECT pg_advisory_lock(20301, 0)")
        waiter.execute("SET statement_timeout = 200")
        for take in ("SELECT begin_session_write()", "SELECT begin_write()", "SELECT settled_moment(true)"):
            with pytest.raises(psycopg.errors.QueryCanceled):
                waiter.execute(take)
        holder.execute("SELECT pg_advisory_unlock(20301, 0)")
        with open_write(third) as one, open_write(waiter) as two:
            assert one < two


def test_an_open_write_is_not_begun_again(ledger_uri: str) -> None:
    with (
        connect(ledger_uri) as connection,
        open_write(connection),
        pytest.raises(psycopg.errors.RaiseException, match="open write already"),
    ):
        value(connection, "begin_session_write")


def test_what_lies_at_or_before_a_snapshot_never_changes_whoever_writes_meanwhile(ledger_uri: str) -> None:
    """Many write and pin at once: what a snapshot sees when it is pinned is what it sees in the end."""
    with connect(ledger_uri) as connection:
        connection.execute("CREATE TABLE written (moment bigint NOT NULL)")
        stop, failed = threading.Event(), list[BaseException]()

        def guarded(work: Callable[[Connection], None]) -> None:
            try:
                with connect(ledger_uri) as own:
                    while not stop.is_set():
                        work(own)
            except BaseException as error:  # handed to the test
                failed.append(error)

        def write_in_session(own: Connection) -> None:
            with open_write(own) as moment_us:
                own.execute("INSERT INTO written VALUES (%s)", (moment_us,))

        def write_in_transaction(own: Connection) -> None:
            with own.transaction():
                own.execute("INSERT INTO written VALUES (microseconds(begin_write()))")
                own.execute("SELECT pg_sleep(0.001)")

        writers = [
            threading.Thread(target=guarded, args=(work,))
            for work in (write_in_session, write_in_transaction, write_in_transaction)
        ]
        for writer in writers:
            writer.start()
        seen = {}
        for number in range(150):
            moment_us = pin_snapshot(connection, f"number {number}").moment_us
            seen[moment_us] = count_until(connection, moment_us)
        stop.set()
        for writer in writers:
            writer.join()
        assert not failed
        assert {moment_us: count_until(connection, moment_us) for moment_us in seen} == seen
        assert len(set(seen.values())) > 10


def count_until(connection: Connection, moment_us: int) -> int:
    """Return how many rows were written up to a moment."""
    row = connection.execute("SELECT count(*) AS n FROM written WHERE moment <= %s", (moment_us,)).fetchone()
    return int(row["n"]) if row else 0


def test_a_snapshot_is_found_by_its_name_and_keeps_the_first_hash_of_a_range(ledger_uri: str) -> None:
    with connect(ledger_uri) as connection:
        with pytest.raises(SnapshotError, match="no snapshot 'backtest-17': none has been pinned"):
            find_snapshot(connection, "backtest-17")
        pinned = pin_snapshot(connection, "backtest-17")
        with pytest.raises(SnapshotError, match="a snapshot 'backtest-17' already"):
            pin_snapshot(connection, "backtest-17")
        with pytest.raises(SnapshotError, match="not empty"):
            pin_snapshot(connection, "")
        newer = pin_snapshot(connection, "backtest-18")
        assert find_snapshot(connection, "backtest-17") == pinned
        assert list_snapshots(connection) == [newer, pinned]
        with pytest.raises(SnapshotError, match="known are backtest-18, backtest-17"):
            find_snapshot(connection, "backtest-1")
        for digest in ("a" * 64, "b" * 64):
            note_read(connection, pinned, HOURLY, (START, START + HOUR), digest)
        (read,) = list_reads(connection, pinned)
        assert (read.series, read.covered, read.sha256) == (HOURLY, (START, START + HOUR), "a" * 64)
        assert list_reads(connection, newer) == []
