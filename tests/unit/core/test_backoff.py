"""When a failed gap is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.backoff import next_attempt_s
from kraken_ohlcv.core.cron import last_tick_before
from tests.unit.builders import DAY, HOUR, at, quick

DAILY_AT_TWO = "0 2 * * *"
FAR = at("2030-01-01")

ATTEMPTS = st.integers(1, 9)
MOMENTS = st.integers(at("2025-01-01"), at("2027-01-01"))
LIFETIMES = st.integers(-2 * DAY, 30 * DAY)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        pytest.param(1, "2026-11-23T13:00:00", id="first failure: an hour"),
        pytest.param(2, "2026-11-24T12:00:00", id="second: a day"),
        pytest.param(3, "2026-11-30T12:00:00", id="third: a week"),
        pytest.param(50, "2026-11-30T12:00:00", id="every later one: a week"),
    ],
)
def test_the_waiting_time_grows_and_counts_from_the_full_hour(attempts: int, expected: str) -> None:
    moment = at("2026-11-23T12:34:56")
    for cron in (DAILY_AT_TWO, None):
        assert next_attempt_s(attempt_s=moment, attempts=attempts, expires_s=FAR, cron=cron) == at(expected)


@quick
@given(delay=st.integers(0, HOUR - 1), attempts=ATTEMPTS)
def test_a_daily_schedule_meets_the_time_it_waits_for(delay: int, attempts: int) -> None:
    tick = at("2026-11-23T02:00:00")
    waited = next_attempt_s(attempt_s=tick + delay, attempts=attempts, expires_s=FAR, cron=DAILY_AT_TWO)
    expected_days = {1: 1, 2: 1}.get(attempts, 7)
    ticks_until_taken = next(n for n in range(1, 30) if tick + n * DAY >= waited)
    assert ticks_until_taken == expected_days


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        pytest.param("2026-11-27T01:00:00", "2026-11-26T02:00:00", id="the last tick is the day before"),
        pytest.param(
            "2026-11-27T02:00:00", "2026-11-26T02:00:00", id="a tick at the expiry itself comes too late"
        ),
        pytest.param(
            "2026-11-27T02:00:01", "2026-11-27T02:00:00", id="a tick a second before the expiry is in time"
        ),
        pytest.param(
            "2026-11-24T01:00:00",
            "2026-11-30T02:00:00",
            id="no tick left before the expiry: as if there were none",
        ),
    ],
)
def test_the_last_tick_before_the_expiry_is_not_waited_past(expires: str, expected: str) -> None:
    waited = next_attempt_s(
        attempt_s=at("2026-11-23T02:00:07"), attempts=3, expires_s=at(expires), cron=DAILY_AT_TWO
    )
    assert waited == at(expected)


@quick
@given(moment=MOMENTS, attempts=ATTEMPTS, lifetime=LIFETIMES)
def test_a_tick_between_attempt_and_expiry_always_finds_the_gap_ready(
    moment: int, attempts: int, lifetime: int
) -> None:
    expires = moment + lifetime
    waited = next_attempt_s(attempt_s=moment, attempts=attempts, expires_s=expires, cron=DAILY_AT_TWO)
    last_chance = last_tick_before(DAILY_AT_TWO, expires - 1)
    if last_chance > moment:
        assert waited <= last_chance < expires


@quick
@given(moment=MOMENTS, attempts=ATTEMPTS, lifetime=LIFETIMES)
def test_the_wait_is_never_longer_than_the_table_says_nor_in_the_past(
    moment: int, attempts: int, lifetime: int
) -> None:
    for cron in (DAILY_AT_TWO, None):
        waited = next_attempt_s(attempt_s=moment, attempts=attempts, expires_s=moment + lifetime, cron=cron)
        assert moment <= waited <= moment + 7 * DAY


@quick
@given(moment=MOMENTS, attempts=ATTEMPTS, lifetime=st.integers(0, 30 * DAY))
def test_without_a_schedule_the_expiry_is_not_waited_past(moment: int, attempts: int, lifetime: int) -> None:
    waited = next_attempt_s(attempt_s=moment, attempts=attempts, expires_s=moment + lifetime, cron=None)
    assert waited <= moment + lifetime
