"""A ratio with its target, and how a set of them is shown and kept."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import psutil
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Direction(StrEnum):
    """Which side of its target a ratio should be on."""

    AT_MOST = "<="
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Ratio:
    """One measured comparison.

    :ivar name: what is compared with what, a phrase
    :ivar value: the ratio, dimensionless
    :ivar target: what it should not pass; None = shown for information
    :ivar direction: which side of the target is good
    :ivar details: what the ratio was made of, by name with its unit, such as ``{"scan_ms": 431}``
    """

    name: str
    value: float
    target: float | None = None
    direction: Direction = Direction.AT_MOST
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        """Return whether the value is on the good side of the target; True without a target."""
        if self.target is None:
            return True
        if self.direction is Direction.AT_MOST:
            return self.value <= self.target
        return self.value >= self.target


@dataclass(frozen=True, slots=True)
class Measured:
    """The ratios of one benchmark.

    :ivar bench: its name
    :ivar ratios: what it returned
    """

    bench: str
    ratios: Sequence[Ratio]


def table_of(results: Sequence[Measured]) -> Table:
    """Return the ratios as a table for a terminal.

    :param results: what was measured
    :return: one row per ratio: bench, name, value, target, met or missed, details
    """
    table = Table(title="Ratios", title_justify="left")
    for heading in ("bench", "ratio", "value", "target", "", "details"):
        table.add_column(heading, justify="right" if heading == "value" else "left", overflow="fold")
    for measured in results:
        for ratio in measured.ratios:
            target = "" if ratio.target is None else f"{ratio.direction} {ratio.target:g}"
            judgement = "" if ratio.target is None else "met" if ratio.is_met else "MISSED"
            table.add_row(
                measured.bench,
                ratio.name,
                f"{ratio.value:.3g}",
                target,
                judgement,
                ", ".join(f"{name} {_short(value)}" for name, value in ratio.details.items()),
                style=None if ratio.is_met else "bold red",
            )
    return table


def write_json(path: Path, results: Sequence[Measured]) -> None:
    """Write the ratios beside what they were measured on.

    :param path: file, replaced; its folder is made
    :param results: what was measured
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": {
            "cpus": psutil.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "python": platform.python_version(),
        },
        "ratios": [
            {"bench": measured.bench, **asdict(ratio), "is_met": ratio.is_met}
            for measured in results
            for ratio in measured.ratios
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
