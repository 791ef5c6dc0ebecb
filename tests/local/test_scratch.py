"""What killed processes left in the temporary folder goes at the next start, and nothing else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from local.processes import ROOT, load_process
from local.scratch import OWNER, remove_abandoned, scratch_directory

LEAVE = """
import os, sys
from local.processes import start_process
from local.scratch import scratch_directory
directory = scratch_directory("left")
start_process("a server", ["sleep", "600"], log_file=directory / "log", pid_file=directory / "server.pid")
print(directory, flush=True)
os._exit(1)
"""
"""Ends as a killed process does: nothing is cleaned up, and what it started runs on."""


def left_in(folder: Path) -> Path:
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-c", LEAVE],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Path(done.stdout.strip())


def test_the_folder_of_a_killed_process_goes_with_the_server_in_it(tmp_path: Path) -> None:
    directory = left_in(tmp_path)
    server = load_process(directory / "server.pid")
    assert server is not None
    assert server.is_alive()
    assert remove_abandoned(tmp_path) == [directory]
    assert not directory.exists()
    assert not server.is_alive()


def test_what_is_in_use_or_somebody_elses_stays(tmp_path: Path) -> None:
    left = left_in(tmp_path)
    server = load_process(left / "server.pid")
    assert server is not None
    owner = json.loads((left / OWNER).read_text())
    (left / OWNER).write_text(json.dumps({**owner, "machine": "another"}))
    mine = scratch_directory("mine")
    try:
        kept = mine.rename(tmp_path / mine.name)  # its maker is this process
        for name in ("ohlcv-archive", "ohlcv-cut", "another"):
            (tmp_path / name).mkdir()
        (tmp_path / "ohlcv-cut" / OWNER).write_text('{"pid": 1')
        (tmp_path / "ohlcv-link").symlink_to(left)
        (tmp_path / "another" / OWNER).write_text(json.dumps(owner))
        before = sorted(tmp_path.iterdir())
        assert remove_abandoned(tmp_path) == []
        assert sorted(tmp_path.iterdir()) == before
        assert kept.is_dir()
        assert server.is_alive()
    finally:
        server.kill()
