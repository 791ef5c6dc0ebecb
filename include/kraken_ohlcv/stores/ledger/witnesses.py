"""Witnesses of entries of the log of seals (``seal_witnesses``): signatures, and time stamps of others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kraken_ohlcv.stores.ledger.session import Connection, column, execute, rows


class WitnessKind(StrEnum):
    """What vouches for an entry."""

    SIGNATURE = "signature"
    """An Ed25519 signature."""
    TIME_STAMP = "time_stamp"
    """A reply with a time stamp as of RFC 3161."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What vouches for an entry of the log, and for all before it.

    :ivar number: of the entry
    :ivar kind: which kind
    :ivar value: the signature, 64 bytes; or the reply, DER
    :ivar public_key: of a signature, hexadecimal; None of others
    """

    number: int
    kind: WitnessKind
    value: bytes
    public_key: str | None = None


def add_witness(connection: Connection, witness: Witness) -> None:
    """Add a witness; one of the same kind that is there already stays."""
    execute(
        connection,
        "add_witness",
        number=witness.number,
        kind=witness.kind,
        value=witness.value,
        public_key=witness.public_key,
    )


def kinds_of(connection: Connection, number: int) -> set[WitnessKind]:
    """Return which witnesses an entry has."""
    return {WitnessKind(kind) for kind in column(connection, "read_witness_kinds", number=number)}


def read_witnesses(connection: Connection, *, up_to: int) -> list[Witness]:
    """Return all witnesses, by number and kind.

    :param up_to: number of the last entry
    """

    def shape(number: int, kind: str, value: bytes, public_key: str | None) -> Witness:
        return Witness(number, WitnessKind(kind), bytes(value), public_key)

    return rows(connection, "read_witnesses", shape, up_to=up_to)
