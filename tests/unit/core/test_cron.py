"""Cron expressions: which are refused, and how long they pause."""

from __future__ import annotations

from itertools import pairwise

import pytest
from croniter import croniter

from kraken_ohlcv.core.cron import checked_cron, longest_pause_s, next_tick_after, tick_runs, widest_cron
from tests.unit.builders import DAY, at

HOUR, MINUTE = 3600, 60

PAUSES = [
    pytest.param("0 2 * * *", DAY, id="daily"),
    pytest.param("*/5 * * * *", 5 * MINUTE, id="every five minutes"),
    pytest.param("*/7 * * * *", 7 * MINUTE, id="every seven minutes, with a shorter pause at the hour"),
    pytest.param("0 2,8 * * *", 18 * HOUR, id="twice in a day: the night counts"),
    pytest.param("0 9-17 * * 1-5", 64 * HOUR, id="office hours: the weekend counts"),
    pytest.param("0 5 * * 0", 7 * DAY, id="weekly"),
    pytest.param("0 5 * * sun", 7 * DAY, id="weekly, by name"),
    pytest.param("0 2 */2 * *", 2 * DAY, id="every two days"),
    pytest.param("0 0 1 * *", 31 * DAY, id="monthly: the longest month counts"),
    pytest.param("0 0 13 * fri", 7 * DAY, id="either the day or the weekday"),
    pytest.param("0 0 29 2 *", 2921 * DAY, id="a day that 2100 does not have"),
]


@pytest.mark.parametrize(("cron", "pause"), PAUSES)
def test_the_longest_pause_of_a_schedule_is_the_one_that_counts(cron: str, pause: int) -> None:
    assert longest_pause_s(cron) == pause


@pytest.mark.parametrize("cron", [case.values[0] for case in PAUSES[:-1]])
def test_no_pause_of_the_next_years_is_longer(cron: str) -> None:
    moment, ticks = at("2026-11-29"), []
    for _ in range(1500):
        moment = next_tick_after(cron, moment)
        ticks.append(moment)
    assert max(b - a for a, b in pairwise(ticks)) <= longest_pause_s(cron)


@pytest.mark.parametrize(
    "cron",
    [
        *("", "daily", "@daily", "0 2 * *", "0 2 * * * *", "0 25 * * *", "61 * * * *", "0 0 L * *"),
        *("H 2 * * *", "0 0 31 2 *", "0 0 * * 1#2", "0  2 * * *", " 0 2 * * *", "R R * * *"),
        *("*,1 * * * *", "0 2 1,* * *", "0 2 * * */2,*"),
    ],
)
def test_a_schedule_that_never_ticks_or_is_of_another_kind_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match=r"use five cron fields|no such day"):
        checked_cron(cron)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (12 * HOUR, "0 */8 * * *"),
        (60 * HOUR, "0 2 * * *"),
        (DAY, "0 */12 * * *"),
        (2 * HOUR, "0 * * * *"),
        (HOUR, "*/30 * * * *"),
        (MINUTE, None),
    ],
)
def test_the_schedule_proposed_pauses_for_less_than_the_window(window: int, expected: str | None) -> None:
    assert widest_cron(window) == expected
    if expected is not None:
        assert croniter.is_valid(expected)
        assert longest_pause_s(expected) < window


RUNS = [
    pytest.param("0 2 * * *", 1, id="daily"),
    pytest.param("*/5 * * * *", 1, id="every five minutes"),
    pytest.param("0 9-17 * * *", 11, id="office hours: five days, and the nights around them"),
    pytest.param("0 2 1 * *", 1, id="monthly: no tick in the range"),
]


@pytest.mark.parametrize(("cron", "n_runs"), RUNS)
def test_runs_of_ticks_hold_every_tick_around_a_range_once(cron: str, n_runs: int) -> None:
    start = at("2026-11-02")
    covered = start, start + 5 * DAY
    runs = tick_runs(cron, covered)
    assert len(runs) == n_runs
    assert all(one.last_s == later.first_s for one, later in pairwise(runs))
    told = sorted({tick for run in runs for tick in range(run.first_s, run.last_s + 1, run.pause_s)})
    assert told[0] <= covered[0]
    assert told[-1] >= covered[1]
    assert all(next_tick_after(cron, one) == later for one, later in pairwise(told))
