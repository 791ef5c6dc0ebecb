"""The recipes of docs/MAKE_IT_YOURS.md are plans that are taken, and mean what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.plan_file import PlanFile, read_plan_file
from tests.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RECIPES = ROOT / "docs" / "MAKE_IT_YOURS.md"


def recipe(number: int) -> str:
    """Return the section of a recipe."""
    sections = re.split(r"^## ", RECIPES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (found,) = (section for section in sections if section.startswith(f"{number}. "))
    return found


def plan_of(number: int, folder: Path) -> PlanFile:
    """Return the plan of a recipe as every run reads it."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```", recipe(number), re.MULTILINE | re.DOTALL)
    file = folder / "assets.yaml"
    file.write_text(block)
    plan = read_plan_file(file)
    assert plan.catalogue.problems == []
    return plan


def test_there_are_five() -> None:
    headings = re.findall(r"^## \d\. (.+)$", RECIPES.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [
        "Another schedule",
        "Other intervals",
        "Every USD pair",
        "Your own Slack",
        "Your own PostgreSQL",
    ]


def test_another_schedule_is_that_of_the_tier_and_others_stay_as_shipped(tmp_path: Path) -> None:
    tiers = plan_of(1, tmp_path).tiers
    schedules = {tier: plan.schedule for tier, plan in tiers.items()}
    assert schedules == {"TIER1": "0 */6 * * *", "TIER2": "0 3 * * *", "TIER3": "30 4 * * *", "TIER4": None}


def test_other_intervals_are_those_of_the_tier_or_of_an_asset(tmp_path: Path) -> None:
    plan = plan_of(2, tmp_path)
    assert tuple(plan.tiers["TIER1"].intervals) == (5, 60, 1440)
    of_assets = {entry.ticker: entry.intervals for entry in plan.catalogue.entries}
    assert of_assets == {"XBTUSD": (1, 60, 1440), "ETHUSD": None}


def test_every_usd_pair_comes_by_one_rule(tmp_path: Path) -> None:
    plan = plan_of(3, tmp_path)
    (rule,) = plan.rules
    assert (rule.quote, rule.tier, list(rule.exclude)) == ("USD", "TIER4", ["USDT*", "USDC*"])
    assert plan.tiers["TIER4"].schedule == "0 5 * * *"


@pytest.mark.parametrize(
    ("number", "names"), [(4, ["SLACK_WEBHOOK_URL", "slack_alerts"]), (5, ["POSTGRES_URL", "ohlcv_postgres"])]
)
def test_names_of_settings_are_those_that_the_code_reads(number: int, names: list[str]) -> None:
    sources = [ROOT / "local" / "stack.py", ROOT / "local" / "installed_postgres.py"]
    sources += [ROOT / "include" / "kraken_ohlcv" / "core" / "settings.py"]
    read = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    for name in names:
        assert name in read
        assert name.upper() in recipe(number)
