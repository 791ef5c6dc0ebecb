"""Files on a web server or in parts, read as if they lay here in one piece: seekable, nothing joined on disk.

Ours and not fsspec's: resuming where an answer broke off, servers that ignore Range now and then, and answers
to another range would have to be written around it, and are most of this module.

Ranges are asked for without ``If-Range``: mirrors of one file may have different tags, and weak tags do not
fit it at all. That nothing changed between two ranges is proven by the CRC-32 of each member of a zip.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import IO, Any, Final

import requests
import urllib3

from kraken_ohlcv.clients.errors import ArchiveServerError, NotPublishedError, RangesNotSupportedError
from kraken_ohlcv.clients.http import timeouts

ATTEMPTS: Final = 5
"""Answers in a row that bring nothing new before a read fails."""
FIRST_PAUSE_S: Final = 1.0
READ_AHEAD_BYTES: Final = 64 * 1024
LONGEST_RANGE_BYTES: Final = 4 * 1024 * 1024
CHUNK_BYTES: Final = 64 * 1024
CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class SeekableFile(io.RawIOBase):
    """A file that comes piece by piece."""

    size = 0
    """Length of the file, bytes; 0 as long as nobody knows it."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is fetched."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; only the end of the file leaves it unfilled."""
        filled = 0
        while filled < len(buffer) and self._at < self.size:
            piece = self._piece(len(buffer) - filled)
            if not piece:
                break
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._at += len(piece)
        return filled

    def _piece(self, wanted: int) -> bytes:
        """Return some bytes from the position on, at most as many as are wanted."""
        raise NotImplementedError


class JoinedParts(SeekableFile):
    """Parts of a split file as one.

    :param parts: seekable, in order; closed with it
    """

    def __init__(self, parts: Sequence[IO[bytes]]) -> None:
        super().__init__()
        self._parts = parts
        self._ends = list(accumulate(part.seek(0, io.SEEK_END) for part in parts))
        self.size = self._ends[-1]

    def close(self) -> None:
        """Close the parts."""
        for part in self._parts:
            part.close()
        super().close()

    def _piece(self, wanted: int) -> bytes:
        number = bisect_right(self._ends, self._at)
        part, start = self._parts[number], self._ends[number - 1] if number else 0
        part.seek(self._at - start)
        return part.read(min(wanted, self._ends[number] - self._at))


class RemoteFile(SeekableFile):
    """A file on a web server; the longer it is read without a seek, the longer the ranges asked for.

    :param session: sends requests; names itself in ``User-Agent``
    :param url: of the file
    :param timeout_s: longest silence of the server, seconds
    :param sleep: waits so many seconds between attempts
    :raises NotPublishedError: if the server has no such file
    :raises RangesNotSupportedError: if the server sends whole files only
    :raises ArchiveServerError: if it does not give a usable answer
    """

    def __init__(
        self, session: requests.Session, url: str, *, timeout_s: float, sleep: Callable[[float], None]
    ) -> None:
        super().__init__()
        self._session, self._url = session, url
        self._timeout_s, self._sleep = timeout_s, sleep
        self._kept_start, self._kept, self._ahead = -1, b"", 0
        self.bytes_fetched = 0
        """Bytes received, to see what a read costs."""
        self._fetch(0, 1)

    def _piece(self, wanted: int) -> bytes:
        offset = self._at - self._kept_start
        if not 0 <= offset < len(self._kept):
            is_onward = offset == len(self._kept)
            self._ahead = min(2 * self._ahead, LONGEST_RANGE_BYTES) if is_onward else READ_AHEAD_BYTES
            end = min(self.size, self._at + max(wanted, self._ahead))
            self._kept_start, self._kept, offset = self._at, self._fetch(self._at, end), 0
        return self._kept[offset : offset + wanted]

    def _fetch(self, start: int, end: int) -> bytes:
        """Return bytes ``[start, end)``; what has arrived is not asked for again."""
        got = bytearray()
        failures = 0
        while len(got) < end - start:
            before = len(got)
            try:
                self._receive(start + before, end, got)
                if len(got) == before:
                    raise requests.ConnectionError("an empty answer")
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                failures = failures + 1 if len(got) == before else 1
                if failures == ATTEMPTS:
                    raise ArchiveServerError(
                        f"{self._url}: bytes {start + len(got)} to {end} do not arrive "
                        f"({type(error).__name__}); check the network, then run again"
                    ) from error
                self._sleep(FIRST_PAUSE_S * 2 ** (failures - 1))
        return bytes(got)

    def _receive(self, start: int, end: int, got: bytearray) -> None:
        with self._session.get(
            self._url,
            headers={"Range": f"bytes={start}-{end - 1}"},
            timeout=timeouts(self._timeout_s),
            stream=True,
        ) as answer:
            self._judge(answer, start, end)
            # read1 returns what has arrived, so that nothing of it is lost when the rest does not come.
            while chunk := answer.raw.read1(CHUNK_BYTES):
                got += chunk
                self.bytes_fetched += len(chunk)

    def _judge(self, answer: requests.Response, start: int, end: int) -> None:
        status = answer.status_code
        if status in {requests.codes.not_found, requests.codes.gone}:
            raise NotPublishedError(f"{self._url} does not exist (HTTP {status})")
        if status == requests.codes.ok:
            if not self.size:
                raise RangesNotSupportedError(
                    f"{self._url}: the server ignores Range and sends whole files only"
                )
            # One of several servers behind the address: the next one may know ranges.
            raise requests.HTTPError("the whole file instead of a range")
        if status >= requests.codes.server_error or status == requests.codes.too_many_requests:
            raise requests.HTTPError(f"HTTP {status}")
        match = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if status != requests.codes.partial_content or match is None:
            raise ArchiveServerError(
                f"{self._url}: HTTP {status} with Content-Range {answer.headers.get('Content-Range')!r} is "
                f"no answer to Range bytes={start}-{end - 1}"
            )
        first, last, size = (int(number) for number in match.groups())
        length = int(answer.headers.get("Content-Length", last - first + 1))
        if self.size and size != self.size:
            raise ArchiveServerError(f"{self._url} changed while it was read; run again")
        is_plain = answer.headers.get("Content-Encoding", "identity") == "identity"
        is_asked = first == start and last == min(end, size) - 1 and length == last - first + 1
        if not is_asked or not is_plain:
            raise ArchiveServerError(
                f"{self._url}: asked for bytes {start} to {end - 1}, it sends {match[0]} of length {length}"
            )
        self.size = size
