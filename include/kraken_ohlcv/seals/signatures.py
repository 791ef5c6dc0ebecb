"""Whether the signatures beside the log of seals are those of its entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.seals.finding import Finding, FindingKind
from kraken_ohlcv.seals.witness import is_signed, signed_text
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.ledger.witnesses import Witness, WitnessKind, read_witnesses

ANY_NUMBER: Final = 2**62


class SignatureCheck:
    """Checks signatures and time stamps while the log is read from its first entry to its last.

    :ivar newest: by public key, hexadecimal: number of the newest entry that it has signed
    :ivar checked: signatures that are those of their entries
    :ivar not_checked: what could not be looked at, and why, a sentence each
    """

    def __init__(self, connection: Connection, *, key: str | None = None) -> None:
        """Read them.

        :param key: public key that is known to be right, hexadecimal, or None
        :raises SetUpError: if a key is given and library ``cryptography`` is not installed
        """
        self.newest: dict[str, int] = {}
        self.checked = 0
        self.not_checked: list[str] = []
        self._key = key
        self._left: dict[int, list[Witness]] = {}
        n_stamps = 0
        for one in read_witnesses(connection, up_to=ANY_NUMBER):
            self._left.setdefault(one.number, []).append(one)
            n_stamps += one.kind is WitnessKind.TIME_STAMP
        if n_stamps:
            self.not_checked.append(
                f"Of {counted(n_stamps, 'time stamp')} only the hash was compared: openssl checks whose they "
                "are, see docs/SEALS.md."
            )
        if key is not None:
            is_signed(key, b"", b"")

    def meet(self, number: int, hashed: str) -> Iterator[Finding]:
        """Return what is wrong with the witnesses of an entry.

        :param hashed: its hash, hexadecimal
        """
        for one in self._left.pop(number, ()):
            if one.kind is WitnessKind.TIME_STAMP:
                if bytes.fromhex(hashed) not in one.value:
                    yield _broken(number, "a time stamp", "one of another hash")
                continue
            try:
                is_right = is_signed(one.public_key or "", signed_text(number, hashed), one.value)
            except SetUpError as error:
                self.not_checked = [*self.not_checked[-1:], f"No signature was checked: {error}."]
                continue
            if is_right:
                self.checked += 1
                self.newest[one.public_key or ""] = number
            else:
                yield _broken(number, f"a signature of key {one.public_key}", "none of this key and entry")

    def rest(self) -> Iterator[Finding]:
        """Return what the log, read to its end, did not have."""
        for number in sorted(self._left):
            yield _broken(number, "an entry with this number, which has a witness", "no such entry")
        if self._key is not None and self._key not in self.newest:
            yield Finding(kind=FindingKind.KEY_UNKNOWN, sealed=f"key {self._key}")


def _broken(number: int, sealed: str, stands: str) -> Finding:
    return Finding(kind=FindingKind.WITNESS_BROKEN, number=number, sealed=sealed, stands=stands)
