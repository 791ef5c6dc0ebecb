"""Checks an export of kraken-ohlcv, or the proof of a single bucket, with nothing but Python 3.9 or newer.

    python verify.py FOLDER [--root HASH]
    python verify.py --proof proof.json [--root HASH]

Take this file from the package, not from the folder that you distrust. docs/SEALS.md and docs/EXPORT.md
define every byte that is checked here. Without a root that was kept elsewhere, it finds what contradicts
itself; somebody who makes the whole folder anew is not found. Exit codes: 0 whole, 1 faults, 2 usage.

It is one file, and imports nothing of the package, so that it can be read and run by itself.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
OURS = {MANIFEST, "verify.py", ".lock"}
"""Files at the top of an export beside the one with the seals."""
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
EVIDENCE = ("archive", "ohlc", "trades")
HOLES = ("missing", "pending", "unknown")
REASONS = (
    "accepted", "confirmed", "contradicted", "extended", "filled", "first", "lost", "proven", "renamed",
    "restated", "withdrawn",
)  # fmt: skip
NOT_SEALED, CHANGED = "not_sealed", "changed_since"
NO_ENTRY = "0" * 64
DAY_S = 86400
MOST_HOLES = 50
LONGEST = 1 << 22
"""Bytes of the longest line that is read; the longest that is written has a thousand records."""
MOST_NAMED = 50
"""Faults that are printed."""

HEX = re.compile("[0-9a-f]{64}")
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
DOUBLE = (
    rb'"-?0x(?:1\.[0-9a-f]{13}p(?:\+(?:0|[1-9]\d{0,2}|10[01]\d|102[0-3])|-(?:[1-9]\d{0,2}|10[01]\d|102[0-2]))'
    rb'|0\.(?!0{13})[0-9a-f]{13}p-1022|0\.0p\+0)"|null'
)
"""The one text of each finite double, or that there is none."""
TEXT = rb'"(?:[ !#-\[\]-~]|\\["\\bfnrt]|\\u[0-9a-f]{4})*"|null'
WHOLE = rb"0|-?[1-9]\d{0,17}"


class Unreadable(Exception):  # noqa: N818 (no error of this program)
    """A file that cannot be read on; the message says from where."""


@dataclass
class Found:
    """What a check has found.

    :ivar faults: what contradicts itself or the root, each with its place; the first ones
    :ivar n_faults: how many there are
    :ivar notes: what is no fault, and what could not be checked
    :ivar said: what was checked
    """

    faults: list[str] = field(default_factory=list)
    n_faults: int = 0
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether there is no fault."""
        return not self.n_faults

    def lines(self) -> Iterator[str]:
        """Return all of it for people: faults first, then notes, and what was checked."""
        yield from (f"FAULT {one}" for one in self.faults)
        if self.n_faults > len(self.faults):
            yield f"FAULT and {self.n_faults - len(self.faults)} more"
        yield from (f"note  {one}" for one in self.notes)
        yield from self.said
        yield "whole" if self.is_whole else counted(self.n_faults, "fault")

    def fault(self, where: str, what: str) -> None:
        """Add a fault."""
        self.n_faults += 1
        if len(self.faults) < MOST_NAMED:
            self.faults.append(f"{where}: {what}")


# Trees of hashes, as of RFC 9162, section 2.1


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree, of the hashes of its leaves."""
    if not leaves:
        return sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        above = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = above + level[-1:] if len(level) % 2 else above
    return level[0]


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which an audit path leads from a leaf.

    :raises ValueError: if it is no path of that leaf in a tree of that size
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    found, rest, last = leaf, list(path), size - 1
    while last:
        if index % 2 or index < last:
            if not rest:
                raise ValueError("the path is too short")
            pair = (rest.pop(0), found) if index % 2 else (found, rest.pop(0))
            found = sha256(b"\x01" + pair[0] + pair[1]).digest()
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the path is too long")
    return found


# Signatures: Ed25519 as of RFC 8032, section 5.1; slow, and nothing here is secret

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
KEY_BYTES = 32
ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)

Point = tuple[int, int, int, int]
"""A point of the curve: X, Y, Z and T = XY/Z."""


def plus(one: Point, other: Point) -> Point:
    """Return the sum of two points."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]), (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * one[3] * other[3] * CURVE, 2 * one[2] * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def times(n: int, point: Point) -> Point:
    """Return a multiple of a point."""
    found = (0, 1, 1, 0)
    while n:
        if n & 1:
            found = plus(found, point)
        point, n = plus(point, point), n >> 1
    return found


def point_of(data: bytes) -> Point:
    """Return the point that 32 bytes encode.

    :raises ValueError: if they encode none
    """
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(data) != KEY_BYTES or y >= PRIME:
        raise ValueError("no point of the curve")
    square = (y * y - 1) * pow(CURVE * y * y + 1, PRIME - 2, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_ONE % PRIME
    if (x * x - square) % PRIME or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = PRIME - x if x & 1 != sign else x
    return x, y, 1, x * y % PRIME


BASE = point_of((4 * pow(5, PRIME - 2, PRIME) % PRIME).to_bytes(KEY_BYTES, "little"))


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature of a message is one of this key."""
    if len(public_key) != KEY_BYTES or len(signature) != 2 * KEY_BYTES:
        return False
    try:
        key, nonce = point_of(public_key), point_of(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    hashed = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), plus(nonce, times(hashed, key))
    return not any((left[i] * right[2] - right[i] * left[2]) % PRIME for i in (0, 1))


# Forms: every key and type is fixed


def strict_json(data: bytes) -> Any:
    """Return what JSON says; integers only, and no key twice.

    :raises ValueError: if it is anything else
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            raise ValueError("a key stands twice")
        return found

    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is no integer")

    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=pairs, parse_float=refuse, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def canonical(value: Any) -> bytes:
    """Return the one text of an entry."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode("ascii")


Check = Callable[[Any], bool]


def is_count(value: Any) -> bool:
    """Return whether a value is a natural number."""
    return type(value) is int and value >= 0


def is_text(value: Any) -> bool:
    """Return whether a value is text."""
    return type(value) is str


def is_hash(value: Any) -> bool:
    """Return whether a value is a SHA-256, hexadecimal."""
    return is_text(value) and HEX.fullmatch(value) is not None


def is_moment(value: Any) -> bool:
    """Return whether a value is a time in UTC."""
    match = MOMENT.fullmatch(value) if is_text(value) else None
    try:
        return match is not None and bool(datetime.fromisoformat(match[1]))
    except ValueError:
        return False


def is_day(value: Any) -> bool:
    """Return whether a value is a day, such as 2026-11-03."""
    try:
        return is_text(value) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def is_of(kind: type) -> Check:
    """Return a check whether a value is of this type, and of no type made of it."""
    return lambda value: type(value) is kind


def is_one(*values: Any) -> Check:
    """Return a check whether a value is one of these."""
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def or_null(check: Check) -> Check:
    """Return a check that lets null pass, too."""
    return lambda value: value is None or check(value)


def all_of(check: Check) -> Check:
    """Return a check of a list of such values."""
    return lambda value: type(value) is list and all(check(one) for one in value)


def counts_of(*names: str) -> Check:
    """Return a check of an object with counts by name; without names, by any."""
    return lambda value: (
        type(value) is dict and all((not names or name in names) and is_count(n) for name, n in value.items())
    )


FILE = {"path": is_text, "bytes": is_count, "sha256": is_hash}
HOLE = {"start": is_moment, "end": is_moment, "buckets": is_count, "status": is_one(*HOLES)}
MONTH = {
    "start": is_moment,
    "end": is_moment,
    "buckets": is_count,
    "rows": is_count,
    "sources": counts_of(),
    "proofs": counts_of(*EVIDENCE),
    "holes": counts_of(*HOLES),
    "hole_ranges": all_of(lambda one: not misfits(one, HOLE)),
    "hole_ranges_omitted": is_count,
    "is_whole": is_of(bool),
    "lines_sha256": is_hash,
    "files": is_of(dict),
    "exported_at": is_moment,
}
SERIES = {"ticker": is_text, "interval": is_one(*INTERVALS), "months": is_of(dict)}
UNSEALED = {
    "series": is_text,
    "start": is_day,
    "end": is_day,
    "days": is_count,
    "reason": is_one(NOT_SEALED, CHANGED),
}
HEAD = {"number": is_count, "hash": is_hash}
WITNESSES = {**FILE, "path": is_one("witnesses.jsonl")}
SEALS = {
    **FILE,
    "path": is_one("seals.jsonl.gz"),
    "lines_sha256": is_hash,
    "entries": is_count,
    "head": or_null(lambda value: not misfits(value, HEAD)),
    "is_whole_log": is_of(bool),
    "unsealed": all_of(lambda one: not misfits(one, UNSEALED)),
    "witnesses": or_null(lambda value: not misfits(value, WITNESSES)),
}
VERSIONS = {"kraken_ohlcv": is_text, "polars": is_text, "python": is_text}
TOP = {
    "manifest_version": is_one(1),
    "line_version": is_one(1),
    "exchange": or_null(is_text),
    "as_of": or_null(is_moment),
    "versions": lambda value: not misfits(value, VERSIONS),
    "series": is_of(dict),
    "seals": or_null(lambda value: not misfits(value, SEALS)),
}
DAY_ENTRY = {
    "as_of_us": is_count,
    "before": is_hash,
    "day": is_day,
    "empty": is_count,
    "interval": is_one(*INTERVALS),
    "kind": is_one("day"),
    "missing": is_count,
    "note": or_null(is_text),
    "number": is_count,
    "reasons": all_of(is_one(*REASONS)),
    "revision": is_count,
    "root": is_hash,
    "root_before": or_null(is_hash),
    "stored": is_count,
    "ticker": is_text,
    "version": is_one(1),
}


def is_record(value: Any) -> bool:
    """Return whether a value is a sealed row of the ledger: key, ticker, interval, open time, SHA-256."""
    kinds = (str, str, int, int, str)
    is_row = type(value) is list and [type(one) for one in value] == list(kinds)
    return is_row and value[2] in INTERVALS and is_hash(value[4])


RECORDS_ENTRY = {
    **{name: DAY_ENTRY[name] for name in ("as_of_us", "before", "number", "version")},
    "kind": is_one("records"),
    "records": lambda value: all_of(is_record)(value) and bool(value),
    "table": is_text,
}
WITNESS = {
    "kind": is_one("signature", "time_stamp"),
    "number": is_count,
    "public_key": or_null(is_hash),
    "value": is_text,
}
PLACE = {"index": is_count, "size": is_count, "path": all_of(is_hash)}
PROOF = {
    **PLACE,
    "proof_version": is_one(1),
    "line": is_text,
    "entry": is_text,
    "day": or_null(lambda value: not misfits(value, PLACE)),
}


def misfits(value: Any, keys: Mapping[str, Check]) -> list[str]:
    """Return what of an object is not as it must be, in words; nothing if all is."""
    if type(value) is not dict:
        return [f"{value!r:.80} is no object"]
    wrong = [f"key {key!r} is missing" for key in keys if key not in value]
    wrong += [f"unknown key {key!r:.80}" for key in value if key not in keys]
    return wrong + [
        f"{key} cannot be {value[key]!r:.80}" for key in keys if key in value and not keys[key](value[key])
    ]


# Days and buckets


def utc(moment_s: int) -> str:
    """Return a moment as the manifest has it."""
    try:
        return f"{datetime.fromtimestamp(moment_s, timezone.utc).replace(tzinfo=None).isoformat()}Z"
    except (ValueError, OverflowError, OSError):
        return f"{moment_s} s"


def seconds(moment: str) -> float:
    """Return a moment of the manifest, epoch seconds UTC."""
    return datetime.fromisoformat(moment[:19]).replace(tzinfo=timezone.utc).timestamp()


def micros(moment: str) -> int:
    """Return a moment of the manifest, epoch microseconds UTC."""
    fraction = moment[19:-1].lstrip(".")[:6]
    return int(seconds(moment)) * 1_000_000 + int(fraction.ljust(6, "0"))


def counted(n: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def day_number(day: str) -> int:
    """Return a day as days since the epoch."""
    return (date.fromisoformat(day) - date(1970, 1, 1)).days


def day_name(number: int) -> str:
    """Return a day, of days since the epoch."""
    return utc(number * DAY_S)[:10]


def opens_of_day(day: int, step: int) -> tuple[int, int]:
    """Return the open times of the buckets whose last second lies in a day, half-open, epoch seconds UTC."""
    return day * DAY_S // step * step, (day + 1) * DAY_S // step * step


def month_of(name: str) -> tuple[int, int]:
    """Return a month, half-open, epoch seconds UTC.

    :raises ValueError: if it is no name of a month
    """
    first = date.fromisoformat(f"{name}-01")
    if first.isoformat() != f"{name}-01":
        raise ValueError(name)
    behind = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return day_number(first.isoformat()) * DAY_S, day_number(behind.isoformat()) * DAY_S


def line_forms(ticker: str, interval: int) -> tuple[Any, Any]:
    """Return the forms of the canonical lines of a series: of a stored candle, and of any other bucket.

    The first gives close, high, low, open, source, trades, ts, volume and vwap; the second status and ts.
    """
    name = re.escape(json.dumps(ticker).encode("ascii"))
    status = b"|".join(word.encode() for word in (*(f"empty_{one}" for one in EVIDENCE), *HOLES))
    stored = (
        rb'\{"close":(%(d)b),"high":(%(d)b),"interval":%(i)d,"low":(%(d)b),"open":(%(d)b),"source":(%(t)b)'
        rb',"status":"stored","ticker":%(n)b,"trades":(%(w)b|null),"ts":(%(w)b),"volume":(%(d)b)'
        rb',"vwap":(%(d)b)\}'
    )
    other = rb'\{"interval":%(i)d,"status":"(%(s)b)","ticker":%(n)b,"ts":(%(w)b)\}'
    parts = {b"d": DOUBLE, b"i": interval, b"t": TEXT, b"n": name, b"w": WHOLE, b"s": status}
    return re.compile(stored % parts), re.compile(other % parts)


@dataclass(frozen=True)
class Bucket:
    """A bucket, as its line says.

    :ivar ts_s: open time, epoch seconds UTC
    :ivar status: as the line has it
    :ivar source: of a stored candle, ``none`` without one
    :ivar row: its row of the CSV, empty without all figures
    """

    ts_s: int
    status: str
    source: str = ""
    row: bytes = b""


class Lines:
    """Reads canonical lines of a series."""

    def __init__(self, ticker: str, interval: int) -> None:
        self._stored, self._other = line_forms(ticker, interval)
        self._sources: dict[bytes, str] = {b"null": "none"}

    def bucket(self, line: bytes) -> Bucket | None:
        """Return what a line says, without its end; None if it is not canonical."""
        match = self._stored.fullmatch(line)
        if match is None:
            match = self._other.fullmatch(line)
            return None if match is None else Bucket(int(match[2]), match[1].decode("ascii"))
        close, high, low, opened, source, trades, ts_s, volume, _ = match.groups()
        if source not in self._sources:
            text = json.loads(source)
            if canonical(text) != source:
                return None
            self._sources[source] = text
        figures = [opened, high, low, close, volume]
        row = b""
        if b"null" not in figures and trades != b"null":
            texts = (repr(float.fromhex(one[1:-1].decode("ascii"))) for one in figures)
            numbers = ",".join(text[:-2] if text.endswith(".0") else text for text in texts)
            row = f"{int(ts_s)},{numbers},{int(trades)}\n".encode("ascii")
        return Bucket(int(ts_s), "stored", self._sources[source], row)


# Files


def digest(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file.

    :raises OSError: if it cannot be read
    """
    hashed, size = sha256(), 0
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            hashed.update(block)
            size += len(block)
    return size, hashed.hexdigest()


def is_as_said(folder: Path, file: dict[str, Any], found: Found) -> bool:
    """Return whether a file is what the manifest says; report it if not."""
    try:
        size, hashed = digest(folder / file["path"])
    except OSError as error:
        found.fault(file["path"], f"cannot be read: {error.strerror or error}")
        return False
    if (size, hashed) != (file["bytes"], file["sha256"]):
        found.fault(
            file["path"],
            f"holds {size} bytes with SHA-256 {hashed}, the manifest says {file['bytes']}, {file['sha256']}",
        )
        return False
    return True


def read_lines(path: Path) -> Iterator[bytes]:
    """Return the lines of a gzip file, each with its end.

    :raises Unreadable: if it cannot be read on
    """
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            for line in iter(lambda: file.readline(LONGEST), b""):
                number += 1
                if not line.endswith(b"\n"):
                    raise Unreadable(f"line {number} has no end")
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"cannot be read behind line {number}: {error}") from None


# The log of seals


@dataclass(frozen=True)
class Seal:
    """What the newest entry of a day of a series says.

    :ivar number: place in the log
    :ivar revision: of the day
    :ivar root: of its buckets
    :ivar counts: stored, empty and missing buckets
    """

    number: int
    revision: int
    root: str
    counts: tuple[int, int, int]


@dataclass
class Witnesses:
    """What vouches for entries of the log.

    :ivar signed: number, public key and signature of each, by number
    :ivar stamps: how many time stamps there are
    :ivar by_key: number of the newest entry that each public key has signed
    """

    signed: list[tuple[int, str, bytes]] = field(default_factory=list)
    stamps: int = 0
    by_key: dict[str, tuple[int, str]] = field(default_factory=dict)

    def meet(self, number: int, hashed: str, found: Found) -> None:
        """Check the signatures of an entry."""
        while self.signed and self.signed[0][0] == number:
            _, public_key, signature = self.signed.pop(0)
            text = f"kraken-ohlcv seal {number} {hashed}".encode("ascii")
            if is_signed(bytes.fromhex(public_key), text, signature):
                self.by_key[public_key] = number, hashed
            else:
                found.fault("witnesses.jsonl", f"the signature of number {number} is not one of {public_key}")


@dataclass
class Log:
    """What an export knows of the log of seals.

    :ivar newest: the newest seal of each day, by series, month and day (days since the epoch)
    :ivar is_read: whether all entries could be read
    :ivar entries: how many there are
    :ivar head_number: number of the entry whose hash the root is, 0 = of none
    :ivar roots: number of the entry that another root proves, by ticker, interval and day; None = it is none
    :ivar witnesses: what vouches for entries
    """

    newest: dict[str, dict[str, dict[int, Seal]]] = field(default_factory=dict)
    is_read: bool = False
    entries: int = 0
    head_number: int = 0
    roots: dict[tuple[str, int, int], int] | None = None
    witnesses: Witnesses = field(default_factory=Witnesses)

    def reach(self, ticker: str, interval: int, day: int) -> int:
        """Return the number of the last entry of a day that the root proves, 0 = it proves none."""
        return self.head_number or (self.roots or {}).get((ticker, interval, day), 0)


def day_entry_faults(entry: dict[str, Any]) -> list[str]:
    """Return what an entry of a day says that cannot be."""
    wrong = []
    if entry["reasons"] != sorted(set(entry["reasons"])) or not entry["reasons"]:
        wrong.append("its reasons are not in order")
    if ("accepted" in entry["reasons"]) != (entry["note"] is not None):
        wrong.append("a note goes with the reason accepted, and with no other")
    start_s, end_s = opens_of_day(day_number(entry["day"]), entry["interval"] * 60)
    if entry["stored"] + entry["empty"] + entry["missing"] > (end_s - start_s) // (entry["interval"] * 60):
        wrong.append("it has more buckets than the day")
    return wrong


def read_witnesses(folder: Path, seals: dict[str, Any], found: Found) -> Witnesses:
    """Return what vouches for entries, as the file of an export says."""
    read, last = Witnesses(), (0, "")
    if seals["witnesses"] is None or not is_as_said(folder, seals["witnesses"], found):
        return read
    for n, line in enumerate((folder / seals["witnesses"]["path"]).read_bytes().splitlines(), start=1):
        try:
            said = strict_json(line)
            value = base64.b64decode(said["value"], validate=True) if not misfits(said, WITNESS) else None
        except ValueError:
            value = None
        if value is None or (said["kind"] == "signature") != (said["public_key"] is not None):
            found.fault("witnesses.jsonl", f"line {n} is no witness")
            return read
        if (said["number"], said["kind"]) <= last:
            found.fault("witnesses.jsonl", f"line {n} is out of order")
        last = said["number"], said["kind"]
        if said["kind"] == "signature":
            read.signed.append((said["number"], said["public_key"], value))
        else:
            read.stamps += 1
    return read


class LogReader:
    """Reads entries of the log in their order, and checks each against those before."""

    def __init__(
        self,
        found: Found,
        seals: dict[str, Any],
        as_of: str | None,
        root: str | None,
        witnesses: Witnesses,
    ) -> None:
        self.log = Log(witnesses=witnesses)
        self._found, self._seals, self._root = found, seals, root
        self._as_of_us = None if as_of is None else micros(as_of)
        self._number, self._hash, self._moment_us = 0, NO_ENTRY, 0
        self._run_from = 1
        self._last: dict[tuple[str, int, int], tuple[int, str]] = {}

    def take(self, line: bytes, months: dict[str, Any]) -> None:
        """Check the next entry.

        :param months: those of each series in the export
        :raises Unreadable: if it is no entry
        """
        where = f"{self._seals['path']} line {self.log.entries + 1}"
        text = line[:-1]
        try:
            entry = strict_json(text)
        except ValueError as error:
            raise Unreadable(f"line {self.log.entries + 1} is no entry: {error}") from None
        is_day_entry = type(entry) is dict and entry.get("kind") == "day"
        wrong = misfits(entry, DAY_ENTRY if is_day_entry else RECORDS_ENTRY)
        if wrong or canonical(entry) != text:
            raise Unreadable(
                f"line {self.log.entries + 1} is no entry: {'; '.join(wrong) or 'not canonical'}"
            )
        self.log.entries += 1
        for fault in self._chain_faults(entry):
            self._found.fault(where, fault)
        self._number, self._hash = entry["number"], leaf_hash(text).hex()
        self._moment_us = entry["as_of_us"]
        self.log.witnesses.meet(self._number, self._hash, self._found)
        if self._hash == self._root:
            self._take_root(entry, is_day_entry)
        if is_day_entry:
            self._take_day(where, entry, months)
        elif not self._seals["is_whole_log"]:
            self._found.fault(where, "records are sealed in a whole log only")

    def _take_root(self, entry: dict[str, Any], is_day_entry: bool) -> None:
        if self._run_from == 1:
            self.log.head_number = self._number
        elif is_day_entry:
            # Of a part of the log, an entry proves itself and no other.
            key = entry["ticker"], entry["interval"], day_number(entry["day"])
            self.log.roots = {key: self._number}

    def _chain_faults(self, entry: dict[str, Any]) -> Iterator[str]:
        number = entry["number"]
        if number <= self._number:
            yield f"number {number} comes after number {self._number}"
        if number == self._number + 1:
            if entry["before"] != self._hash:
                yield f"number {number} does not name the hash of the entry before"
        else:
            self._run_from = number
            if self._seals["is_whole_log"]:
                yield f"the log is said to be whole, and number {number} comes after {self._number}"
        if entry["as_of_us"] < self._moment_us:
            yield f"number {number} is of an earlier moment than the entry before"
        if self._as_of_us is not None and entry["as_of_us"] > self._as_of_us:
            yield f"number {number} is of a later moment than the export"

    def _take_day(self, where: str, entry: dict[str, Any], months: dict[str, Any]) -> None:
        for fault in day_entry_faults(entry):
            self._found.fault(where, fault)
        day, interval = day_number(entry["day"]), entry["interval"]
        key = entry["ticker"], interval, day
        revision, root = self._last.get(key, (0, None))
        if (entry["revision"], entry["root_before"]) != (revision + 1, root):
            self._found.fault(
                where,
                f"revision {entry['revision']} of {entry['ticker']} {interval} {entry['day']} does not "
                f"follow revision {revision} with root {root}",
            )
        self._last[key] = entry["revision"], entry["root"]
        if entry["root"] == self._root:
            self.log.roots = {key: entry["number"]}
        name, month = f"{entry['ticker']}_{interval}", utc(opens_of_day(day, interval * 60)[0])[:7]
        if month in months.get(name, ()):
            counts = entry["stored"], entry["empty"], entry["missing"]
            seal = Seal(entry["number"], entry["revision"], entry["root"], counts)
            self.log.newest.setdefault(name, {}).setdefault(month, {})[day] = seal
        elif not self._seals["is_whole_log"]:
            self._found.fault(where, f"a seal of {name} {entry['day']}, which is not in the export")

    def end(self) -> None:
        """Check the end of the log against the head that the manifest names."""
        head, is_whole = self._seals["head"], self._seals["is_whole_log"]
        last = {"number": self._number, "hash": self._hash} if self._number else None
        is_behind = head is not None and head["number"] > self._number and not is_whole
        if self.log.witnesses.signed:
            numbers = [number for number, _, _ in self.log.witnesses.signed]
            self._found.fault("witnesses.jsonl", f"no entry has number {numbers[0]}, which is signed")
        if head != last and not is_behind:
            self._found.fault(MANIFEST, f"the head of the log is {head}, and the last entry is {last}")


def read_log(folder: Path, manifest: dict[str, Any], root: str | None, found: Found) -> Log:
    """Check the seals of an export, and return what they say.

    :param root: hash that was kept elsewhere
    """
    seals = manifest.get("seals")
    if seals is None:
        found.notes.append("the export holds no seals: no day of it can be compared with one")
        return Log()
    is_as_said(folder, seals, found)
    witnesses = read_witnesses(folder, seals, found)
    reader, hashed = LogReader(found, seals, manifest["as_of"], root, witnesses), sha256()
    months = {name: one["months"] for name, one in manifest["series"].items()}
    try:
        for line in read_lines(folder / seals["path"]):
            hashed.update(line)
            reader.take(line, months)
    except Unreadable as error:
        found.fault(seals["path"], str(error))
        return reader.log
    reader.log.is_read = True
    reader.end()
    if (reader.log.entries, hashed.hexdigest()) != (seals["entries"], seals["lines_sha256"]):
        found.fault(seals["path"], "its entries are not those whose number and SHA-256 the manifest has")
    if root is not None and not reader.log.head_number and reader.log.roots is None:
        reader.log.roots = days_under(folder / seals["path"], root)
    return reader.log


def days_under(path: Path, root: str) -> dict[tuple[str, int, int], int] | None:
    """Return the seals of the UTC day whose root this is, as it was after any sealing.

    :param path: a file of entries that has been read before
    :return: number of each entry, by ticker, interval and day; None if it is the root of no day
    """
    sealed: dict[int, dict[tuple[str, int], tuple[bytes, int]]] = {}
    touched: set[int] = set()
    moment_us = None

    def under() -> dict[tuple[str, int, int], int] | None:
        for day in touched:
            if root_of([hashed for _, (hashed, _) in sorted(sealed[day].items())]).hex() == root:
                return {(*series, day): number for series, (_, number) in sealed[day].items()}
        return None

    for line in read_lines(path):
        entry = json.loads(line)
        if entry["as_of_us"] != moment_us:
            if (those := under()) is not None:
                return those
            moment_us = entry["as_of_us"]
            touched.clear()
        if entry["kind"] == "day":
            day = day_number(entry["day"])
            hashed = leaf_hash(line[:-1])
            sealed.setdefault(day, {})[entry["ticker"], entry["interval"]] = hashed, entry["number"]
            touched.add(day)
    return under()


# The manifest


def read_manifest(data: bytes, found: Found) -> Any:
    """Check the form of a manifest, and return what of it can be checked further; None if nothing can."""
    try:
        manifest: Any = strict_json(data)
    except ValueError as error:
        found.fault(MANIFEST, f"is no manifest: {error}")
        return None
    if type(manifest) is dict:
        # Exports of the versions before seals do not have it.
        manifest.setdefault("seals", None)
    wrong = misfits(manifest, TOP)
    for one in wrong:
        found.fault(MANIFEST, one)
    if wrong:
        return None
    for name, series in list(manifest["series"].items()):
        wrong = misfits(series, SERIES) or name_faults(name, series)
        for one in wrong:
            found.fault(f"{MANIFEST} series {name!r:.80}", one)
        if wrong:
            del manifest["series"][name]
            continue
        for month, entry in list(series["months"].items()):
            wrong = month_faults(name, month, entry)
            for one in wrong:
                found.fault(f"{MANIFEST} {name} {month!r:.80}", one)
            if wrong:
                del series["months"][month]
    return manifest


def name_faults(name: str, series: dict[str, Any]) -> list[str]:
    """Return why the name of a series cannot be a folder of the export."""
    ticker = series["ticker"]
    wrong = [] if name == f"{ticker}_{series['interval']}" else ["it is not named after ticker and interval"]
    if not ticker or ticker.startswith(".") or any(one in '/\\:"' or not one.isprintable() for one in ticker):
        wrong.append("its ticker is no name of a folder")
    return wrong


def month_faults(name: str, month: str, entry: Any) -> list[str]:
    """Return what the manifest says of a month that cannot be, whatever the files hold."""
    try:
        month_of(month)
    except ValueError:
        return ["it is no month"]
    if wrong := misfits(entry, MONTH):
        return wrong
    csv = f"{name}{'' if entry['is_whole'] else '.incomplete'}.csv"
    paths = {"ledger": "ledger.jsonl.gz", "parquet": "candles.parquet", "csv": csv}
    for kind, file in entry["files"].items():
        if kind not in paths:
            wrong.append(f"unknown kind of file {kind!r:.80}")
        elif file_wrong := misfits(file, FILE):
            wrong += [f"{kind}: {one}" for one in file_wrong]
        elif file["path"] != f"{name}/{month}/{paths[kind]}":
            wrong.append(f"path cannot be {file['path']!r:.200}")
    if not entry["files"]:
        wrong.append("it has no files")
    if entry["buckets"] != entry["rows"] + sum(entry["proofs"].values()) + sum(entry["holes"].values()):
        wrong.append("rows, proofs and holes do not add up to the buckets")
    if entry["rows"] != sum(entry["sources"].values()):
        wrong.append("the sources do not add up to the rows")
    if seconds(entry["end"]) > seconds(entry["exported_at"]):
        wrong.append("it was exported before its last bucket closed")
    return wrong


# The months


@dataclass
class Day:
    """The buckets of a series that belong to a UTC day.

    :ivar leaves: hash of each line, in order
    :ivar statuses: of each
    """

    leaves: list[bytes] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)

    def sealed_part(self, seal: Seal) -> Day:
        """Return the buckets that a seal can be about.

        An export may begin before the series does, with buckets that hold no candle and are not sealed.
        """
        more = len(self.leaves) - sum(seal.counts)
        if more <= 0 or "stored" in self.statuses[:more]:
            return self
        return Day(self.leaves[more:], self.statuses[more:])

    def counts(self) -> tuple[int, int, int]:
        """Return stored, empty and missing buckets."""
        empty = sum(self.statuses.count(f"empty_{one}") for one in EVIDENCE)
        return self.statuses.count("stored"), empty, self.statuses.count("missing")


def standing(day: Day, seal: Seal | None) -> str | None:
    """Return why a day does not stand as sealed; None if it does."""
    if seal is None:
        return NOT_SEALED
    return None if root_of(day.sealed_part(seal).leaves).hex() == seal.root else CHANGED


class MonthReader:
    """Reads the lines of a month, and counts what the manifest should say of them.

    :ivar days: the buckets by the day they belong to, days since the epoch
    """

    def __init__(self, series: dict[str, Any], month: str, found: Found, where: str) -> None:
        self.days: dict[int, Day] = {}
        self._series, self._found, self._where = series, found, where
        self._step, self._month = series["interval"] * 60, month_of(month)
        self._lines, self._hash, self._n = Lines(series["ticker"], series["interval"]), sha256(), 0
        self._counts: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._ranges: list[list[Any]] = []
        self._first_s = self._next_s = None  # type: int | None
        self._has_figures = True

    def take(self, line: bytes) -> bytes:
        """Count the next line; return its row of the CSV, or nothing.

        :raises Unreadable: if there are more lines than the month has buckets
        """
        self._n += 1
        if self._n > (self._month[1] - self._month[0]) // self._step + 1:
            raise Unreadable("it has more lines than the month has buckets")
        self._hash.update(line)
        bucket = self._lines.bucket(line[:-1])
        where = f"{self._where} line {self._n}"
        if bucket is None:
            due = "the first bucket" if self._next_s is None else f"bucket {utc(self._next_s)}"
            self._found.fault(
                where, f"no canonical line of this series, where {due} should be: {line!r:.120}"
            )
            if self._next_s is not None:
                self._add_leaf(self._next_s, line, "unknown")
                self._next_s += self._step
            return b""
        if self._next_s is not None and bucket.ts_s != self._next_s:
            self._found.fault(where, f"bucket {utc(bucket.ts_s)} stands where {utc(self._next_s)} should be")
        if not self._month[0] <= bucket.ts_s < self._month[1] or bucket.ts_s % self._step:
            self._found.fault(where, f"{utc(bucket.ts_s)} is no bucket of this month")
            return b""
        self._first_s = bucket.ts_s if self._first_s is None else self._first_s
        self._next_s = bucket.ts_s + self._step
        self._add_leaf(bucket.ts_s, line, bucket.status)
        self._count(bucket)
        return bucket.row

    def _add_leaf(self, ts_s: int, line: bytes, status: str) -> None:
        day = self.days.setdefault((ts_s + self._step - 1) // DAY_S, Day())
        day.leaves.append(leaf_hash(line[:-1]))
        day.statuses.append(status)

    def _count(self, bucket: Bucket) -> None:
        status = bucket.status
        self._counts[status] = self._counts.get(status, 0) + 1
        if status == "stored":
            self._sources[bucket.source] = self._sources.get(bucket.source, 0) + 1
            self._has_figures = self._has_figures and bool(bucket.row)
        elif status in HOLES:
            last = self._ranges[-1] if self._ranges else None
            if last is not None and last[3] == status and last[1] == bucket.ts_s:
                last[1], last[2] = bucket.ts_s + self._step, last[2] + 1
            else:
                self._ranges.append([bucket.ts_s, bucket.ts_s + self._step, 1, status])

    def facts(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return what the manifest should say.

        :param entry: what it says
        """
        start_s, end_s = self._first_s, self._next_s
        if start_s is None or end_s is None:
            start_s = end_s = self._month[0]
        holes = {status: self._counts[status] for status in HOLES if status in self._counts}
        may_be_whole = bool(self._counts) and not holes and self._has_figures
        # That of a pair that has left the exchange may end earlier.
        is_whole = may_be_whole and (end_s >= self._month[1] or entry["is_whole"])
        return {
            "start": utc(start_s),
            "end": utc(end_s),
            "buckets": sum(self._counts.values()),
            "rows": self._counts.get("stored", 0),
            "sources": self._sources,
            "proofs": {
                one: self._counts[f"empty_{one}"] for one in EVIDENCE if f"empty_{one}" in self._counts
            },
            "holes": holes,
            "hole_ranges": [
                {"start": utc(start), "end": utc(end), "buckets": n, "status": status}
                for start, end, n, status in self._ranges[:MOST_HOLES]
            ],
            "hole_ranges_omitted": max(0, len(self._ranges) - MOST_HOLES),
            "is_whole": is_whole,
            "lines_sha256": self._hash.hexdigest(),
        }


class Rows:
    """Compares the rows of a CSV with those that the ledger gives, up to the first that differs."""

    def __init__(self, path: Path, where: str, found: Found) -> None:
        self._where, self._found, self._n = where, found, 0
        self._file = path.open("rb")

    def take(self, row: bytes, line: bytes) -> None:
        """Compare the next row, which is nothing for a bucket without one."""
        if row and not self._file.closed:
            self._n += 1
            if self._file.readline(LONGEST) != row:
                self._found.fault(
                    f"{self._where} row {self._n}", f"is not what the ledger has: {line[:-1]!r:.400}"
                )
                self._file.close()

    def end(self) -> None:
        """Check that there are no more rows."""
        if not self._file.closed:
            if self._file.read(1):
                self._found.fault(self._where, "has more rows than the ledger has candles")
            self._file.close()


@dataclass
class Counts:
    """What has been checked."""

    series: int = 0
    months: int = 0
    buckets: int = 0
    holes: int = 0
    ledgers: int = 0
    rows: int = 0
    csvs: int = 0
    parquets: int = 0
    as_sealed: int = 0
    proven: int = 0
    newer: int = 0


class Checker:
    """Checks the series of an export.

    :ivar counts: what has been checked
    :ivar named: paths of files that the manifest names
    :ivar unsealed: days that do not stand as sealed, in words
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], log: Log, found: Found) -> None:
        self.counts, self.unsealed = Counts(), {NOT_SEALED: 0, CHANGED: 0}
        self.named: set[str] = set()
        self._folder, self._manifest, self._log, self._found = folder, manifest, log, found

    def series(self, name: str, series: dict[str, Any]) -> None:
        """Check a series: each file, each line, each day."""
        self.counts.series += 1
        days: list[tuple[int, str | None]] = []
        is_read, end_s = True, None
        for month, entry in sorted(series["months"].items()):
            if end_s is not None and end_s != seconds(entry["start"]) and entry["buckets"]:
                self._found.notes.append(
                    f"{name} has no lines between {utc(int(end_s))} and {entry['start']}"
                )
            end_s = seconds(entry["end"]) if entry["buckets"] else end_s
            reader = self._month(name, series, month, entry)
            if reader is not None:
                days += self._days(name, series, month, reader.days)
            elif "ledger" in entry["files"]:
                is_read = False
        if self._manifest["seals"] is not None and self._log.is_read and is_read:
            self._compare_unsealed(name, series, days)

    def _month(
        self, name: str, series: dict[str, Any], month: str, entry: dict[str, Any]
    ) -> MonthReader | None:
        self.counts.months += 1
        self.counts.buckets += entry["buckets"]
        self.counts.holes += sum(entry["holes"].values())
        files = entry["files"]
        self.named.update(file["path"] for file in files.values())
        is_sound = {kind: is_as_said(self._folder, file, self._found) for kind, file in files.items()}
        self.counts.parquets += "parquet" in files
        if "ledger" not in files:
            self._found.notes.append(
                f"{name} {month} has no ledger: nothing of it is checked but its SHA-256"
            )
            return None
        path = files["ledger"]["path"]
        reader = MonthReader(series, month, self._found, path)
        rows = None
        if "csv" in files and is_sound["csv"]:
            rows = Rows(self._folder / files["csv"]["path"], files["csv"]["path"], self._found)
            self.counts.csvs += 1
        try:
            for line in read_lines(self._folder / path):
                row = reader.take(line)
                if rows is not None:
                    rows.take(row, line)
        except Unreadable as error:
            self._found.fault(path, str(error))
            return None
        if rows is not None:
            rows.end()
        self.counts.ledgers += 1
        for key, value in reader.facts(entry).items():
            if entry[key] != value:
                self._found.fault(
                    f"{MANIFEST} {name} {month}",
                    f"{key} is {entry[key]!r:.200}, the lines say {value!r:.200}",
                )
        return reader

    def _days(
        self, name: str, series: dict[str, Any], month: str, days: dict[int, Day]
    ) -> Iterator[tuple[int, str | None]]:
        """Compare the days of a month with their newest seals; return how each stands."""
        seals = self._log.newest.get(name, {}).get(month, {})
        for number in sorted(days.keys() | seals.keys()):
            day, seal = days.get(number, Day()), seals.get(number)
            where = f"{name} {day_name(number)}"
            if seal is None:
                yield number, standing(day, seal)
                continue
            why = standing(day, seal)
            if why is None and day.sealed_part(seal).counts() != seal.counts:
                self._found.fault(where, f"seal number {seal.number} counts {seal.counts}, the lines others")
            reach = self._log.reach(series["ticker"], series["interval"], number)
            self._weigh(where, reach, seal, is_same=why is None)
            self.counts.as_sealed += why is None
            yield number, why

    def _weigh(self, where: str, reach: int, seal: Seal, *, is_same: bool) -> None:
        """Count what the root proves of a day."""
        if not reach:
            return
        if not is_same:
            self._found.fault(
                where,
                f"is not as sealed by number {seal.number}, revision {seal.revision}: the root proves "
                "nothing of what stands here",
            )
        elif seal.number <= reach:
            self.counts.proven += 1
        else:
            self.counts.newer += 1
            if self.counts.newer <= MOST_NAMED:
                self._found.notes.append(
                    f"{where}: seal number {seal.number}, revision {seal.revision}, is newer than the root"
                )

    def _compare_unsealed(
        self, name: str, series: dict[str, Any], days: list[tuple[int, str | None]]
    ) -> None:
        said = [one for one in self._manifest["seals"]["unsealed"] if one["series"] == name]
        ranges = unsealed_ranges(name, series["interval"], days)
        for one in ranges:
            self.unsealed[one["reason"]] += one["days"]
            if one["reason"] == CHANGED:
                self._found.notes.append(
                    f"{name} {one['start']} up to {one['end']} (exclusive): {counted(one['days'], 'day')} "
                    "changed since the newest seal"
                )
        if said == ranges:
            return
        n_faults = self._found.n_faults
        for number, reason in days:
            day = day_name(number)
            words = {one["reason"] for one in said if one["start"] <= day < one["end"]}
            if words != ({reason} if reason else set()):
                is_said = f"the manifest says {' and '.join(sorted(words)) or 'sealed'}"
                self._found.fault(f"{name} {day}", f"{reason or 'as sealed'}, and {is_said}")
        if self._found.n_faults == n_faults:
            self._found.fault(f"{MANIFEST} seals {name}", f"unsealed is {said!r:.300}, not {ranges!r:.300}")


def unsealed_ranges(name: str, interval: int, days: list[tuple[int, str | None]]) -> list[dict[str, Any]]:
    """Return the stretches of days that do not stand as sealed, as the manifest should have them.

    :param days: each day with buckets or a seal, ascending: days since the epoch, and why it is none
    """
    apart = max(1, interval * 60 // DAY_S)
    ranges: list[dict[str, Any]] = []
    last = None
    for number, reason in days:
        is_next = last is not None and last == (number - apart, reason)
        if reason is not None and is_next:
            ranges[-1].update(end=day_name(number + 1), days=ranges[-1]["days"] + 1)
        elif reason is not None:
            start, end = day_name(number), day_name(number + 1)
            ranges.append({"series": name, "start": start, "end": end, "days": 1, "reason": reason})
        last = number, reason
    return ranges


# What is asked for


def check_folder(folder: Path, root: str | None = None, *, key: str | None = None) -> Found:
    """Check an export.

    :param folder: with its manifest
    :param root: hash that was kept elsewhere, 64 hexadecimal digits: of the manifest, of an entry of the log
        of seals, of a UTC day, or of a day of a series; None = none was
    :param key: public key that is known to be right, 64 hexadecimal digits: without a root, the newest entry
        that it has signed is one
    :raises OSError: if the manifest cannot be read
    """
    found = Found()
    data = (folder / MANIFEST).read_bytes()
    hashed = sha256(data).hexdigest()
    manifest = read_manifest(data, found)
    if manifest is None:
        return found
    log = read_log(folder, manifest, None if root == hashed else root, found)
    if key is not None:
        number, signed = log.witnesses.by_key.get(key, (0, None))
        if signed is None:
            found.fault("key", f"{key} has signed no entry that is here")
        elif root is None:
            # A signature is made of a log up to its entry, and exported with a whole log only.
            root, log.head_number = signed, number
    checker = Checker(folder, manifest, log, found)
    for name, series in sorted(manifest["series"].items()):
        checker.series(name, series)
    names = {one["series"] for one in (manifest["seals"] or {}).get("unsealed", ())}
    for name in sorted(names - manifest["series"].keys()):
        found.fault(f"{MANIFEST} seals", f"{name} is unsealed, and no series of the export")
    note_strangers(folder, checker.named, manifest["seals"], found)
    say_counts(checker, log, manifest, found)
    say_root(root, hashed, checker, log, found)
    return found


def note_strangers(folder: Path, named: set[str], seals: dict[str, Any] | None, found: Found) -> None:
    """Report files that the manifest does not name."""
    ours = OURS | ({seals["path"]} if seals else set())
    ours |= {seals["witnesses"]["path"]} if seals and seals["witnesses"] else set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in named or name in ours or (path.is_dir() and not path.is_symlink()):
            continue
        if "/" in name:
            found.fault(name, "the manifest does not name this file")
        else:
            found.notes.append(f"{name} is no file of the export")
    copy = folder / "verify.py"
    if copy.is_file() and copy.read_bytes() != Path(__file__).read_bytes():
        found.notes.append("verify.py in the folder is another program than this one")


def say_counts(checker: Checker, log: Log, manifest: dict[str, Any], found: Found) -> None:
    """Say what was checked."""
    counts = checker.counts
    found.said.append(
        f"{counts.series} series, {counted(counts.months, 'month')}, {counted(counts.buckets, 'bucket')}, "
        f"{counts.holes} of them holes"
    )
    found.said.append(
        f"files: {counts.ledgers} ledgers line by line, {counts.csvs} CSV row by row against them, "
        f"{counts.parquets} parquet by their SHA-256 alone"
    )
    if manifest["seals"] is not None:
        part = "the whole log" if manifest["seals"]["is_whole_log"] else "a part of the log"
        found.said.append(
            f"seals: {log.entries} entries, {part}; {counted(counts.as_sealed, 'day')} as sealed, "
            f"{checker.unsealed[CHANGED]} changed since, {checker.unsealed[NOT_SEALED]} are not sealed"
        )
    found.said += [
        f"number {number} is signed by key {key}: compare the key with the one that you know"
        for key, (number, _) in sorted(log.witnesses.by_key.items())
    ]
    if log.witnesses.stamps:
        found.said.append(
            f"{counted(log.witnesses.stamps, 'time stamp')} not checked: openssl does that, see docs/SEALS.md"
        )


def say_root(root: str | None, hashed: str, checker: Checker, log: Log, found: Found) -> None:
    """Say what the root proves."""
    counts = checker.counts
    unproven = counts.as_sealed - counts.proven
    days = f"{counted(counts.proven, 'day')}; {unproven} as sealed are not proven by it"
    if root is None:
        found.said.append(
            "no root was given: a folder made anew as a whole, or stores altered before the export, cannot "
            f"be seen. The SHA-256 of this manifest is {hashed}"
        )
    elif root == hashed:
        found.said.append("the root is the SHA-256 of this manifest: it proves all that it says")
    elif log.head_number:
        found.said.append(f"the root is the head of the log at number {log.head_number}: it proves {days}")
    elif log.roots is not None:
        found.said.append(f"the root is that of a day or a seal in it: it proves {days}")
    else:
        found.fault(
            "root",
            f"{root} is neither the SHA-256 of this manifest ({hashed}) nor an entry of its seals, nor the "
            "root of a day whose series are all here; an export with the whole log may show it",
        )


def check_proof(data: bytes, root: str | None = None) -> Found:
    """Check the proof of a single bucket.

    :param data: the bytes of its file
    :param root: hash that was kept elsewhere, 64 hexadecimal digits: of the entry of the log of seals, of the
        UTC day, or of the day of the series; None = none was
    """
    found = Found()
    try:
        proof = strict_json(data)
        wrong = misfits(proof, PROOF)
        if wrong:
            raise ValueError("; ".join(wrong))
        entry_text, line = proof["entry"].encode("ascii"), proof["line"].encode("ascii")
        entry = strict_json(entry_text)
        wrong = misfits(entry, DAY_ENTRY) or day_entry_faults(entry)
        if wrong or canonical(entry) != entry_text:
            raise ValueError(f"its entry is none: {'; '.join(wrong) or 'not canonical'}")
        bucket = Lines(entry["ticker"], entry["interval"]).bucket(line)
        if bucket is None:
            raise ValueError("its line is no canonical line of the series of its entry")
        check_place(proof, entry, bucket)
        path = [bytes.fromhex(one) for one in proof["path"]]
        if root_by_path(leaf_hash(line), proof["index"], proof["size"], path).hex() != entry["root"]:
            raise ValueError("its path does not lead from the line to the root of the entry")
        sealed = leaf_hash(entry_text)
        roots = {"of the entry": sealed.hex(), "of the day of the series": entry["root"]}
        if proof["day"] is not None:
            path = [bytes.fromhex(one) for one in proof["day"]["path"]]
            day_root = root_by_path(sealed, proof["day"]["index"], proof["day"]["size"], path)
            roots[f"of all series on {entry['day']}"] = day_root.hex()
    except ValueError as error:
        found.fault("proof", str(error))
        return found
    found.said += [
        proof["line"],
        f"is bucket {proof['index'] + 1} of {proof['size']} of {entry['ticker']} {entry['interval']} on "
        f"{entry['day']}, revision {entry['revision']}, as of {utc(entry['as_of_us'] // 1_000_000)}, number "
        f"{entry['number']} of the log",
        *(f"hash {what}: {value}" for what, value in roots.items()),
    ]
    if root is None:
        found.said.append("no root was given: it proves nothing unless one of these was kept elsewhere")
    elif root in roots.values():
        found.said.append("the root is one of these: it proves that this line was sealed")
    else:
        found.fault("root", f"{root} is none of these")
    return found


def check_place(proof: dict[str, Any], entry: dict[str, Any], bucket: Bucket) -> None:
    """Check that a bucket can have the place among the buckets of a day that a proof gives it.

    :raises ValueError: if it cannot
    """
    step = entry["interval"] * 60
    start_s, end_s = opens_of_day(day_number(entry["day"]), step)
    before, after = proof["index"], proof["size"] - 1 - proof["index"]
    first_s, last_s = bucket.ts_s - before * step, bucket.ts_s + after * step
    if proof["size"] != entry["stored"] + entry["empty"] + entry["missing"]:
        raise ValueError("its size is not the number of buckets that the entry counts")
    if bucket.ts_s % step or first_s < start_s or last_s >= end_s:
        raise ValueError(
            f"{utc(bucket.ts_s)} cannot be bucket {before + 1} of {proof['size']} of {entry['day']}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line names, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Check an export of kraken-ohlcv, or the proof of a single bucket.",
        epilog="Exit codes: 0 whole, 1 faults, 2 usage.",
    )
    parser.add_argument("folder", nargs="?", type=Path, help="the export, with its manifest.json")
    parser.add_argument("--proof", type=Path, help="the proof of a bucket, instead of an export")
    parser.add_argument("--root", help="SHA-256 that was kept elsewhere: see docs/SEALS.md")
    parser.add_argument("--key", help="public key of signatures of the log, as you know it")
    asked = parser.parse_args(arguments)
    if (asked.folder is None) == (asked.proof is None):
        parser.error("give a folder, or --proof with a file")
    root, key = (None if one is None else one.strip().lower() for one in (asked.root, asked.key))
    for name, given in (("--root", root), ("--key", key)):
        if given is not None and HEX.fullmatch(given) is None:
            parser.error(f"{name} is 64 hexadecimal digits, not {given!r}")
    try:
        if asked.proof is not None:
            found = check_proof(asked.proof.read_bytes(), root)
        else:
            found = check_folder(asked.folder, root, key=key)
    except OSError as error:
        parser.error(str(error))
    print(*found.lines(), sep="\n")
    return 0 if found.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
