"""Checksums beside a zip of the user's folder, or beside its parts, are checked before it is read."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.locator import ArchiveLocator

if TYPE_CHECKING:
    from pathlib import Path

NAME = "Kraken_OHLCVT_Full_2026Q2.zip"
LIST = "OHLCVT_Full_PARTS_SHA256SUMS.txt"
PARTS = (b"first part", b"second part", b"end")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Give the parts of a zip in a folder of their own."""
    folder = tmp_path / "archive"
    folder.mkdir()
    found = [folder / f"{NAME}.part{number:02}" for number in range(len(PARTS))]
    for path, content in zip(found, PARTS, strict=True):
        path.write_bytes(content)
    return found


def write_list(
    parts: list[Path], name: str = LIST, *, wrong: int | None = None, form: str = "{0}  {1}"
) -> None:
    lines = [
        form.format(sha256(b"else" if number == wrong else content), path.name)
        for number, (path, content) in enumerate(zip(parts, PARTS, strict=True))
    ]
    (parts[0].parent / name).write_text("\n".join(["# of the full release", *lines, ""]))


def check(files: list[Path], name: str = NAME) -> tuple[bool, list[str]]:
    """Return whether all of it has a right checksum, and the warnings."""
    warnings: list[str] = []
    folder = files[0].parent
    locator = ArchiveLocator(folder, folder.parent, lambda: ArchiveClient(ARCHIVE_URL))
    return locator.refuse_wrong_sums(name, warnings), warnings


@pytest.mark.parametrize(
    "form",
    [
        "{0}  {1}",
        "{0} *{1}",
        "{0}  ./{1}",
        "{0}  {1}\r",
        "{0}\t{1}",
        "{0}  some folder/{1}",
        "{0}  C:\\some folder\\{1}",
        "SHA256 ({1}) = {0}",
        "SHA256({1})= {0}",
        "SHA2-256({1})= {0}",
        "SHA256          {0}       C:\\Downloads\\{1}",
    ],
)
def test_parts_that_are_what_their_sums_say_are_taken(parts: list[Path], form: str) -> None:
    write_list(parts, form=form)
    assert check(parts) == (True, [])
    assert len(list((parts[0].parent.parent / "right-sums").iterdir())) == len(parts)


@pytest.mark.parametrize("name", [LIST, "SHA256SUMS", f"{NAME}.sha256", "sha256sums.TXT"])
def test_a_part_that_is_not_is_refused_by_name_with_both_sums(parts: list[Path], name: str) -> None:
    write_list(parts, name, wrong=1)
    with pytest.raises(ArchiveRefusedError) as refused:
        check(parts)
    for said in (parts[1].name, sha256(PARTS[1]), sha256(b"else"), name, "download it again"):
        assert said in str(refused.value)
    assert parts[0].name not in str(refused.value)


def test_the_sum_of_the_joined_zip_is_that_of_its_parts_in_order(parts: list[Path]) -> None:
    beside = parts[0].with_name(f"{NAME}.sha256")
    beside.write_text(f"{sha256(b''.join(PARTS))}  {NAME}\n")
    check(parts)
    beside.write_text(f"{sha256(PARTS[0])}  {NAME}\n")
    with pytest.raises(ArchiveRefusedError, match=f"^{NAME} has SHA-256 {sha256(b''.join(PARTS))}"):
        check(parts)


def test_a_whole_zip_is_checked_and_sums_of_other_files_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "archive" / "Kraken_OHLCVT_2026Q2.zip"
    path.parent.mkdir()
    path.write_bytes(b"content")
    beside = path.with_name("Kraken_OHLCVT_2026Q2_SHA256SUMS.txt")
    beside.write_text(f"{sha256(b'x')}  Kraken_OHLCVT_2026Q1.zip\n{sha256(b'x')}  {path.name}.part07\n")
    assert check([path], path.name) == (False, [])
    beside.write_text(f"{sha256(b'x')}  {path.name}\n")
    with pytest.raises(ArchiveRefusedError, match=rf"{path.name} has SHA-256"):
        check([path], path.name)


def test_a_part_that_a_list_names_and_nobody_has_is_missed(parts: list[Path]) -> None:
    write_list(parts)
    parts[-1].unlink()
    with pytest.raises(ArchiveRefusedError, match=f"{NAME}.part02 is missing, which {LIST} names"):
        check(parts[:-1])


def test_without_sums_files_are_taken_as_they_are(parts: list[Path]) -> None:
    (parts[0].parent / "notes.txt").write_text(f"{sha256(b'else')}  {parts[0].name}\n")
    (parts[0].parent / "link_SHA256SUMS.txt").symlink_to(parts[0].parent / "notes.txt")
    is_right, (warning,) = check(parts)
    assert not is_right
    assert warning.startswith("link_SHA256SUMS.txt has no readable line")


def test_what_was_found_right_is_read_again_only_when_it_has_changed(parts: list[Path]) -> None:
    write_list(parts)
    check(parts)
    state = parts[0].stat()
    parts[0].write_bytes(PARTS[0].upper())
    os.utime(parts[0], ns=(state.st_atime_ns, state.st_mtime_ns))
    check(parts)

    os.utime(parts[0], ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(ArchiveRefusedError, match="part00 has SHA-256"):
        check(parts)


def whole_zip(tmp_path: Path) -> Path:
    path = tmp_path / "archive" / "X.zip"
    path.parent.mkdir()
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["{0}", "{0}\r\n", "{0}  X.zip\n", "SHA256 (X.zip) = {0}\n"])
@pytest.mark.parametrize("name", ["X.zip.sha256", "X_SHA256SUMS.txt", "X.zip.sha256.txt"])
def test_a_sum_counts_however_it_is_written(tmp_path: Path, name: str, form: str, encoding: str) -> None:
    path = whole_zip(tmp_path)
    beside = path.with_name(name)
    beside.write_bytes(form.format(sha256(b"content").upper()).encode(encoding))
    assert check([path], path.name) == (True, [])
    beside.write_bytes(form.format(sha256(b"else")).encode(encoding))
    with pytest.raises(ArchiveRefusedError, match=rf"X\.zip has SHA-256 .* but {name} beside it says"):
        check([path], path.name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("X.zip.sha256", sha256(b"content")[:-1], id="a digit is missing"),
        pytest.param("X.zip.sha256", "", id="nothing in it"),
        pytest.param("X.zip.sha256", "<html>404</html>", id="a page of a server"),
        pytest.param("X.zip.sha256", f"{sha256(b'content')}  Y.zip", id="the sum of another file"),
        pytest.param(
            "SHA256SUMS", f"{sha256(b'y')}  Y.zip\n{sha256(b'x')[:-2]}  X.zip\n", id="one line cut off"
        ),
    ],
)
def test_a_list_about_a_zip_that_cannot_be_read_is_no_leave_to_take_it(
    tmp_path: Path, name: str, content: str
) -> None:
    path = whole_zip(tmp_path)
    path.with_name(name).write_text(content)
    with pytest.raises(ArchiveRefusedError, match=rf"{name} has no line about X\.zip that can be read"):
        check([path], path.name)


@pytest.mark.parametrize("name", ["SHA256SUMS", "checksums.txt", "MD5SUMS", "Y.zip.sha256", "X.zip.md5"])
def test_of_a_list_without_a_line_that_can_be_read_a_warning_tells(tmp_path: Path, name: str) -> None:
    path = whole_zip(tmp_path)
    path.with_name(name).write_text("0123456789abcdef  all files\n")
    is_right, (warning,) = check([path], path.name)
    assert not is_right
    assert warning.startswith(f"{name} has no readable line")


def test_of_two_sums_of_one_file_both_are_compared(tmp_path: Path) -> None:
    path = whole_zip(tmp_path)
    path.with_name("SHA256SUMS").write_text(f"{sha256(b'else')}  X.zip\n{sha256(b'content')}  X.zip\n")
    with pytest.raises(ArchiveRefusedError, match=sha256(b"else")):
        check([path], path.name)
