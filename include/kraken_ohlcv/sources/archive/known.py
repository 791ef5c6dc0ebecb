"""By what a file is known again: its SHA-256, or what the directory of its zip says."""

from __future__ import annotations

import hashlib
from typing import Final

from kraken_ohlcv.sources.archive.members import Archive, Member
from kraken_ohlcv.stores.ledger.session import Connection, fetch

BY_CONTENT: Final = "sha256:"
"""How the identity of a file begins that only its content tells."""


def is_known(connection: Connection, member: Member, archive: Archive) -> bool:
    """Return whether the ledger knows a file; its bytes are read for that only where they may be known.

    :param archive: what holds the file
    """
    found = fetch(connection, "read_archive_identities", member.series)
    known = {row["identity"] for row in found}
    if member.identity is not None:
        return member.identity in known
    if not any(one.startswith(BY_CONTENT) for one in known):
        return False
    return identity_of(member, archive) in known


def identity_of(member: Member, archive: Archive) -> str:
    """Return a text that changes with the content of a file, which is read where only that tells.

    :param archive: what holds the file
    :raises ArchiveRefusedError: if its bytes are damaged
    :raises ArchiveError: if they cannot be read just now
    """
    if member.identity is not None:
        return member.identity
    digest = hashlib.sha256()
    for block in archive.blocks(member.path):
        digest.update(block)
    return BY_CONTENT + digest.hexdigest()
