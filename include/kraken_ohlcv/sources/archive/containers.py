"""Where files of the archive lie: a folder, or a zip; opened read-only, never unpacked by a given path."""

from __future__ import annotations

import json
import stat
import struct
import zipfile
import zlib
from collections import defaultdict
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from kraken_ohlcv.clients.archive.checksums import is_list
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.names import (
    Release,
    is_bystander,
    may_hold_files,
    read_member_name,
    release_of,
    with_coverage,
    zip_of,
)
from kraken_ohlcv.sources.archive.parts import ReadsAhead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kraken_ohlcv.core.gap import Series

MAX_MEMBER_BYTES: Final = 8 * 1024**3
"""Uncompressed; the longest real member, a pair's minutes since 2013, has under half a gigabyte."""
MAX_RATIO: Final = 100
"""Real members shrink to a fourth or a sixth."""
RATIO_MATTERS_BYTES: Final = 10 * 1024**2
MAX_MEMBERS: Final = 200_000
LONGEST_HEADER_BYTES: Final = 512
"""Of a member, before its data: its name stands in it, and little else."""
MAX_MANIFEST_BYTES: Final = 1024 * 1024
TOO_LONG: Final = f"is over the limit of {MAX_MANIFEST_BYTES} bytes"
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,
)
"""What :mod:`zipfile` raises, one way or another, about bytes that are no sound zip."""
Manifest: TypeAlias = "dict[str, Any] | str"
"""A parsed ``MANIFEST.json``, or what is wrong with it."""
NO_ZIP_HERE: Final = (
    "unpack it into a folder of the archive folder, or name a path that leaves it out: it is not looked into"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A CSV in a container.

    :ivar series: what its name tells
    :ivar name: how the container finds it
    :ivar identity: text that changes with its content, or None when only its content tells
    :ivar release: what it speaks about
    """

    series: Series
    name: str
    identity: str | None
    release: Release

    @property
    def folder(self) -> str:
        """Return the folder of the container in which it lies."""
        return str(_path(self.name).parent)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a container holds.

    :ivar release: what it speaks about as a whole
    :ivar entries: its CSVs, n >= 0; a series may have several, of different releases
    :ivar only_witnesses: files that are read beside others of their pair, and never stored
    :ivar passed_over: single files that are not read, with the reason
    :ivar unopened: what may hold files of ours and is not looked into, with the reason
    """

    release: Release
    entries: list[Entry] = field(default_factory=list)
    only_witnesses: list[Entry] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    unopened: dict[str, str] = field(default_factory=dict)

    def entry(self, series: Series) -> Entry:
        """Return the first CSV of a series.

        :param series: of at least one entry
        """
        return next(entry for entry in self.entries if entry.series == series)

    def witnesses_of(self, asked: Entry) -> list[tuple[str, int]]:
        """Return the other files of a pair, of the same release; of each interval one.

        :param asked: one of the entries
        :return: name and candle length in minutes, shortest candles first
        """
        found: dict[int, Entry] = {}
        all_files = (*self.entries, *self.only_witnesses)
        for entry in sorted(all_files, key=lambda one: one.folder != asked.folder):
            if entry.series.ticker == asked.series.ticker and entry.release == asked.release:
                found.setdefault(entry.series.interval_minutes, entry)
        found.pop(asked.series.interval_minutes, None)
        return [(entry.name, minutes) for minutes, entry in sorted(found.items())]


class Container(Protocol):
    """Something that holds CSVs of the archive."""

    is_sealed: bool
    """Whether reading a member to its end proves it whole."""
    is_remote: bool
    """Whether it is read from a server."""

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
    is_remote = False

    def __init__(self, folder: Path, relative: str) -> None:
        self._folder, self._relative = folder, relative

    def contents(self) -> Contents:
        """Return the CSVs of the folder; symbolic links in it are not followed.

        :raises ArchiveRefusedError: if the folder cannot be read
        """
        found = Contents(release_of(self._relative))
        names = []
        try:
            for path in sorted(self._folder.iterdir()):
                if path.name.startswith("."):
                    continue
                if path.is_symlink():
                    self._pass_over_link(path, found)
                elif path.is_file() and path.suffix.lower() == ".csv":
                    names.append((path.name, None))
                elif path.is_file() and not zip_of(path.name).lower().endswith(".zip"):
                    _pass_over(path.name, found)
            text = self._manifest_text()
        except OSError as error:
            raise ArchiveRefusedError(f"folder {self._relative} cannot be read: {error.strerror}") from error
        is_long = len(text) > MAX_MANIFEST_BYTES
        return _contents(found, names, {".": TOO_LONG if is_long else _parsed(text)})

    def identity(self, name: str) -> str | None:
        """Return None: only reading a CSV tells."""
        del name
        return None

    def open(self, name: str) -> IO[bytes]:
        """Open a CSV."""
        return (self._folder / name).open("rb")

    def _manifest_text(self) -> bytes:
        manifest = self._folder / "MANIFEST.json"
        if manifest.is_symlink() or not manifest.is_file():
            return b""
        return manifest.read_bytes()[: MAX_MANIFEST_BYTES + 1]

    def _pass_over_link(self, path: Path, found: Contents) -> None:
        why = "is a symbolic link; put what it leads to into the archive folder itself"
        if path.suffix.lower() == ".csv":
            found.passed_over[path.name] = why
        elif path.is_dir() or may_hold_files(path.name):
            found.unopened[path.name] = why


class ZipContainer:
    """The CSVs of a zip, flat or below folders.

    :param file: the zip, seekable; nothing is written to it
    :param name: of the zip, which tells the release
    :param is_remote: whether it is read from a server, which may change it meanwhile
    :raises ArchiveRefusedError: if it is no zip, or one nobody should open
    """

    is_sealed = True  # the CRC of each member is checked at its end

    def __init__(self, file: IO[bytes], name: str, *, is_remote: bool = False) -> None:
        self._name, self._file, self._release = name, file, release_of(name)
        self.is_remote = is_remote
        try:
            self._zip = zipfile.ZipFile(file)
        except (*DAMAGED, OSError) as error:
            raise ArchiveRefusedError(
                f"{name} is not a zip, or not a whole one: {_words(error)}; download it again"
            ) from error
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise ArchiveRefusedError(f"{name} holds more than {MAX_MEMBERS} members: not Kraken's archive")

    def contents(self) -> Contents:
        """Return the CSVs of the zip; members that cannot be read are passed over with the reason."""
        found = Contents(self._release)
        manifests: dict[str, Manifest] = {}
        by_name: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        for info in self._zip.infolist():
            by_name[info.filename].append(info)
        names: list[tuple[str, str | None]] = []
        for name, (info, *others) in by_name.items():
            path = _path(name)
            problem = _hostility(info)
            if any((one.CRC, one.file_size) != (info.CRC, info.file_size) for one in others):
                problem = f"stands {len(others) + 1} times in the zip, with different contents"
            if path.name.upper() == "MANIFEST.JSON" and not is_bystander(str(path.parent / "x")):
                manifests[str(path.parent)] = self._manifest(info, problem)
            elif name.endswith(("/", "\\")) or (is_bystander(str(path)) and not problem):
                continue
            elif problem:
                found.passed_over[name] = problem
            elif path.suffix.lower() == ".csv":
                names.append((name, self.identity(name)))
            else:
                _pass_over(name, found)
        return _contents(found, names, manifests)

    def identity(self, name: str) -> str | None:
        """Return the identity of a member: checksum and length stand in the directory of the zip."""
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            return None
        release = _release_below(self._release, name)
        return f"crc32:{info.CRC:08x}:{info.file_size}:{release.name or self._name}"

    def open(self, name: str) -> IO[bytes]:
        """Open a member."""
        info = self._zip.getinfo(name)
        if isinstance(self._file, ReadsAhead):
            self._file.seek(info.header_offset)
            self._file.expect(info.header_offset + LONGEST_HEADER_BYTES + info.compress_size)
        return self._zip.open(info)

    def _manifest(self, info: zipfile.ZipInfo, problem: str | None) -> Manifest:
        if problem:
            return problem
        if info.file_size > MAX_MANIFEST_BYTES:
            return TOO_LONG
        try:
            return _parsed(self._zip.read(info))
        except DAMAGED as error:
            return f"cannot be read: {_words(error)}"


class _Guarded:
    """A CSV that is being read; says of which file the bytes are that cannot be read.

    :param container: where it lies
    :param name: of its entry
    """

    def __init__(self, container: Container, name: str) -> None:
        self._container, self._name = container, name
        with self._telling():
            self._stream = container.open(name)

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes."""
        with self._telling():
            return self._stream.read(size)

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            if self._container.is_remote:
                raise ArchiveError(
                    f"{self._name} does not arrive as its checksum says ({_words(error)}): the server's zip "
                    "has changed meanwhile, or its mirrors differ; run again"
                ) from error
            raise ArchiveRefusedError(
                f"{self._name} is damaged in its zip ({_words(error)}); download it again"
            ) from error
        except OSError as error:
            raise ArchiveError(f"{self._name} cannot be read ({error.strerror}); run again") from error


@contextmanager
def reading(container: Container, name: str) -> Iterator[IO[bytes]]:
    """Open a CSV for reading to its end.

    :param container: where it lies
    :param name: of its entry
    :return: context manager of its bytes
    :raises ArchiveRefusedError: if it turns out not to be whole
    :raises ArchiveError: if it cannot be read just now
    """
    with closing(_Guarded(container, name)) as stream:
        yield cast("IO[bytes]", stream)


def _contents(
    found: Contents,
    names: Iterable[tuple[str, str | None]],
    manifests: Mapping[str, Manifest],
) -> Contents:
    """Return contents with their CSVs, each with the release that its folder or a manifest tells."""
    for folder, manifest in manifests.items():
        if isinstance(manifest, str):
            found.passed_over[str(PurePosixPath(folder, "MANIFEST.json"))] = manifest
    for name, identity in names:
        path = _path(name)
        member = read_member_name(path.name)
        if member.series is None:
            found.passed_over[name] = member.problem
            continue
        manifest = manifests.get(str(path.parent), manifests.get(".", {}))
        release = _covered_by(_release_below(found.release, name), manifest)
        entries = found.only_witnesses if member.is_witness else found.entries
        entries.append(Entry(member.series, name, identity, release))
    return replace(found, release=_covered_by(found.release, manifests.get(".", {})))


def _covered_by(release: Release, manifest: Manifest) -> Release:
    """Return a release with the coverage that a manifest declares; unknown when it cannot be read."""
    return replace(release, end_s=None) if isinstance(manifest, str) else with_coverage(release, manifest)


def _release_below(release: Release, name: str) -> Release:
    """Return the release that the folder of a member tells, or else that of its container."""
    below = release_of(str(_path(name).parent))
    return below if below.name else release


def _pass_over(name: str, found: Contents) -> None:
    """Note a file that is no CSV."""
    if may_hold_files(name):
        found.unopened[name] = NO_ZIP_HERE
    elif not is_bystander(name) and not is_list(_path(name).name):
        found.passed_over[name] = read_member_name(_path(name).name).problem


def _path(name: str) -> PurePosixPath:
    """Return the path of a member; programs of Windows write backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _hostility(info: zipfile.ZipInfo) -> str | None:
    """Return what no member of Kraken's zips has."""
    parts = _path(info.filename).parts
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


def _parsed(text: bytes) -> Manifest:
    """Return a manifest, or what is wrong with it."""
    try:
        parsed = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        return f"is not JSON: {_words(error)}"
    return parsed if isinstance(parsed, dict) else "is not a JSON object"
