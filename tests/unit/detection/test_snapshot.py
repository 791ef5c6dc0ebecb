"""From the scan of the candle table to what each series lacks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.detection.detect import is_left_alone
from kraken_ohlcv.detection.snapshot import missing_ranges, snapshot
from kraken_ohlcv.stores.ledger.proofs import ProvenRange
from kraken_ohlcv.stores.ledger.series_state import SeriesState
from kraken_ohlcv.stores.scan import Scan, Span, read_holes, read_spans
from tests.unit.builders import DAILY, DAY, HOUR, HOURLY, NOW, buckets, quick, range_sets

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range

MINUTELY = Series("XBTUSD", 1)


def scan_of(series: Series, stored: list[int]) -> Scan:
    """Return what the detection statements find: the span, and neighbours more than a step apart."""
    step = step_s(series.interval_minutes)
    points = sorted(stored)
    name = (series.ticker, str(series.interval_minutes))
    holes = [(*name, before + step, after) for before, after in pairwise(points) if after - before > step]
    off_grid_us = max((point % step for point in points), default=0) * 1_000_000
    spans = [(*name, points[0], points[-1], len(points), off_grid_us)] if points else []
    return Scan(spans=read_spans(spans), holes=read_holes(holes))


def test_the_rows_of_the_statements_are_told_apart_by_series() -> None:
    holes = [
        ("XBTUSD", "60", HOUR, 3 * HOUR),
        ("XBTUSD", "60", 5 * HOUR, 6 * HOUR),
    ]
    spans = [
        ("XBTUSD", "60", 0, 6 * HOUR, 4, 0),
        ("XBTUSD", "1440", 0, 0, 1, 0),
    ]
    scan = Scan(spans=read_spans(spans), holes=read_holes(holes))
    assert scan.holes == {HOURLY: [(HOUR, 3 * HOUR), (5 * HOUR, 6 * HOUR)]}
    assert scan.spans == {HOURLY: Span(0, 6 * HOUR, 4), DAILY: Span(0, 0, 1)}
    assert scan.unsound() == []


HOLES = [
    pytest.param([0, 1, 2, 3, 4, 5], [], id="nothing is missing"),
    pytest.param([2, 3, 4, 5], [(0, 2)], id="the head"),
    pytest.param([1, 2, 3, 4, 5], [(0, 1)], id="the first grid point"),
    pytest.param([0, 1, 3, 4, 5], [(2, 3)], id="one inside"),
    pytest.param([0, 2, 5], [(1, 2), (3, 5)], id="several inside"),
    pytest.param([0, 1, 2, 3], [(4, 6)], id="the tail"),
    pytest.param([0, 1, 2, 3, 4], [(5, 6)], id="the last grid point"),
    pytest.param([2, 4], [(0, 2), (3, 4), (5, 6)], id="head, inside and tail"),
    pytest.param([3], [(0, 3), (4, 6)], id="all but one"),
    pytest.param([], [(0, 6)], id="a series without a candle lacks all"),
    pytest.param([0, 1, 2, 3, 4, 5, 6], [], id="a stored running candle is no part of the grid"),
    pytest.param([6], [(0, 6)], id="nothing but the running candle"),
]


@pytest.mark.parametrize("series", [HOURLY, Series("XBTUSD", 10080), Series("XBTUSD", 21600)], ids=str)
@pytest.mark.parametrize(("stored", "expected"), HOLES)
def test_a_series_lacks_exactly_the_buckets_that_are_not_stored(
    series: Series, stored: list[int], expected: list[Range]
) -> None:
    step = step_s(series.interval_minutes)
    first = 2000 * step
    scan = scan_of(series, [first + n * step for n in stored])
    found = missing_ranges(scan, series, expected=(first, first + 6 * step))
    assert found == [(first + start * step, first + end * step) for start, end in expected]


def test_nothing_is_missing_before_the_first_bucket_closes() -> None:
    assert missing_ranges(Scan(), HOURLY, expected=(HOUR, HOUR)) == []


def test_one_series_is_not_judged_by_the_candles_of_another() -> None:
    scan = scan_of(DAILY, [0, DAY])
    assert missing_ranges(scan, HOURLY, expected=(0, 2 * DAY)) == [(0, 2 * DAY)]


@quick
@given(
    minutes=st.sampled_from(INTERVALS),
    stored=st.sets(st.integers(0, 44)),
    border=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    proven=range_sets(high=44),
)
def test_holes_made_at_random_are_found_again_less_those_proven_empty(
    minutes: int, stored: set[int], border: tuple[int, int], proven: list[Range]
) -> None:
    series, step = Series("XBTUSD", minutes), 60 * minutes
    expected = (min(border) * step, max(border) * step)
    proven_empty = [ProvenRange(start * step, end * step, Evidence.OHLC) for start, end in proven]
    scan = scan_of(series, [n * step for n in stored])
    state = SeriesState(1, series, expected[0], 1, [], proven_empty)
    found = snapshot(scan, state, delisted_s=None, now_s=expected[1]).missing(state)
    absent = set(range(min(border), max(border))) - stored - buckets(proven)
    assert buckets(found, step=step) == {n * step for n in absent}
    assert scan.unsound() == []


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param([0, 30, 60, 120], id="a stray between two neighbours"),
        pytest.param([30, 60, 120], id="a stray at the head"),
        pytest.param([0, 60, 90], id="a stray at the tail"),
        pytest.param([30, 90, 150], id="every candle off by as much"),
        pytest.param([0, 30, 120], id="a stray in the place of a missing candle"),
        pytest.param([0, 90, 180], id="a stray between two missing candles"),
        pytest.param([0, 30, 90, 150, 180], id="as many strays as missing candles"),
    ],
)
def test_a_candle_off_the_grid_makes_a_series_unsound(stored: list[int]) -> None:
    scan = scan_of(MINUTELY, stored)
    assert scan.unsound() == [MINUTELY]
    assert scan.short() == []


@quick
@given(stored=st.sets(st.integers(0, 44), min_size=1))
def test_a_series_is_short_exactly_when_a_candle_is_missing_between_two_others(stored: set[int]) -> None:
    scan = scan_of(HOURLY, [n * HOUR for n in stored])
    assert scan.short() == ([HOURLY] if scan.holes else [])


def test_a_write_between_the_statements_shows() -> None:
    before_write = scan_of(HOURLY, [0, 3 * HOUR])
    after_write = scan_of(HOURLY, [0, HOUR, 2 * HOUR, 3 * HOUR])
    torn = Scan(spans=after_write.spans, holes=before_write.holes)
    assert torn.unsound() == [HOURLY]


@pytest.mark.parametrize(
    ("minutes", "lookback", "closed_ago", "expected"),
    [
        pytest.param(60, 7, 7 * DAY, False, id="closed exactly seven days ago: processed"),
        pytest.param(60, 7, 7 * DAY + 1, True, id="a second more: left alone"),
        pytest.param(60, 0, 9999 * DAY, False, id="no limit"),
        pytest.param(10080, 7, 14 * DAY, False, id="weeks: two of them are the limit"),
        pytest.param(10080, 7, 14 * DAY + 1, True, id="weeks: a second more than two"),
        pytest.param(21600, 7, 30 * DAY, False, id="fifteen days: two of them are the limit"),
        pytest.param(1440, 1, 2 * DAY, False, id="days: two of them beat a lookback of one"),
        pytest.param(1440, 1, 2 * DAY + 1, True, id="days: a second more than two"),
        pytest.param(60, 7, -HOUR, False, id="the running candle is stored"),
    ],
)
def test_a_series_is_left_alone_when_its_newest_candle_closed_too_long_ago(
    minutes: int, lookback: int, closed_ago: int, expected: bool
) -> None:
    assert left_alone(minutes, lookback, closed_ago=closed_ago, added_ago=9999 * DAY) is expected


@pytest.mark.parametrize(
    ("minutes", "added_ago", "expected"),
    [
        pytest.param(60, 0, False, id="added this moment"),
        pytest.param(60, 7 * DAY, False, id="added exactly seven days ago"),
        pytest.param(60, 7 * DAY + 1, True, id="a second more"),
        pytest.param(10080, 14 * DAY, False, id="weeks: two of them are the limit"),
        pytest.param(60, -DAY, False, id="the ledger's clock is ahead of the exchange's"),
    ],
)
def test_old_candles_of_an_asset_just_added_leave_no_series_alone(
    minutes: int, added_ago: int, expected: bool
) -> None:
    assert left_alone(minutes, 7, closed_ago=900 * DAY, added_ago=added_ago) is expected


def left_alone(minutes: int, lookback: int, *, closed_ago: int, added_ago: int) -> bool:
    newest = NOW - closed_ago - step_s(minutes)
    return is_left_alone(
        Span(first_s=newest, last_s=newest, n_candles=1),
        added_s=NOW - added_ago,
        interval_minutes=minutes,
        lookback_days=lookback,
        now_s=NOW,
    )
