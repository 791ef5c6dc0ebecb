"""Reads of the past: which moment is meant, and whether a snapshot still reads as it first did."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import NamedTuple, TypeAlias

import polars as pl
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.errors import BadRequestError, SetUpError, SnapshotError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.reader.buckets import Buckets
from kraken_ohlcv.reader.lines import ledger_text
from kraken_ohlcv.reader.scope import Part
from kraken_ohlcv.reader.stores import Stores, opened
from kraken_ohlcv.reader.times import Moment, moment_of
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.snapshots import (
    Snapshot,
    SnapshotRead,
    find_snapshot,
    list_reads,
    note_read,
    pin_snapshot,
)
from kraken_ohlcv.stores.queries import MICROSECONDS

log = logging.getLogger(__name__)

AsOf: TypeAlias = Moment
"""A moment by the ledger's clock, or the name of a snapshot."""


class When(NamedTuple):
    """The time of a read.

    :ivar now_s: the exchange's time then, epoch seconds UTC
    :ivar at_us: the moment by the ledger's clock, epoch microseconds; None = now
    :ivar snapshot: the snapshot that was named, or None
    """

    now_s: int
    at_us: int | None = None
    snapshot: Snapshot | None = None


def snapshot(name: str, *, stores: Stores | None = None) -> datetime:
    """Pin what both stores hold now under a name, to be read again with ``as_of``.

    :param name: not empty, not taken
    :param stores: open stores, of the ledger with a login that may write; None = those of the environment,
        opened for this call
    :return: the moment that is pinned: now, or just before the oldest open write; UTC
    :raises SnapshotError: if the name is empty or taken
    :raises SetUpError: if the login may not write
    """
    with opened(stores) as both:
        try:
            return utc(pin_snapshot(both.ledger, name).moment_us / MICROSECONDS)
        except (InsufficientPrivilege, ReadOnlySqlTransaction) as error:
            raise SetUpError(
                f"snapshot {name!r} is not pinned, because this login of the ledger may only read: pin it "
                "with the login that the runs use"
            ) from error


def when_of(stores: Stores, as_of: AsOf | None) -> When:
    """Return the time of a read.

    :param as_of: the name of a snapshot; a moment, UTC without an offset; or None for now
    :raises SnapshotError: if there is no such snapshot
    :raises BadRequestError: if a write may still change what the moment is
    """
    if as_of is None:
        return When(int(stores.clock()))
    named = _named(stores, as_of)
    if named is not None:
        at_us = named.moment_us
    else:
        at_us = round(moment_of("as_of", as_of).timestamp() * MICROSECONDS)
        settled = settled_us(stores.ledger)
        if at_us > settled:
            raise BadRequestError(
                f"as_of {iso(at_us / MICROSECONDS)} is not settled: the newest moment that no open write can "
                f"change is {iso(settled / MICROSECONDS)}"
            )
    # The exchange's clock may be another than the ledger's, by which moments are counted.
    return When(int(at_us / MICROSECONDS + stores.ahead_s(at_us)), at_us, named)


def when_settled(stores: Stores) -> When:
    """Return the newest moment that no open write can change, to be read like one of the past."""
    at_us = settled_us(stores.ledger)
    return When(int(at_us / MICROSECONDS + stores.ahead_s(at_us)), at_us)


def _named(stores: Stores, as_of: AsOf) -> Snapshot | None:
    """Return the snapshot of a name; None for a time, unless a snapshot is called like it."""
    if not isinstance(as_of, str):
        return None
    try:
        return find_snapshot(stores.ledger, as_of)
    except SnapshotError as error:
        try:
            moment_of("as_of", as_of)
        except BadRequestError:
            raise error from None
        return None


class Digests:
    """Hashes what is read at a snapshot, series by series, and compares it with what was first read.

    A hash is over the canonical line of each bucket, oldest first, a line feed behind each; ``pending``
    counts as ``missing``, because the plan of what is kept decides which of the two it is.
    """

    def __init__(self) -> None:
        self._hashes: dict[Series, hashlib._Hash] = {}

    def add(self, buckets: Buckets) -> None:
        """Add the next buckets of a series."""
        status = pl.col("status").cast(pl.String)
        rows = buckets.frame().with_columns(
            status.replace(str(BucketStatus.PENDING), str(BucketStatus.MISSING))
        )
        digest = self._hashes.setdefault(buckets.row.series, hashlib.sha256())
        digest.update(ledger_text(buckets.row.series, rows))

    def settle(self, stores: Stores, named: Snapshot, part: Part) -> None:
        """Compare what was read of a series with what was first read at a snapshot, or keep it as the first.

        :raises SnapshotError: if it is not the same
        """
        sha256 = self._hashes.setdefault(part.series, hashlib.sha256()).hexdigest()
        first = next((one for one in list_reads(stores.ledger, named) if _is_of(one, part)), None)
        if first is None:
            try:
                note_read(stores.ledger, named, part.series, part.covered, sha256)
            except (InsufficientPrivilege, ReadOnlySqlTransaction):
                log.info("this login may only read: the hash of snapshot %s is not kept", named.name)
        elif first.sha256 != sha256:
            raise SnapshotError(
                f"{part.series} from {iso(part.covered[0])} to {iso(part.covered[1])} does not read as it "
                f"did at {iso(first.read_us / MICROSECONDS)}, when snapshot {named.name!r} was first read "
                "there: candles were lost or changed by somebody else, or a store was restored; "
                "compare it with a backup"
            )


def _is_of(read: SnapshotRead, part: Part) -> bool:
    return (read.series, read.covered) == (part.series, part.covered)
