"""Folders in the system's temporary one, and the removal of those that a killed process has left.

Each says in a file of its own who made it. A folder without that file, of another user or of another machine,
is somebody else's, and so is one whose maker still runs.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

import psutil

from local.processes import START_TIME_TOLERANCE_S, load_process

PREFIX = "ohlcv-"
OWNER = "owner.json"


def scratch_directory(purpose: str) -> Path:
    """Make a folder that is removed at a later start when this process cannot do so itself.

    :param purpose: a word, part of its name
    """
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
    me = psutil.Process()
    owner = {"pid": me.pid, "started_at": me.create_time(), "machine": platform.node()}
    (directory / OWNER).write_text(json.dumps(owner) + "\n")
    return directory


def remove_abandoned(parent: Path | None = None) -> list[Path]:
    """Stop the servers and delete the folders of processes of this user that are gone.

    :param parent: where to look; ``None`` = the system's temporary folder
    :return: what was deleted
    """
    removed = []
    for directory in sorted((parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*")):
        if not _is_abandoned(directory):
            continue
        for pid_file in (*directory.rglob("*.pid"), *directory.rglob("pids/*.json")):
            if (service := load_process(pid_file)) is not None:
                service.kill()
            elif pid_file.name == "postmaster.pid":
                from local.postgres import stop_postgres  # noqa: PLC0415 (not in Airflow's image)

                stop_postgres(pid_file.parent)
        shutil.rmtree(directory, ignore_errors=True)
        removed.append(directory)
    return removed


def _is_abandoned(directory: Path) -> bool:
    try:
        is_mine = not directory.is_symlink() and directory.stat().st_uid == os.geteuid()
        owner = json.loads((directory / OWNER).read_text())
        pid, started_at, machine = int(owner["pid"]), float(owner["started_at"]), owner["machine"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return is_mine and machine == platform.node() and not _runs(pid, started_at)


def _runs(pid: int, started_at: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_it: bool = abs(process.create_time() - started_at) < START_TIME_TOLERANCE_S
        return is_it and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
