"""The dashboard follows the schema of Grafana: it has no field, type or value that is not there."""

from __future__ import annotations

import enum
import json
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from grafana_foundation_sdk.cog import runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import prometheus, stat, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.environments import ROOT

TEXT = (ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8")

runtime.register_panelcfg_variant(stat.variant_config())
runtime.register_panelcfg_variant(timeseries.variant_config())
runtime.register_dataquery_variant(prometheus.variant_config())


def unknown(written: Any, read: Any, path: str = "") -> list[str]:
    """Return the paths of what a document has and its reader does not know, or reads as something else."""
    if isinstance(written, dict) and isinstance(read, dict):
        return [
            one
            for key, value in written.items()
            for one in (
                unknown(value, read[key], f"{path}/{key}") if key in read else [f"{path}/{key}: unknown"]
            )
        ]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        return [
            one
            for place, pair in enumerate(zip(written, read, strict=True))
            for one in unknown(*pair, f"{path}/{place}")
        ]
    return [] if written == read else [f"{path}: {written!r} is read as {read!r}"]


def misfits(value: Any, hint: Any, path: str = "") -> list[str]:
    """Return the paths of values that are not of the type that the schema has for them.

    :param value: a model of the kit, or what is below one
    :param hint: its type, or ``object``
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union:
        found = [misfits(value, one, path) for one in arguments]
        return [] if [] in found else found[0]
    if origin is list and isinstance(value, list):
        return [
            one for place, item in enumerate(value) for one in misfits(item, arguments[0], f"{path}/{place}")
        ]
    if origin is dict and isinstance(value, dict):
        return [one for key, item in value.items() for one in misfits(item, arguments[1], f"{path}/{key}")]
    if isinstance(hint, type) and hasattr(hint, "from_json") and isinstance(value, dict):
        value = hint.from_json(value)  # the kit reads some lists of models as they are
    if hasattr(value, "to_json"):
        hints = get_type_hints(type(value))
        return [one for name in hints for one in misfits(getattr(value, name), hints[name], f"{path}/{name}")]
    return [] if _fits(value, hint) else [f"{path}: {value!r} is not of {hint}"]


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if not isinstance(hint, type):
        return False
    if issubclass(hint, enum.Enum):
        return value in {one.value for one in hint}
    if isinstance(value, bool):
        return hint in {bool, object}
    return isinstance(value, (int, float) if hint is float else hint)


def against_schema(text: str) -> list[str]:
    """Return what a dashboard has that Grafana's schema does not allow.

    :param text: the dashboard in JSON
    """
    written = json.loads(text)
    model = Dashboard.from_json(written)
    return [*unknown(written, json.loads(json.dumps(model, cls=JSONEncoder))), *misfits(model, Dashboard)]


def test_the_dashboard_follows_grafanas_schema() -> None:
    assert against_schema(TEXT) == []


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ('"refresh": "1m"', '"refesh": "1m"', "/refesh: unknown"),
        ('"graphTooltip": 1', '"graphTooltip": 7', "/graph_tooltip: 7"),
        ('"colorMode": "value"', '"colorMode": "valu"', "/panels/0/options/color_mode: 'valu'"),
        ('"showLegend": true', '"showLegends": true', "/panels/4/options/legend/showLegends: unknown"),
        ('"instant": true', '"instant": "yes"', "/panels/0/targets/0/instant: 'yes'"),
        ('"h": 5', '"h": "5"', "/panels/0/grid_pos/h: '5'"),
        ('"unit": "percentunit"', '"units": "percentunit"', "/panels/0/fieldConfig/defaults/units: unknown"),
        ('"type": "query"', '"type": "queries"', "/templating/list_val/1/type_val: 'queries'"),
    ],
)
def test_a_dashboard_that_leaves_the_schema_is_found(right: str, wrong: str, found: str) -> None:
    assert right in TEXT
    assert any(one.startswith(found) for one in against_schema(TEXT.replace(right, wrong)))
