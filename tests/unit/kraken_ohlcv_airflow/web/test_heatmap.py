"""The drawing of the heatmap: runs, paths and axis hold exactly the cells."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.completeness.series_cells import (
    CELL_COUNTS,
    CELL_STATES,
    CellState,
    Period,
    SeriesCells,
    edges_of,
)
from kraken_ohlcv.core.times import utc
from kraken_ohlcv_airflow.web.heatmap import (
    CHARACTER_PX,
    PITCHES_PX,
    WIDTH_PX,
    draw,
    marks_of,
    paths_of,
    pitch_of,
    runs_of,
)
from tests.unit.builders import DAY, at, quick

matrices = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 30).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(0, len(CELL_STATES) - 1), min_size=columns, max_size=columns),
            min_size=rows,
            max_size=rows,
        )
    )
)


def cells_of(states: list[int]) -> SeriesCells:
    """Return cells in some states; each holds as many stored candles as its state has a number."""
    return SeriesCells(
        ticker="XBTUSD",
        tier="TIER1",
        interval_minutes=60,
        listing="listed",
        since=None,
        state=[CELL_STATES[number] for number in states],
        **{**dict.fromkeys(CELL_COUNTS, [0] * len(states)), "stored": states},
    )


@given(matrices)
@quick
def test_runs_unpack_to_the_cells(states: list[list[int]]) -> None:
    for row in states:
        runs = runs_of(cells_of(row))
        assert [state for n, state, *_ in runs for _ in range(n)] == row
        assert all(counts[0] == state for _, state, *counts in runs)
        assert all(left[1:] != right[1:] for left, right in pairwise(runs))


@given(matrices)
@quick
def test_paths_cover_each_cell_once_in_its_state_and_none_outside(states: list[list[int]]) -> None:
    for row in states:
        drawn = {}
        for name, path in paths_of(cells_of(row).state, 10):
            for x, width, back in re.findall(r"M(\d+) 0h(\d+)v18h-(\d+)z", path):
                assert width == back
                for column in range(int(x) // 10, (int(x) + int(width)) // 10):
                    assert column not in drawn
                    drawn[column] = name
        assert drawn == {
            column: CELL_STATES[state].value
            for column, state in enumerate(row)
            if CELL_STATES[state] is not CellState.OUTSIDE
        }


@given(matrices)
@quick
def test_the_legend_counts_every_cell_that_is_drawn(states: list[list[int]]) -> None:
    flat = [
        CELL_STATES[state].value
        for row in states
        for state in row
        if CELL_STATES[state] is not CellState.OUTSIDE
    ]
    edges = [utc(day * DAY) for day in range(len(states[0]) + 1)]
    heatmap = draw([cells_of(row) for row in states], edges, Period.DAY)
    assert heatmap.counts == {name: flat.count(name) for name in set(flat)}


@pytest.mark.parametrize("n_periods", [1, 30, 33, 34, 90, 180, 360, 365, 400])
def test_cells_are_as_wide_as_the_room_allows(n_periods: int) -> None:
    pitch = pitch_of(n_periods)
    assert pitch in PITCHES_PX
    assert pitch * n_periods <= WIDTH_PX or pitch == min(PITCHES_PX)
    wider = [other for other in PITCHES_PX if other > pitch]
    assert not [other for other in wider if other * n_periods <= WIDTH_PX]


AXES = [
    pytest.param("2026-10-25", 30, Period.DAY, ["26 Oct 2026", "2 Nov", "9 Nov", "16 Nov"], id="days"),
    pytest.param("2026-08-26", 90, Period.DAY, ["Aug 2026", "Sep", "Oct", "Nov"], id="months over days"),
    pytest.param(
        "2026-11-29", 90, Period.DAY, ["Dec 2026", "Jan 2027", "Feb"], id="a cut-off month gives way"
    ),
    pytest.param("2025-11-20", 730, Period.MONTH, ["2026", "2027"], id="years over months"),
]


@pytest.mark.parametrize(("first", "n_days", "period", "texts"), AXES)
def test_the_axis_says_when(first: str, n_days: int, period: Period, texts: list[str]) -> None:
    starts = edges_of((at(first), at(first) + n_days * DAY), period)[:-1]
    found = [mark.text for mark in marks_of(starts, period, pitch_of(len(starts)))]
    assert [text for text in found if text in texts] == texts


@given(st.integers(0, 20_000), st.integers(1, 4000), st.sampled_from(list(Period)))
@quick
def test_no_label_lies_over_another_or_beyond_the_edge(first: int, n_days: int, period: Period) -> None:
    starts = edges_of((first * DAY, (first + n_days) * DAY), period)[:-1][:400]
    pitch = pitch_of(len(starts))
    marks = marks_of(starts, period, pitch)
    ends = [mark.x + CHARACTER_PX * len(mark.text) for mark in marks]
    assert all(end < after.x for end, after in zip(ends, marks[1:], strict=False))
    assert not ends or ends[-1] <= pitch * len(starts)
