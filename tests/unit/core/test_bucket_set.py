"""Sets of buckets against sets of numbers: the same members, the same arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet

STEP = 60
NUMBERS = st.sets(st.integers(min_value=0, max_value=300))


def bucket_set(numbers: set[int]) -> BucketSet:
    return BucketSet.of_points((number * STEP for number in numbers), step=STEP)


def members(buckets: BucketSet) -> set[int]:
    return {point // STEP for point in buckets.points()}


@given(NUMBERS, NUMBERS)
def test_sets_of_buckets_are_sets(one: set[int], other: set[int]) -> None:
    mine, theirs = bucket_set(one), bucket_set(other)
    assert members(mine | theirs) == one | other
    assert members(mine & theirs) == one & other
    assert members(mine - theirs) == one - other
    assert len(mine) == len(one)
    assert bool(mine) == bool(one)
    assert (mine == theirs) == (one == other)
    if one == other:
        assert hash(mine) == hash(theirs)
    assert (mine | theirs) - theirs == bucket_set(one - other)
    assert hash((mine | theirs) - theirs) == hash(bucket_set(one - other))


@given(NUMBERS, st.integers(0, 310 * STEP), st.integers(0, 310 * STEP))
def test_a_part_holds_what_opens_in_it(numbers: set[int], start_s: int, end_s: int) -> None:
    part = bucket_set(numbers).within((start_s, end_s))
    assert members(part) == {number for number in numbers if start_s <= number * STEP < end_s}


@given(st.integers(0, 310 * STEP), st.integers(0, 310 * STEP))
def test_all_of_a_range_is_every_bucket_that_opens_in_it(start_s: int, end_s: int) -> None:
    every = BucketSet.all_in((start_s, end_s), step=STEP)
    assert members(every) == {number for number in range(311) if start_s <= number * STEP < end_s}


def test_a_part_that_ends_with_time_itself_is_the_rest() -> None:
    assert members(bucket_set({3, 5, 9}).within((4 * STEP, 2**80))) == {5, 9}


def test_a_set_of_many_buckets_can_be_shown() -> None:
    many = BucketSet.of_ranges([(0, 100_000 * STEP)], step=STEP)
    assert repr(many) == "<100000 buckets of 60 s from 0 to 6000000>"


@given(NUMBERS, st.integers(0, 5))
def test_the_oldest_stretches_are_those_that_come_first(numbers: set[int], most: int) -> None:
    assert bucket_set(numbers).ranges(most) == bucket_set(numbers).ranges()[:most]


@given(NUMBERS)
def test_ranges_and_texts_lead_back_to_the_same_set(numbers: set[int]) -> None:
    buckets = bucket_set(numbers)
    assert buckets.ranges() == ranges.from_points(buckets.points(), step=STEP)
    assert BucketSet.of_ranges(buckets.ranges(), step=STEP) == buckets
    whole = (5 * STEP, 280 * STEP)
    text = buckets.text(whole)
    assert len(text) == 275
    assert BucketSet.of_text(text, first=5, step=STEP) == buckets.within(whole)
    assert buckets.start_s == (min(numbers) * STEP if numbers else None)
    assert buckets.end_s == (max(numbers) * STEP + STEP if numbers else None)


@given(NUMBERS, st.integers(1, 30))
def test_clusters_part_where_the_next_bucket_is_farther_than_the_reach(numbers: set[int], reach: int) -> None:
    expected: list[list[int]] = []
    for number in sorted(numbers):
        if expected and number - expected[-1][-1] <= reach:
            expected[-1].append(number)
        else:
            expected.append([number])
    found = bucket_set(numbers).clusters(reach)
    assert found == [(those[0] * STEP, (those[-1] + 1) * STEP) for those in expected]


def test_an_empty_range_has_an_empty_text() -> None:
    assert BucketSet(STEP).text((600, 600)) == ""
    assert BucketSet.of_ranges([(600, 600)], step=STEP) == BucketSet(STEP)


def test_sets_of_two_lengths_are_never_equal() -> None:
    assert BucketSet(60) != BucketSet(300)


@pytest.mark.parametrize("reach", [1, 2])
def test_years_of_minutes_are_counted_without_a_list(reach: int) -> None:
    years = BucketSet(60, 0, (1 << 5 * 525_600) - 1)
    assert len(years) == 5 * 525_600
    assert years.clusters(reach) == [(0, 5 * 525_600 * 60)]
