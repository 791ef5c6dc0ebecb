"""What a series holds of a day, bucket by bucket."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from kraken_ohlcv.completeness.buckets import Grid, SeriesBuckets
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.completeness.verified_days import NOTHING, day_of_series
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.stores.ledger.coverage import Emptiness
from tests.unit.builders import NOW
from tests.unit.completeness.test_buckets import ASSET

DAY = NOW // DAY_S * DAY_S - DAY_S
STATES = ("stored", "archive", "ohlc", "trades", "disputed", "missing")
"""Of a bucket; a disputed one is stored where trades prove that nothing traded."""


@st.composite
def series(draw: st.DrawFn) -> tuple[SeriesBuckets, dict[int, str]]:
    """Give a series in which little is amiss, and the state of each of its buckets."""
    interval = draw(st.sampled_from([15, 60, 240, 1440, 10080]))
    step = step_s(interval)
    around = DAY - 2 * max(step, DAY_S), DAY + 3 * DAY_S
    opens = range(around[0] // step * step, around[1] // step * step, step)
    states = dict.fromkeys(opens, draw(st.sampled_from(["stored", "ohlc"])))
    states |= draw(st.dictionaries(st.sampled_from(opens), st.sampled_from(STATES), max_size=3))
    borders = st.sampled_from([
        around[0] // step * step,
        *(DAY // step * step + n * step for n in range(-3, 4)),
    ])
    moments = st.one_of(st.none(), st.integers(DAY - 2 * DAY_S, DAY + 2 * DAY_S))
    start_s = draw(borders)
    closed_s = max(start_s, draw(st.sampled_from([opens[-1] + step, DAY // step * step + 2 * step])))
    is_delisted = draw(st.booleans())
    grid = Grid(start_s, closed_s, closed_s, is_delisted)

    def of(*wanted: str) -> BucketSet:
        return BucketSet.of_points((at for at, state in states.items() if state in wanted), step=step)

    by = {evidence: of(evidence) for evidence in Evidence}
    by[Evidence.TRADES] |= of("disputed")
    asset = replace(ASSET, first_trade_s=draw(moments))
    found = SeriesBuckets.of(
        SeriesRow(asset, interval),
        grid,
        None,
        around,
        stored=of("stored", "disputed"),
        empty=Emptiness(step, by),
        restated=BucketSet(step),
        off_grid=0,
    )
    return found, states


@given(series())
def test_a_day_is_whole_when_each_of_its_buckets_is_stored_or_proven_empty(
    given_one: tuple[SeriesBuckets, dict[int, str]],
) -> None:
    found, states = given_one
    step, grid, first_trade_s = step_s(found.row.interval_minutes), found.grid, found.row.asset.first_trade_s
    of_day = [at for at in states if DAY <= at + step - 1 < DAY + DAY_S]
    if first_trade_s is not None:
        of_day = [at for at in of_day if at + step > first_trade_s]
    if grid.is_delisted:
        of_day = [at for at in of_day if at + step <= grid.closed_s]
        if grid.start_s == grid.closed_s:
            of_day = []
    kinds = [states[at] if grid.start_s <= at < grid.closed_s else "missing" for at in of_day]
    if not kinds:
        expected = NOTHING
    elif {"missing", "disputed"}.isdisjoint(kinds):
        expected = kinds.count("stored"), len(kinds) - kinds.count("stored")
    else:
        expected = None
    event("nothing" if expected == NOTHING else "incomplete" if expected is None else "complete")
    assert day_of_series(found, DAY) == expected
