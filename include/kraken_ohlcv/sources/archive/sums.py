"""Checks zips of the user's folder, whole or in parts, against the checksums that lie beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from kraken_ohlcv.clients.archive.checksums import Sums, is_list, read_sums, subject_of
from kraken_ohlcv.clients.archive.ranges import JoinedParts
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.names import PART

MAX_LIST_BYTES: Final = 1024 * 1024


def refuse_wrong_sums(name: str, files: Sequence[Path], remembered: Path, warnings: list[str]) -> bool:
    """Refuse a zip that is not what the checksums beside it say; without any it is taken as it is.

    A list is any file in the same folder that is named as one, see
    :func:`kraken_ohlcv.clients.archive.checksums.is_list`.
    What was found right is remembered and not read again while its size and time of change stay: a full
    release has ten gigabytes.

    :param name: of the zip
    :param files: the zip itself, or its parts, in order
    :param remembered: folder of our own for what was found right
    :param warnings: takes a sentence for each list that cannot be read
    :return: whether a checksum was found right for the whole zip, or for each of its parts
    :raises ArchiveRefusedError: if a checksum differs, a list names a part of the zip that is not there, or a
        list about this zip cannot be read
    """
    right: set[str] = set()
    pieces = {path.name: [path] for path in files} | {name: list(files)}
    for sums_list in sorted(path for path in files[0].parent.iterdir() if is_list(path.name)):
        sums = _read(sums_list)
        for piece, expected in sums.found:
            match = PART.match(piece)
            if piece in pieces:
                _check(piece, pieces[piece], expected, sums_list, remembered)
                right.add(piece)
            elif match and match["zip"] == name and files[0].name != name:
                raise ArchiveRefusedError(
                    f"{piece} is missing, which {sums_list.name} names; download it, then run again"
                )
        _judge_unread(sums_list, sums, pieces, warnings)
    return name in right or {path.name for path in files} <= right


def _judge_unread(sums_list: Path, sums: Sums, pieces: Collection[str], warnings: list[str]) -> None:
    """Refuse a zip whose checksum cannot be read; warn of a list that says nothing about any file."""
    said = {piece for piece, _ in sums.found}
    unread = [piece for piece in pieces if any(piece in line.split() for line in sums.unread)]
    subject = subject_of(sums_list.name)
    may_speak_of_others = bool(said) and "sha256sums" in sums_list.name.lower()
    if subject in pieces and not said.intersection(pieces) and not may_speak_of_others:
        unread.append(str(subject))
    if unread:
        raise ArchiveRefusedError(
            f"{sums_list.name} has no line about {unread[0]} that can be read, so nobody knows whether that "
            f"is whole; fetch the list again, or write into it: <SHA-256, 64 hex digits>  {unread[0]}"
        )
    warning = f"{sums_list.name} has no readable line: no zip was compared with it (SHA-256 only)"
    if not sums.found and warning not in warnings:
        warnings.append(warning)


def _read(sums_list: Path) -> Sums:
    """Return what a list says; nothing when it is a link, or too long to be one."""
    if sums_list.is_symlink() or not sums_list.is_file() or sums_list.stat().st_size > MAX_LIST_BYTES:
        return Sums()
    return read_sums(sums_list.name, sums_list.read_bytes())


def _check(name: str, files: Sequence[Path], expected: str, sums_list: Path, remembered: Path) -> None:
    states = [(path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    seal = remembered / hashlib.sha256(f"{expected} {states}".encode()).hexdigest()
    if seal.exists():
        return
    with JoinedParts([path.open("rb") for path in files]) as whole:
        found = hashlib.file_digest(whole, "sha256").hexdigest()
    if found != expected:
        raise ArchiveRefusedError(
            f"{name} has SHA-256 {found}, but {sums_list.name} beside it says {expected}: it is "
            "damaged or not whole; download it again"
        )
    remembered.mkdir(parents=True, exist_ok=True)
    seal.touch()
