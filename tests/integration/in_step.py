"""The invariants of the ledger's pages: what must hold of them, the gaps and the candles after any change."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import GapStatus, parts_of
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import union
from kraken_ohlcv.stores.ledger.series_state import every_series, read_state
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.stored_buckets import read_open_times
from tests.integration.ledger_pages import all_pages

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.coverage import Coverage
    from kraken_ohlcv.stores.ledger.series_state import SeriesState
    from tests.integration.world import World


def assert_in_step(world: World) -> int:
    """Check pages against gaps and candles, of every series; return how many pages claim what is stored."""
    n_pages = 0
    with connect(world.dsn) as connection:
        for _, series in every_series(connection):
            state, pages = read_state(connection, series), all_pages(connection, series)
            missing = pages.missing if pages else BucketSet(step_s(series.interval_minutes))
            assert_gaps_hold_what_is_missing(state, missing)
            if pages is not None:
                n_pages += assert_pages_claim_what_is_stored(world, state, pages)
    return n_pages


def assert_gaps_hold_what_is_missing(state: SeriesState, missing: BucketSet) -> None:
    """Check that every missing bucket is in one open gap, and that the gaps count them exactly."""
    for gap in state.gaps:
        inside = missing.within(gap.range)
        if gap.status is not GapStatus.BACKFILLING:
            assert (gap.start_s, gap.end_s) == (inside.start_s, inside.end_s)
        assert gap.missing_candles == len(inside)
    assert sum(gap.missing_candles for gap in state.gaps) == len(missing)
    assert all(first.end_s <= second.start_s for first, second in pairwise(state.gaps))


def assert_pages_claim_what_is_stored(world: World, state: SeriesState, pages: Coverage) -> int:
    """Check that pages on which QuestDB counts the candles that were reconciled say which these are."""
    series, step = state.series, pages.missing.step
    if state.until_s is None:
        return 0
    stored = read_open_times(world.questdb, {series: list(pages.months)})[0][series]
    n_pages = 0
    for month in pages.months:
        if pages.reconciled.get(month) == len(stored.within(month)):
            part = on_grid(month, step)
            expected = (max(part[0], state.start_s), min(part[1], state.until_s))
            grid = BucketSet.of_ranges([expected], step=step)
            claimed = (grid - pages.missing - pages.empty.all) | (grid & pages.disputed)
            assert claimed == stored.within(expected)
            n_pages += 1
    return n_pages


def on_grid(month: Range, step: int) -> Range:
    """Return the buckets that open in a month, as a range."""
    return -(-month[0] // step) * step, -(-month[1] // step) * step


def gaps_of(parts: list[Range], interval_minutes: int) -> list[Range]:
    """Return the gaps that missing stretches of the same state make, side by side in time."""
    missing = BucketSet.of_ranges(union(parts), step=step_s(interval_minutes))
    return [part.range for part in parts_of(missing)]
