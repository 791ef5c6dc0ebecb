"""For any history, holes, quiet ranges and faults: the ledger says exactly what the candles say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from tests.integration.in_step import assert_in_step

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

NOW = "2026-11-23T12:34:56Z"
MINUTE = 60
WINDOW = 720
BUSY_SHARE = 0.99

THICK = (Series("XBTUSD", 60), Series("XBTUSD", 240), Series("ETHUSD", 1440))
THIN = (Series("DAIUSD", 60), Series("WBTCUSD", 60), Series("EGLDUSD", 1440))


few = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # an example takes a second: shrinking one would take many minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class History:
    """What is stored of a series, and what never traded; buckets are counted from the edge of the window.

    :ivar series: ticker and interval
    :ivar stored: first and last bucket stored, or None when nothing is
    :ivar holes: ranges of buckets left out
    :ivar quiet: ranges of buckets in which nothing traded
    """

    series: Series
    stored: tuple[int, int] | None
    holes: list[Range] = field(default_factory=list)
    quiet: list[Range] = field(default_factory=list)

    def seconds(self, window_start_s: int, part: Range) -> Range:
        """Return a range of buckets as a range of time."""
        step = step_s(self.series.interval_minutes)
        return window_start_s + part[0] * step, window_start_s + part[1] * step


def parts(*, earliest: int, longest: int) -> st.SearchStrategy[list[Range]]:
    """Return a strategy for up to three ranges of closed buckets."""
    lengths = st.one_of(st.integers(1, 3), st.integers(1, longest))
    starts = st.one_of(
        st.integers(-3, 3), st.integers(earliest, WINDOW - 1), st.integers(WINDOW - 4, WINDOW - 1)
    )
    return st.lists(st.tuples(starts, lengths).map(lambda p: (p[0], min(p[0] + p[1], WINDOW))), max_size=3)


def histories(series: Series) -> st.SearchStrategy[History]:
    """Return a strategy for what is stored of a series."""
    begins = st.one_of(st.just(0), st.integers(-40, 40), st.integers(-40, WINDOW - 1))
    lacking_tail = st.one_of(st.just(0), st.integers(0, 30))
    return st.builds(
        History,
        series=st.just(series),
        stored=st.one_of(
            st.none(),
            st.tuples(begins, lacking_tail).map(lambda p: (p[0], max(p[0] + 1, WINDOW - p[1]))),
        ),
        holes=parts(earliest=-40, longest=60),
        quiet=parts(earliest=0, longest=20),
    )


@dataclass(frozen=True)
class Account:
    """What became of every bucket of a series."""

    grid: set[int]
    stored: set[int]
    empty: set[int]
    unfillable: set[int]
    open: set[int]
    truth: dict[int, StoredCandle]
    candles: dict[int, StoredCandle]


def make(world: World, all_histories: list[History]) -> None:
    """Make a world in which these histories are stored."""
    world.clear({history.series.ticker for history in all_histories}, clock=NOW)
    for history in all_histories:
        window_start_s, _ = world.window(history.series)
        for quiet in history.quiet:
            world.exchange.quiet(history.series.ticker, *history.seconds(window_start_s, quiet))
    for history in all_histories:
        window_start_s, end_s = world.window(history.series)
        if history.stored is not None:
            first_s, last_s = history.seconds(window_start_s, history.stored)
            holes = [history.seconds(window_start_s, hole) for hole in history.holes]
            world.store(history.series, (first_s, min(last_s, end_s)), without=holes)


def buckets(series: Series, covered: list[Range]) -> set[int]:
    """Return the open times inside ranges."""
    step = step_s(series.interval_minutes)
    return {ts_s for start, end in covered for ts_s in range(start, end, step)}


def everything_stored(world: World, series: Series) -> dict[int, StoredCandle]:
    """Return all stored candles of a series, also any that should not be there."""
    window_start_s, end_s = world.window(series)
    step = step_s(series.interval_minutes)
    return world.stored(series, (window_start_s - 100 * step, end_s + 100 * step))


def account_of(world: World, series: Series, *, start_s: int) -> Account:
    """Return what became of every bucket of a series, from the stores themselves."""
    _, end_s = world.window(series)
    whole = (start_s, end_s)
    gaps = [gap for gap in world.gaps(series) if gap["status"] != "FILLED"]
    candles = everything_stored(world, series)
    missing = buckets(series, world.missing(series))
    assert_in_step(world)
    return Account(
        grid=buckets(series, [whole]),
        stored=set(candles),
        empty=buckets(series, world.proven(series)),
        unfillable=missing
        & buckets(series, [(gap["start_s"], gap["end_s"]) for gap in gaps if gap["status"] == "UNFILLABLE"]),
        open=missing & buckets(series, [(gap["start_s"], gap["end_s"]) for gap in gaps]),
        truth=world.truth(series, whole),
        candles=candles,
    )


def first_expected(world: World, history: History) -> int:
    """Return where the grid of a series begins: at its oldest candle or the edge, whichever is older."""
    window_start_s, _ = world.window(history.series)
    return min([window_start_s, *everything_stored(world, history.series)])


def assert_ledger_tells_what_is_missing(account: Account) -> None:
    """Check that open gaps are what is neither stored nor proven empty, and that nothing is two things."""
    assert account.open == account.grid - account.stored - account.empty
    assert not account.stored & account.empty
    assert account.stored <= account.grid
    assert not account.empty & set(account.truth)
    assert all(account.truth[ts_s] == candle for ts_s, candle in account.candles.items())


def assert_counts_match_records(world: World, summary: dict[str, Any]) -> None:
    """Check the figures of the only run there was against the records themselves."""
    records = Counter(gap["status"] for gap in world.gaps())
    assert summary["gaps_detected"] == sum(records.values())
    assert summary["gaps_filled"] == records["FILLED"]
    assert summary["gaps_unfillable"] == records["UNFILLABLE"]
    assert summary["gaps_failed"] == records["FAILED"]
    assert summary["gaps_deferred"] == records["DETECTED"]
    assert records["BACKFILLING"] == 0


def is_busy_with_a_hole(world: World, series: Series) -> bool:
    """Return whether an answer would be from a busy series in which something did not trade."""
    share = len(world.truth(series, world.window(series))) / WINDOW
    return BUSY_SHARE <= share < 1


@pytest.mark.parametrize("series", [*THICK, *THIN], ids=str)
@few
@given(data=st.data())
def test_after_a_run_stored_and_proven_and_unfillable_are_the_grid(
    world: World, series: Series, data: st.DataObject
) -> None:
    history = data.draw(histories(series))
    make(world, [history])
    start_s = first_expected(world, history)

    summary = world.run(intervals=[series.interval_minutes])

    assert_counts_match_records(world, summary)
    assert (summary["raised"], summary["gaps_failed"]) == ([], 0)
    assert_ledger_tells_what_is_missing(account_of(world, series, start_s=start_s))
    if is_busy_with_a_hole(world, series):
        world.exchange.advance(31 * MINUTE)
        assert world.run(intervals=[series.interval_minutes])["gaps_failed"] == 0
    account = account_of(world, series, start_s=start_s)
    assert_ledger_tells_what_is_missing(account)
    assert account.open == account.unfillable
    assert len(account.stored) + len(account.empty) + len(account.unfillable) == len(account.grid)
    # Beyond the window nothing can be had, inside it nothing is left.
    window_start_s, _ = world.window(series)
    assert all(ts_s < window_start_s for ts_s in account.unfillable)
    assert {ts_s for ts_s in account.truth if ts_s >= window_start_s} <= account.stored

    before = world.contents()
    world.exchange.clear_calls()
    repeated = world.run(intervals=[series.interval_minutes])
    assert (repeated["gaps_detected"], world.exchange.calls("OHLC")) == (0, [])
    assert world.contents() == before


PASSING_AND_LASTING: list[tuple[str, dict[str, Any]]] = [
    ("error", {"error": "EService:Busy"}),
    ("error", {"error": "EService:Busy", "endpoint": "Trades"}),
    ("error", {"error": "EAPI:Rate limit exceeded"}),
    ("error", {"error": "EGeneral:Permission denied"}),
    ("http", {"status": 503}),
    ("truncated", {}),
    ("drop", {}),
    ("stale", {}),
    ("rows", {"keep": 719}),
    ("rows", {"keep": 300}),
    ("bad_row", {"what": "high_below_low"}),
    ("omit_flat", {}),
]

FAULTS = st.tuples(
    st.sampled_from(PASSING_AND_LASTING),
    st.fixed_dictionaries({
        "ticker": st.sampled_from(["XBTUSD", "DAIUSD"]),
        "skip": st.integers(0, 2),
        "count": st.sampled_from([1, 2, 4, 8, None]),
    }),
)
INTERVALS = [60, 10080]


def starts(world: World) -> dict[Series, int]:
    """Return where the ledger lets each series begin."""
    rows = world.rows(
        "SELECT ticker, interval_minutes, extract(epoch FROM start_ts)::bigint AS start_s FROM series"
    )
    return {Series(row["ticker"], row["interval_minutes"]): row["start_s"] for row in rows}


def assert_start_is_known(world: World, history: History, start_s: int) -> None:
    """Check that a series begins at its oldest candle or the edge, or with the pair's first trade."""
    step = step_s(history.series.interval_minutes)
    listed = {pair["ticker"]: int(pair["listed_s"]) for pair in world.exchange.pairs()}
    first_s = listed[history.series.ticker] // step * step
    assert start_s in {first_expected(world, history), max(first_s, first_expected(world, history))}


@few
@given(
    all_histories=st.tuples(
        histories(Series("XBTUSD", 60)), histories(Series("XBTUSD", 10080)), histories(Series("DAIUSD", 60))
    ),
    faults=st.lists(FAULTS, min_size=1, max_size=4),
    cap=st.sampled_from([0, 0, 1, 2]),
    has_second_try=st.booleans(),
)
def test_whatever_fails_every_gap_has_one_outcome_and_the_ledger_stays_true(
    world: World,
    all_histories: tuple[History, ...],
    faults: list[tuple[tuple[str, dict[str, Any]], dict[str, Any]]],
    cap: int,
    has_second_try: bool,
) -> None:
    make(world, list(all_histories))
    for (kind, fields), aim in faults:
        world.exchange.fault(kind, **{"endpoint": "OHLC", **fields, **aim})

    planned = world.plan(intervals=INTERVALS, max_gaps_per_asset=cap)
    raised = world.fill(planned)
    if has_second_try and raised:
        world.fill(planned)
    summary = world.result(planned)

    assert_counts_match_records(world, summary)
    assert bool(summary["gaps_failed"]) == bool(summary["errors"])
    begin = starts(world)
    for history in all_histories:
        assert_start_is_known(world, history, begin[history.series])
        account = account_of(world, history.series, start_s=begin[history.series])
        assert_ledger_tells_what_is_missing(account)

    world.exchange.clear_faults()
    for minutes in (0, 31):
        world.exchange.advance(minutes * MINUTE)
        last = world.run(intervals=INTERVALS, retry_failed=True)
        assert (last["raised"], last["gaps_failed"]) == ([], 0)
    begin = starts(world)
    for history in all_histories:
        account = account_of(world, history.series, start_s=begin[history.series])
        assert_ledger_tells_what_is_missing(account)
        assert account.open == account.unfillable
        window_start_s, _ = world.window(history.series)
        assert {
            ts_s for ts_s in account.truth if ts_s >= window_start_s
        } <= account.stored | account.unfillable
    before = world.contents()
    assert world.run(intervals=INTERVALS)["gaps_detected"] == 0
    assert world.contents() == before
