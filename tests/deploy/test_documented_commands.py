"""Every command of the deployment documents: run here, or marked with what it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("DEPLOY.md", "SECURITY.md")
MARKED = re.compile(r"\(needs (Docker|the Astro CLI|Kubernetes|systemd|Redis|a network)\b[^()]*\):?$")
SETTING = re.compile(r"^[A-Z][A-Z0-9_]*=")
BLOCK = re.compile(r"^(?: {4}| {6}).*(?:\n(?: {4}| {6}).*)*", re.MULTILINE)
RUN_BY_THEMSELVES = {"python -m pytest -q tests/deploy/test_astro.py"}
"""Those tests are part of the same run as this one."""


def commands(document: str) -> list[tuple[str, bool]]:
    """Return each command of a document, and whether it is marked as needing what is not here."""
    text = (ROOT / "docs" / document).read_text()
    found = []
    for block in BLOCK.finditer(text):
        before = text[: block.start()].rstrip()
        # A paragraph may be broken into lines anywhere, also in the middle of the mark.
        paragraph = " ".join(before.rsplit("\n\n", 1)[-1].split())
        lines = [line.strip() for line in block.group().splitlines()]
        found += [(line, MARKED.search(paragraph) is not None) for line in lines if not SETTING.match(line)]
    return found


HERE = [
    command
    for document in DOCUMENTS
    for command, is_marked in commands(document)
    if not is_marked and command not in RUN_BY_THEMSELVES
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the files that the commands name."""
    for file in (".env.example", "docker-compose.yaml", "docker-compose.override.yml", "constraints.txt"):
        shutil.copy(ROOT / file, tmp_path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    # As in a checkout after `make setup`.
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def test_commands_of_every_kind_are_found() -> None:
    found = commands("DEPLOY.md")
    assert ("docker compose up -d --build", True) in found
    assert ("astro dev parse", True) in found
    assert ("cp .env.example .env", False) in found
    assert len(HERE) >= 5


@pytest.mark.parametrize("program", ["docker", "kubectl", "systemctl", "astro", "apt-get"])
def test_commands_that_cannot_run_here_are_marked(program: str) -> None:
    assert [command for command in HERE if command.split()[0] == program] == []


@pytest.mark.development
@pytest.mark.parametrize("command", HERE)
def test_the_command_runs(command: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603 (commands of this project's documents)
        ["bash", "-ceu", command],  # noqa: S607 (wherever it is)
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
