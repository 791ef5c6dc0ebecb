"""What the Astro CLI does with this project, as far as it goes without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kraken_ohlcv.core.settings import KRAKEN_CONN_ID, KRAKEN_POOL, KRAKEN_POOL_DESCRIPTION
from tests.image import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
INTEGRITY_TEST = ".astro/test_dag_integrity_default.py"
SETTINGS = ROOT / "airflow_settings.yaml"
# Keys that the CLI understands; it drops others silently.
CONNECTION_KEYS = {
    f"conn_{key}"
    for key in ("id", "type", "host", "schema", "login", "password", "port", "uri", "extra")
}  # fmt: skip
POOL_KEYS = {"pool_name", "pool_slot", "pool_description"}


def run(
    *arguments: str, home: Path, folder: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run Python as the CLI's containers do: the project on the path, Airflow's home elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    environment = {**kept, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(folder), **variables}
    return subprocess.run(  # noqa: S603 (arguments of this file)
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def settings() -> dict[str, Any]:
    """Give what `astro dev start` imports."""
    found: dict[str, Any] = yaml.safe_load(SETTINGS.read_text())["airflow"]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Give a copy of what the CLI copies into the image, to be broken."""
    for name in (".astro", "dags", "include", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_astro_dev_parse_passes(tmp_path: Path) -> None:
    done = run("-m", "pytest", INTEGRITY_TEST, home=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_astro_dev_parse_fails_on_a_dag_that_does_not_import(project: Path, tmp_path: Path) -> None:
    (project / "dags" / "broken.py").write_text(
        "from airflow.sdk import dag\nraise RuntimeError('broken on purpose')\n"
    )
    done = run("-m", "pytest", INTEGRITY_TEST, home=tmp_path / "home", folder=project)
    assert done.returncode == 1, done.stdout
    assert "broken on purpose" in done.stdout


def test_astro_dev_parse_fails_when_there_is_no_dag(project: Path, tmp_path: Path) -> None:
    for file in (project / "dags").glob("*.py"):
        file.unlink()
    done = run("-m", "pytest", INTEGRITY_TEST, home=tmp_path / "home", folder=project)
    assert done.returncode == 1, done.stdout


def test_dags_import_where_unset_variables_read_as_mocked_values(tmp_path: Path) -> None:
    # The file that the CLI generates replaces os.getenv like this.
    program = (
        "import os\n"
        "os.getenv = lambda key, default=None: os.environ.get(key) or default or f'MOCKED_{key}_VALUE'\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag('dags')\n"
        "assert bag.import_errors == {} and bag.dags, bag.import_errors\n"
    )
    done = run("-c", program, home=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.development
def test_astro_dev_pytest_runs_what_the_image_can_and_names_the_rest(tmp_path: Path) -> None:
    plugin = ("-p", "tests.deploy.without_development")
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    collected = run("-m", "pytest", "--collect-only", "-q", *plugin, "tests", home=tmp_path, **alone)
    assert collected.returncode == 0, collected.stdout
    assert "left out: tests/unit/core/test_ranges.py needs hypothesis" in collected.stdout
    assert "tests/dags/test_dag_set.py::" in collected.stdout
    assert not re.search(r"^tests/(e2e|integration)/.*::", collected.stdout, re.MULTILINE)
    # A part of them: all take minutes.
    places = ("tests/dags", "tests/unit/core", "tests/deploy/test_compose.py")
    done = run("-m", "pytest", "-q", *plugin, *places, home=tmp_path, **alone)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d\d passed", done.stdout)
    assert "skipped" not in done.stdout


def test_a_test_lacks_what_it_imports_itself_and_through_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.image.SOURCES", (tmp_path,))
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "deep.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import only_for_types\n"
        "with open('x'):\n    import absent_below\ndef later():\n    import only_when_called\n"
    )
    test = tmp_path / "test_it.py"
    test.write_text("import json\nimport absent_here\nfrom ours import deep\n")
    assert lacking(test) == {"absent_here", "absent_below"}


def test_standalone_needs_no_more_than_the_distribution_that_its_guide_installs(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "DEPLOY.md").read_text()
    assert "uv pip install --python .venv/bin/python --no-deps -e ." in guide
    program = (
        "from airflow import plugins_manager\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "assert plugins_manager.get_import_errors() == {}, plugins_manager.get_import_errors()\n"
        "plugins, _ = plugins_manager._get_plugins()\n"
        "assert 'ohlcv' in {plugin.name for plugin in plugins}, plugins\n"
        "bag = DagBag('dags')\n"
        "assert bag.dags and not bag.import_errors, bag.import_errors\n"
    )
    done = run("-c", program, home=tmp_path / ".astro" / "standalone")
    assert done.returncode == 0, done.stderr


def test_the_pool_is_the_same_in_settings_pool_file_and_code(settings: dict[str, Any]) -> None:
    (pool,) = settings["pools"]
    declared = json.loads((ROOT / "pools.json").read_text())
    assert set(declared) == {pool["pool_name"]} == {KRAKEN_POOL}
    assert declared[KRAKEN_POOL]["slots"] == pool["pool_slot"] == 1
    assert declared[KRAKEN_POOL]["description"] == pool["pool_description"] == KRAKEN_POOL_DESCRIPTION


def test_settings_hold_only_what_the_cli_reads_and_no_secret(settings: dict[str, Any]) -> None:
    assert set(settings) == {"connections", "pools", "variables"}
    assert [connection["conn_id"] for connection in settings["connections"]] == [KRAKEN_CONN_ID]
    for connection in settings["connections"]:
        assert set(connection) <= CONNECTION_KEYS - {"conn_password", "conn_uri", "conn_login"}
    for pool in settings["pools"]:
        assert set(pool) == POOL_KEYS


def test_the_cli_does_not_rewrite_requirements_and_starts_a_postgresql_that_airflow_takes() -> None:
    config = yaml.safe_load((ROOT / ".astro" / "config.yaml").read_text())
    assert config["disable_astro_run"] is True
    assert config["postgres"]["tag"] == "16"
    assert config["project"]["name"]


def test_an_image_gets_no_secrets_and_all_that_its_tests_read() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", ".venv", ".sandbox"} <= set(ignored)
    needed = {".env.example", "docker-compose.yaml", "pools.json", "airflow_settings.yaml", "pyproject.toml"}
    assert not needed & set(ignored)
    assert (ROOT / "packages.txt").is_file()


def test_packages_of_the_plugins_folder_are_not_executed_as_plugins() -> None:
    packages = [folder.parent.name for folder in (ROOT / "plugins").glob("*/__init__.py")]
    ignored = (ROOT / "plugins" / ".airflowignore").read_text().splitlines()
    assert packages
    assert {f"{package}/" for package in packages} <= set(ignored)
    assert (ROOT / "dags" / ".airflowignore").is_file()
