"""Where files of the archive lie: a folder, or a zip; opened read-only, never unpacked by a given path."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.archive.names import Release, is_bystander, read_member_name, release_of, with_coverage
from include.ohlcv.archive.parts import ReadsAhead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from include.ohlcv.gaps import Series

MAX_MEMBER_BYTES: Final = 8 * 1024**3
"""Uncompressed; the longest real member, a pair's minutes since 2013, has under half a gigabyte."""
MAX_RATIO: Final = 100
"""Real members shrink to a fourth or a sixth."""
RATIO_MATTERS_BYTES: Final = 10 * 1024**2
MAX_MEMBERS: Final = 200_000
LONGEST_HEADER_BYTES: Final = 512
"""Of a member, before its data: its name stands in it, and little else."""
MAX_MANIFEST_BYTES: Final = 1024 * 1024
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


@dataclass(frozen=True, slots=True)
class Entry:
    """A CSV in a container.

    :ivar series: what its name tells
    :ivar name: how the container finds it
    :ivar identity: text that changes with its content, or None when only its content tells
    """

    series: Series
    name: str
    identity: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a container holds.

    :ivar release: what it speaks about
    :ivar entries: by series
    :ivar passed_over: files that are none of ours, with the reason
    """

    release: Release
    entries: dict[Series, Entry]
    passed_over: dict[str, str]

    def finest_of(self, ticker: str) -> Entry:
        """Return the member with the shortest candles of a pair.

        :param ticker: of at least one entry
        """
        return min(
            (entry for series, entry in self.entries.items() if series.ticker == ticker),
            key=lambda entry: entry.series.interval_minutes,
        )


class Container(Protocol):
    """Something that holds CSVs of the archive."""

    is_sealed: bool
    """Whether reading a member to its end proves it whole."""

    def contents(self) -> Contents:
        """Return what is in it."""

    def identity(self, name: str) -> str | None:
        """Return the identity of a CSV, see :class:`Entry`, or None also when it is gone."""

    def open(self, name: str) -> IO[bytes]:
        """Open a CSV for reading, by the name of its entry."""


class FolderContainer:
    """The CSVs of one folder, without those below it.

    :param folder: resolved, inside the archive folder
    :param relative: its path as people know it
    """

    is_sealed = False

    def __init__(self, folder: Path, relative: str) -> None:
        self._folder, self._relative = folder, relative

    def contents(self) -> Contents:
        """Return the CSVs of the folder; symbolic links in it are passed over."""
        names, passed_over = [], {}
        for path in sorted(self._folder.iterdir()):
            if path.suffix.lower() != ".csv" or path.name.startswith("."):
                continue
            if path.is_symlink():
                passed_over[path.name] = "is a symbolic link"
            elif path.is_file():
                names.append((path.name, None))
        manifest = self._folder / "MANIFEST.json"
        text = manifest.read_bytes()[:MAX_MANIFEST_BYTES] if manifest.is_file() else b""
        release = with_coverage(release_of(self._relative), _parsed(text))
        return _contents(release, names, passed_over)

    def identity(self, name: str) -> str | None:
        """Return None: only reading a CSV tells."""
        del name
        return None

    def open(self, name: str) -> IO[bytes]:
        """Open a CSV."""
        return (self._folder / name).open("rb")


class ZipContainer:
    """The CSVs of a zip, flat or below folders.

    :param file: the zip, seekable; nothing is written to it
    :param name: of the zip, which tells the release
    :raises ArchiveRefusedError: if it is no zip, or one nobody should open
    """

    is_sealed = True  # the CRC of each member is checked at its end

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._name, self._file, self._release = name, file, release_of(name)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise ArchiveRefusedError(f"{name} is not a zip, or not a whole one: {error}") from error
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise ArchiveRefusedError(f"{name} holds more than {MAX_MEMBERS} members: not Kraken's archive")

    def contents(self) -> Contents:
        """Return the CSVs of the zip; members that no zip of Kraken holds are passed over with the reason."""
        names, passed_over = [], {}
        manifest: dict[str, Any] = {}
        for info in self._zip.infolist():
            if PurePosixPath(info.filename).name == "MANIFEST.json" and info.file_size <= MAX_MANIFEST_BYTES:
                manifest = _parsed(self._zip.read(info))
            problem = _hostility(info)
            if info.is_dir() or (is_bystander(info.filename) and not problem):
                continue
            if problem:
                passed_over[info.filename] = problem
            else:
                names.append((info.filename, self.identity(info.filename)))
        return _contents(with_coverage(self._release, manifest), names, passed_over)

    def identity(self, name: str) -> str | None:
        """Return the identity of a member: checksum and length stand in the directory of the zip."""
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            return None
        return f"crc32:{info.CRC:08x}:{info.file_size}:{self._release.name or self._name}"

    def open(self, name: str) -> IO[bytes]:
        """Open a member."""
        info = self._zip.getinfo(name)
        if isinstance(self._file, ReadsAhead):
            self._file.seek(info.header_offset)
            self._file.expect(info.header_offset + LONGEST_HEADER_BYTES + info.compress_size)
        return self._zip.open(info)


@contextmanager
def reading(container: Container, name: str) -> Iterator[IO[bytes]]:
    """Open a CSV for reading to its end.

    :param container: where it lies
    :param name: of its entry
    :return: context manager of its bytes
    :raises ArchiveRefusedError: if it turns out not to be whole
    """
    try:
        with closing(_opened(container, name)) as stream:
            yield stream
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ArchiveRefusedError(f"{name} is damaged in its zip ({error}); download it again") from error


def _opened(container: Container, name: str) -> IO[bytes]:
    try:
        return container.open(name)
    except ValueError as error:
        # An offset that leads out of a zip whose head is cut off.
        raise zipfile.BadZipFile(str(error)) from error


def _contents(
    release: Release, names: Iterable[tuple[str, str | None]], passed_over: dict[str, str]
) -> Contents:
    entries: dict[Series, Entry] = {}
    for name, identity in names:
        member = read_member_name(PurePosixPath(name).name)
        if member.series is None:
            passed_over[name] = member.problem
        elif member.series in entries:
            passed_over[name] = f"there is another {member.series} beside it: {entries[member.series].name}"
        else:
            entries[member.series] = Entry(member.series, name, identity)
    return Contents(release, entries, passed_over)


def _hostility(info: zipfile.ZipInfo) -> str | None:
    """Return what no member of Kraken's zips has."""
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    is_rooted = info.filename.startswith(("/", "\\")) or ":" in "".join(parts[:1])
    grows = info.file_size > MAX_RATIO * max(1, info.compress_size)
    findings = {
        "its path leads out of the zip": is_rooted or ".." in parts,
        "is a symbolic link": stat.S_ISLNK(info.external_attr >> 16),
        "is encrypted": bool(info.flag_bits & 1),
        f"is compressed by method {info.compress_type}, which Kraken does not use": (
            info.compress_type not in METHODS
        ),
        f"is {info.file_size} bytes long, over the limit of {MAX_MEMBER_BYTES}": (
            info.file_size > MAX_MEMBER_BYTES
        ),
        f"grows from {info.compress_size} to {info.file_size} bytes: a zip bomb": (
            grows and info.file_size > RATIO_MATTERS_BYTES
        ),
    }
    return next((finding for finding, is_so in findings.items() if is_so), None)


def _parsed(manifest: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(manifest or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
