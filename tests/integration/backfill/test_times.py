"""A worker in another time zone stores and records the same, also when its clock jumps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.gap import Series
from tests.integration.worker import Order, start_worker
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.world import World


HOUR = 3600
DAY = 24 * HOUR
ZONE = "America/New_York"
# It leaves summer time on 2026-11-01 at 06:00 UTC, and had entered it on 2026-03-08 at 07:00 UTC.
FALL_BACK_S = 1793512800
SPRING_FORWARD_S = 1772953200
NOW = "2026-11-03T05:30:00Z"
PARAMS: dict[str, Any] = {"intervals": [60, 1440]}


def prepare(world: World) -> None:
    """Store both series with holes around the jumps, the tails left out; one hole waits, one is too old."""
    world.clear(["XBTUSD"], clock=NOW)
    world.exchange.quiet("XBTUSD", FALL_BACK_S + 30 * HOUR, FALL_BACK_S + 32 * HOUR)
    hourly, daily = Series("XBTUSD", 60), Series("XBTUSD", 1440)
    for series, margin, holes in (
        (hourly, 8 * HOUR, [(FALL_BACK_S - 3 * HOUR, FALL_BACK_S + 4 * HOUR)]),
        (
            daily,
            DAY,
            [(jump // DAY * DAY, (jump // DAY + 2) * DAY) for jump in (SPRING_FORWARD_S, FALL_BACK_S)],
        ),
    ):
        start, end = world.window(series)
        before_the_edge = (start - 4 * margin, start - 2 * margin)
        world.store(series, (start - 6 * margin, end - margin), without=[*holes, before_the_edge])


def said(world: World) -> dict[str, list[Any]]:
    """Return what both stores say, but for when candles were stored: that is the ledger's clock."""
    columns = "ts, ticker, interval, open, high, low, close, vwap, volume, trades, source"
    candles = world.questdb.query(f"SELECT {columns} FROM ohlcv ORDER BY ts, ticker, interval")  # noqa: S608
    return world.contents() | {"ohlcv": candles}


def test_a_worker_in_another_time_zone_leaves_the_same_candles_and_the_same_ledger(
    world: World, tmp_path: Path
) -> None:
    prepare(world)
    summary = world.run(**PARAMS)
    # The hours that wait lie less than a day before those of the tail: they were one gap.
    assert summary["gaps_filled"] >= 3
    assert summary["gaps_deferred"] == 1
    assert summary["gaps_unfillable"] == 2
    expected = said(world)

    prepare(world)
    assert said(world) != expected
    order = Order(world.exchange.url, world.dsn, world.tickers, PARAMS)
    worker = start_worker(order, tmp_path, env={**os.environ, "TZ": ZONE, "PGTZ": ZONE})
    worker.wait_for_line("finished", timeout_s=PATIENCE_S)

    assert said(world) == expected
