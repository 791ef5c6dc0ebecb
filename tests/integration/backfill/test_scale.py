"""A catalogue of 1,400 tickers goes through detection and planning with the shipped settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_ohlcv.backfill import context_of, plan_ohlc
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.repair.plan import fitted
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.in_step import gaps_of

if TYPE_CHECKING:
    from tests.integration.world import World

TICKERS = 1400
AIRFLOW_MAPS = 1024


def test_a_catalogue_larger_than_airflow_maps_is_planned_whole(world: World) -> None:
    tickers = world.exchange.synthetic(TICKERS)
    world.catalogue(tickers)
    request = BackfillRequest(
        tier="ALL",
        intervals=[60, 1440],
        lookback_days=7,
        max_gaps_per_asset=10,
        tickers=None,
        retry_failed=False,
    )
    run = RunKey("backfill_tier1_daily", "whole_catalogue")
    with connect(world.dsn) as connection:
        now_s = open_run(connection, world.kraken(), run, request, world.worker_now)
        world.detect(connection, run, request, now_s)
        context = context_of(connection, world.kraken(), world.questdb, run)
        items = fitted(plan_ohlc(context, request), AIRFLOW_MAPS)

    assert len(items) <= AIRFLOW_MAPS < TICKERS
    assert [tuple(one) for item in items for one in item["series"]] == [
        (ticker, interval)
        for ticker in tickers
        for interval in (1440, 60)  # the daily window ends first
    ]
    n_gaps = sum(
        len(gaps_of([world.window(Series(tickers[0], interval))], interval)) for interval in request.intervals
    )
    assert len(world.gaps()) == n_gaps * TICKERS
