"""UTC months, and the buckets that open in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.months import month_of, months_in, months_of
from tests.unit.builders import DAY, HOUR, at, quick

POINTS = st.sets(
    st.integers(at("2025-11-01") // HOUR, at("2026-03-01") // HOUR).map(lambda n: n * HOUR), max_size=40
)


def test_a_month_begins_with_its_first_second_and_ends_before_the_next() -> None:
    december = (at("2025-12-01"), at("2026-01-01"))
    assert month_of(december[0]) == month_of(december[1] - 1) == december
    assert month_of(december[1]) == (december[1], at("2026-02-01"))
    assert months_in([(december[1] - 1, december[1] + 1), (december[0], december[0])]) == [
        december,
        (december[1], at("2026-02-01")),
    ]


@quick
@given(points=POINTS)
def test_the_months_of_buckets_are_those_in_which_one_opens(points: set[int]) -> None:
    assert months_of(BucketSet.of_points(points, step=HOUR)) == sorted({month_of(point) for point in points})


@quick
@given(points=POINTS, step=st.sampled_from([HOUR, 4 * HOUR, DAY, 7 * DAY, 15 * DAY]))
def test_the_longer_buckets_of_some_are_those_that_one_of_them_lies_in(points: set[int], step: int) -> None:
    longer = BucketSet.of_points(points, step=HOUR).widened(step)
    assert set(longer.points()) == {point // step * step for point in points}
    assert longer.step == step
