"""Days are sealed the newest months first, and long stretches together only where nothing else is read."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.seals.batches import MOST_BUCKETS, batches, long_parts_of, months_of, within

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.seals.batches import Days

FIRST_DAY = 20_000
MINUTES = Series("XBTUSD", 1)


def days(first: int, end: int) -> range:
    """Return a stretch of days, given as days since FIRST_DAY."""
    return range((FIRST_DAY + first) * DAY_S, (FIRST_DAY + end) * DAY_S, DAY_S)


@st.composite
def stretches(draw: st.DrawFn) -> list[range]:
    borders = sorted(draw(st.sets(st.integers(0, 2_000), min_size=2, max_size=8)))
    return [days(first, end) for first, end in zip(borders[::2], borders[1::2], strict=False)]


due_days = st.dictionaries(
    st.sampled_from([MINUTES, Series("ETHUSD", 1), Series("XBTUSD", 60), Series("ETHUSD", 1440)]),
    stretches(),
    max_size=4,
)


@given(due_days)
def test_each_day_is_in_one_part_and_later_parts_are_older(due: Days) -> None:
    for parts in (months_of(due), long_parts_of(due)):
        assert all(later[1] == earlier[0] for earlier, later in pairwise(parts))
        found = [
            (Series(series.ticker, interval), day_s)
            for interval, those in batches(due, parts)
            for series, some in those.items()
            for day_s in some
        ]
        expected = {(series, day_s) for series, those in due.items() for some in those for day_s in some}
        assert len(found) == len(expected)
        assert set(found) == expected


@given(due_days)
def test_what_is_longer_than_a_month_holds_no_day_that_is_not_due(due: Days) -> None:
    for part in long_parts_of(due):
        if part != month_of(part[0]):
            for stretches_of_one in due.values():
                assert sum(bool(within(some, part)) for some in stretches_of_one) <= 1


def test_a_long_stretch_is_cut_where_it_holds_too_many_buckets() -> None:
    due = {Series(f"AA{n}USD", 1): [days(0, 2_000)] for n in range(10)}
    parts = long_parts_of(due)
    assert len(parts) == 6
    assert max(map(length, parts)) * 10 * 1440 <= MOST_BUCKETS
    assert len(long_parts_of({MINUTES: [days(0, 2_000)]})) == 1


def length(part: Range) -> int:
    """Return the number of days of a part of time."""
    return (part[1] - part[0]) // DAY_S
