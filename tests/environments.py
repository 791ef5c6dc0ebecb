"""Python environments with Airflow and all that is needed, but without this project."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
OURS: Final = "kraken_ohlcv_airflow"


def packages_without_ours(folder: Path) -> Path:
    """Make a folder with all installed packages but this project's distribution; return it.

    :param folder: an empty folder
    """
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        # Files that Python executes at its start, one of which would lead to the checkout, stay out.
        if OURS not in entry.name and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return folder


def run_python(
    python: Path | str, program: str, *, home: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program with an Airflow home of its own, and none of this process's settings.

    :param python: interpreter
    :param program: text of the program
    :param home: Airflow's home, which is also the working directory
    :param variables: environment beside
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PYTEST", "PYTHON", "OHLCV", "VIRTUAL_ENV"))
    }
    home.mkdir(parents=True, exist_ok=True)
    return subprocess.run(  # noqa: S603 (of our tests)
        [str(python), "-c", program],
        cwd=home,
        env={**kept, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def install(python: Path, wheel: Path) -> None:
    """Install a wheel, and nothing that it needs.

    :param python: interpreter of a virtual environment
    """
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, str(wheel)], check=True)  # noqa: S603 (of our tests)


def python_with(folder: Path, requirements: Iterable[str]) -> Path:
    """Make a virtual environment with some of what is installed here, and all that it needs.

    :param folder: where it is made
    :param requirements: as a distribution names them, with extras and markers
    :return: its interpreter
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)  # noqa: S603
    (site,) = folder.glob("lib/python*/site-packages")
    for name in _closure(requirements):
        found = distribution(name)
        for top in {
            file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")
        }:
            (site / top).symlink_to(Path(str(found.locate_file(top))))
    return folder / "bin" / "python"


def _closure(requirements: Iterable[str]) -> set[str]:
    """Return the distributions that some requirements need, by normalised name."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(one), "") for one in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(wanted.name)
        found.add(name)
        for own in ("", *sorted(wanted.extras)):
            if (name, own) not in seen:
                seen.add((name, own))
                waiting += [(Requirement(one), own) for one in distribution(name).requires or ()]
    return found


def python_without_ours(folder: Path) -> Path:
    """Make a virtual environment with all that is installed here but this project; return its interpreter.

    :param folder: where it is made
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)  # noqa: S603
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (folder / "packages").mkdir()
    (site / "packages.pth").write_text(f"{packages_without_ours(folder / 'packages')}\n")
    return python
