"""A file on a web server, read by HTTP Range as if it lay here: seekable, resumed where it broke off.

Ranges are asked for without ``If-Range``: mirrors of one file may have different tags, and weak tags do not
fit it at all. That nothing changed between two ranges is proven by the CRC-32 of each member of a zip.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3

from kraken_ohlcv.clients.errors import ArchiveServerError, NotPublishedError, RangesNotSupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 5
"""Answers in a row that bring nothing new before a read fails."""
FIRST_PAUSE_S: Final = 1.0
READ_AHEAD_BYTES: Final = 64 * 1024
LONGEST_RANGE_BYTES: Final = 4 * 1024 * 1024
CHUNK_BYTES: Final = 64 * 1024
CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class RemoteFile(io.RawIOBase):
    """A file on a web server.

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
        self._size: int | None = None
        self._at = 0
        self._expected_end = 0
        self._kept_start, self._kept = 0, b""
        self.bytes_fetched = 0
        """Bytes received: what the reads have cost."""
        self._fetch(0, 1)

    @property
    def size(self) -> int:
        """Return the length of the file, bytes."""
        return self._size or 0

    def expect(self, end: int) -> None:
        """Say that all bytes from here on to a position will be read, so that few requests bring them.

        :param end: exclusive
        """
        self._expected_end = end

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is fetched."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; only the end of the file leaves it unfilled."""
        filled = 0
        while filled < len(buffer) and self._at < self.size:
            offset = self._at - self._kept_start
            if not 0 <= offset < len(self._kept):
                self._kept_start = self._at
                self._kept = self._fetch(self._at, self._end_of_range(len(buffer) - filled))
                offset = 0
            piece = self._kept[offset : offset + len(buffer) - filled]
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._at += len(piece)
        return filled

    def _end_of_range(self, wanted: int) -> int:
        ahead = min(self._expected_end - self._at, LONGEST_RANGE_BYTES)
        return min(self.size, self._at + max(wanted, ahead, READ_AHEAD_BYTES))

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
            timeout=(min(CONNECT_TIMEOUT_S, self._timeout_s), self._timeout_s),
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
            if self._size is None:
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
        if self._size is not None and size != self._size:
            raise ArchiveServerError(f"{self._url} has changed while it was read; run again")
        is_plain = answer.headers.get("Content-Encoding", "identity") == "identity"
        is_asked = first == start and last == min(end, size) - 1 and length == last - first + 1
        if not is_asked or not is_plain:
            raise ArchiveServerError(
                f"{self._url}: asked for bytes {start} to {end - 1}, it sends {match[0]} of length {length}"
            )
        self._size = size
