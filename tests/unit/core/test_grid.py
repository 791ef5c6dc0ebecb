"""The grid: what has closed, what the API still serves, where a series begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.grid import api_window_start_s, closed_range, expiry_s, floor_s, series_start_s
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, INTERVALS, step_s
from tests.unit.builders import DAY, HOUR, NOON, NOW, at, quick

MOMENTS = st.integers(at("2013-01-01"), at("2040-01-01"))
MINUTES = st.sampled_from(INTERVALS)


@pytest.mark.parametrize(
    ("moment", "minutes", "expected"),
    [
        pytest.param("2026-11-23T12:34:56", 1, "2026-11-23T12:34", id="a minute"),
        pytest.param("2026-11-23T12:34:56", 15, "2026-11-23T12:30", id="a quarter of an hour"),
        pytest.param("2026-11-23T12:34:56", 240, "2026-11-23T12:00", id="four hours count from midnight"),
        pytest.param("2026-11-23T23:59:59", 1440, "2026-11-23", id="the last second belongs to the day"),
        pytest.param("2026-11-24T00:00:00", 1440, "2026-11-24", id="midnight belongs to the next day"),
        pytest.param("2026-11-25T23:59:59", 10080, "2026-11-19", id="a week ends on Wednesday night"),
        pytest.param("2026-11-26T00:00:00", 10080, "2026-11-26", id="a week begins on Thursday"),
        pytest.param("1970-01-15T23:59:59", 21600, "1970-01-01", id="fifteen days count from the epoch"),
        pytest.param(
            "1970-01-16T00:00:00", 21600, "1970-01-16", id="the sixteenth day opens the next bucket"
        ),
        pytest.param(
            "2026-03-29T01:30:00", 60, "2026-03-29T01:00", id="no hour is missing when Europe changes clocks"
        ),
    ],
)
def test_a_moment_lies_in_the_bucket_of_its_epoch_aligned_open_time(
    moment: str, minutes: int, expected: str
) -> None:
    assert floor_s(at(moment), minutes) == at(expected)


def test_fractions_of_a_second_before_the_border_stay_in_the_old_bucket() -> None:
    assert floor_s(NOON - 0.0001, 60) == NOON - HOUR
    assert floor_s(NOON + 0.0001, 60) == NOON


@pytest.mark.parametrize(
    ("minutes", "oldest"),
    [
        pytest.param(1, "2026-11-23T00:34", id="1 minute reaches 12 hours"),
        pytest.param(5, "2026-11-21T00:30", id="5 minutes reach 60 hours"),
        pytest.param(15, "2026-11-16T00:30", id="15 minutes reach 7.5 days"),
        pytest.param(30, "2026-11-08T12:30", id="30 minutes reach 15 days"),
        pytest.param(60, "2026-10-24T12:00", id="an hour reaches 30 days"),
        pytest.param(240, "2026-07-26T12:00", id="4 hours reach 120 days"),
        pytest.param(1440, "2024-12-03", id="a day reaches 720 days"),
    ],
)
def test_the_edge_is_720_buckets_before_the_running_one(minutes: int, oldest: str) -> None:
    assert api_window_start_s(NOW, minutes) == at(oldest)


def test_the_weekly_edge_is_a_thursday_and_the_fifteen_day_edge_on_the_epoch_grid() -> None:
    assert api_window_start_s(NOW, 10080) == at("2026-11-19") - 720 * 7 * DAY
    assert (api_window_start_s(NOW, 10080) // DAY - at("1970-01-01") // DAY) % 7 == 0
    assert api_window_start_s(NOW, 21600) % (15 * DAY) == 0


def test_the_edge_moves_only_when_the_running_bucket_rolls_over() -> None:
    assert api_window_start_s(NOON - 1, 60) == api_window_start_s(NOON - HOUR, 60)
    assert api_window_start_s(NOON, 60) == api_window_start_s(NOON - 1, 60) + HOUR


@quick
@given(now=MOMENTS, minutes=MINUTES)
def test_a_candle_is_in_the_window_up_to_its_expiry_and_not_a_bucket_later(now: int, minutes: int) -> None:
    start = floor_s(now, minutes)
    expiry = expiry_s(start, minutes)
    assert api_window_start_s(expiry, minutes) == start
    assert api_window_start_s(expiry + step_s(minutes) - 1, minutes) == start
    assert api_window_start_s(expiry + step_s(minutes), minutes) > start


@quick
@given(now=MOMENTS, minutes=MINUTES)
def test_the_window_holds_720_closed_buckets(now: int, minutes: int) -> None:
    start, end = closed_range(api_window_start_s(now, minutes), now, minutes)
    assert (end - start) // step_s(minutes) == API_WINDOW_BUCKETS
    assert end <= now < end + step_s(minutes)


@pytest.mark.parametrize(
    ("moment", "last_closed_end"),
    [
        pytest.param(NOON - 1, NOON - HOUR, id="a second before its end a bucket still runs"),
        pytest.param(NOON, NOON, id="a bucket that ends exactly now has closed"),
        pytest.param(NOON + 1, NOON, id="the bucket that has just begun runs"),
    ],
)
def test_a_bucket_is_closed_when_its_end_is_not_after_now(moment: int, last_closed_end: int) -> None:
    assert closed_range(0, moment, 60) == (0, last_closed_end)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(NOON, id="the first bucket has just begun"),
        pytest.param(NOON + HOUR - 1, id="the first bucket has a second to go"),
        pytest.param(NOON - DAY, id="the series begins in the future"),
    ],
)
def test_nothing_is_expected_before_the_first_bucket_closes(moment: int) -> None:
    assert closed_range(NOON, moment, 60) == (NOON, NOON)


EDGE = api_window_start_s(NOW, 60)


@pytest.mark.parametrize(
    ("known", "oldest", "first_trade", "expected"),
    [
        pytest.param(None, None, None, EDGE, id="never loaded: the edge of the window"),
        pytest.param(None, EDGE + 5 * HOUR, None, EDGE, id="stored candles inside the window: the edge"),
        pytest.param(
            None, EDGE - 900 * HOUR, None, EDGE - 900 * HOUR, id="older stored candles: the oldest of them"
        ),
        pytest.param(
            None,
            None,
            EDGE + 7 * HOUR + 1800.25,
            EDGE + 7 * HOUR,
            id="young pair: the bucket of its first trade",
        ),
        pytest.param(None, None, EDGE - 900 * HOUR, EDGE, id="an old pair's first trade does not lower it"),
        pytest.param(
            EDGE - 99 * HOUR,
            EDGE + HOUR,
            None,
            EDGE - 99 * HOUR,
            id="a start once set does not follow the edge",
        ),
        pytest.param(EDGE, EDGE - HOUR, None, EDGE - HOUR, id="older candles stored since: lowered"),
        pytest.param(
            EDGE, None, EDGE + 2 * HOUR, EDGE + 2 * HOUR, id="known start: raised to the first trade"
        ),
        pytest.param(
            EDGE, EDGE + HOUR, EDGE + 2 * HOUR, EDGE + HOUR, id="a stored candle beats the first trade"
        ),
    ],
)
def test_a_series_begins_where_its_candles_or_its_reach_begin(
    known: int | None, oldest: int | None, first_trade: float | None, expected: int
) -> None:
    start = series_start_s(
        known_s=known, oldest_s=oldest, first_trade_s=first_trade, now_s=NOW, interval_minutes=60
    )
    assert start == expected
