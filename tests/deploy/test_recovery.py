"""What a killed scheduler or worker held is free again within a minute, wherever the package is deployed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from airflow.configuration import retrieve_configuration_description

from local.airflow import AirflowSettings
from local.settings import ModeHome
from tests.deploy.compose import ROOT, filled_in, project
from tests.deploy.test_systemd import AIRFLOW_ENVIRONMENT, assignments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WITHIN_S = 60
SECTION = "AIRFLOW__SCHEDULER__"
OF_SCHEDULER = ("scheduler_health_check_threshold", "orphaned_tasks_check_interval")
"""So long a scheduler may be silent before it is taken for dead, and so often that is looked at; then its
tasks are reset (Airflow's ``SchedulerJobRunner.adopt_or_reset_orphaned_tasks``)."""
OF_TASK = ("task_instance_heartbeat_timeout", "task_instance_heartbeat_timeout_detection_interval")
"""The same for a task whose worker was killed, while its scheduler lives."""


def shipped(folder: Path) -> dict[str, Mapping[str, str]]:
    """Return the variables of the scheduler by way to run it; Kubernetes has those of systemd."""
    stack = AirflowSettings(
        home=ModeHome("replay", sandbox=folder), port=1, database_uri="postgresql://x", connections={}
    )
    return {
        "make up": stack.variables(),
        "docker compose": project(filled_in())["services"]["scheduler"]["environment"],
        "systemd": assignments(AIRFLOW_ENVIRONMENT),
    }


def seconds(variables: Mapping[str, str], names: tuple[str, str]) -> int:
    """Return the sum of two settings; what is not set is Airflow's default."""
    options = retrieve_configuration_description(include_providers=False)["scheduler"]["options"]
    found = [variables.get(SECTION + name.upper(), options[name]["default"]) for name in names]
    return int(sum(float(value) for value in found))


@pytest.mark.parametrize("way", ["make up", "docker compose", "systemd"])
def test_what_a_killed_scheduler_or_worker_held_is_free_within_a_minute_and_the_manual_says_when(
    tmp_path: Path, way: str
) -> None:
    variables = shipped(tmp_path)[way]
    of_scheduler, of_task = seconds(variables, OF_SCHEDULER), seconds(variables, OF_TASK)

    assert of_scheduler <= WITHIN_S
    assert of_task <= WITHIN_S
    operations = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\| scheduler or worker was killed.*$", operations, re.MULTILINE)
    assert f"within {of_scheduler} s of a scheduler's death, or {of_task} s of a worker's" in line
    default_s = {seconds({}, OF_SCHEDULER), seconds({}, OF_TASK)}
    assert f"{max(default_s)} and {min(default_s)} s" in line
    deploy = (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8")
    assert f"When a worker dies, its running tasks are retried within {of_task} s" in deploy
