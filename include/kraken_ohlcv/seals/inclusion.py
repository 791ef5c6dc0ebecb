"""Inclusion proofs: that a single bucket was sealed, to somebody who has a root and nothing else.

``docs/SEALS.md`` defines the form; ``export/verify_offline.py`` checks it with nothing but Python.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kraken_ohlcv.core.bucket_seal import inclusion_proof
from kraken_ohlcv.core.errors import BadRequestError, OhlcvError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.merkle import leaf_hash, root_by_path, root_of
from kraken_ohlcv.core.seal import DaySeal, entry_of
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.core.verified_day import day_of, opens_of_day
from kraken_ohlcv.reader.buckets import bucket_frame
from kraken_ohlcv.reader.lines import ledger_text
from kraken_ohlcv.reader.scope import find_rows
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.reader.times import Moment, moment_of
from kraken_ohlcv.stores.ledger.seals import newest_of, newest_seals


class NoProofError(OhlcvError):
    """A bucket cannot be proven; the message says why, and what to do."""


class Roots(NamedTuple):
    """What a proof leads to; it proves something when one of these was kept elsewhere. All hexadecimal.

    :ivar entry: hash of the entry of the log
    :ivar series_day: root of the day of the series
    :ivar day: root of the day over all series, None where the proof does not lead there
    """

    entry: str
    series_day: str
    day: str | None


def roots_of_proof(proof: Mapping[str, Any]) -> Roots:
    """Check a proof, and return what it leads to.

    :param proof: in the form of :func:`kraken_ohlcv.core.bucket_seal.inclusion_proof`
    :raises ValueError: if it does not lead from the line to the entry
    """
    entry = entry_of(proof["entry"])
    if not isinstance(entry, DaySeal):
        raise ValueError("the entry seals no day")
    if _root(leaf_hash(proof["line"].encode("ascii")), proof) != entry.root:
        raise ValueError("the path does not lead from the line to the root of the entry")
    day = proof["day"]
    return Roots(entry.hash, entry.root, None if day is None else _root(bytes.fromhex(entry.hash), day))


def _root(leaf: bytes, place: Mapping[str, Any]) -> str:
    path = [bytes.fromhex(one) for one in place["path"]]
    return root_by_path(leaf, place["index"], place["size"], path).hex()


def prove_line(
    lines: Sequence[bytes], ts_s: int, seal: DaySeal, of_day: Iterable[DaySeal] = ()
) -> dict[str, Any]:
    """Return the proof of one of the lines of a day.

    :param lines: canonical lines of the buckets of the day, ascending; buckets before the series begins may
        come first
    :param ts_s: open time of the bucket, epoch seconds UTC
    :param seal: of the day
    :param of_day: the newest seals of all series of that day, this one among them; none = not known
    :return: JSON, see :func:`kraken_ohlcv.core.bucket_seal.inclusion_proof`
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
    return inclusion_proof(seal, sealed[index].decode("ascii"), index, leaves, of_day)


def prove_bucket(stores: Stores, ticker: str, interval_minutes: int, at: Moment) -> dict[str, Any]:
    """Return the proof of a bucket, from both stores.

    :param stores: both stores
    :param ticker: Kraken's altname
    :param interval_minutes: bucket length, minutes
    :param at: open time of the bucket; ISO text or a time, UTC without an offset
    :return: JSON, see :func:`kraken_ohlcv.core.bucket_seal.inclusion_proof`
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
