"""The JSON schema beside the plan's file: current, and of one mind with what the package reads."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tools.plan_schema import DOCUMENT, document

HEAD = "# yaml-language-server: $schema=assets.schema.json\n"
SHIPPED = DOCUMENT.with_name("assets.yaml")


def judge(text: str) -> list[str]:
    """Return what an editor complains about."""
    # Editors read a day as text.
    loader = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": {}})
    loader.yaml_implicit_resolvers = {
        key: [one for one in many if one[0] != "tag:yaml.org,2002:timestamp"]
        for key, many in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    content: Any = yaml.load(text, loader)  # noqa: S506 (a safe loader)
    validator = jsonschema.Draft7Validator(json.loads(document()))
    return [error.message for error in validator.iter_errors(content)]


def test_the_schema_shipped_is_what_make_docs_would_write() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `make docs`"
    jsonschema.Draft7Validator.check_schema(json.loads(document()))


def test_the_file_shipped_names_its_schema_and_keeps_it() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    assert judge(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "tiers: {TIER3: {schedule: 0 5 * * 0, intervals: [60, 1440]}}",
        "select:\n- {quote: USD, tier: TIER4, exclude: [USDT*]}",
        "assets:\n- {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1, history_from: 2024-01-31}",
        "assets:\n- {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1, intervals: [1, 60]}",
        "tiers: {TIER1: {schedule: null}}",
    ],
)
def test_what_the_package_takes_is_fine_with_the_schema(text: str) -> None:
    assert judge(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "tiers: {TIER9: {}}",
        "tiers: {TIER1: {intervals: [7]}}",
        "tiers: {TIER1: {cron: 0 2 * * *}}",
        "select:\n- {quote: USD}",
        "assets:\n- {ticker: BTC/USD, base: BTC, quote: USD, tier: TIER1}",
        "rules: []",
    ],
)
def test_what_the_package_refuses_an_editor_marks(text: str) -> None:
    assert judge(text)
