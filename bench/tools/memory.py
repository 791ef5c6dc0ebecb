"""Measures how much memory a process has needed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mib() -> float:
    """Return the most memory that this process has had, MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike ru_maxrss this forgets what the process that started us had.
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if "VmHWM" in line)
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
