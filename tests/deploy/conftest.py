"""Fixtures of the deployment's tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.environments import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ("dags", "include", "plugins")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the distribution's wheel, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(  # noqa: S603 (a constant)
        [sys.executable, "-c", build], cwd=folder, check=True, capture_output=True, text=True
    )
    return folder / done.stdout.split()[-1]
