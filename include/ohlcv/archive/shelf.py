"""Where archive files come from and go to: the user's folder, the web server, and a folder of our own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from include.ohlcv.archive.containers import ZipContainer
from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.archive.folder import open_container
from include.ohlcv.archive.names import Release, remote_names
from include.ohlcv.archive.units import FOLDER
from kraken_hooks.errors import NotPublishedError, RangesNotSupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from include.ohlcv.archive.containers import Container
    from kraken_hooks.archive import ArchiveHook


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where files come from and go to.

    :ivar archive_folder: the user's files, or None when it is not set
    :ivar work_folder: our own folder
    :ivar server: hook of the web server with published files, or None where nothing is to be fetched
    :ivar allow_full_download: fetch a whole zip when the server cannot send parts of it
    """

    archive_folder: Path | None
    work_folder: Path
    server: ArchiveHook | None = None
    allow_full_download: bool = False

    @contextmanager
    def open(self, place: str, name: str) -> Iterator[Container]:
        """Open a container.

        :param place: ``folder`` or ``remote``
        :param name: of the container
        :return: context manager of the container
        :raises ArchiveRefusedError: if it cannot be opened
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        if place == FOLDER:
            yield open_container(self.archive_folder, name)
            return
        with self._published(name) as file:
            yield ZipContainer(file, name)

    def published_name(self, release: Release) -> str | None:
        """Return under which name a quarter is published.

        :param release: of a quarter
        :return: file name, or None when it is not published
        :raises ArchiveRefusedError: if the server sends whole files only and that is not wanted
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        for name in remote_names(release):
            try:
                with self._published(name):
                    return name
            except NotPublishedError:
                continue
        return None

    def _published(self, name: str) -> IO[bytes]:
        downloaded = self.work_folder / "downloads" / name
        if downloaded.exists():
            return downloaded.open("rb")
        server = cast("ArchiveHook", self.server)
        try:
            return cast("IO[bytes]", server.open(name))
        except RangesNotSupportedError as error:
            if not self.allow_full_download:
                raise ArchiveRefusedError(
                    f"{error}; run again with allow_full_download to fetch all of it, or download it "
                    "yourself and give its path"
                ) from error
        server.download(name, downloaded)
        return downloaded.open("rb")
