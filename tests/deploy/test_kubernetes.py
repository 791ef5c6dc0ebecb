"""The pod template of KubernetesExecutor."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
import yaml

import kraken_ohlcv
from tests.deploy.compose import ROOT, filled_in, project
from tests.deploy.test_systemd import AIRFLOW_ENVIRONMENT, assignments

TEMPLATE = ROOT / "deploy" / "kubernetes" / "pod_template.yaml"
SET_UP = TEMPLATE.with_name("set_up_job.yaml")
VOLUMES = TEMPLATE.with_name("volumes.yaml")
VALUES = TEMPLATE.with_name("values.yaml")
KUBERNETES = "1.34"


@pytest.fixture
def pod() -> dict[str, Any]:
    """Give the template."""
    found: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text())
    return found


@pytest.fixture
def values() -> dict[str, Any]:
    """Give the values of Airflow's official Helm chart."""
    found: dict[str, Any] = yaml.safe_load(VALUES.read_text())
    return found


def claims() -> set[str]:
    """Return the names of the claims that outlive a pod."""
    return {one["metadata"]["name"] for one in yaml.safe_load_all(VOLUMES.read_text())}


def named(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the values of environment variables by name."""
    return {entry["name"]: entry["value"] for entry in entries}


@pytest.mark.development
def test_template_and_set_up_follow_the_schema_of_kubernetes(pod: dict[str, Any]) -> None:
    import kubernetes_validate  # noqa: PLC0415 (Airflow's image lacks it)

    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    kubernetes_validate.validate(yaml.safe_load(SET_UP.read_text()), KUBERNETES, strict=True)
    for claim in yaml.safe_load_all(VOLUMES.read_text()):
        kubernetes_validate.validate(claim, KUBERNETES, strict=True)
    pod["spec"]["containers"][0]["imagePolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_airflow_finds_its_container_and_decides_itself_about_another_try(pod: dict[str, Any]) -> None:
    assert [container["name"] for container in pod["spec"]["containers"]] == ["base"]
    assert pod["spec"]["restartPolicy"] == "Never"


def test_the_set_up_is_that_of_compose_with_the_image_of_the_tasks(pod: dict[str, Any]) -> None:
    (container,) = yaml.safe_load(SET_UP.read_text())["spec"]["template"]["spec"]["containers"]
    assert container["args"] == project(filled_in())["services"]["db-migration"]["command"]
    assert container["image"] == pod["spec"]["containers"][0]["image"]


def test_the_image_is_pinned_to_the_version_of_the_project(pod: dict[str, Any]) -> None:
    assert pod["spec"]["containers"][0]["image"].endswith(f":{kraken_ohlcv.__version__}")


def test_a_task_has_neither_root_nor_the_clusters_api_nor_a_secret_in_the_template(
    pod: dict[str, Any],
) -> None:
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["envFrom"] == [{"secretRef": {"name": "kraken-ohlcv"}}]
    assert not [entry for entry in container["env"] if "SECRET" in entry["name"] or "CONN" in entry["name"]]


def test_logs_and_work_folder_of_a_task_are_on_volumes_that_outlive_its_pod(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    volumes = {one["name"]: one["persistentVolumeClaim"]["claimName"] for one in pod["spec"]["volumes"]}
    assert set(volumes.values()) == claims() == {"kraken-ohlcv-logs", "kraken-ohlcv-work"}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    environment = named(container["env"])
    assert mounts == {
        "logs": f"{environment['AIRFLOW_HOME']}/logs",
        "work": environment["OHLCV_ARCHIVE_WORK_FOLDER"],
    }


def test_the_charts_values_name_the_same_image_volumes_and_places_as_the_template(
    pod: dict[str, Any], values: dict[str, Any]
) -> None:
    (container,) = pod["spec"]["containers"]
    image = f"{values['defaultAirflowRepository']}:{values['defaultAirflowTag']}"
    assert image == container["image"]
    assert values["airflowVersion"] == version("apache-airflow-core")
    assert yaml.safe_load(values["extraEnvFrom"]) == container["envFrom"]
    ours = {values["volumes"][0]["persistentVolumeClaim"]["claimName"]}
    assert ours | {values["logs"]["persistence"]["existingClaim"]} == claims()
    of_chart, of_template = named(values["env"]), named(container["env"])
    del of_template["AIRFLOW__CORE__EXECUTOR"]  # the chart sets that of a task's pod
    assert of_template.items() <= of_chart.items()
    assert values["volumeMounts"] == [{"name": "work", "mountPath": of_chart["OHLCV_ARCHIVE_WORK_FOLDER"]}]
    assert values["workers"]["resources"] == container["resources"]


def test_what_the_secret_holds_the_chart_does_not_set_itself(values: dict[str, Any]) -> None:
    built_in = values["enableBuiltInSecretEnvVars"]
    keys = {name for name in assignments(AIRFLOW_ENVIRONMENT) if name in built_in}
    assert len(keys) == 4
    assert set(built_in.values()) == {False}
    # The machine's own places in the secret would be wrong in a pod, were they not left out.
    local = {
        name
        for name, value in assignments(AIRFLOW_ENVIRONMENT).items()
        if value.startswith(("/opt/", "/var/"))
    }
    assert local <= set(named(values["env"]))
