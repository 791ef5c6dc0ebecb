"""What the pages of a series are to say once its candles are known; which months are looked at for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import FilledFrom, GapStatus, Series, UnfillableReason
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.core.months import month_of, months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.detection.detect import is_left_alone
from kraken_ohlcv.detection.look import Looked
from kraken_ohlcv.detection.snapshot import SeriesClock, SeriesSnapshot, touched_months
from kraken_ohlcv.stores.ledger.coverage import Coverage, Emptiness
from tests.unit.builders import DAY, HOUR, NOW, at, book, gap, quick

OCTOBER, NOVEMBER = month_of(at("2026-10-05")), month_of(at("2026-11-05"))


def coverage_of(
    series: Series, months: list[Range], proven: dict[Evidence, BucketSet], reconciled: int | None = None
) -> Coverage:
    step = step_s(series.interval_minutes)
    return Coverage(
        series=series,
        months=months,
        missing=BucketSet(step),
        empty=Emptiness(step, {one: proven.get(one, BucketSet(step)) for one in Evidence}),
        disputed=BucketSet(step),
        reconciled=dict.fromkeys(months, reconciled),
    )


@st.composite
def pages(draw: st.DrawFn) -> tuple[Series, Range, dict[Evidence, set[int]], set[int]]:
    """Give a series, its grid, and which buckets of it are proven empty by what, and which are stored."""
    series = Series("XBTUSD", draw(st.sampled_from(INTERVALS)))
    first = OCTOBER[1] // step_s(series.interval_minutes)
    numbers = st.integers(first - 40, first + 40)
    border = sorted((draw(numbers), draw(numbers)))
    by: dict[Evidence, set[int]] = {one: set() for one in Evidence}
    for number in draw(st.sets(numbers)):
        by[draw(st.sampled_from(list(Evidence)))].add(number)
    return series, (border[0], border[1]), by, draw(st.sets(numbers))


@quick
@given(pages())
def test_what_is_missing_is_the_grid_without_what_is_stored_or_proven(
    drawn: tuple[Series, Range, dict[Evidence, set[int]], set[int]],
) -> None:
    series, (start, end), by, stored = drawn
    step = step_s(series.interval_minutes)

    def buckets(numbers: set[int]) -> BucketSet:
        return BucketSet.of_points((number * step for number in numbers), step=step)

    months = months_in([(min(start, *stored, end) * step - 50 * step, (end + 100) * step)])
    coverage = coverage_of(series, months, {one: buckets(numbers) for one, numbers in by.items()})
    clock = SeriesClock.of(book(series=series, start_s=start * step), delisted_s=None, now_s=end * step + 1)
    looked = Looked(coverage, buckets(stored), dict.fromkeys(months, 7), off_grid=0)
    found = SeriesSnapshot(clock, looked).corrected()

    kept = {one: numbers if one is Evidence.TRADES else numbers - stored for one, numbers in by.items()}
    proven = set().union(*kept.values())
    assert found.missing == buckets(set(range(start, end)) - stored - proven)
    assert {one: found.empty.by[one] for one in Evidence} == {one: buckets(kept[one]) for one in Evidence}
    assert found.disputed == buckets(stored & kept[Evidence.TRADES])
    assert found.reconciled == dict.fromkeys(months, 7)


def test_a_page_that_was_not_read_keeps_its_number_of_candles() -> None:
    series = Series("XBTUSD", 60)
    coverage = coverage_of(series, [OCTOBER, NOVEMBER], {}, reconciled=700)
    del coverage.reconciled[NOVEMBER]
    clock = SeriesClock.of(book(start_s=OCTOBER[0]), delisted_s=None, now_s=NOVEMBER[0])
    snapshot = SeriesSnapshot(clock, Looked(coverage, BucketSet(HOUR), {}, off_grid=0))
    assert snapshot.corrected().reconciled == {OCTOBER: 700, NOVEMBER: 0}


@pytest.mark.parametrize(
    ("stored", "proven", "start", "expected"),
    [
        pytest.param([(4, 8)], [], 0, FilledFrom.OBSERVED, id="its candles are there"),
        pytest.param(
            [(4, 6)], [(6, 8)], 0, FilledFrom.OBSERVED, id="some are there, the others proven empty"
        ),
        pytest.param([], [(4, 8)], 0, FilledFrom.EMPTY, id="all proven empty"),
        pytest.param([], [], 8, FilledFrom.EMPTY, id="before the first trade"),
    ],
)
def test_a_closed_gap_says_where_its_last_buckets_came_from(
    stored: list[Range], proven: list[Range], start: int, expected: FilledFrom
) -> None:
    def hours(parts: list[Range]) -> BucketSet:
        first = OCTOBER[0]
        return BucketSet.of_ranges([(first + a * HOUR, first + b * HOUR) for a, b in parts], step=HOUR)

    series = Series("XBTUSD", 60)
    coverage = coverage_of(series, [OCTOBER], {})
    coverage.missing = hours([(4, 8)])
    coverage = replace(coverage)  # as it was read
    coverage.prove(hours(proven), Evidence.OHLC)
    state = book(start_s=OCTOBER[0] + start * HOUR)
    clock = SeriesClock.of(state, delisted_s=None, now_s=OCTOBER[1])
    snapshot = SeriesSnapshot(clock, Looked(coverage, hours(stored), {}, off_grid=0))
    one = gap(OCTOBER[0] + 4 * HOUR, OCTOBER[0] + 8 * HOUR)
    assert snapshot.filled_from(one, coverage) is expected


def touched(
    *gaps: tuple[int, int, GapStatus, UnfillableReason | None],
    until: str | None = "2026-11-23T12",
    now: str = "2026-11-23T12:30",
    unread: tuple[str, ...] = (),
    delisted_s: int | None = None,
) -> list[str]:
    """Return the months that are looked at of a series that began in August."""
    state = book(
        [gap(start, end, status=status, reason=reason) for start, end, status, reason in gaps],
        start_s=at("2026-08-01"),
        until_s=None if until is None else at(f"{until}:00"),
    )
    clock = SeriesClock.of(state, delisted_s=delisted_s, now_s=at(now))
    found = touched_months(state, clock, [month_of(at(f"{month}-15")) for month in unread])
    return [f"{number:02}" for number in range(1, 13) if month_of(at(f"2026-{number:02}-15")) in found]


def test_nothing_is_looked_at_when_nothing_has_changed() -> None:
    assert touched() == []


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        pytest.param("2026-11-23T11", ["11"], id="an hour has closed since"),
        pytest.param("2026-10-31T22", ["10", "11"], id="weeks have"),
        pytest.param(None, ["08", "09", "10", "11"], id="never looked at"),
        pytest.param("2026-11-25T10", ["11"], id="its pair left before"),
    ],
)
def test_the_months_of_a_grid_that_changed_are_looked_at(until: str | None, expected: list[str]) -> None:
    assert touched(until=until) == expected


def test_months_with_other_candles_than_their_pages_are_looked_at() -> None:
    assert touched(unread=("2026-09", "2026-11")) == ["09", "11"]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(("2026-11-20", "2026-11-21", GapStatus.DETECTED, None), [], id="one within reach"),
        pytest.param(
            ("2026-09-20", "2026-09-21", GapStatus.DETECTED, None),
            ["09"],
            id="one that the API has forgotten",
        ),
        pytest.param(
            ("2026-09-20", "2026-09-21", GapStatus.UNFILLABLE, UnfillableReason.OUTSIDE_API_WINDOW),
            [],
            id="one that waits for another source",
        ),
        pytest.param(
            ("2026-11-20", "2026-11-21", GapStatus.BACKFILLING, None), ["11"], id="one of a task that died"
        ),
        pytest.param(
            ("2026-09-20", "2026-09-21", GapStatus.UNFILLABLE, UnfillableReason.PAIR_DELISTED),
            ["09"],
            id="one of a pair that is back",
        ),
        pytest.param(
            ("2026-08-20", "2026-10-21", GapStatus.UNFILLABLE, UnfillableReason.OUTSIDE_API_WINDOW),
            ["08", "09", "10"],
            id="one of an earlier version, over months",
        ),
    ],
)
def test_the_months_of_a_gap_that_changes_its_state_are_looked_at(
    one: tuple[str, str, GapStatus, UnfillableReason | None], expected: list[str]
) -> None:
    start, end, status, reason = one
    assert touched((at(start), at(end), status, reason)) == expected


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
        newest,
        added_s=NOW - added_ago,
        interval_minutes=minutes,
        cron=None,
        lookback_days=lookback,
        now_s=NOW,
    )
