"""Where archive files come from and go to: the user's folder, the web server, and a folder of our own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from kraken_ohlcv.clients.archive.checksums import FULL_SUMS
from kraken_ohlcv.clients.errors import ArchiveServerError, NotPublishedError, RangesNotSupportedError
from kraken_ohlcv.sources.archive.containers import ZipContainer
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.folder import files_of_zip, open_container, resolve
from kraken_ohlcv.sources.archive.members import FOLDER
from kraken_ohlcv.sources.archive.names import (
    NEWEST_FULL,
    Release,
    is_full,
    newest_full,
    remote_names,
    zip_of,
)
from kraken_ohlcv.sources.archive.parts import JoinedParts
from kraken_ohlcv.sources.archive.sums import refuse_wrong_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from kraken_ohlcv.clients.archive.client import ArchiveClient
    from kraken_ohlcv.sources.archive.containers import Container
    from kraken_ohlcv.sources.archive.members import Unit


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where files come from and go to.

    :ivar archive_folder: the user's files, or None when it is not set
    :ivar work_folder: our own folder
    :ivar server: returns the client of the web server with published files; None where nothing is to be
        fetched
    :ivar is_mirror: whether that server is somebody else's than the exchange's own
    :ivar allow_full_download: fetch a whole zip when the server cannot send parts of it
    """

    archive_folder: Path | None
    work_folder: Path
    server: Callable[[], ArchiveClient] | None = None
    allow_full_download: bool = False
    is_mirror: bool = False

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
            yield ZipContainer(file, name, is_remote=True)

    @contextmanager
    def open_for(self, unit: Unit) -> Iterator[Container]:
        """Open the container of a file that a run has found before.

        :param unit: the file
        :return: context manager of the container
        :raises ArchiveError: if another file stands there now
        :raises ArchiveRefusedError: if the container cannot be opened
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        with self.open(unit.place, unit.container) as container:
            if container.identity(unit.member) != unit.identity:
                raise ArchiveError(f"{unit.container} was replaced after the run had found it; run again")
            yield container

    def refuse_wrong_sums(self, name: str, warnings: list[str]) -> bool:
        """Refuse a zip of the user's folder that is not what the checksums beside it say.

        :param name: of a zip, or of a folder, which has none
        :param warnings: takes a sentence for each list that cannot be read
        :return: whether checksums speak of all of it: then it is as it was published
        :raises ArchiveRefusedError: if it is not, or a part of it is missing
        """
        if resolve(self.archive_folder, name).is_dir():
            return False
        files = files_of_zip(self.archive_folder, name)
        remembered = self.work_folder / "right-sums"
        try:
            return refuse_wrong_sums(PurePosixPath(name).name, files, remembered, warnings)
        except OSError as error:
            raise ArchiveRefusedError(f"{name} cannot be read: {error.strerror}") from error

    def published_name(self, release: Release) -> str | None:
        """Return under which name a release is published.

        :param release: of a quarter, or a full one
        :return: name of its zip, or None when it is not published
        :raises ArchiveRefusedError: if the server sends whole files only and that is not wanted
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        names = remote_names(release)
        if release.name == NEWEST_FULL and (newest := newest_full(self._server.full_sums())):
            names = (newest,)
        for name in names:
            try:
                with self._published(name):
                    return name
            except NotPublishedError:
                continue
        return None

    @property
    def _server(self) -> ArchiveClient:
        return cast("Callable[[], ArchiveClient]", self.server)()

    def _published(self, name: str) -> IO[bytes]:
        """Open a published zip, which may lie in parts when it is a full release.

        :raises NotPublishedError: if the server has no such zip
        """
        if not is_full(name):
            return self._file(name)
        if listed := sorted(one for one in self._server.full_sums() if zip_of(one) == name != one):
            try:
                return _joined([self._file(part) for part in listed])
            except NotPublishedError as error:
                raise ArchiveServerError(
                    f"{error}, although {FULL_SUMS} names it; run again later"
                ) from error
        try:
            return self._file(name)
        except NotPublishedError:
            return _joined(self._unlisted_parts(name))

    def _unlisted_parts(self, name: str) -> list[IO[bytes]]:
        """Open the parts of a zip that no list names, up to the first that is not there."""
        parts = [self._file(f"{name}.part00")]
        while True:
            try:
                parts.append(self._file(f"{name}.part{len(parts):02}"))
            except NotPublishedError:
                return parts

    def _file(self, name: str) -> IO[bytes]:
        """Open a published file by ranges; fetch it whole where that is the only way, and wanted."""
        downloaded = self.work_folder / "downloads" / name
        if downloaded.exists():
            return downloaded.open("rb")
        try:
            return cast("IO[bytes]", self._server.open(name))
        except RangesNotSupportedError as error:
            if not self.allow_full_download:
                raise ArchiveRefusedError(
                    f"{error}; run again with allow_full_download to fetch all of it, or download it "
                    "yourself and give its path"
                ) from error
        self._server.download(name, downloaded)
        return downloaded.open("rb")


def _joined(parts: Sequence[IO[bytes]]) -> IO[bytes]:
    return cast("IO[bytes]", JoinedParts(parts))
