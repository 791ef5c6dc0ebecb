"""Files that are whole or not there: written beside, brought to disk, then renamed."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kraken_ohlcv.core.errors import OhlcvError, Permanent

LOCK: Final = ".lock"


class ExportError(OhlcvError):
    """Something could not be written; the same export goes on where it stopped."""


class ExportRefusedError(OhlcvError, Permanent):
    """The folder is not one that this export may write into; the message says which one it may."""


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of some bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def begun(path: Path) -> Path:
    """Return where a file stands while it is being written."""
    return path.with_name(f".{path.name}.part")


def is_intact(path: Path, *, n_bytes: int, sha256: str) -> bool:
    """Return whether a file is there and holds what it should.

    :param n_bytes: its size
    :param sha256: of its bytes, 64 hex digits
    :raises ExportError: if it is there and cannot be read
    """
    with _typed_errors(path, "read"):
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != n_bytes:
                    return False
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except (FileNotFoundError, IsADirectoryError):
            return False


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name stands for all of it, or for what stood there before.

    :param path: its folder is made when there is none
    :raises ExportError: if it cannot be written
    """
    beside = begun(path)
    with _typed_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:
            # Half a file helps nobody, and takes room on a disk that may be full.
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def take_away(path: Path) -> None:
    """Take away a file of ours that another one has replaced; one that is gone already is no error.

    :raises ExportError: if that is not possible
    """
    with _typed_errors(path, "replaced"):
        path.unlink(missing_ok=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder for one export at a time, until this process lets it go or ends.

    :param folder: made when there is none
    :raises ExportRefusedError: if another export is writing into it
    :raises ExportError: if it cannot be written
    """
    with _typed_errors(folder, "written"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("wb")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExportRefusedError(
                f"another export is writing into {folder}: wait until it has ended, or give another folder"
            ) from None
        yield


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _typed_errors(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"{path} cannot be {done} ({error.strerror or error}): put that right, then run the same export "
            "again; it continues where it stopped"
        ) from error
