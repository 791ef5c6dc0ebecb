"""A file that lies in pieces, here or on a server, read as one: nothing is joined on disk."""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

PART: Final = re.compile(r"^(?P<zip>.+\.zip)\.part(?P<number>[0-9]{2,4})$", re.IGNORECASE)


@runtime_checkable
class ReadsAhead(Protocol):
    """A file for which a few long reads are better than many short ones."""

    def seek(self, offset: int, /) -> int:
        """Move to a position."""

    def expect(self, end: int) -> None:
        """Take note that all bytes up to a position will be read."""


class JoinedParts(io.RawIOBase):
    """Parts of a split file as one seekable file.

    :param parts: seekable, in order; closed with it
    """

    def __init__(self, parts: Sequence[IO[bytes]]) -> None:
        super().__init__()
        self._parts = parts
        self._ends = list(accumulate(part.seek(0, io.SEEK_END) for part in parts))
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, across the ends of parts; only the end of the file leaves it unfilled."""
        filled = 0
        while filled < len(buffer) and self._at < self._ends[-1]:
            number = bisect_right(self._ends, self._at)
            part = self._parts[number]
            part.seek(self._at - self._start(number))
            piece = part.read(min(len(buffer) - filled, self._ends[number] - self._at))
            if not piece:
                break
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._at += len(piece)
        return filled

    def expect(self, end: int) -> None:
        """Say that all bytes from here on to a position will be read.

        :param end: exclusive
        """
        for number, part in enumerate(self._parts):
            if isinstance(part, ReadsAhead):
                part.expect(end - self._start(number))

    def close(self) -> None:
        """Close the parts."""
        for part in self._parts:
            part.close()
        super().close()

    def _start(self, number: int) -> int:
        return self._ends[number - 1] if number else 0
