"""Fixtures of the DAG tests."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.schema_checks import check_each_schema_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]


class TaskLog(logging.Handler):
    """Keeps what each task logs, as people read it in Airflow's UI.

    :ivar by_task: lines such as ``INFO wrote 12``, by task id, in the order of the tasks
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.by_task: dict[str, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        from airflow.sdk import get_current_context  # noqa: PLC0415 (Airflow is slow to import)

        try:
            task_id = get_current_context()["ti"].task_id
        except RuntimeError:
            return  # no task is running
        self.by_task.setdefault(task_id, []).append(f"{record.levelname} {record.getMessage()}")

    def of(self, task_id: str) -> str:
        """Return the lines of a task."""
        return "\n".join(self.by_task.get(task_id, []))

    def everything(self) -> str:
        """Return the lines of all tasks."""
        return "\n".join(line for lines in self.by_task.values() for line in lines)


@pytest.fixture
def task_log() -> Iterator[TaskLog]:
    """Give what the tasks log that run meanwhile."""
    root, kept = logging.getLogger(), TaskLog()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.INFO)
    yield kept
    root.setLevel(level)
    root.removeHandler(kept)


@pytest.fixture(scope="session")
def pools() -> dict[str, dict[str, object]]:
    """Give the pools of the pool file, with Airflow's own."""
    declared: dict[str, dict[str, object]] = json.loads((ROOT / "pools.json").read_text(encoding="utf-8"))
    return {**declared, "default_pool": {"slots": 128}}


@pytest.fixture(scope="session")
def dag_bag(pools: dict[str, dict[str, object]]) -> DagBag:
    """Give all DAGs, parsed while no socket may be opened: importing them must touch nothing."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (Airflow is slow to import)

    check_each_schema_once()
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
