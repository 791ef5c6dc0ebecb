"""A file that lies in pieces, read as one: nothing is joined on disk."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class _Joined(io.RawIOBase):
    def __init__(self, paths: Sequence[Path]) -> None:
        self._files: list[IO[bytes]] = [path.open("rb") for path in paths]
        self._ends = list(accumulate(path.stat().st_size for path in paths))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        number = bisect_right(self._ends, self._at)
        if number == len(self._files):
            return 0
        start = self._ends[number - 1] if number else 0
        file = self._files[number]
        file.seek(self._at - start)
        piece = file.read(min(len(buffer), self._ends[number] - self._at))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()


class JoinedParts(io.BufferedReader):
    """Parts of a split file as one seekable file.

    :param paths: at least one, in order
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(_Joined(paths), buffer_size=256 * 1024)
