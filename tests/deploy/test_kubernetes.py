"""The pod template of KubernetesExecutor."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import kraken_ohlcv
from tests.deploy.compose import ROOT, filled_in, project

TEMPLATE = ROOT / "deploy" / "kubernetes" / "pod_template.yaml"
SET_UP = TEMPLATE.with_name("set_up_job.yaml")
KUBERNETES = "1.34"


@pytest.fixture
def pod() -> dict[str, Any]:
    """Give the template."""
    found: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text())
    return found


@pytest.mark.development
def test_template_and_set_up_follow_the_schema_of_kubernetes(pod: dict[str, Any]) -> None:
    import kubernetes_validate  # noqa: PLC0415 (Airflow's image lacks it)

    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    kubernetes_validate.validate(yaml.safe_load(SET_UP.read_text()), KUBERNETES, strict=True)
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
