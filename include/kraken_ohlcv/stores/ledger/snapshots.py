"""Snapshots: named moments that can be read again, and the hashes of what was first read at them."""

from __future__ import annotations

from dataclasses import dataclass

from kraken_ohlcv.core.errors import SnapshotError, UnknownSnapshotError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.session import Connection, execute, first, rows


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named moment.

    :ivar name: unique, not empty
    :ivar moment_us: what was stored and proven then is read, epoch microseconds
    :ivar pinned_us: when it was named, epoch microseconds; later than the moment while a write was open
    """

    name: str
    moment_us: int
    pinned_us: int


@dataclass(frozen=True, slots=True)
class SnapshotRead:
    """What was first read at a snapshot.

    :ivar series: ticker and interval
    :ivar covered: half-open, epoch seconds UTC
    :ivar sha256: of the buckets of the range, hexadecimal
    :ivar read_us: when, epoch microseconds
    """

    series: Series
    covered: Range
    sha256: str
    read_us: int


def pin_snapshot(connection: Connection, name: str) -> Snapshot:
    """Name the newest moment that no open write can change: now, or just before the oldest open write.

    :param connection: the ledger, with a login that may write
    :param name: not empty, not taken
    :return: the snapshot
    :raises SnapshotError: if the name is empty or taken
    """
    if not name:
        raise SnapshotError("a snapshot needs a name that is not empty")
    moment_us = settled_us(connection, is_kept=True)
    found = first(connection, "insert_snapshot", Snapshot, name=name, moment_us=moment_us)
    if found is None:
        raise SnapshotError(f"there is a snapshot {name!r} already: read it, or choose another name")
    return found


def find_snapshot(connection: Connection, name: str) -> Snapshot:
    """Return a snapshot.

    :raises UnknownSnapshotError: if there is none of this name
    """
    found = first(connection, "read_snapshots", Snapshot, name=name)
    if found is None:
        names = [one.name for one in list_snapshots(connection)]
        known = f"known are {', '.join(names)}" if names else "none has been pinned yet"
        raise UnknownSnapshotError(f"there is no snapshot {name!r}: {known}")
    return found


def list_snapshots(connection: Connection) -> list[Snapshot]:
    """Return all snapshots, the newest first."""
    return rows(connection, "read_snapshots", Snapshot, name=None)


def note_read(
    connection: Connection, snapshot: Snapshot, series: Series, covered: Range, sha256: str
) -> None:
    """Keep what was read at a snapshot, unless this range of the series was read at it before.

    :param connection: the ledger, with a login that may write
    :param covered: half-open, epoch seconds UTC
    :param sha256: of the buckets of the range, hexadecimal
    """
    execute(
        connection,
        "insert_snapshot_read",
        snapshot,
        series,
        from_s=covered[0],
        until_s=covered[1],
        sha256=sha256,
    )


def list_reads(connection: Connection, snapshot: Snapshot) -> list[SnapshotRead]:
    """Return what was first read at a snapshot, by series and range."""

    def read(
        ticker: str, interval_minutes: int, from_s: int, until_s: int, sha256: str, read_us: int
    ) -> SnapshotRead:
        return SnapshotRead(Series(ticker, interval_minutes), (from_s, until_s), sha256, read_us)

    return rows(connection, "read_snapshot_reads", read, snapshot)
