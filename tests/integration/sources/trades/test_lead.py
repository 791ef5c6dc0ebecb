"""A walk begins where a trade before its range is to be expected, and not much earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.trades.fetch import lead_starts_s
from kraken_ohlcv.stores.candle_store import write_candles
from tests.integration.trades_world import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.integration.world import World

START = 1_795_305_600
"""A midnight."""


class CountedQuestDB(QuestDBClient):
    """Keeps how many days each statement looks at."""

    days: list[int]

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """Note the range, then ask."""
        assert parameters is not None
        self.days.append((parameters["until_us"] - parameters["from_us"]) // 10**6 // DAY)
        return super().query(sql, parameters, binary=binary)


def store(world: World, interval: int, ts_s: int, trades: int) -> None:
    """Store one candle."""
    candle = StoredCandle(ts_s, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, trades, source="ohlc")
    series = Series("XBTUSD", interval)
    write_candles(world.questdb, series, [candle], (ts_s, ts_s + 60 * interval))


LEADS = [
    pytest.param([(1, START - 60, 1)], [60, 480], id="the minute before, with one trade"),
    pytest.param([(1, START - 60, 600)], [5, 40], id="a busy minute before: its last fifty trades"),
    pytest.param([(1, START - 60, 9000)], [1, 8], id="a minute so busy that fifty trades take no second"),
    pytest.param([(1, START - 30 * DAY, 1)], [30 * DAY], id="a month ago"),
    pytest.param([(1, START - 300 * DAY, 1)], [300 * DAY], id="long ago"),
    pytest.param([(1440, START - DAY, 24), (60, START - 5 * HOUR, 1)], [5 * HOUR], id="the nearest of two"),
    pytest.param(
        [(10080, START - 2 * DAY, 2), (60, START - 4 * DAY, 1)],
        [4 * DAY],
        id="nearer than a thin week under way",
    ),
    pytest.param([], [HOUR, 2 * DAY, 16 * DAY], id="nothing before"),
    pytest.param(
        [(1, START, 50), (1, START + 60, 50)], [HOUR, 2 * DAY, 16 * DAY], id="only what comes after"
    ),
]


@pytest.mark.parametrize(("candles", "leads"), LEADS)
def test_a_walk_begins_at_the_newest_candle_before_its_range(
    world: World, candles: Sequence[tuple[int, int, int]], leads: list[int]
) -> None:
    for candle in candles:
        store(world, *candle)
    begins = lead_starts_s(world.questdb, "XBTUSD", START)
    assert [START - one for one in begins][: len(leads)] == leads
    assert begins == sorted(begins, reverse=True)


def test_what_lies_far_back_is_not_looked_at_where_a_candle_is_near(world: World) -> None:
    store(world, 1440, START - 400 * DAY, 1)
    store(world, 1, START - HOUR, 1)
    questdb = CountedQuestDB(world.questdb.address)
    questdb.days = []
    lead_starts_s(questdb, "XBTUSD", START)
    assert questdb.days == [2]
