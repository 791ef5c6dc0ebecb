"""The benchmark harness: which modules are benchmarks, when a ratio is met, what is kept."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from bench.tools.ratios import Direction, Measured, Ratio, table_of, write_json
from bench.tools.runner import FOLDER, UnknownBenchError, choose, measure, names_in
from bench.tools.size import VARIABLE, is_big, names_without_size

if TYPE_CHECKING:
    from pathlib import Path

    from bench.tools.services import Services

MET = [
    pytest.param(Ratio("a", 1.5, target=1.5), True, id="at most: the target itself is met"),
    pytest.param(Ratio("a", 1.51, target=1.5), False, id="at most: above is missed"),
    pytest.param(
        Ratio("a", 0.6, target=0.6, direction=Direction.AT_LEAST), True, id="at least: equal is met"
    ),
    pytest.param(
        Ratio("a", 0.59, target=0.6, direction=Direction.AT_LEAST), False, id="at least: below misses"
    ),
    pytest.param(Ratio("a", 99.0), True, id="a ratio without target misses nothing"),
]


@pytest.mark.parametrize(("ratio", "is_met"), MET)
def test_a_ratio_is_met_on_the_good_side_of_its_target(ratio: Ratio, is_met: bool) -> None:
    assert ratio.is_met is is_met


def test_every_module_directly_in_the_folder_is_a_benchmark() -> None:
    names = names_in()
    assert names
    assert all((FOLDER / f"{name}.py").is_file() for name in names)
    assert "tools" not in names
    assert "__main__" not in names


def test_nothing_asked_for_means_all_and_a_name_counts_once() -> None:
    assert choose([], ["a", "b"]) == ["a", "b"]
    assert choose(["b", "a", "b"], ["a", "b", "c"]) == ["b", "a"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownBenchError, match="no benchmark is called speed; there are: a, b"):
        choose(["speed"], ["a", "b"])


class Said:
    """Stands in for the services of a benchmark that uses none."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Keep what is told."""
        self.said.append(text)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of an importable package with two benchmarks."""
    name = "benches_of_a_test"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "good.py").write_text(
        "from bench.tools.ratios import Ratio\ndef run(services): return [Ratio('x', 2.0, target=1.0)]"
    )
    (folder / "silent.py").write_text("def run(services):\n    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def test_each_benchmark_is_announced_and_gives_its_ratios(package: str) -> None:
    services = Said()
    (measured,) = measure(["good"], cast("Services", services), package=package)
    assert (measured.bench, [ratio.value for ratio in measured.ratios]) == ("good", [2.0])
    assert services.said == ["good …"]


def test_a_benchmark_that_measures_nothing_is_an_error(package: str) -> None:
    with pytest.raises(ValueError, match="silent returned no ratio"):
        list(measure(["silent"], cast("Services", Said()), package=package))


RESULTS = [
    Measured("fill", [Ratio("fill / call", 1.234, target=1.1, details={"fill_ms": 12.3456, "rows": 720})]),
    Measured("read", [Ratio("read / scan", 0.9, target=0.5, direction=Direction.AT_LEAST)]),
]


def test_the_table_says_what_was_met_and_what_was_missed() -> None:
    console = Console(width=140, record=True, file=cast("Any", sys.stderr))
    console.print(table_of(RESULTS))
    text = console.export_text()
    (fill,) = [line for line in text.splitlines() if "fill / call" in line]
    (read,) = [line for line in text.splitlines() if "read / scan" in line]
    assert all(part in fill for part in ("1.23", "<= 1.1", "MISSED", "fill_ms 12.35", "rows 720"))
    assert all(part in read for part in (">= 0.5", "met"))


def test_the_ratios_are_kept_with_the_machine_they_were_measured_on(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    write_json(path, RESULTS)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert set(kept["machine"]) == {"cpus", "memory_gb", "python"}
    assert [(one["bench"], one["value"], one["is_met"]) for one in kept["ratios"]] == [
        ("fill", 1.234, False),
        ("read", 0.9, True),
    ]


@pytest.mark.parametrize(
    ("variable", "given", "names", "big"),
    [
        pytest.param("", ["growth"], ["growth"], False, id="a tenth by default"),
        pytest.param("", ["big", "growth"], ["growth"], True, id="big on the command line"),
        pytest.param("big", [], [], True, id="big as make exports it"),
        pytest.param("bigger", ["growth"], ["growth"], False, id="another word sets no size"),
    ],
)
def test_the_word_big_sets_the_size_and_is_no_benchmark(
    monkeypatch: pytest.MonkeyPatch, variable: str, given: list[str], names: list[str], big: bool
) -> None:
    monkeypatch.setenv(VARIABLE, variable)
    assert names_without_size(given) == names
    assert is_big() is big
