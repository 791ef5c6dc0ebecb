"""Range arithmetic, against sets of buckets counted one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from tests.unit.builders import buckets, quick, range_sets

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range

SETS = range_sets()


def is_normal(found: list[Range]) -> bool:
    """Return whether ranges ascend, are not empty, and neither overlap nor touch."""
    return all(start < end for start, end in found) and all(
        before[1] < after[0] for before, after in pairwise(found)
    )


@pytest.mark.parametrize(
    ("given_ranges", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([(3, 3)], [], id="an empty range is dropped"),
        pytest.param([(5, 7), (0, 2)], [(0, 2), (5, 7)], id="disorder is sorted"),
        pytest.param([(0, 2), (2, 4)], [(0, 4)], id="touching ranges become one"),
        pytest.param([(0, 9), (2, 4)], [(0, 9)], id="a range inside another vanishes"),
    ],
)
def test_union_returns_the_normal_form(given_ranges: list[Range], expected: list[Range]) -> None:
    assert ranges.union(given_ranges) == expected


@pytest.mark.parametrize(
    ("mine", "taken", "expected"),
    [
        pytest.param([(0, 9)], [], [(0, 9)], id="nothing taken"),
        pytest.param([(0, 9)], [(0, 9)], [], id="all taken"),
        pytest.param([(0, 9)], [(0, 1)], [(1, 9)], id="the first bucket"),
        pytest.param([(0, 9)], [(8, 9)], [(0, 8)], id="the last bucket"),
        pytest.param([(0, 9)], [(3, 4)], [(0, 3), (4, 9)], id="one in the middle"),
        pytest.param([(0, 9)], [(9, 12)], [(0, 9)], id="what touches takes nothing"),
        pytest.param([(0, 3), (6, 9)], [(2, 7)], [(0, 2), (7, 9)], id="one that spans two"),
        pytest.param([(0, 3)], [(0, 1), (2, 3)], [(1, 2)], id="both rims"),
    ],
)
def test_subtract_leaves_what_is_not_taken(
    mine: list[Range], taken: list[Range], expected: list[Range]
) -> None:
    assert ranges.subtract(mine, taken) == expected


@quick
@given(one=SETS, other=SETS)
def test_union_subtract_and_intersect_do_what_sets_of_buckets_do(
    one: list[Range], other: list[Range]
) -> None:
    for found, expected in (
        (ranges.union(one, other), buckets(one) | buckets(other)),
        (ranges.subtract(one, other), buckets(one) - buckets(other)),
        (ranges.intersect(one, other), buckets(one) & buckets(other)),
    ):
        assert is_normal(found)
        assert buckets(found) == expected


@quick
@given(points=st.lists(st.integers(-50, 50)), step=st.sampled_from([1, 60, 3600]))
def test_points_become_ranges_that_hold_just_their_buckets(points: list[int], step: int) -> None:
    found = ranges.from_points((point * step for point in points), step=step)
    assert is_normal(found)
    assert buckets(found, step=step) == {point * step for point in points}
    assert ranges.count(found, step=step) == len(set(points))


@quick
@given(one=SETS)
def test_count_counts_overlapping_ranges_once(one: list[Range]) -> None:
    assert ranges.count(one, step=1) == len(buckets(one))


@quick
@given(parts=SETS, step=st.integers(1, 7))
def test_widened_ranges_are_the_whole_buckets_that_they_touch(parts: list[Range], step: int) -> None:
    found = ranges.widened(parts, step=step)

    assert is_normal(found)
    assert buckets(found) == {
        open_s + n
        for start, end in parts
        for open_s in range(start // step * step, end, step)
        for n in range(step)
        if start < end
    }
