"""Where archive files lie: the user's folder, which is only read, the web server, and a folder of our own.

Zips of the user's folder, whole or in parts, are checked against the checksums that lie beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from kraken_ohlcv.clients.archive.checksums import FULL_SUMS, Sums, is_list, read_sums, subject_of
from kraken_ohlcv.clients.archive.client import ArchiveClient
from kraken_ohlcv.clients.archive.ranges import JoinedParts
from kraken_ohlcv.clients.errors import ArchiveServerError, NotPublishedError, RangesNotSupportedError
from kraken_ohlcv.core.settings import ARCHIVE_FOLDER_ENV
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.members import Archive, FolderArchive, Member, ZipArchive
from kraken_ohlcv.sources.archive.names import (
    NEWEST_FULL,
    PART,
    Release,
    is_full,
    newest_full,
    read_member_name,
    remote_names,
    zip_of,
)

MAX_LIST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveLocator:
    """Where files come from and go to.

    :ivar archive_folder: the user's files, or None when it is not set
    :ivar work_folder: our own folder
    :ivar server: returns the client of the web server with published files
    :ivar is_mirror: whether that server is somebody else's than the exchange's own
    :ivar allow_full_download: fetch a whole zip when the server cannot send parts of it
    """

    archive_folder: Path | None
    work_folder: Path
    server: Callable[[], ArchiveClient]
    allow_full_download: bool = False
    is_mirror: bool = False

    def resolve(self, path: str) -> Path:
        """Return where a path inside the archive folder leads.

        :param path: relative, with ``/``; ``.`` is the folder itself
        :return: resolved path inside the folder; of a zip in parts, that of the zip
        :raises ArchiveRefusedError: if the folder is not set, or the path is absolute, leads out of it (also
            by a symbolic link), or does not exist
        """
        if self.archive_folder is None:
            raise ArchiveRefusedError(
                f"path {path!r} cannot be read: set {ARCHIVE_FOLDER_ENV} to the folder with the archive's "
                "files"
            )
        given = PurePosixPath(path.replace("\\", "/"))
        if given.is_absolute() or Path(path).is_absolute() or ".." in given.parts:
            raise ArchiveRefusedError(
                f"path {path!r} is not below the archive folder; name it relative to that, without .."
            )
        home = self.archive_folder.resolve()
        target = (home / given).resolve()
        if target != home and home not in target.parents:
            raise ArchiveRefusedError(
                f"path {path!r} leads outside the archive folder by a symbolic link; put the file there"
            )
        if not _pieces(target):
            raise ArchiveRefusedError(f"path {path!r} does not exist in the archive folder {home}")
        return target

    def archives_at(self, path: str) -> Iterator[str]:
        """Return the folders and zips that a path names.

        :param path: a CSV, a zip, the first part of a zip, or a folder, whose folders count too
        :return: paths relative to the archive folder
        :raises ArchiveRefusedError: see :meth:`resolve`, or if it is none of these
        """
        target, home = self.resolve(path), cast("Path", self.archive_folder).resolve()
        if target.is_dir():
            for folder in (target, *sorted(below for below in target.rglob("*") if below.is_dir())):
                hidden = any(part == "__MACOSX" or part[0] == "." for part in folder.relative_to(home).parts)
                if not folder.is_symlink() and not hidden:
                    files = (one for one in folder.iterdir() if one.is_file() and not one.is_symlink())
                    names = sorted({zip_of(one.name) for one in files})
                    for found in (folder, *(folder / one for one in names if one.lower().endswith(".zip"))):
                        yield found.relative_to(home).as_posix()
            return
        target = target.with_name(zip_of(target.name))
        if target.suffix.lower() not in {".zip", ".csv"}:
            raise ArchiveRefusedError(f"path {path!r} is neither a CSV, nor a zip, nor a folder")
        yield (target if target.suffix.lower() == ".zip" else target.parent).relative_to(home).as_posix()

    def only_file(self, path: str) -> str | None:
        """Return the base name when a path names one CSV, so that its neighbours are left alone.

        :param path: as given
        :return: base name, or None
        :raises ArchiveRefusedError: if the name is not one of the archive's
        """
        target = self.resolve(path)
        if target.is_dir() or target.suffix.lower() != ".csv":
            return None
        if problem := read_member_name(target.name)[1]:
            raise ArchiveRefusedError(f"{path}: {problem}")
        return target.name

    def refuse_wrong_sums(self, name: str, warnings: list[str]) -> bool:
        """Refuse a zip of the user's folder that is not what the checksums beside it say.

        A list is any file in the same folder that is named as one, see
        :func:`kraken_ohlcv.clients.archive.checksums.is_list`; without any, the zip is taken as it is.
        What was found right is remembered and not read again while its size and time of change stay: a full
        release has ten gigabytes.

        :param name: of a zip, or of a folder, which has none
        :param warnings: takes a sentence for each list that cannot be read
        :return: whether a checksum was found right for the whole zip, or for each of its parts
        :raises ArchiveRefusedError: if a checksum differs, a list names a part of the zip that is not there,
            or a list about this zip cannot be read
        """
        target = self.resolve(name)
        if target.is_dir():
            return False
        files, right, remembered = _pieces(target), set[str](), self.work_folder / "right-sums"
        pieces = {path.name: [path] for path in files} | {target.name: files}
        try:
            for sums_list in sorted(path for path in target.parent.iterdir() if is_list(path.name)):
                sums = _sums_of(sums_list)
                for piece, expected in sums.found:
                    match = PART.match(piece)
                    if piece in pieces:
                        _refuse_wrong(piece, pieces[piece], expected, sums_list, remembered)
                        right.add(piece)
                    elif match and match["zip"] == target.name and files != [target]:
                        raise ArchiveRefusedError(
                            f"{piece} is missing, which {sums_list.name} names; download it, then run again"
                        )
                _judge_unread(sums_list, sums, pieces, warnings)
        except OSError as error:
            raise ArchiveRefusedError(f"{name} cannot be read: {error.strerror}") from error
        return target.name in right or {path.name for path in files} <= right

    @contextmanager
    def open(self, name: str, *, is_remote: bool = False) -> Iterator[Archive]:
        """Open a folder or zip.

        :param name: relative to the archive folder, or of a published zip
        :param is_remote: whether it is a published one
        :return: context manager of the open archive
        :raises ArchiveRefusedError: if it is gone, leads out of the folder, or is no zip
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        if not is_remote and (target := self.resolve(name)).is_dir():
            yield FolderArchive(target, name)
            return
        with self._published(name) if is_remote else self._local(name) as file:
            yield ZipArchive(file, name, is_remote=is_remote)

    @contextmanager
    def open_for(self, member: Member) -> Iterator[Archive]:
        """Open the archive of a file that a run has found before.

        :param member: the file
        :return: context manager of the open archive
        :raises ArchiveError: if another file stands there now
        :raises ArchiveRefusedError: if it cannot be opened
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        with self.open(member.archive, is_remote=member.is_remote) as archive:
            if archive.identity(member.path) != member.identity:
                raise ArchiveError(f"{member.archive} was replaced after the run had found it; run again")
            yield archive

    def published_name(self, release: Release) -> str | None:
        """Return under which name a release is published.

        :param release: of a quarter, or a full one
        :return: name of its zip, or None when it is not published
        :raises ArchiveRefusedError: if the server sends whole files only and that is not wanted
        :raises ArchiveServerError: if the server does not give a usable answer
        """
        names = remote_names(release)
        if release.name == NEWEST_FULL and (newest := newest_full(self.server().full_sums())):
            names = (newest,)
        for name in names:
            try:
                with self._published(name):
                    return name
            except NotPublishedError:
                continue
        return None

    def _local(self, name: str) -> IO[bytes]:
        """Open a zip of the archive folder."""
        try:
            return _joined([path.open("rb") for path in _pieces(self.resolve(name))])
        except OSError as error:
            raise ArchiveRefusedError(f"{name} cannot be read: {error.strerror}") from error

    def _published(self, name: str) -> IO[bytes]:
        """Open a published zip, which may lie in parts when it is a full release.

        :raises NotPublishedError: if the server has no such zip
        """
        if not is_full(name):
            return self._file(name)
        if listed := sorted(one for one in self.server().full_sums() if zip_of(one) == name != one):
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
        if not downloaded.exists():
            try:
                return cast("IO[bytes]", self.server().open(name))
            except RangesNotSupportedError as error:
                if not self.allow_full_download:
                    raise ArchiveRefusedError(
                        f"{error}; run again with allow_full_download to fetch all of it, or download it "
                        "yourself and give its path"
                    ) from error
            self.server().download(name, downloaded)
        return downloaded.open("rb")


def _pieces(target: Path) -> list[Path]:
    """Return the files in which a path lies: itself, or the parts of a zip in order; none without any.

    :raises ArchiveRefusedError: if a part between others is missing; a missing last one shows when the zip is
        opened
    """
    if target.exists() or not target.parent.is_dir():
        return [target] if target.exists() else []
    parts = {
        int(match["number"]): path
        for path in target.parent.iterdir()
        if (match := PART.match(path.name)) and match["zip"] == target.name and not path.is_symlink()
    }
    if missing := sorted(set(range(max(parts, default=0))) - parts.keys()):
        part = f"{target.name}: part {missing[0]:02}"
        raise ArchiveRefusedError(f"{part} is missing; download it, then run again")
    return [parts[number] for number in sorted(parts)]


def _joined(parts: Sequence[IO[bytes]]) -> IO[bytes]:
    return parts[0] if len(parts) == 1 else cast("IO[bytes]", JoinedParts(parts))


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


def _sums_of(sums_list: Path) -> Sums:
    """Return what a list says; nothing when it is a link, or too long to be one."""
    if sums_list.is_symlink() or not sums_list.is_file() or sums_list.stat().st_size > MAX_LIST_BYTES:
        return Sums()
    return read_sums(sums_list.name, sums_list.read_bytes())


def _refuse_wrong(name: str, files: Sequence[Path], expected: str, sums_list: Path, remembered: Path) -> None:
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
