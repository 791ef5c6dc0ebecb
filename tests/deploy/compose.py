"""Read compose files as ``docker compose`` does: interpolated, and one merged over another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "docker-compose.yaml"
OVERRIDE = ROOT / "docker-compose.override.yml"
EXAMPLE = ROOT / ".env.example"

REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\})")
ASSIGNMENT = re.compile(r"^(?P<off>#?)(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)
REPLACED = {"command", "test", "entrypoint"}
"""Lists that a later file replaces; it adds to others."""


class MissingValueError(Exception):
    """A variable that the file insists on has no value."""


def example_variables() -> dict[str, str | None]:
    """Return what ``.env.example`` assigns, ``None`` for what is commented out."""
    return {
        match["name"]: None if match["off"] else match["value"]
        for match in ASSIGNMENT.finditer(EXAMPLE.read_text())
    }


def filled_in() -> dict[str, str]:
    """Return an environment with a value for everything that ``.env.example`` leaves empty."""
    return {name: f"made-up-{name.lower()}" for name, value in example_variables().items() if value == ""}


def references(file: Path) -> set[str]:
    """Return the names of the variables a file interpolates or hands on."""
    text = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
    interpolated = {match["name"] for match in REFERENCE.finditer(text) if match["name"]}
    return interpolated | set(re.findall(r"^\s+([A-Z][A-Z0-9_]*):$", text, re.MULTILINE))


def load(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return a compose file with its variables replaced.

    :raises MissingValueError: if one that it insists on has no value
    """
    loaded: dict[str, Any] = _interpolate(yaml.safe_load(file.read_text()), environment)
    for service in loaded["services"].values():
        if isinstance(service.get("depends_on"), list):
            service["depends_on"] = {name: {"condition": "service_started"} for name in service["depends_on"]}
    return loaded


def merge(first: Any, second: Any, *, key: str = "") -> Any:
    """Return a value of one file with that of a later file merged over it."""
    if isinstance(first, dict) and isinstance(second, dict):
        both = {name: merge(first[name], second[name], key=name) for name in first if name in second}
        return {**first, **second, **both}
    if isinstance(first, list) and isinstance(second, list) and key not in REPLACED:
        return first + [item for item in second if item not in first]
    return second


def project(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``docker compose`` makes of the two files."""
    merged: dict[str, Any] = merge(load(BASE, environment), load(OVERRIDE, environment))
    return merged


def _interpolate(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolate(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(item, environment) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        found = environment.get(match["name"], "")
        if found or match["kind"] is None:
            return found
        if match["kind"] == ":?":
            raise MissingValueError(f"{match['name']}: {match['rest']}")
        return str(match["rest"])

    return REFERENCE.sub(replace, value)
