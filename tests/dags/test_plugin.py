"""The plugin loads in every process of Airflow, once and cheaply; its pages show in Airflow's UI."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.environments import ROOT, python_without_ours, run_python

LOOK = """
import sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
assert errors == {}, errors
(plugin,) = [one for one in plugins if one.name == "ohlcv"]
assert [app["url_prefix"] for app in plugin.fastapi_apps] == ["/ohlcv"]
routes = [view["url_route"] for view in plugin.external_views]
assert routes and len(routes) == len(set(routes)), routes
assert all(not view["href"].startswith(("/", "http")) for view in plugin.external_views)
references = plugins_manager.get_deadline_references_plugins()
assert "kraken_ohlcv_airflow.deadlines.RunDue" in references, references
assert "fastapi" not in sys.modules, "tasks would pay for the web framework"
assert "kraken_ohlcv_airflow.web.app" not in sys.modules
print(plugin.source)
"""

CHECKOUT = {
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins"), str(ROOT / "include")]),
}


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an interpreter with Airflow and without this project."""
    return python_without_ours(tmp_path_factory.mktemp("bare"))


def source(python: Path | str, home: Path, **variables: str) -> str:
    """Return where Airflow has found the plugin, which is as it should be."""
    done = run_python(python, LOOK, home=home, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_a_checkout_that_is_installed_has_its_plugin_by_the_entry_point_alone(tmp_path: Path) -> None:
    assert "kraken_ohlcv_airflow.plugin:OhlcvPlugin" in source(sys.executable, tmp_path, **CHECKOUT)


def test_an_installed_distribution_needs_no_plugins_folder(tmp_path: Path) -> None:
    assert "kraken_ohlcv_airflow.plugin:OhlcvPlugin" in source(sys.executable, tmp_path)


def test_a_checkout_installed_before_there_was_an_entry_point_has_its_plugin_by_the_folder(
    bare_python: Path, tmp_path: Path
) -> None:
    without_entry = installed_before(tmp_path / "packages")
    assert source(bare_python, tmp_path, **without_entry) == "$PLUGINS_FOLDER/ohlcv_plugin.py"


def test_the_entry_point_of_another_distribution_does_not_pass_for_ours(
    bare_python: Path, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    without_entry = installed_before(packages)
    add_distribution(packages, "other", "[airflow.plugins]\nohlcv = other_plugin:Other\n")
    (packages / "other_plugin.py").write_text(
        "from airflow.plugins_manager import AirflowPlugin\nclass Other(AirflowPlugin):\n    name = 'other'\n"
    )
    assert source(bare_python, tmp_path, **without_entry) == "$PLUGINS_FOLDER/ohlcv_plugin.py"


def installed_before(packages: Path) -> dict[str, str]:
    """Install the checkout into a folder as its editable distribution was before; return the variables."""
    packages.mkdir()
    (finder,) = Path(sysconfig.get_path("purelib")).glob("__editable___kraken_ohlcv_airflow*_finder.py")
    shutil.copy(finder, packages)
    (packages / "sitecustomize.py").write_text(f"import {finder.stem}\n{finder.stem}.install()\n")
    add_distribution(
        packages,
        "kraken_ohlcv_airflow",
        "[apache_airflow_provider]\nprovider_info = kraken_hooks.provider:get_provider_info\n",
    )
    path = os.pathsep.join([CHECKOUT["PYTHONPATH"], str(packages)])
    return {**CHECKOUT, "PYTHONPATH": path}


def add_distribution(packages: Path, name: str, entry_points: str) -> None:
    """Let a folder of packages hold the metadata of an installed distribution."""
    metadata = packages / f"{name}-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
