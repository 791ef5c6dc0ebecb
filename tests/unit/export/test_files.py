"""A file of an export is whole or not there, and one export at a time writes into a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.export.files import (
    ExportError,
    ExportRefusedError,
    held,
    is_intact,
    sha256_of,
    write_whole,
)

if TYPE_CHECKING:
    from pathlib import Path

TWO_MINUTES_S = 120


def test_a_written_file_holds_all_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_what_stood_there_stays_when_the_disk_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"file cannot be written \(No space left on device\)"):
        write_whole(path, b"two")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"file": b"one"}


def test_leftovers_of_a_killed_export_are_written_over(tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(b"much longer than what comes")
    write_whole(tmp_path / "file", b"one")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"file": b"one"}


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param(b"one", True, id="as it should be"),
        pytest.param(b"two", False, id="other bytes of the same length"),
        pytest.param(b"on", False, id="cut off"),
        pytest.param(b"", False, id="empty"),
        pytest.param(None, False, id="gone"),
    ],
)
def test_a_file_is_intact_only_with_its_very_bytes(
    tmp_path: Path, there: bytes | None, expected: bool
) -> None:
    path = tmp_path / "file"
    if there is not None:
        path.write_bytes(there)
    assert is_intact(path, n_bytes=3, sha256=sha256_of(b"one")) is expected


def test_a_folder_in_the_place_of_a_file_is_not_intact(tmp_path: Path) -> None:
    assert not is_intact(tmp_path, n_bytes=3, sha256=sha256_of(b"one"))


def test_a_second_export_into_the_same_folder_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with held(tmp_path / "out"), pytest.raises(ExportRefusedError, match="another export is writing"):  # noqa: SIM117
        with held(tmp_path / "out"):
            pass
    with held(tmp_path / "out"):
        pass


def test_a_killed_export_keeps_nobody_out(tmp_path: Path) -> None:
    script = (
        "import sys, os, pathlib\n"
        "from kraken_ohlcv.export.files import held\n"
        "with held(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-c", script, str(tmp_path)],
        check=False,
        timeout=TWO_MINUTES_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == -9
    with held(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(ExportError, match=r"out cannot be written \(File exists\)"), held(tmp_path / "out"):
        pass
