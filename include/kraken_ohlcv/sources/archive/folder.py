"""The user's archive folder: paths inside it, read and never written, and a folder of our own beside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from kraken_ohlcv.core.settings import ARCHIVE_FOLDER_ENV
from kraken_ohlcv.sources.archive.containers import FolderContainer, ZipContainer
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.names import read_member_name
from kraken_ohlcv.sources.archive.parts import PART, JoinedParts

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from kraken_ohlcv.sources.archive.containers import Container


def resolve(root: Path | None, path: str) -> Path:
    """Return where a path inside the archive folder leads.

    :param root: the archive folder, or None when it is not set
    :param path: relative, with ``/``; ``.`` is the folder itself
    :return: resolved path inside the folder
    :raises ArchiveRefusedError: if the folder is not set, or the path is absolute, leads out of it (also by a
        symbolic link), or does not exist
    """
    if root is None:
        raise ArchiveRefusedError(
            f"path {path!r} cannot be read: set {ARCHIVE_FOLDER_ENV} to the folder with the archive's files"
        )
    given = PurePosixPath(path.replace("\\", "/"))
    if given.is_absolute() or Path(path).is_absolute() or ".." in given.parts:
        raise ArchiveRefusedError(
            f"path {path!r} is not below the archive folder; name it relative to that, without .."
        )
    home = root.resolve()
    target = (home / given).resolve()
    if target != home and home not in target.parents:
        raise ArchiveRefusedError(
            f"path {path!r} leads out of the archive folder by a symbolic link; put the file itself there"
        )
    if not target.exists() and not _first_part(target):
        raise ArchiveRefusedError(f"path {path!r} does not exist in the archive folder {home}")
    return target


def containers_at(root: Path | None, path: str) -> Iterator[str]:
    """Return the containers that a path names.

    :param root: the archive folder
    :param path: a CSV, a zip, the first part of a zip, or a folder, whose folders count too
    :return: paths relative to the archive folder, of folders and zips
    :raises ArchiveRefusedError: see :func:`resolve`, or if it is none of these
    """
    target = resolve(root, path)
    home = cast("Path", root).resolve()
    if target.is_dir():
        for folder in (target, *sorted(below for below in target.rglob("*") if below.is_dir())):
            if not folder.is_symlink() and not _is_hidden(folder, home):
                yield from _in_folder(folder, home)
        return
    if match := PART.match(target.name):
        target = target.with_name(match["zip"])
    if target.suffix.lower() == ".zip":
        yield target.relative_to(home).as_posix()
    elif target.suffix.lower() == ".csv":
        yield target.parent.relative_to(home).as_posix()
    else:
        raise ArchiveRefusedError(f"path {path!r} is neither a CSV, nor a zip, nor a folder")


def _in_folder(folder: Path, home: Path) -> Iterator[str]:
    zips = set()
    for path in sorted(folder.iterdir()):
        match = PART.match(path.name)
        name = match["zip"] if match else path.name
        if path.is_file() and not path.is_symlink() and name.lower().endswith(".zip"):
            zips.add(folder / name)
    yield folder.relative_to(home).as_posix()
    for path in sorted(zips):
        yield path.relative_to(home).as_posix()


def _is_hidden(folder: Path, home: Path) -> bool:
    parts = folder.relative_to(home).parts
    return any(part == "__MACOSX" or part.startswith(".") for part in parts)


def open_container(root: Path | None, relative: str) -> Container:
    """Open a container of the archive folder.

    :param root: the archive folder
    :param relative: of a folder or zip, as :func:`containers_at` returns it
    :return: the container
    :raises ArchiveRefusedError: if it is gone, leads out of the folder, or is no zip
    """
    target = resolve(root, relative)
    if target.is_dir():
        return FolderContainer(target, relative)
    try:
        files = [path.open("rb") for path in files_of_zip(root, relative)]
    except OSError as error:
        raise ArchiveRefusedError(f"{relative} cannot be read: {error.strerror}") from error
    return ZipContainer(files[0] if len(files) == 1 else cast("IO[bytes]", JoinedParts(files)), relative)


def files_of_zip(root: Path | None, relative: str) -> list[Path]:
    """Return the files in which a zip of the archive folder lies.

    :param root: the archive folder
    :param relative: of a zip, as :func:`containers_at` returns it
    :return: the zip itself, or its parts, in order
    :raises ArchiveRefusedError: if it is gone, leads out of the folder, or a part between others is missing
    """
    target = resolve(root, relative)
    return [target] if target.exists() else _parts(cast("Path", _first_part(target)))


def only_file(root: Path | None, path: str) -> str | None:
    """Return the base name when a path names one CSV, so that its neighbours are left alone.

    :param root: the archive folder
    :param path: as given
    :return: base name, or None
    :raises ArchiveRefusedError: if the name is not one of the archive's
    """
    target = resolve(root, path)
    if target.is_dir() or target.suffix.lower() != ".csv":
        return None
    problem = read_member_name(target.name).problem
    if problem:
        raise ArchiveRefusedError(f"{path}: {problem}")
    return target.name


def _first_part(target: Path) -> Path | None:
    for width in (2, 3, 4):
        first = target.with_name(f"{target.name}.part{0:0{width}}")
        if first.exists():
            return first
    return None


def _parts(first: Path) -> list[Path]:
    """Return all parts of a split zip, in order.

    :raises ArchiveRefusedError: if one between is missing; a missing last one shows when the zip is opened
    """
    match = cast("re.Match[str]", PART.match(first.name))
    found = {
        int(other["number"]): path
        for path in first.parent.iterdir()
        if (other := PART.match(path.name)) and other["zip"] == match["zip"] and not path.is_symlink()
    }
    missing = sorted(set(range(max(found) + 1)) - set(found))
    if missing:
        part = f"{match['zip']}: part {missing[0]:02}"
        raise ArchiveRefusedError(f"{part} is missing; download it, then run again")
    return [found[number] for number in sorted(found)]
