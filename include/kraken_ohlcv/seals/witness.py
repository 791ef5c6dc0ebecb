"""Outside witnesses of the head of the log of seals: a signature, and a time stamp of somebody else's clock.

Both are optional. ``docs/SEALS.md`` defines what is signed and stamped. What fails outside never fails a
sealing: it is logged, and tried again with the next one.
"""

from __future__ import annotations

import base64
import logging
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from kraken_ohlcv.clients.http import new_session, timeouts
from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.stores.ledger.seals import Head
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.ledger.witnesses import Witness, WitnessKind, add_witness, kinds_of

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 20.0
MOST_REPLY: Final = 100_000
"""Bytes of the longest reply that is kept; usual ones have some thousand."""
SHA256: Final = bytes.fromhex("300d06096086480165030402010500")
"""AlgorithmIdentifier of SHA-256, DER (RFC 5754)."""
GRANTED: Final = frozenset({0, 1})
"""PKIStatus of a reply that has a time stamp (RFC 3161, section 2.4.2)."""
SEED_DIGITS: Final = 64
NO_LIBRARY: Final = "signatures of seals need the library cryptography: install it"


class WitnessError(Exception):
    """A witness could not be had."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An Ed25519 key.

    :ivar key: the private key, of library ``cryptography``; never shown
    :ivar public_key: hexadecimal
    """

    key: Any = field(repr=False)
    public_key: str

    @classmethod
    def of(cls, secret: str) -> Signer:
        """Return the key that a text holds.

        :param secret: a private key as PEM (PKCS#8, no password), or its seed as 64 hexadecimal digits
        :raises SetUpError: if it is none, or library ``cryptography`` is not installed; never shows the text
        """
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
            from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
        except ImportError:
            raise SetUpError(NO_LIBRARY) from None
        text = secret.strip()
        try:
            if len(text) == SEED_DIGITS:
                key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
            else:
                key = load_pem_private_key(text.replace("\\n", "\n").encode(), password=None)  # type: ignore[assignment]
            is_ours = isinstance(key, Ed25519PrivateKey)
        except (ValueError, TypeError):
            is_ours = False
        if not is_ours:
            raise SetUpError(
                "the password of the connection is no Ed25519 key: give a private key as PEM without a "
                "password, or its seed as 64 hexadecimal digits"
            )
        return cls(key, key.public_key().public_bytes_raw().hex())

    def sign(self, head: Head) -> bytes:
        """Return the signature of a head, 64 bytes."""
        signed: bytes = self.key.sign(signed_text(head.number, head.hash))
        return signed


def signed_text(number: int, hashed: str) -> bytes:
    """Return what is signed of an entry.

    :param hashed: its hash, hexadecimal
    """
    return f"kraken-ohlcv seal {number} {hashed}".encode("ascii")


def is_signed(public_key: str, message: bytes, signature: bytes) -> bool:
    """Return whether a signature of a message is one of a key.

    :param public_key: hexadecimal
    :raises SetUpError: if library ``cryptography`` is not installed
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ImportError:
        raise SetUpError(NO_LIBRARY) from None
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except (ValueError, InvalidSignature):
        return False
    return True


def witness_head(
    connection: Connection, head: Head, *, signer: Signer | None, time_stamp_url: str | None
) -> list[WitnessKind]:
    """Add the witnesses that the newest entry of the log does not have yet; failures are logged.

    :param head: the newest entry
    :param signer: None = no signatures
    :param time_stamp_url: a server of RFC 3161 time stamps; None = none
    :return: which were added
    """
    added: list[WitnessKind] = []
    if not head.number:
        return added
    known = kinds_of(connection, head.number)
    if signer is not None and WitnessKind.SIGNATURE not in known:
        signature = Witness(head.number, WitnessKind.SIGNATURE, signer.sign(head), signer.public_key)
        add_witness(connection, signature)
        added.append(WitnessKind.SIGNATURE)
    if time_stamp_url is not None and WitnessKind.TIME_STAMP not in known:
        try:
            reply = ask_time_stamp(time_stamp_url, bytes.fromhex(head.hash))
        except (requests.RequestException, WitnessError) as error:
            log.warning(
                "no time stamp of entry %d of the log of seals: %s; the next sealing tries again",
                head.number,
                error,
            )
        else:
            add_witness(connection, Witness(head.number, WitnessKind.TIME_STAMP, reply))
            added.append(WitnessKind.TIME_STAMP)
    return added


def ask_time_stamp(url: str, digest: bytes) -> bytes:
    """Return a reply with a time stamp, DER, as of RFC 3161.

    Whether it is the server's is for those to check who trust it: ``openssl ts -verify``.

    :param digest: the SHA-256 that is stamped, 32 bytes
    :raises requests.RequestException: if the server does not answer
    :raises WitnessError: if the reply holds no time stamp of this hash
    """
    request = time_stamp_request(digest, secrets.token_bytes(8))
    with new_session(**{"Content-Type": "application/timestamp-query"}) as session:
        answer = session.post(url, data=request, timeout=timeouts(TIMEOUT_S))
        answer.raise_for_status()
        reply = answer.content
    # TimeStampResp ::= SEQUENCE { PKIStatusInfo ::= SEQUENCE { INTEGER, ... }, TimeStampToken OPTIONAL }
    status = _inside(_inside(reply))
    if len(reply) > MOST_REPLY or status[:2] != b"\x02\x01" or status[2] not in GRANTED:
        raise WitnessError(f"{url} refused, or gave no reply of RFC 3161")
    if digest not in reply:
        raise WitnessError(f"{url} stamped something else")
    return reply


def time_stamp_request(digest: bytes, nonce: bytes) -> bytes:
    """Return a request for a time stamp, DER, as of RFC 3161, section 2.4.1.

    :param digest: SHA-256, 32 bytes
    :param nonce: by which a reply is known to be new
    """
    imprint = _der(0x30, SHA256 + _der(0x04, digest))
    # A first byte of 1 makes it positive and as short as DER wants it, whatever follows.
    number = _der(0x02, b"\x01" + nonce)
    # Version 1; with the certificate, so that the reply can be checked by itself.
    return _der(0x30, _der(0x02, b"\x01") + imprint + number + _der(0x01, b"\xff"))


def _der(tag: int, content: bytes) -> bytes:
    """Return a value of less than 128 bytes."""
    return bytes([tag, len(content)]) + content


def _inside(value: bytes) -> bytes:
    """Return what a SEQUENCE holds, and all behind it.

    :raises WitnessError: if it is none
    """
    if len(value) < 2 or value[0] != 0x30:  # noqa: PLR2004 (tag and length)
        raise WitnessError("the reply is none of RFC 3161")
    # The long form of a length says in how many more bytes it stands.
    more = value[1] & 0x7F if value[1] & 0x80 else 0
    return value[2 + more :]


def as_json(witness: Witness) -> dict[str, Any]:
    """Return a witness as an export has it."""
    return {
        "kind": witness.kind.value,
        "number": witness.number,
        "public_key": witness.public_key,
        "value": base64.b64encode(witness.value).decode("ascii"),
    }
