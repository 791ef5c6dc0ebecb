"""The demo's damage: every scene applies to the simulated market, and QuestDB holds what is left of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from demo.candles import Series, Values, read_stored
from demo.preload import (
    HOUR_S,
    LONGEST_DEMO_S,
    SceneError,
    damage,
    keep_clear_of_the_hour,
    keep_for_long,
    preload,
)
from demo.run import LOOKBACK_S
from demo.scenes import DELISTED, EMPTY, SCENES, Missing, Scene, older_than, tail
from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from demo.candles import Candles
    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin

TICKERS = [
    entry.ticker for entry in read_catalogue().entries if entry.tier in ("TIER1", "TIER2") and entry.listed
]


def test_scenes_are_about_different_series_and_of_every_kind() -> None:
    assert len({(scene.ticker, scene.interval) for scene in SCENES}) == len(SCENES)
    stories = " ".join(scene.story for scene in SCENES)
    for kind in ("inner hole", "tail of", "across the API edge", "beyond the API edge", "without trades"):
        assert kind in stories
    for kind in ("never loaded", "older than the lookback", "delisted", "restated"):
        assert kind in stories
    assert all(scene.missing for scene in SCENES if scene.outdated), "only a series with a gap is asked"


def test_questdb_holds_the_truth_without_what_the_scenes_take(
    exchange: ExchangeAdmin, questdb_server: QuestDBServer, candle_table: str
) -> None:
    assert candle_table == "ohlcv"
    done = preload(exchange, questdb_server, TICKERS)
    assert len(done.stored) == 2 * len(TICKERS)
    assert done.rows > 150_000
    with questdb_server.connect() as connection:
        stored = read_stored(connection, done.stored)
    assert stored == done.stored

    touched = {Series(scene.ticker, scene.interval) for scene in SCENES}
    assert {series for series in stored if stored[series] != done.truth[series]} == touched
    differing = [
        ts for series in stored for ts, values in stored[series].items() if values != done.truth[series][ts]
    ]
    assert len(differing) == done.outdated == sum(len(scene.outdated) for scene in SCENES)
    pairs = {pair["ticker"]: pair["status"] for pair in exchange.pairs()}
    assert pairs[DELISTED] == "vanished"


def test_the_assets_have_been_kept_for_longer_than_the_lookback(ledger_uri: str) -> None:
    keep_for_long(ledger_uri)
    with connect(ledger_uri) as connection:
        assets = read_assets(connection, tickers=None, tier="ALL")
    assert {asset.ticker for asset in assets} >= set(TICKERS)
    assert max(asset.added_s for asset in assets) < time.time() - 2 * LOOKBACK_S


@pytest.mark.parametrize(
    ("minute", "is_moved"),
    [pytest.param(20, False, id="enough left"), pytest.param(58, True, id="hour ends soon")],
)
def test_no_hour_ends_during_the_demo(exchange: ExchangeAdmin, minute: int, is_moved: bool) -> None:
    exchange.set_clock(f"2026-11-23T12:{minute}:00Z")
    before_s = exchange.now_s()
    keep_clear_of_the_hour(exchange)
    after_s = exchange.now_s()
    assert (after_s < before_s) is is_moved
    assert HOUR_S - after_s % HOUR_S >= LONGEST_DEMO_S - 1


SERIES = Series("XBTUSD", 60)
NOW_S = 1_800_000_000


def candles(count: int, trades: int = 3) -> Candles:
    end_s = NOW_S - NOW_S % SERIES.step_s
    value = Values(1.0, 2.0, 0.5, 1.5, 1.2, 10.0, trades)
    return {end_s - ago * SERIES.step_s: value for ago in range(count, 0, -1)}


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        pytest.param(EMPTY, 0, id="everything"),
        pytest.param(tail(3), 97, id="tail"),
        pytest.param(older_than(40), 40, id="all but the newest"),
        pytest.param(Missing(50, 7), 93, id="inside"),
    ],
)
def test_damage_takes_exactly_what_it_says(missing: Missing, left: int) -> None:
    remaining = damage(SERIES, candles(100), Scene("test", "XBTUSD", 60, (missing,)), NOW_S)
    assert len(remaining) == left


def test_outdated_candle_has_fewer_trades_and_less_volume() -> None:
    true = candles(10)
    old = damage(SERIES, true, Scene("test", "XBTUSD", 60, outdated=(4,)), NOW_S)
    (ts,) = [ts for ts in true if old[ts] != true[ts]]
    assert old[ts].trades < true[ts].trades
    assert old[ts].volume < true[ts].volume


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(Scene("too old", "XBTUSD", 60, (Missing(500, 3),)), id="hole before the history"),
        pytest.param(
            Scene("too old", "XBTUSD", 60, outdated=(500,)), id="outdated candle before the history"
        ),
    ],
)
def test_scene_that_does_not_fit_the_market_is_refused(scene: Scene) -> None:
    with pytest.raises(SceneError, match="too old"):
        damage(SERIES, candles(100), scene, NOW_S)
