"""Prometheus' own checker, where it is installed; Debian's package prometheus has it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def promtool(*arguments: str, given: str = "") -> str:
    """Run promtool and return what it says; skips the test where it is not installed, except in CI.

    :param given: its standard input
    """
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed: apt-get install prometheus")
        pytest.skip("needs promtool: apt-get install prometheus")
    command = [program, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
