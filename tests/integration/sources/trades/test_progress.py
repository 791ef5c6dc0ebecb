"""A walk through trades says in the log how far it has come."""

from __future__ import annotations

import logging
import re
from itertools import count
from typing import TYPE_CHECKING

from kraken_ohlcv.core.gap import Series
from tests.integration.trades_world import BOTH, DAY, HOURLY, past, store_history

if TYPE_CHECKING:
    import pytest

    from tests.integration.world import World

LINE = re.compile(r"XBTUSD: made (\d+) of about (\d+) calls, trades are read up to (\S+), .+ left")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int, str]]:
    """Return calls made, calls in all and how far the walk is, line by line."""
    found = filter(None, map(LINE.fullmatch, caplog.messages))
    return [(int(one[1]), int(one[2]), one[3]) for one in found]


def test_a_slow_walk_says_every_half_minute_how_far_it_is(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hole = past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[hole])
    # Each look at the clock finds it half a minute later.
    world.clock = count(step=30).__next__

    assert world.run(**BOTH)["gaps_filled"] == 1

    made = len(world.exchange.calls("Trades"))
    said = lines(caplog)
    assert [one[0] for one in said] == list(range(2, made))
    assert [one[2] for one in said] == sorted({one[2] for one in said})
    assert abs(said[-1][1] - made) <= 1


def test_a_quick_walk_says_so_every_25_calls(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hole = past(world, HOURLY, first=2000, last=250)
    store_history(world, HOURLY, buckets=2020, without=[hole])
    world.clock = lambda: 0.0

    assert world.run(**BOTH)["gaps_filled"] == 3

    made = len(world.exchange.calls("Trades"))
    assert 25 < made < 50
    assert [one[0] for one in lines(caplog)] == [25]
    assert abs(lines(caplog)[0][1] - made) <= made // 5


def test_a_short_walk_says_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hole = past(world, HOURLY, first=300, last=290)
    store_history(world, HOURLY, buckets=320, without=[hole])

    assert world.run(**BOTH)["gaps_filled"] == 1

    assert lines(caplog) == []


def test_a_task_of_several_ranges_says_how_many_are_done(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    daily = Series("XBTUSD", 1440)
    holes = [past(world, daily, first=first, last=first - 1) for first in (90, 60, 30)]
    start_s = holes[0][0] - 5 * DAY
    world.store(daily, (start_s, world.window(daily)[1]), without=holes)
    world.clock = count(step=30).__next__

    assert world.run(intervals=[1440], **BOTH)["errors"] == []

    said = [text for text in caplog.messages if "ranges" in text]
    assert [text.split(",")[0] for text in said] == [
        "XBTUSD: walked through 1 of 3 ranges",
        "XBTUSD: walked through 2 of 3 ranges",
    ]
