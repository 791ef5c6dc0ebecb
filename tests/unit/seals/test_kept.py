"""Days can be sealed when all their buckets are due; what is sealed is not due again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.completeness.buckets import Grid
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.intervals import DAY_S, INTERVALS, step_s
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.seals.kept import KeptSeries, unsealed
from kraken_ohlcv.stores.ledger.assets import Asset

ASSET = Asset("XBTUSD", "TIER1", "online", None, None, 0, Upkeep.shipped("TIER1"))
MIDNIGHT = 20_000 * DAY_S
LONG_S = 40 * DAY_S


@st.composite
def kept(draw: st.DrawFn) -> KeptSeries:
    """Return a series of some weeks."""
    interval = draw(st.sampled_from(INTERVALS[2:]))
    step = step_s(interval)
    start_s = ceil_s(MIDNIGHT + draw(st.integers(0, LONG_S)), interval)
    closed_s = start_s + draw(st.integers(0, LONG_S // step)) * step
    due_s = start_s + draw(st.integers(-2, LONG_S // step)) * step
    grid = Grid(start_s, closed_s, due_s, is_delisted=draw(st.booleans()))
    return KeptSeries(SeriesRow(ASSET, interval), grid)


@given(kept())
def test_days_can_be_sealed_when_all_their_buckets_are_due(one: KeptSeries) -> None:
    grid, step = one.grid, step_s(one.row.interval_minutes)
    due: dict[int, bool] = {}
    # A listed pair has further buckets, which have not closed yet.
    end_s = grid.closed_s if grid.is_delisted else max(grid.closed_s, grid.due_s) + 2 * DAY_S + step
    for open_s in range(grid.start_s, end_s, step):
        day_s = day_of(open_s, step)
        is_due = open_s < min(grid.closed_s, grid.due_s)
        due[day_s] = due.get(day_s, True) and is_due
    assert list(one.days) == [day_s for day_s, is_due in due.items() if is_due]


@given(kept(), st.data())
def test_what_is_left_is_what_can_be_sealed_without_what_is(one: KeptSeries, data: st.DataObject) -> None:
    done = data.draw(st.sets(st.sampled_from(list(one.days) or [MIDNIGHT])))
    stretches: list[range] = []
    for day_s in sorted(done):
        if stretches and stretches[-1][-1] + DAY_S == day_s:
            stretches[-1] = range(stretches[-1][0], day_s + 1, DAY_S)
        else:
            stretches.append(range(day_s, day_s + 1, DAY_S))
    found = [day_s for days in unsealed(one.days, stretches) for day_s in days]
    assert found == [day_s for day_s in one.days if day_s not in done]


@given(kept())
def test_the_buckets_of_days_are_those_of_the_series_that_end_in_them(one: KeptSeries) -> None:
    step = step_s(one.row.interval_minutes)
    every = range(one.grid.start_s, one.grid.closed_s, step)
    for day_s in one.days:
        start_s, end_s = one.covered(range(day_s, day_s + 1))
        assert list(range(start_s, end_s, step)) == [at_s for at_s in every if day_of(at_s, step) == day_s]
