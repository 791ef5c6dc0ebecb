"""Quarters of a year: which one holds a moment, and which ones ranges touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.quarters import quarter_of, quarters_in
from tests.unit.builders import DAY, at, quick

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range


def names(ranges: list[Range]) -> list[str]:
    return [one.name for one in quarters_in(ranges)]


@pytest.mark.parametrize(
    ("moment", "name"), [("2026-01-01", "2026Q1"), ("2026-06-30", "2026Q2"), ("2026-12-31", "2026Q4")]
)
def test_a_moment_lies_in_its_quarter(moment: str, name: str) -> None:
    found = quarter_of(at(moment))
    assert found.name == name
    assert found.start_s <= at(moment) < found.end_s


QUARTERS = [
    pytest.param([], [], id="nothing"),
    pytest.param([("2026-01-01", "2026-01-02")], ["2026Q1"], id="first day of a quarter"),
    pytest.param([("2026-03-31", "2026-04-01")], ["2026Q1"], id="its end is exclusive"),
    pytest.param([("2026-03-31", "2026-04-02")], ["2026Q1", "2026Q2"], id="over a border"),
    pytest.param([("2025-11-01", "2026-05-01")], ["2025Q4", "2026Q1", "2026Q2"], id="over a year's end"),
    pytest.param(
        [("2026-08-01", "2026-08-02"), ("2025-08-01", "2025-08-02"), ("2026-09-01", "2026-09-02")],
        ["2025Q3", "2026Q3"],
        id="each once, what lies between is not needed",
    ),
]


@pytest.mark.parametrize(("days", "expected"), QUARTERS)
def test_the_releases_are_those_that_hold_the_gaps(days: list[tuple[str, str]], expected: list[str]) -> None:
    assert names([(at(start), at(end)) for start, end in days]) == expected


@given(st.integers(0, 30_000), st.integers(1, 2_000))
@quick
def test_every_day_of_a_gap_lies_in_a_release_and_every_release_has_a_day(first: int, n_days: int) -> None:
    gap = (first * DAY, (first + n_days) * DAY)
    by_day = {one for day in range(first, first + n_days) for one in names([(day * DAY, (day + 1) * DAY)])}
    assert set(names([gap])) == by_day
