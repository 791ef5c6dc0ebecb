"""A year of twenty tickers, damaged in two hundred places, is completed from all three sources."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kraken_ohlcv.clients.archive.client import ArchiveClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from pathlib import Path

    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

DAY = 86400
INTERVALS = (60, 1440)
TICKERS = tuple(
    f"{base}USD"
    for base in (
        *("XBT", "ETH", "USDT", "USDC", "BNB", "XRP", "ADA", "XDG", "AVAX", "SOL"),
        *("POL", "DOT", "TRX", "DAI", "WBTC", "SHIB", "LTC", "LINK", "BCH", "ATOM"),
    )
)
GAPS = 200
SOURCES = ["ohlc", "archive", "trades"]
LONGEST = {60: 72, 1440: 6}
YEAR_START = datetime(2025, 11, 24, tzinfo=UTC)
START_S = int(YEAR_START.timestamp())
"""A year before the simulator's day."""


def damage(end_s: int) -> dict[Series, list[Range]]:
    """Return two hundred holes, most of them of hours."""
    chance = random.Random(2026)
    holes: dict[Series, list[Range]] = {}
    for _ in range(GAPS):
        interval = chance.choice([60, 60, 60, 1440])
        step = step_s(interval)
        buckets = (end_s - START_S) // step
        first = chance.randrange(buckets)
        last = min(buckets, first + chance.randint(1, LONGEST[interval]))
        series = Series(chance.choice(TICKERS), interval)
        holes.setdefault(series, []).append((START_S + first * step, START_S + last * step))
    return holes


def want_the_year(world: World) -> None:
    """Make the tickers TIER1, with their history from the start of the year."""
    entries = [
        CatalogueEntry(ticker=t, base=t[:-3], quote="USD", tier="TIER1", history_from=YEAR_START.date())
        for t in TICKERS
    ]
    with connect(world.dsn) as connection:
        sync_catalogue(connection, entries)


def is_true(stored: StoredCandle, truth: StoredCandle) -> bool:
    """Return whether a candle is the exchange's; the archive has no vwap, and volumes as rough floats."""
    said, true = stored.figures(), truth.figures()
    if not stored.source.startswith("archive"):
        return said == true
    is_near = math.isclose(said.pop("volume"), true.pop("volume"), rel_tol=1e-9)
    return is_near and said == true | {"vwap": None}


def test_a_damaged_year_of_twenty_tickers_is_completed_and_every_candle_is_true(
    world: World, tmp_path: Path
) -> None:
    server = ArchiveClient(world.exchange.archive_url, sleep=lambda _: None)
    world.locator = ArchiveLocator(None, tmp_path / "work", lambda: server)
    world.exchange.archive(tickers=list(TICKERS), intervals=list(INTERVALS))
    want_the_year(world)
    end_s = world.window(Series("XBTUSD", 1440))[1]
    holes = damage(end_s)
    whole = (START_S, end_s)
    truths: dict[Series, dict[int, StoredCandle]] = {}
    for series in [Series(ticker, interval) for ticker in TICKERS for interval in INTERVALS]:
        truth = truths[series] = world.truth(series, whole)
        lost = ranges.union(holes.get(series, []))
        kept = [c for c in truth.values() if not any(a <= c.ts_s < b for a, b in lost)]
        write_candles(world.questdb, series, kept, whole)
    world.exchange.clear_calls()

    summary = world.run(intervals=list(INTERVALS), repair_from=SOURCES, trades_call_budget=10_000)

    assert (summary["raised"], summary["errors"], summary["trades_left_open"]) == ([], [], [])
    # What a fetched file turns out to lack is left to trades, and those to the next run.
    outcomes = [summary[f"gaps_{name}"] for name in ("filled", "unfillable", "deferred")]
    assert summary["gaps_detected"] == sum(outcomes)
    assert summary["ohlc_calls"] == len(world.exchange.calls("OHLC")) <= len(TICKERS) * len(INTERVALS)
    made = len(world.exchange.calls("Trades")) - len(TICKERS)  # the first trade of each
    assert made == summary["trade_calls"] <= summary["trade_calls_planned"]
    walked = world.rows(
        "SELECT ticker, extract(epoch FROM range_start)::bigint AS a,"
        " extract(epoch FROM range_end)::bigint AS b FROM trade_jobs"
    )
    assert walked
    needed = 0
    for one in walked:
        hours = truths[Series(one["ticker"], 60)]
        trades = sum(c.trades for ts_s, c in hours.items() if one["a"] <= ts_s < one["b"])
        needed += -(-trades // 1000) + 2
    assert made <= needed

    # A busy series with a hole nobody scripted is believed at a second sight only.
    world.exchange.advance(1860)
    assert world.run(intervals=list(INTERVALS), repair_from=SOURCES)["errors"] == []
    sources = set()
    for series, truth in truths.items():
        stored = world.stored(series, whole)
        assert stored.keys() == truth.keys(), series
        assert [ts for ts, candle in stored.items() if not is_true(candle, truth[ts])] == [], series
        sources |= {gap["filled_from"] for gap in world.gaps(series)}
        settled = [*ranges.from_points(stored, step=step_s(series.interval_minutes)), *world.proven(series)]
        assert ranges.subtract([whole], settled) == [], series
        assert {gap["status"] for gap in world.gaps(series)} <= {"FILLED"}
    assert {*SOURCES} <= sources
