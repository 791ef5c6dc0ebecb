"""Client of the web server that publishes Kraken's OHLCVT archive."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from kraken_ohlcv.clients.archive.checksums import FULL_SUMS, read_sums
from kraken_ohlcv.clients.archive.ranges import CHUNK_BYTES, RemoteFile
from kraken_ohlcv.clients.errors import ArchiveServerError, NotPublishedError
from kraken_ohlcv.clients.http import new_session, timeouts

ARCHIVE_URL: Final = "https://assets.kraken.com/marketing/institutions"
"""Where Kraken publishes the archive since September 2026 (support article 360047124832)."""
TIMEOUT_S: Final = 30.0
MAX_LIST_BYTES: Final = 16 * 1024 * 1024


class ArchiveClient:
    """Reads published files by HTTP Range, or fetches them whole.

    :param url: address of the folder with the files, without a trailing slash
    :param timeout_s: longest silence of the server, seconds
    :param sleep: waits so many seconds between attempts
    """

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.url = url
        self._timeout_s, self._sleep = timeout_s, sleep
        # A range of a compressed answer would be a range of something else.
        self._session = new_session(**{"Accept-Encoding": "identity"})

    def belongs_to(self, exchange_url: str) -> bool:
        """Return whether the server is the exchange's own: of the same host or domain.

        :param exchange_url: base URL of the exchange
        """
        ours, theirs = urlsplit(self.url).hostname or "", urlsplit(exchange_url).hostname or ""
        is_named = not ours.replace(".", "").isdigit() and "." in ours
        return ours == theirs or (is_named and ours.split(".")[-2:] == theirs.split(".")[-2:])

    def answers(self) -> str:
        """Return a sentence that says that the server answers.

        :raises ArchiveServerError: if it does not give a usable answer
        """
        try:
            with self._get(FULL_SUMS):
                return f"{self.url} answers"
        except NotPublishedError:
            return f"{self.url} answers, but has no {FULL_SUMS}"

    def open(self, name: str) -> RemoteFile:
        """Open a published file for reading by ranges.

        :param name: of the file, ``Kraken_OHLCVT_2026Q2.zip``
        :raises NotPublishedError: if the server has no such file
        :raises RangesNotSupportedError: if the server sends whole files only
        :raises ArchiveServerError: if it does not give a usable answer
        """
        return RemoteFile(self._session, f"{self.url}/{name}", timeout_s=self._timeout_s, sleep=self._sleep)

    def download(self, name: str, target: Path) -> str:
        """Fetch a published file whole.

        :param name: of the file
        :param target: where it goes; it is there only when it is complete
        :return: SHA-256 of what arrived, hex
        :raises NotPublishedError: if the server has no such file
        :raises ArchiveServerError: if it does not arrive whole, or is not what the published checksum says
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{time.time_ns()}.part")
        digest = hashlib.sha256()
        try:
            with self._get(name) as answer, part.open("wb") as file:
                while chunk := answer.raw.read1(CHUNK_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
                length = answer.headers.get("Content-Length")
                if length is not None and int(length) != file.tell():
                    raise ArchiveServerError(f"{name}: {file.tell()} of {length} bytes arrived; run again")
            published = self.checksum(name)
            if published is not None and published != digest.hexdigest():
                raise ArchiveServerError(
                    f"{name} has SHA-256 {digest.hexdigest()}, published is {published}; run again"
                )
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return digest.hexdigest()

    def checksum(self, name: str) -> str | None:
        """Return the published SHA-256 of a file.

        :param name: of the file
        :return: hex, lower case, or None when no list of checksums names it
        :raises ArchiveServerError: if the server does not give a usable answer, or a list without a line that
            can be read
        """
        lists = [FULL_SUMS]
        if name.endswith(".zip"):
            lists.insert(0, f"{name.removesuffix('.zip')}_SHA256SUMS.txt")
        return next((found for one in lists if (found := self._sums(one).get(name))), None)

    def full_sums(self) -> dict[str, str]:
        """Return the checksums of full releases, whose names tell what is published.

        :return: SHA-256, hex, by file name; empty when the server has no such list
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        return self._sums(FULL_SUMS)

    def _sums(self, name: str) -> dict[str, str]:
        try:
            with self._get(name) as answer:
                sums = read_sums(name, answer.raw.read(MAX_LIST_BYTES))
        except NotPublishedError:
            return {}
        if not sums.found:
            raise ArchiveServerError(f"{name} has no readable line as sent by its server; run again")
        return dict(sums.found)

    @contextmanager
    def _get(self, name: str) -> Iterator[requests.Response]:
        url, trouble = f"{self.url}/{name}", "answer"
        try:
            with self._session.get(url, timeout=timeouts(self._timeout_s), stream=True) as answer:
                if answer.status_code in {requests.codes.not_found, requests.codes.gone}:
                    raise NotPublishedError(f"{url} does not exist (HTTP {answer.status_code})")
                if answer.status_code != requests.codes.ok:
                    raise ArchiveServerError(f"{url}: HTTP {answer.status_code}; run again later")
                trouble = "arrive"
                yield answer
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ArchiveServerError(
                f"{url} does not {trouble} ({type(error).__name__}); run again"
            ) from error
