"""Sets of buckets from and to arrays, against sets of numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.stores.bucket_arrays import (
    is_in,
    marks_of,
    of_marks,
    of_stretches,
    opening_at,
    refined,
    stretches_with,
)
from tests.unit.builders import quick

STEP = 60
NUMBERS = st.sets(st.integers(0, 300))


def bucket_set(numbers: set[int]) -> BucketSet:
    return BucketSet.of_points((number * STEP for number in numbers), step=STEP)


def array(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


@quick
@given(NUMBERS, st.integers(0, 200), st.integers(0, 200))
def test_marks_lead_back_to_the_same_set(numbers: set[int], first: int, n: int) -> None:
    marks = marks_of(bucket_set(numbers), first=first, n=n)
    assert marks.tolist() == [number in numbers for number in range(first, first + n)]
    assert of_marks(marks, first=first, step=STEP) == bucket_set(numbers & set(range(first, first + n)))


@quick
@given(st.lists(st.integers(0, 300)), NUMBERS)
def test_times_in_any_order_lie_in_their_buckets(times: list[int], numbers: set[int]) -> None:
    found = opening_at(array([time * STEP + 7 for time in times]), step=STEP)
    assert found == bucket_set(set(times))
    inside = is_in(array([time * STEP + 59 for time in times]), bucket_set(numbers))
    assert inside.tolist() == [time in numbers for time in times]


@quick
@given(NUMBERS)
def test_stretches_hold_what_their_ranges_hold(numbers: set[int]) -> None:
    parts = bucket_set(numbers).ranges()
    starts, ends = array([start for start, _ in parts]), array([end for _, end in parts])
    assert of_stretches(starts, ends, step=STEP) == bucket_set(numbers)


@quick
@given(NUMBERS, st.sampled_from([1, 3, 12]))
def test_shorter_buckets_are_those_inside_the_longer_ones(numbers: set[int], per: int) -> None:
    step = STEP // per
    expected = {number * per + k for number in numbers for k in range(per)}
    assert refined(bucket_set(numbers), step=step) == BucketSet.of_points(
        (number * step for number in expected), step=step
    )


@quick
@given(NUMBERS, NUMBERS)
def test_a_stretch_is_chosen_whole_by_any_bucket_of_it(numbers: set[int], chosen: set[int]) -> None:
    expected = [
        part for part in bucket_set(numbers).ranges() if ranges.intersect([part], bucket_set(chosen).ranges())
    ]
    assert stretches_with(bucket_set(numbers), bucket_set(chosen)).ranges() == expected
