"""Members of the archive, one CSV each, and the folder or zip that holds them; nothing is unpacked."""

from __future__ import annotations

import json
import stat
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from pydantic import TypeAdapter

from kraken_ohlcv.clients.archive.checksums import is_list
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.names import (
    Release,
    is_ignored,
    may_hold_files,
    read_member_name,
    release_of,
    with_coverage,
    zip_of,
)

MAX_MEMBER_BYTES: Final = 8 * 1024**3
"""Uncompressed; the longest real member, a pair's minutes since 2013, has under half a gigabyte."""
MAX_RATIO: Final = 100
"""Real members shrink to a fourth or a sixth."""
RATIO_MATTERS_BYTES: Final = 10 * 1024**2
MAX_MEMBERS: Final = 200_000
MAX_MANIFEST_BYTES: Final = 1024 * 1024
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,
)
"""What :mod:`zipfile` raises, one way or another, about bytes that are no sound zip."""
BLOCK_BYTES: Final = 2 * 1024 * 1024
LINK: Final = "is a symbolic link; put what it leads to into the archive folder itself"
NO_ZIP_HERE: Final = (
    "unpack it into a folder of the archive folder, or name a path that leaves it out: it is not looked into"
)


def file_name(archive: str, path: str) -> str:
    """Return how people know a file.

    :param archive: folder or zip, relative to the archive folder, or the published zip's name
    :param path: of the file inside it
    """
    if archive.lower().endswith(".zip"):
        return f"{archive}!{path}"
    return path if archive == "." else f"{archive}/{path}"


@dataclass(frozen=True, slots=True)
class Member:
    """One CSV.

    :ivar archive: folder or zip that holds it, relative to the archive folder, or the published zip's name
    :ivar path: inside of that
    :ivar series: what its name tells
    :ivar identity: text that changes with its content, or None when only its content tells
    :ivar release: what it speaks about
    :ivar is_remote: whether the archive is read from a server
    :ivar is_published: whether it comes from where the exchange publishes it, or a published checksum fits
    :ivar witnesses: the other files of the pair, path and candle length in minutes, shortest candles first
    """

    archive: str
    path: str
    series: Series
    identity: str | None
    release: Release
    is_remote: bool = False
    is_published: bool = False
    witnesses: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """Return how people know the file."""
        return file_name(self.archive, self.path)

    def may_hold(self, wanted: Range) -> bool:
        """Return whether some of a range lies in what the file speaks about.

        :param wanted: half-open, epoch seconds UTC
        """
        start_s, end_s = self.release.start_s, self.release.end_s
        return (start_s is None or start_s < wanted[1]) and (end_s is None or wanted[0] < end_s)

    def as_dict(self) -> dict[str, Any]:
        """Return it for the way between tasks."""
        given: dict[str, Any] = _MEMBER.dump_python(self, mode="json")
        return given

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Member:
        """Return it after the way between tasks."""
        return _MEMBER.validate_python(given)


_MEMBER: Final = TypeAdapter(Member)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder or zip holds.

    :ivar members: its CSVs, n >= 0, also those that are only read beside others; a series may have several,
        of different releases
    :ivar passed_over: single files that are not read, with the reason
    :ivar unopened: what may hold files of ours and is not looked into, with the reason
    """

    members: list[Member] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    unopened: dict[str, str] = field(default_factory=dict)

    def witnesses_of(self, asked: Member) -> tuple[tuple[str, int], ...]:
        """Return the other files of a pair, of the same release; of each interval one.

        :param asked: one of the members
        :return: path and candle length in minutes, shortest candles first
        """
        folder = _path(asked.path).parent
        found: dict[int, str] = {}
        for one in sorted(self.members, key=lambda one: _path(one.path).parent != folder):
            if one.series.ticker == asked.series.ticker and one.release == asked.release:
                found.setdefault(one.series.interval_minutes, one.path)
        found.pop(asked.series.interval_minutes, None)
        return tuple((path, minutes) for minutes, path in sorted(found.items()))


class Archive:
    """A folder or zip that holds CSVs.

    :param name: relative to the archive folder, or of the published zip; it tells the release
    :param is_remote: whether it is read from a server, which may change it meanwhile
    """

    def __init__(self, name: str, *, is_remote: bool = False) -> None:
        self.name, self.is_remote = name, is_remote
        self._release = release_of(name)

    def contents(self) -> Contents:
        """Return what is in it; files that cannot be read are passed over with the reason.

        :raises ArchiveRefusedError: if it cannot be read
        """
        found, names = Contents(), []
        manifests: dict[str, dict[str, Any] | None] = {}
        try:
            for name, why in self._entries(found):
                path, problem = _path(name), why
                if path.name.upper() == "MANIFEST.JSON" and not is_ignored(str(path.parent / "x")):
                    manifest, problem = (None, why) if why else self._manifest(name)
                    manifests[str(path.parent)] = manifest
                if problem:
                    found.passed_over[name] = problem
                elif may_hold_files(name) and not is_ignored(str(path)):
                    found.unopened[name] = NO_ZIP_HERE
                elif not is_ignored(str(path)):
                    names.append(name)
        except OSError as error:
            raise ArchiveRefusedError(f"{self.name} cannot be read: {error.strerror}") from error
        for name in names:
            path = _path(name)
            series, problem = read_member_name(path.name)
            if series is not None:
                manifest = manifests.get(str(path.parent), manifests.get(".", {}))
                release = with_coverage(self._release_of(name), manifest)
                found.members.append(
                    Member(self.name, name, series, self.identity(name), release, self.is_remote)
                )
            elif not is_list(path.name):
                found.passed_over[name] = problem
        return found

    def identity(self, path: str) -> str | None:
        """Return the identity of a CSV, see :class:`Member`, or None also when it is gone."""
        del path
        return None

    def blocks(self, path: str) -> Iterator[bytes]:
        """Return the bytes of a CSV.

        :param path: of the member
        :raises ArchiveRefusedError: if it turns out not to be whole
        :raises ArchiveError: if it cannot be read just now
        """
        try:
            with self._open(path) as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except DAMAGED as error:
            if self.is_remote:
                raise ArchiveError(
                    f"{path} does not arrive as its checksum says ({_words(error)}): the server's zip "
                    "has changed meanwhile, or its mirrors differ; run again"
                ) from error
            raise ArchiveRefusedError(
                f"{path} is damaged in its zip ({_words(error)}); download it again"
            ) from error
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read ({error.strerror}); run again") from error

    def size(self, path: str) -> int:
        """Return the length of a CSV, bytes; 0 when it is gone.

        :param path: of the member
        """
        raise NotImplementedError

    def _entries(self, found: Contents) -> Iterator[tuple[str, str | None]]:
        """Return each file and why it cannot be read; note in ``found`` what is not looked into."""
        raise NotImplementedError

    def _open(self, path: str) -> IO[bytes]:
        raise NotImplementedError

    def _manifest(self, path: str) -> tuple[dict[str, Any] | None, str | None]:
        """Return a parsed manifest, or what is wrong with it."""
        try:
            with self._open(path) as file:
                text = file.read(MAX_MANIFEST_BYTES + 1)
        except DAMAGED as error:
            return None, f"cannot be read: {_words(error)}"
        if len(text) > MAX_MANIFEST_BYTES:
            return None, f"is over the limit of {MAX_MANIFEST_BYTES} bytes"
        try:
            parsed = json.loads(text or b"{}")
        except (ValueError, RecursionError) as error:
            return None, f"is not JSON: {_words(error)}"
        return (parsed, None) if isinstance(parsed, dict) else (None, "is not a JSON object")

    def _release_of(self, path: str) -> Release:
        """Return the release that the folder of a member tells, or else that of its archive."""
        below = release_of(str(_path(path).parent))
        return below if below.name else self._release


class FolderArchive(Archive):
    """The CSVs of one folder, without those below it.

    :param folder: resolved, inside the archive folder
    :param name: its path as people know it
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(name)
        self._folder = folder

    def _entries(self, found: Contents) -> Iterator[tuple[str, str | None]]:
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_symlink() and (path.is_dir() or may_hold_files(path.name)):
                found.unopened[path.name] = LINK
            elif path.is_symlink():
                yield path.name, LINK
            elif path.is_file() and not zip_of(path.name).lower().endswith(".zip"):
                yield path.name, None

    def blocks(self, path: str) -> Iterator[bytes]:
        """Return the bytes of a CSV.

        :param path: of the member
        :raises ArchiveError: if it cannot be read just now, or is written meanwhile
        """
        before = self._state(path)
        yield from super().blocks(path)
        if self._state(path) != before:
            raise ArchiveError(f"{path} changed while it was read; run again when it is complete")

    def size(self, path: str) -> int:
        """Return the length of a CSV, bytes; 0 when it is gone."""
        file = self._folder / path
        return file.stat().st_size if file.is_file() else 0

    def _state(self, path: str) -> tuple[int, int] | None:
        """Return time and length of what was written last to a CSV; None when it is gone."""
        file = self._folder / path
        return (file.stat().st_mtime_ns, self.size(path)) if file.is_file() else None

    def _open(self, path: str) -> IO[bytes]:
        return (self._folder / path).open("rb")


class ZipArchive(Archive):
    """The CSVs of a zip, flat or below folders.

    :param file: the zip, seekable; nothing is written to it
    :param name: of the zip
    :param is_remote: whether it is read from a server
    :raises ArchiveRefusedError: if it is no zip, or one nobody should open
    """

    def __init__(self, file: IO[bytes], name: str, *, is_remote: bool = False) -> None:
        super().__init__(name, is_remote=is_remote)
        try:
            self._zip = zipfile.ZipFile(file)
        except (*DAMAGED, OSError) as error:
            raise ArchiveRefusedError(
                f"{name} is not a complete zip: {_words(error)}; download it again"
            ) from error
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise ArchiveRefusedError(f"{name} holds more than {MAX_MEMBERS} members: not Kraken's archive")

    def _entries(self, found: Contents) -> Iterator[tuple[str, str | None]]:
        del found
        by_name: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        for info in self._zip.infolist():
            by_name[info.filename].append(info)
        for name, (info, *others) in by_name.items():
            if name.endswith(("/", "\\")):
                continue
            if any((one.CRC, one.file_size) != (info.CRC, info.file_size) for one in others):
                yield name, f"is {len(others) + 1} times in the zip, with different contents"
            else:
                yield name, _unsafe(info)

    def identity(self, path: str) -> str | None:
        """Return the identity of a member: checksum and length stand in the directory of the zip."""
        try:
            info = self._zip.getinfo(path)
        except KeyError:
            return None
        return f"crc32:{info.CRC:08x}:{info.file_size}:{self._release_of(path).name or self.name}"

    def size(self, path: str) -> int:
        """Return the length of a CSV, bytes; 0 when it is gone."""
        return self._zip.getinfo(path).file_size if path in self._zip.NameToInfo else 0

    def _open(self, path: str) -> IO[bytes]:
        return self._zip.open(path)


def _path(name: str) -> PurePosixPath:
    """Return the path of a member; programs of Windows write backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _unsafe(info: zipfile.ZipInfo) -> str | None:
    """Return what no member of Kraken's zips has."""
    parts = _path(info.filename).parts
    is_rooted = info.filename.startswith(("/", "\\")) or ":" in "".join(parts[:1])
    size, packed = info.file_size, info.compress_size
    grows = size > MAX_RATIO * max(1, packed)
    findings = (
        (is_rooted or ".." in parts, "its path points outside the zip"),
        (stat.S_ISLNK(info.external_attr >> 16), "is a symbolic link"),
        (bool(info.flag_bits & 1), "is encrypted"),
        (
            info.compress_type not in METHODS,
            f"is compressed by method {info.compress_type}, which Kraken does not use",
        ),
        (size > MAX_MEMBER_BYTES, f"is {size} bytes long, over the limit of {MAX_MEMBER_BYTES}"),
        (grows and size > RATIO_MATTERS_BYTES, f"grows from {packed} to {size} bytes: a zip bomb"),
    )
    return next((finding for is_so, finding in findings if is_so), None)
