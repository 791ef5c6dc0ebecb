"""Fixtures of the DAG tests."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def pools() -> dict[str, dict[str, object]]:
    """Give the pools of the pool file, with Airflow's own."""
    declared: dict[str, dict[str, object]] = json.loads((ROOT / "pools.json").read_text(encoding="utf-8"))
    return {**declared, "default_pool": {"slots": 128}}


@pytest.fixture(scope="session")
def dag_bag(pools: dict[str, dict[str, object]]) -> DagBag:
    """Give all DAGs, parsed while no socket may be opened: importing them must touch nothing."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (Airflow is slow to import)

    with closed_sockets():
        return DagBag(str(ROOT / "dags"), known_pools=set(pools))


@contextmanager
def closed_sockets() -> Iterator[None]:
    """Let nobody open a socket; Airflow's image lacks the package for it, and the tests do without there."""
    try:
        from pytest_socket import disable_socket, enable_socket  # noqa: PLC0415
    except ModuleNotFoundError:
        yield
        return
    disable_socket()
    try:
        yield
    finally:
        enable_socket()
