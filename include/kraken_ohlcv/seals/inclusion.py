"""Inclusion proofs: that a single bucket was sealed, to somebody who has a root and nothing else.

``docs/SEALS.md`` defines the form; ``export/verify_offline.py`` checks it with nothing but Python.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kraken_ohlcv.core.errors import BadRequestError, OhlcvError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.merkle import audit_path, leaf_hash, root_by_path, root_of
from kraken_ohlcv.core.seal import DaySeal, entry_hash, entry_of
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.core.verified_day import day_of, opens_of_day
from kraken_ohlcv.reader.buckets import bucket_frame
from kraken_ohlcv.reader.lines import ledger_text
from kraken_ohlcv.reader.scope import find_rows
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.reader.times import Moment, moment_of
from kraken_ohlcv.stores.ledger.seals import newest_of, newest_seals

PROOF_VERSION: Final = 1
"""Version of the form of a proof."""


class NoProofError(OhlcvError):
    """A bucket cannot be proven; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A leaf of a tree.

    :ivar index: from 0
    :ivar size: leaves of the tree
    :ivar path: its audit path, hexadecimal, the sibling of the leaf first
    """

    index: int
    size: int
    path: tuple[str, ...]

    @classmethod
    def of(cls, leaves: Sequence[bytes], index: int) -> Place:
        """Return the place of a leaf; parameters as of :func:`kraken_ohlcv.core.merkle.audit_path`."""
        return cls(index, len(leaves), tuple(one.hex() for one in audit_path(leaves, index)))

    def root(self, leaf: bytes) -> str:
        """Return the root of the tree that has this leaf here, hexadecimal.

        :param leaf: its hash
        :raises ValueError: if the path is none of such a place
        """
        return root_by_path(leaf, self.index, self.size, [bytes.fromhex(one) for one in self.path]).hex()


class Roots(NamedTuple):
    """What a proof leads to; it proves something when one of these was kept elsewhere. All hexadecimal.

    :ivar entry: hash of the entry of the log
    :ivar series_day: root of the day of the series
    :ivar day: root of the day over all series, None where the proof does not lead there
    """

    entry: str
    series_day: str
    day: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The proof of a bucket.

    :ivar line: its canonical line
    :ivar entry: text of the entry that seals its day
    :ivar place: of the line among those of the day
    :ivar day: of the entry among the newest ones of all series of the day; None where they are not known
    """

    line: str
    entry: str
    place: Place
    day: Place | None

    def roots(self) -> Roots:
        """Check the proof, and return what it leads to.

        :raises ValueError: if it does not lead from the line to the entry
        """
        entry = entry_of(self.entry)
        if not isinstance(entry, DaySeal):
            raise ValueError("the entry seals no day")
        if self.place.root(leaf_hash(self.line.encode("ascii"))) != entry.root:
            raise ValueError("the path does not lead from the line to the root of the entry")
        sealed = entry_hash(self.entry)
        return Roots(sealed, entry.root, None if self.day is None else self.day.root(bytes.fromhex(sealed)))

    def as_json(self) -> dict[str, Any]:
        """Return it in its published form."""
        return {
            "proof_version": PROOF_VERSION,
            "line": self.line,
            "entry": self.entry,
            **_as_json(self.place),
            "day": None if self.day is None else _as_json(self.day),
        }


def _as_json(place: Place) -> dict[str, Any]:
    return {"index": place.index, "size": place.size, "path": list(place.path)}


def prove_line(lines: Sequence[bytes], ts_s: int, seal: DaySeal, of_day: Sequence[DaySeal] | None) -> Proof:
    """Return the proof of one of the lines of a day.

    :param lines: canonical lines of the buckets of the day, ascending; buckets before the series begins may
        come first
    :param ts_s: open time of the bucket, epoch seconds UTC
    :param seal: of the day
    :param of_day: the newest seals of all series of that day, this one among them; None = not known
    :raises NoProofError: if the lines are not those that were sealed, or the bucket is none of them
    """
    sealed = lines[max(0, len(lines) - seal.buckets) :]
    leaves = [leaf_hash(line) for line in sealed]
    if root_of(leaves).hex() != seal.root:
        raise NoProofError(
            f"{seal.series} on {utc(seal.day_s):%Y-%m-%d} is not as it was sealed by number {seal.number}: "
            "verify says what differs; when it was repaired or sealed again, there is a proof"
        )
    opens = [json.loads(line)["ts"] for line in sealed]
    if ts_s not in opens:
        raise NoProofError(
            f"{seal.series} had no bucket at {iso(ts_s)} when the day was sealed: it begins later, or ends "
            "before"
        )
    index = opens.index(ts_s)
    place = None
    if of_day is not None:
        ordered = sorted(of_day, key=lambda one: one.series)
        place = Place.of([bytes.fromhex(one.hash) for one in ordered], ordered.index(seal))
    line = sealed[index].decode("ascii")
    return Proof(line=line, entry=seal.text, place=Place.of(leaves, index), day=place)


def prove_bucket(stores: Stores, ticker: str, interval_minutes: int, at: Moment) -> Proof:
    """Return the proof of a bucket, from both stores.

    :param stores: both stores
    :param ticker: Kraken's altname
    :param interval_minutes: bucket length, minutes
    :param at: open time of the bucket; ISO text or a time, UTC without an offset
    :raises BadRequestError: if the ticker, the interval or the time cannot be meant
    :raises NoProofError: if its day is not sealed, or does not stand as it was sealed
    """
    (row,) = find_rows(stores, [ticker], interval_minutes)
    ts_s = open_time(at, row.series)
    day_s = day_of(ts_s, interval_minutes * 60)
    found = newest_of(stores.ledger, [(row.series, day_s)]).get((row.series, day_s))
    if found is None:
        raise NoProofError(
            f"{row.series} on {utc(day_s):%Y-%m-%d} is not sealed: a day is sealed once all of its buckets "
            "are due"
        )
    seal = found.day
    opens = opens_of_day(day_s, interval_minutes)
    lines = ledger_text(row.series, bucket_frame(stores, row, opens, at_us=seal.as_of_us)).splitlines()
    of_day = [one.day for one in newest_seals(stores.ledger, first_s=day_s, last_s=day_s)]
    return prove_line(lines, ts_s, seal, of_day)


def open_time(at: Moment, series: Series) -> int:
    """Return the open time of a bucket, epoch seconds UTC.

    :raises BadRequestError: if no bucket opens then; the message names the one that is open then
    """
    moment_s = moment_of("time", at).timestamp()
    ts_s = floor_s(moment_s, series.interval_minutes)
    if ts_s != moment_s:
        raise BadRequestError(f"no bucket of {series} opens at {at}: give the open time, such as {iso(ts_s)}")
    return ts_s
