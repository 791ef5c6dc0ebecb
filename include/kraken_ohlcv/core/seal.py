"""Seals: the entries of the append-only log that says what stood in a series on a UTC day; pure.

The bytes of an entry are fixed; docs/SEALS.md says how another language writes them. Change nothing here
without a new :data:`SEAL_VERSION`.

Rules: an entry is JSON (RFC 8259) in ASCII, keys sorted, no blanks. Its hash is that of a Merkle leaf with
these bytes, and the next entry names it. The root of a day of a series is that of the Merkle tree over the
canonical lines (:mod:`kraken_ohlcv.core.bucket_line`) of all buckets whose last second lies in it,
ascending; the root of a day is that of the tree over the newest entry of each of its series, by ticker and
interval.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from kraken_ohlcv.core.bucket_status import EMPTY, BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.merkle import leaf_hash, root_of
from kraken_ohlcv.core.times import midnight_s, utc

SEAL_VERSION: Final = 1
"""Version of the form of an entry."""
NO_ENTRY: Final = "0" * 64
"""What the first entry of a log names as the one before."""
PROVISIONAL: Final = frozenset({"archive_provisional", "imported"})
"""Sources of candles that another source has yet to confirm."""


class SealReason(StrEnum):
    """Why there is a revision of a day."""

    FIRST = "first"
    """The day was due."""
    EXTENDED = "extended"
    """The series begins earlier, or ends later, than was known."""
    FILLED = "filled"
    """A bucket that was missing is stored."""
    PROVEN = "proven"
    """A bucket that was missing is proven empty, or by another evidence than before."""
    RESTATED = "restated"
    """A candle has other values."""
    CONFIRMED = "confirmed"
    """A candle of a provisional source has the same values from another one."""
    RENAMED = "renamed"
    """A candle has the same values from another source, for any other reason."""
    CONTRADICTED = "contradicted"
    """A bucket that was proven empty is stored."""
    WITHDRAWN = "withdrawn"
    """A bucket that was proven empty is missing."""
    LOST = "lost"
    """A candle stands no longer, or the series is shorter than it was."""
    ACCEPTED = "accepted"
    """Somebody accepted what no record explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySeal:
    """What stood in a series on a UTC day.

    :ivar number: place in the log, from 1
    :ivar before: hash of the entry before, hexadecimal; :data:`NO_ENTRY` of the first
    :ivar as_of_us: the moment it was true, by the ledger's clock, epoch microseconds
    :ivar series: ticker and interval
    :ivar day_s: first second of the day, epoch seconds UTC
    :ivar revision: 1 of the first seal of the day, 1 more of each one after
    :ivar reasons: why, at least one, sorted
    :ivar root: of the buckets, hexadecimal
    :ivar root_before: that of the revision before; None of the first
    :ivar stored: candles
    :ivar empty: buckets proven empty
    :ivar missing: buckets that are neither
    :ivar note: who accepted what no record explains, and why; None without :attr:`SealReason.ACCEPTED`
    """

    number: int
    before: str
    as_of_us: int
    series: Series
    day_s: int
    revision: int
    reasons: tuple[SealReason, ...]
    root: str
    root_before: str | None
    stored: int
    empty: int
    missing: int
    note: str | None = None

    kind: ClassVar = "day"

    @property
    def buckets(self) -> int:
        """How many buckets it holds."""
        return self.stored + self.empty + self.missing

    @property
    def text(self) -> str:
        """Its canonical text."""
        return _canonical({
            "as_of_us": self.as_of_us,
            "before": self.before,
            "day": utc(self.day_s).date().isoformat(),
            "empty": self.empty,
            "interval": self.series.interval_minutes,
            "kind": self.kind,
            "missing": self.missing,
            "note": self.note,
            "number": self.number,
            "reasons": list(self.reasons),
            "revision": self.revision,
            "root": self.root,
            "root_before": self.root_before,
            "stored": self.stored,
            "ticker": self.series.ticker,
            "version": SEAL_VERSION,
        })

    @property
    def hash(self) -> str:
        """Its hash, hexadecimal."""
        return entry_hash(self.text)


class SealedRecord(NamedTuple):
    """A row of the ledger's records of changes.

    :ivar key: which row it is, within its table
    :ivar ticker: of the series
    :ivar interval_minutes: of the series
    :ivar ts_s: open time of the (first) bucket it is about, epoch seconds UTC
    :ivar sha256: of the row's canonical text, hexadecimal
    """

    key: str
    ticker: str
    interval_minutes: int
    ts_s: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsSeal:
    """Rows that a table of records had gained since the sealing before.

    :ivar number: place in the log, from 1
    :ivar before: hash of the entry before, hexadecimal; :data:`NO_ENTRY` of the first
    :ivar as_of_us: the moment up to which rows are sealed, epoch microseconds
    :ivar table: where they stand
    :ivar records: the rows, by key, at least one
    """

    number: int
    before: str
    as_of_us: int
    table: str
    records: tuple[SealedRecord, ...]

    kind: ClassVar = "records"

    @property
    def text(self) -> str:
        """Its canonical text."""
        return _canonical({
            "as_of_us": self.as_of_us,
            "before": self.before,
            "kind": self.kind,
            "number": self.number,
            "records": [list(record) for record in self.records],
            "table": self.table,
            "version": SEAL_VERSION,
        })

    @property
    def hash(self) -> str:
        """Its hash, hexadecimal."""
        return entry_hash(self.text)


Entry: TypeAlias = DaySeal | RecordsSeal


def entry_hash(text: str) -> str:
    """Return the hash of an entry, hexadecimal.

    :param text: its canonical text
    """
    return leaf_hash(text.encode("ascii")).hex()


def entry_of(text: str) -> Entry:
    """Return the entry that a text is.

    :raises ValueError: if it is none, or not canonical
    """
    try:
        entry = _entry(json.loads(text))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no entry of a log of seals, but {text[:200]!r}: {error}") from error
    if entry.text != text:
        raise ValueError(f"not the canonical text of an entry: {text[:200]!r}")
    return entry


def day_root(seals: Iterable[DaySeal]) -> str:
    """Return the root of a UTC day, hexadecimal.

    :param seals: the newest one of each series that has one on that day
    """
    ordered = sorted(seals, key=lambda seal: seal.series)
    return root_of([bytes.fromhex(seal.hash) for seal in ordered]).hex()


Version: TypeAlias = tuple[BucketStatus, str | None, tuple[object, ...]]
"""What a seal knows of a bucket: its status, and of a stored candle source and figures."""


REASONS: Final = {
    **{("absent", now): SealReason.EXTENDED for now in ("stored", "empty", "missing")},
    **{(was, "absent"): SealReason.LOST for was in ("stored", "empty", "missing")},
    ("missing", "stored"): SealReason.FILLED,
    ("missing", "empty"): SealReason.PROVEN,
    ("empty", "stored"): SealReason.CONTRADICTED,
    ("empty", "empty"): SealReason.PROVEN,
    ("empty", "missing"): SealReason.WITHDRAWN,
    ("stored", "empty"): SealReason.LOST,
    ("stored", "missing"): SealReason.LOST,
}
"""Why a bucket has another line, by what it was and is."""


def reason_of(old: Version | None, new: Version | None) -> SealReason | None:
    """Return why a bucket has another canonical line than in the revision before.

    :param old: what was sealed; None = the revision before did not hold the bucket
    :param new: what is sealed now; None = the new one does not hold it
    :return: None if the line is the same
    """
    if old == new:
        return None
    was, now = _kind(old), _kind(new)
    if old is None or new is None or was != now or was != BucketStatus.STORED:
        return REASONS[was, now]
    if old[2] != new[2]:
        return SealReason.RESTATED
    is_confirmed = old[1] in PROVISIONAL and new[1] not in PROVISIONAL
    return SealReason.CONFIRMED if is_confirmed else SealReason.RENAMED


def _kind(version: Version | None) -> str:
    """Return ``stored``, ``empty``, ``missing`` or, of a bucket that is not there, ``absent``."""
    if version is None:
        return "absent"
    return "empty" if version[0] in EMPTY else version[0]


def _canonical(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _entry(said: dict[str, Any]) -> Entry:
    if said["kind"] == RecordsSeal.kind:
        return RecordsSeal(
            number=said["number"],
            before=said["before"],
            as_of_us=said["as_of_us"],
            table=said["table"],
            records=tuple(SealedRecord(*record) for record in said["records"]),
        )
    return DaySeal(
        number=said["number"],
        before=said["before"],
        as_of_us=said["as_of_us"],
        series=Series(said["ticker"], said["interval"]),
        day_s=midnight_s(date.fromisoformat(said["day"])),
        revision=said["revision"],
        reasons=tuple(SealReason(reason) for reason in said["reasons"]),
        root=said["root"],
        root_before=said["root_before"],
        stored=said["stored"],
        empty=said["empty"],
        missing=said["missing"],
        note=said["note"],
    )
