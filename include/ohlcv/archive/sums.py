"""Checks zips of the user's folder, whole or in parts, against the checksums that lie beside them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.archive.parts import PART
from kraken_hooks.checksums import read_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_LIST_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 4 * 1024 * 1024


def refuse_wrong_sums(name: str, files: Sequence[Path], remembered: Path) -> None:
    """Refuse a zip that is not what the checksums beside it say; without any it is taken as it is.

    A list is any ``*SHA256SUMS*`` or ``*.sha256`` in the same folder. What was found right is remembered and
    not read again while its size and time of change stay: a full release has ten gigabytes.

    :param name: of the zip
    :param files: the zip itself, or its parts, in order
    :param remembered: folder of our own for what was found right
    :raises ArchiveRefusedError: if a checksum differs, or a list names a part of the zip that is not there
    """
    folder = files[0].parent
    pieces = {path.name: [path] for path in files} | {name: list(files)}
    for sums_list in sorted(path for path in folder.iterdir() if _is_list(path)):
        sums = read_sums(sums_list.read_text(encoding="utf-8", errors="replace"))
        for piece, expected in sums.items():
            match = PART.match(piece)
            if piece in pieces:
                _check(piece, pieces[piece], expected, sums_list, remembered)
            elif match and match["zip"] == name and files[0].name != name:
                raise ArchiveRefusedError(
                    f"{piece} is missing, which {sums_list.name} names; download it, then run again"
                )


def _is_list(path: Path) -> bool:
    name = path.name.lower()
    is_named_so = "sha256sums" in name or name.endswith(".sha256")
    return is_named_so and path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_LIST_BYTES


def _check(name: str, files: Sequence[Path], expected: str, sums_list: Path, remembered: Path) -> None:
    states = [(path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    seal = remembered / hashlib.sha256(f"{expected} {states}".encode()).hexdigest()
    if seal.exists():
        return
    digest = hashlib.sha256()
    for block in _blocks(files):
        digest.update(block)
    if digest.hexdigest() != expected:
        raise ArchiveRefusedError(
            f"{name} has SHA-256 {digest.hexdigest()}, but {sums_list.name} beside it says {expected}: it is "
            "damaged or not whole; download it again"
        )
    remembered.mkdir(parents=True, exist_ok=True)
    seal.touch()


def _blocks(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            while block := file.read(READ_BYTES):
                yield block
