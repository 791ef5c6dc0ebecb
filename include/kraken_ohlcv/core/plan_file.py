"""Reads the plan of what is kept from its file: assets, tiers, and rules that select pairs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kraken_ohlcv.core.assets import (
    KEYS,
    Catalogue,
    CatalogueEntry,
    LineProblem,
    catalogue_file,
    catalogue_of,
)
from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.selection import CODE, GLOB, STATUS, SelectRule
from kraken_ohlcv.core.tiers import SHIPPED, TIERS, TierPlan, out_of_reach
from kraken_ohlcv.core.yaml_lines import (
    MAX_BYTES,
    LineError,
    Loader,
    Nodes,
    line_of,
    pairs,
    read_top,
    shown,
    value_of,
)

N_PAIRS: Final = 1500
"""Kraken lists about 1,400 pairs: so many a rule may take, as far as the file tells."""


COMMENT: Final = re.compile(r"(?:^|\s)#.*")
NAMED: Final = re.compile(r"""(TIER[1-4])["']?\s*:""")
"""A tier as a key, in a text that may be no YAML."""


CURES: Final = {
    "string_type": "put it into quotes, YAML takes it for something else",
    "tuple_type": "use a list, in brackets",
    "model_type": "use a mapping such as {verified_pct: 99.9}",
    "extra_forbidden": "there is no such field",
}
"""What to do about a value, by pydantic's kind of error, where its own words say too little."""
WORDED: Final = {
    CODE: "Kraken's code in capital letters, such as USD",
    GLOB: "tickers in capital letters, with * for any text, such as ETH*",
    STATUS: "a status of AssetPairs, such as online",
}
"""What a value should look like, by pattern."""


class FileModel(BaseModel):
    """The whole file; its schema lets editors complete and check it."""

    model_config = ConfigDict(extra="forbid")

    assets: list[CatalogueEntry] = Field(default=[], description="Assets that are kept, one per line.")
    tiers: dict[str, TierPlan] = Field(
        default={},
        description="What differs from the plan as shipped, by tier.",
        json_schema_extra={"propertyNames": {"enum": list(TIERS)}},
    )
    select: list[SelectRule] = Field(
        default=[], description="Rules that take pairs from AssetPairs; the first one that fits decides."
    )


@dataclass(frozen=True, slots=True)
class TierOfFile:
    """What the file alone says of a tier, before any store is asked.

    :ivar plan: its plan
    :ivar n_assets: how many assets it may have at most
    :ivar is_in_doubt: whether the file has a mistake and may have scheduled the tier before: it names the
        tier, or cannot be read
    """

    plan: TierPlan
    n_assets: int
    is_in_doubt: bool = False

    @property
    def n_calls(self) -> int:
        """Return how many calls a scheduled run may need."""
        return self.n_assets * len(self.plan.intervals) + self.plan.trades_call_budget


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The plan as the file says it.

    :ivar tiers: every tier
    :ivar rules: in the order of the file
    :ivar catalogue: assets with a line of their own
    """

    tiers: Mapping[str, TierPlan]
    rules: tuple[SelectRule, ...]
    catalogue: Catalogue


@dataclass(slots=True)
class _Mistakes:
    """What is wrong with tiers and rules, a sentence each.

    :ivar has_odd_tier: whether a tier has another name than ours, which may be one misspelt
    """

    file: Path
    said: list[str] = field(default_factory=list)
    has_odd_tier: bool = False

    def note(self, node: yaml.Node, what: str, line: int | None = None) -> None:
        self.said.append(f"{self.file.name} line {line or line_of(node)}: {what}")


def read_plan_file(file: Path | None = None) -> PlanFile:
    """Return the plan of what is kept.

    :param file: YAML file; None = the one in use
    :return: the plan; lines of assets that cannot be used are named in its catalogue
    :raises CatalogueError: if the file cannot be read, or tiers or rules have a mistake; names line and cure
    """
    file = file or catalogue_file()
    loader, top = read_top(file)
    catalogue = catalogue_of(file, loader, top)
    mistakes = _Mistakes(file)
    tiers = _tiers(loader, top, mistakes)
    rules = _rules(loader, top, mistakes)
    if mistakes.said:
        raise CatalogueError("; ".join(mistakes.said))
    return PlanFile(tiers, rules, _in_reach(file, catalogue, tiers))


def tiers_at_parse(file: Path | None = None) -> dict[str, TierOfFile]:
    """Return what the file says of each tier, as fast as a DAG file must be read.

    :param file: YAML file; None = the one in use
    :return: every tier; as shipped when anything is wrong with the file, which task ``prepare`` reports
    """
    try:
        file = file or catalogue_file()
        loader, top = read_top(file)
    except CatalogueError:
        return _shipped(file)
    mistakes = _Mistakes(file)
    tiers, rules = _tiers(loader, top, mistakes), _rules(loader, top, mistakes)
    # A key misspelt may be what was tiers before.
    if mistakes.said or not top or set(top) - set(KEYS):
        return _shipped(file, is_any_in_doubt=mistakes.has_odd_tier)
    n_lines = Counter(_tier_names(top.get("assets")))
    n_taken = Counter[str]({rule.tier: N_PAIRS for rule in rules})
    return {tier: TierOfFile(plan, n_lines[tier] + n_taken[tier]) for tier, plan in tiers.items()}


def _shipped(file: Path | None, *, is_any_in_doubt: bool = False) -> dict[str, TierOfFile]:
    """Return the plan as shipped; a DAG that the file may have made appear before the mistake stays.

    :param file: the file, None = nobody knows which
    :param is_any_in_doubt: whether each tier may have had a schedule, whatever the file names
    """
    text = "" if file is None else _text_of(file)
    is_any_in_doubt = is_any_in_doubt or not text.strip()
    named = TIERS if is_any_in_doubt else NAMED.findall(COMMENT.sub("", text))
    return {tier: TierOfFile(plan, 0, is_in_doubt=tier in named) for tier, plan in SHIPPED.items()}


def _text_of(file: Path) -> str:
    """Return what a file says; nothing when it cannot be read."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
        return raw.decode() if len(raw) <= MAX_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _tier_names(node: yaml.Node | None) -> list[str]:
    entries = node.value if isinstance(node, yaml.SequenceNode) else []
    return [
        value.value
        for entry in entries
        if isinstance(entry, yaml.MappingNode)
        for key, value in entry.value
        if key.value == "tier" and isinstance(value, yaml.ScalarNode)
    ]


def _tiers(loader: Loader, top: Nodes, mistakes: _Mistakes) -> dict[str, TierPlan]:
    found = dict(SHIPPED)
    node = top.get("tiers")
    if node is None:
        return found
    try:
        if not isinstance(node, yaml.MappingNode):
            raise LineError("tiers must be a mapping from TIER1 .. TIER4 to its plan")
        named = pairs(node)
    except LineError as error:
        mistakes.has_odd_tier = True
        mistakes.note(node, str(error), error.line)
        return found
    for name, inside in named.items():
        if name not in TIERS:
            mistakes.has_odd_tier = True
            mistakes.note(inside, f"tiers.{name} is unknown: use one of {', '.join(TIERS)}")
            continue
        given = SHIPPED[name].model_dump()
        made = _model(loader, TierPlan, f"tiers.{name}", inside, mistakes, given)
        if made is None:
            continue
        out = out_of_reach(made, made.intervals)
        if out is not None:
            mistakes.note(_of_reach(inside), f"tiers.{name}: {out}")
        found[name] = made
    return found


def _of_reach(tier: yaml.Node) -> yaml.Node:
    """Return the field that a schedule out of reach is about; some of them may be as shipped."""
    fields = pairs(tier) if isinstance(tier, yaml.MappingNode) else {}
    about = ("intervals", "schedule", "repair_from", "trades_call_budget")
    return next((fields[name] for name in about if name in fields), tier)


def _rules(loader: Loader, top: Nodes, mistakes: _Mistakes) -> tuple[SelectRule, ...]:
    node = top.get("select")
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        mistakes.note(node, "select must be a list of rules such as {quote: USD, tier: TIER4}")
        return ()
    made = (
        _model(loader, SelectRule, f"select[{number}]", item, mistakes, {})
        for number, item in enumerate(node.value)
    )
    return tuple(rule for rule in made if rule is not None)


def _model(
    loader: Loader, model: Any, name: str, node: yaml.Node, mistakes: _Mistakes, defaults: Mapping[str, Any]
) -> Any:
    """Return what a mapping says, or None after each of its mistakes was noted with line and cure."""
    if not isinstance(node, yaml.MappingNode):
        mistakes.note(node, f"{name} must be a mapping such as {_example(model)}")
        return None
    before = len(mistakes.said)
    try:
        fields = pairs(node)
    except LineError as error:
        mistakes.note(node, f"{name}: {error}", error.line)
        return None
    given = dict(defaults)
    for key, value in fields.items():
        if key not in model.model_fields:
            mistakes.note(value, f"{name}.{key} is unknown: use {', '.join(model.model_fields)}")
            continue
        try:
            given[key] = _value(loader, f"{name}.{key}", value)
        except LineError as error:
            mistakes.note(value, str(error), error.line)
    if len(mistakes.said) > before:
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        for one in error.errors():
            key = str(one["loc"][0])
            where = ".".join(map(str, (name, *one["loc"])))
            if one["type"] == "missing":
                said = f"{where} is missing: {model.model_fields[key].description}"
            else:
                cure = CURES.get(one["type"], one["msg"].removeprefix("Value error, "))
                if one["type"] == "string_pattern_mismatch":
                    cure = f"use {WORDED[one['ctx']['pattern']]}"
                said = f"{where} is {shown(one['input'])}: {cure}"
            mistakes.note(fields.get(key, node), said)
        return None


def _value(loader: Loader, name: str, node: yaml.Node) -> Any:
    """Return the value of a field: one, a list, or a mapping of single ones."""
    if isinstance(node, yaml.MappingNode):
        return {key: value_of(loader, f"{name}.{key}", inside) for key, inside in pairs(node).items()}
    return value_of(loader, name, node, is_list=True)


def _example(model: Any) -> str:
    return "{schedule: '0 2 * * *'}" if model is TierPlan else "{quote: USD, tier: TIER4}"


def _in_reach(file: Path, catalogue: Catalogue, tiers: Mapping[str, TierPlan]) -> Catalogue:
    """Return the catalogue without the lines whose own intervals the schedule of their tier cannot keep."""
    said = {
        entry.ticker: out
        for entry in catalogue.entries
        if entry.intervals and (out := out_of_reach(tiers[entry.tier], entry.intervals))
    }
    if not said:
        return catalogue
    lines = catalogue.lines
    problems = [
        LineProblem(lines[ticker], ticker, f"{file.name} line {lines[ticker]}: intervals: {out}")
        for ticker, out in said.items()
    ]
    kept = [entry for entry in catalogue.entries if entry.ticker not in said]
    return replace(catalogue, entries=kept, problems=[*catalogue.problems, *problems])
