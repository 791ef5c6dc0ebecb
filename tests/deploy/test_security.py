"""What docs/SECURITY.md says, against what is there; and the pins."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from local.processes import ROOT
from tests.deploy.compose import example_variables, filled_in, project

if TYPE_CHECKING:
    from collections.abc import Iterable

SECURITY = (ROOT / "docs" / "SECURITY.md").read_text()
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)$")
NOT_PINNED = {"kraken-ohlcv-airflow", "pip", "setuptools", "wheel"}
"""The project itself, and what makes the environment."""


def pins(name: str) -> dict[str, str]:
    """Return the versions of a requirements file by normalised name."""
    lines = (ROOT / name).read_text().splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith(("#", "-")):
            match = PIN.match(line)
            assert match, f"{name}: {line} is not pinned"
            found[normalised(match[1])] = match[2]
    return found


def normalised(name: str) -> str:
    """Return a package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_published_port_of_compose_is_in_the_table() -> None:
    services = project(filled_in())["services"]
    inner = {port.rsplit(":", 1)[1] for service in services.values() for port in service.get("ports", [])}
    assert inner == {"8080", "5432", "8812", "9000"}
    assert inner <= set(re.findall(r"^\| (\d+) \|", SECURITY, re.MULTILINE))


def test_every_secret_of_the_environment_file_is_in_the_table() -> None:
    secrets = {name for name, value in example_variables().items() if value == ""}
    secrets |= {
        name
        for name in example_variables()
        if re.search("SLACK|DSN|REDIS_PASSWORD|HEARTBEAT|OHLCV_(METRICS|SEAL)", name)
    }
    assert len(secrets) == 15
    assert secrets == set(re.findall(r"^\| `([A-Z_]+)` \|", SECURITY, re.MULTILINE))


def test_every_tool_is_pinned_as_in_the_constraints() -> None:
    wanted, constraints = pins("requirements-dev.txt"), pins("constraints.txt")
    assert wanted
    assert {package: constraints.get(package, version) for package, version in wanted.items()} == wanted


def ranges_of(lines: Iterable[str]) -> dict[str, str]:
    """Return the range of each requirement, by package."""
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {normalised(one.name): str(one.specifier) for one in found}


def test_requirements_are_those_of_the_distribution_in_ranges_that_hold_what_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["airflow"]
    of_project = ranges_of([*project["dependencies"], *extra])
    brought = of_project.pop("apache-airflow")  # by the image
    wanted = ranges_of((ROOT / "requirements.txt").read_text().splitlines())
    assert wanted == of_project
    constraints = pins("constraints.txt")
    outside = {
        package: constraints[package]
        for package, range_ in {**wanted, "apache-airflow": brought}.items()
        if constraints[package] not in SpecifierSet(range_)
    }
    assert outside == {}


@pytest.mark.development
def test_the_constraints_pin_everything_that_is_installed() -> None:
    installed = {normalised(found.name): found.version for found in distributions()}
    constraints = pins("constraints.txt")
    assert len(installed) > 100
    missing = {
        package: version
        for package, version in installed.items()
        if package not in NOT_PINNED and constraints.get(package) != version
    }
    assert missing == {}
