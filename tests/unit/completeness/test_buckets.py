"""For any candles and dense random emptiness: sets of bits say what a look at each single bucket says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.completeness.buckets import Counter, Grid, SeriesBuckets, grid_of, reach_of
from kraken_ohlcv.completeness.series_cells import CELL_COUNTS, count_cells
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.coverage import Emptiness
from tests.unit.builders import NOW

ASSET = Asset("XBTUSD", "TIER1", "online", None, None, 0, Upkeep.shipped("TIER1"))
STATES = ["stored", "stored", *Evidence, "missing", "disputed"]
INTERVALS = st.sampled_from([1, 5, 15, 60, 1440])
AROUND = 800
"""Buckets before now of which something is known: more than the API serves."""


@st.composite
def views(draw: st.DrawFn) -> tuple[SeriesBuckets, dict[int, str], int]:
    """Give a series, the state of each of its buckets, and the exchange's time."""
    interval = draw(INTERVALS)
    step = step_s(interval)
    now_s = NOW + draw(st.integers(0, 2 * step))
    newest = now_s // step
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    states = dict(zip(range(newest - AROUND, newest), generator.choice(STATES, AROUND).tolist(), strict=True))
    start = newest - draw(st.integers(0, AROUND))
    closed = draw(st.integers(start, newest))
    due = draw(st.integers(newest - AROUND, newest))
    grid = Grid(start * step, closed * step, due * step, draw(st.booleans()))
    first = draw(st.integers(newest - AROUND, newest))
    covered = (first * step, draw(st.integers(first, newest)) * step)
    restated = draw(st.sets(st.integers(newest - AROUND, newest - 1), max_size=5))

    def of(*wanted: str) -> BucketSet:
        return BucketSet.of_points((n * step for n, state in states.items() if state in wanted), step=step)

    by = {evidence: of(evidence) for evidence in Evidence}
    by[Evidence.TRADES] |= of("disputed")
    view = SeriesBuckets.of(
        SeriesRow(ASSET, interval),
        grid,
        None,
        covered,
        stored=of("stored", "disputed"),
        empty=Emptiness(step, by),
        restated=BucketSet.of_points((n * step for n in restated), step=step),
        off_grid=0,
    )
    there = range(max(start, covered[0] // step), min(closed, covered[1] // step))
    return view, {n * step: states[n] + ("!" if n in restated else "") for n in there}, now_s


def kind_of(open_s: int, state: str, view: SeriesBuckets, now_s: int) -> str:
    """Return what the definitions say of a bucket."""
    interval = view.row.interval_minutes
    if state in {"stored", "disputed"}:
        return "stored"
    if state != "missing":
        return f"proven_{state}"
    if open_s >= view.grid.due_s:
        return "pending"
    if view.grid.is_delisted or open_s < now_s // step_s(interval) * step_s(interval) - 720 * step_s(
        interval
    ):
        return "unfillable"
    return "expiring" if expiry_s(open_s, interval) <= now_s + DAY_S else "fillable"


@given(views())
def test_every_bucket_of_the_grid_is_exactly_what_the_definitions_say(
    drawn: tuple[SeriesBuckets, dict[int, str], int],
) -> None:
    view, states, now_s = drawn
    reach = reach_of(view.grid, view.row.interval_minutes, now_s=now_s)
    found = {
        "stored": view.stored,
        **{f"proven_{evidence}": buckets for evidence, buckets in view.empty.by.items()},
        **{name: view.missing.within(part) for name, part in reach._asdict().items()},
    }
    told = {open_s: name for name, buckets in found.items() for open_s in buckets.points()}
    assert sum(map(len, found.values())) == len(told)
    assert told == {
        open_s: kind_of(open_s, state.rstrip("!"), view, now_s) for open_s, state in states.items()
    }
    assert set(view.disputed.points()) == {one for one, state in states.items() if state.startswith("dis")}
    assert set(view.restated.points()) == {
        one for one, state in states.items() if state in {"stored!", "disputed!"}
    }


@given(views(), st.lists(st.integers(-2 * DAY_S, 900 * DAY_S), min_size=2, max_size=9))
def test_cells_count_what_opens_in_them(
    drawn: tuple[SeriesBuckets, dict[int, str], int], ages_s: list[int]
) -> None:
    view, states, now_s = drawn
    step = step_s(view.row.interval_minutes)
    borders = sorted({now_s - age_s % (AROUND * step) for age_s in ages_s} | {now_s, now_s - AROUND * step})

    found = count_cells(view, np.array(borders), now_s)

    assert set(found) == set(CELL_COUNTS)
    kinds = {one: kind_of(one, state.rstrip("!"), view, now_s) for one, state in states.items()}
    for column, (begin_s, end_s) in enumerate(pairwise(borders)):
        inside = [one for one in states if begin_s <= one < end_s]
        if -(-begin_s // step) == -(-end_s // step):
            # No bucket opens in it: it repeats the one that covers it.
            inside = [one for one in states if one == -(-begin_s // step) * step - step]
        counted = [kinds[one] for one in inside]
        for name in ("stored", "fillable", "expiring", "unfillable", "pending"):
            assert found[name][column] == counted.count(name), name
        assert found["proven_empty"][column] == sum(kind.startswith("proven") for kind in counted)
        assert found["disputed"][column] == sum(states[one].startswith("disputed") for one in inside)
        assert found["restated"][column] == sum(states[one] in {"stored!", "disputed!"} for one in inside)


@given(
    st.sets(st.integers(0, 700)),
    st.lists(st.tuples(st.integers(-100, 900), st.integers(-100, 900)), min_size=1, max_size=20),
)
def test_a_counter_counts_between_any_borders(numbers: set[int], parts: list[tuple[int, int]]) -> None:
    counter = Counter(BucketSet.of_points((number * 60 for number in numbers), step=60))
    first, last = np.array(parts).T
    assert counter.between(first, last).tolist() == [
        sum(begin <= number < end for number in numbers) for begin, end in parts
    ]


@pytest.mark.parametrize("n", [63, 64, 65, 128])
def test_a_counter_counts_whole_words(n: int) -> None:
    counter = Counter(BucketSet.all_in((0, n * 60), step=60))
    assert counter.between(np.array([0, 0, 1]), np.array([n, n + 1, n - 1])).tolist() == [n, n, n - 2]
    # The same with a hole: what has none is counted in another way.
    counter = Counter(BucketSet.of_ranges([(0, 180), (240, n * 60)], step=60))
    assert counter.between(np.array([0, 0, 1]), np.array([n, n + 1, n - 1])).tolist() == [n - 1, n - 1, n - 3]


def test_a_start_off_the_grid_adds_no_bucket() -> None:
    row = SeriesRow(ASSET, 60)
    end_s = NOW // 3600 * 3600
    grid = grid_of(row.asset, 60, known_s=end_s - 7200, span=(end_s - 9000, end_s - 9000), now_s=NOW)
    nothing = BucketSet(3600)
    view = SeriesBuckets.of(
        row,
        grid,
        None,
        (0, end_s),
        stored=nothing,
        empty=Emptiness.none(3600),
        restated=nothing,
        off_grid=1,
    )
    assert list(view.missing.points()) == [end_s - 7200, end_s - 3600]
