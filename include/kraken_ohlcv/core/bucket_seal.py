"""How a bucket stands in the log of seals, and the proof of it that needs no store; pure.

The form of a proof is that of docs/SEALS.md, *An inclusion proof*; ``verify_offline.py`` checks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kraken_ohlcv.core.merkle import audit_path
from kraken_ohlcv.core.seal import DaySeal
from kraken_ohlcv.core.times import utc

PROOF_VERSION: Final = 1
"""Version of the form of a proof."""
MICROSECONDS: Final = 1_000_000


class SealState(StrEnum):
    """How a bucket stands in the log of seals."""

    SEALED = "sealed"
    """It is in the newest seal of its day as it stands."""
    CHANGED_SINCE = "changed_since"
    """The newest seal of its day holds something else of it: the next sealing makes a revision."""
    NOT_SEALED = "not_sealed"
    """Its day has no seal yet."""
    NOT_AS_SEALED = "not_as_sealed"
    """Its day does not hold what was sealed: a store, or the log, was altered or restored."""


@dataclass(frozen=True, slots=True)
class BucketSeal:
    """How a bucket stands in the log of seals.

    :ivar state: in short
    :ivar entry: the seal of its day; None when there is none, or it cannot be read
    :ivar proof: that the bucket is in this seal, JSON; its ``line`` is what was sealed. None without one
    """

    state: SealState
    entry: DaySeal | None = None
    proof: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; times are ISO text, UTC."""
        said: dict[str, Any] = {"state": self.state}
        if self.entry is not None:
            said |= {
                "day": utc(self.entry.day_s).date().isoformat(),
                "revision": self.entry.revision,
                "root": self.entry.root,
                "entry_number": self.entry.number,
                "entry_hash": self.entry.hash,
                "as_of": utc(self.entry.as_of_us / MICROSECONDS).isoformat(),
            }
        return said | {"proof": None if self.proof is None else dict(self.proof)}


def inclusion_proof(
    entry: DaySeal, line: str, index: int, leaves: Sequence[bytes], of_day: Iterable[DaySeal] = ()
) -> dict[str, Any]:
    """Return the proof that a bucket is in the seal of its day.

    :param entry: the seal
    :param line: canonical line of the bucket
    :param index: its place in the day, from 0
    :param leaves: hash of the line of each bucket of the day, ascending
    :param of_day: the newest seals of all series of that UTC day; without this one, it is not proven to be
        under the root of the day
    :return: JSON
    """
    newest = sorted(of_day, key=lambda seal: seal.series)
    places = [place for place, seal in enumerate(newest) if seal == entry]
    hashes = [bytes.fromhex(seal.hash) for seal in newest]
    return {
        "proof_version": PROOF_VERSION,
        "line": line,
        "entry": entry.text,
        **_place(index, leaves),
        "day": _place(places[0], hashes) if places else None,
    }


def _place(index: int, leaves: Sequence[bytes]) -> dict[str, Any]:
    path = [one.hex() for one in audit_path(leaves, index)]
    return {"index": index, "size": len(leaves), "path": path}
