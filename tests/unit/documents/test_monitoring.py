"""Alert rules, dashboard and their document: they name the metrics that exist, and Prometheus reads them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from kraken_ohlcv_airflow.web.metric_families import FAMILIES
from tests.environments import ROOT
from tests.promtool import promtool

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads(
    (ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8")
)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
DOCUMENT = (ROOT / "docs" / "MONITORING.md").read_text(encoding="utf-8")
LABELS = {family.sample_name: set(family.labels) for family in FAMILIES}
UNITS = {"percentunit", "s", "short"}
"""Ids of Grafana's units that fit: a ratio of 1, seconds, plain numbers."""
WIDTH = 24


def expressions() -> list[str]:
    """Return every expression of rules and panels."""
    return [rule["expr"] for rule in RULES] + [
        target["expr"] for panel in PANELS for target in panel["targets"]
    ]


def test_prometheus_reads_the_rules_and_they_do_what_they_are_tested_for() -> None:
    promtool("check", "rules", str(PROMETHEUS / "alerts.yaml"))
    promtool("test", "rules", str(PROMETHEUS / "alerts_test.yaml"))
    promtool("check", "config", "--syntax-only", str(PROMETHEUS / "prometheus.yaml"))


def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path: Any) -> None:
    found = [
        {"record": f"panel:{panel['id']}", "expr": re.sub(r"\$\w+", ".*", panel["targets"][0]["expr"])}
        for panel in PANELS
    ]
    rules = tmp_path / "panels.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": found}]}))
    assert f"{len(PANELS)} rules found" in promtool("check", "rules", str(rules))


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_uses_metrics_that_exist_with_labels_that_they_have(expression: str) -> None:
    names = set(re.findall(r"\bohlcv_\w+", expression))
    assert names
    assert names <= set(LABELS)
    for name, matchers in re.findall(r"(ohlcv_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= LABELS[name]


def test_the_dashboard_is_whole() -> None:
    assert {"title", "uid", "schemaVersion", "time", "templating", "panels"} <= set(DASHBOARD)
    assert "id" not in DASHBOARD  # each Grafana gives one
    assert len({panel["id"] for panel in PANELS}) == len(PANELS) > 10
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < WIDTH
        taken |= cells
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
        assert {panel["datasource"]["uid"], *(one["datasource"]["uid"] for one in panel["targets"])} == {
            "${datasource}"
        }
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS))) <= variables


def test_a_single_figure_is_of_now_and_its_colour_is_not_grafanas_default() -> None:
    figures = [panel for panel in PANELS if panel["type"] == "stat"]
    assert figures
    for panel in figures:
        # Over a range, the last figure before an outage would stand there as today's.
        assert [(one["instant"], one["range"]) for one in panel["targets"]] == [(True, False)]
        defaults = panel["fieldConfig"]["defaults"]
        # Grafana's own are green, and red from 80 on, whatever the unit; the unknown has the first colour.
        assert [step["value"] for step in defaults["thresholds"]["steps"]] != [None, 80]
        assert [one["options"]["match"] for one in defaults["mappings"]] == ["null"]


def test_the_document_has_every_metric_in_the_words_of_the_code_and_every_alert() -> None:
    table = [
        f"| `{one.sample_name}` | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |".replace(
            "|  |", "| |"
        )
        for one in FAMILIES
    ]
    assert [line for line in DOCUMENT.splitlines() if line.startswith("| `ohlcv_")] == table
    assert set(re.findall(r"`(Ohlcv\w+)`", DOCUMENT)) == {rule["alert"] for rule in RULES}
