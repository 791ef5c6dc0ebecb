"""The steps of a backfill run after detection: plan it, and fill what an item of the plan names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from include.ohlcv import ranges
from include.ohlcv.archive.repair import Fetch, fetch_unit, plan_fetch
from include.ohlcv.archive.units import Unit
from include.ohlcv.bench import Bench
from include.ohlcv.errors import RunFailedError
from include.ohlcv.fill import attempt_all, fill_series
from include.ohlcv.gaps import Series
from include.ohlcv.ledger.asset_rows import read_assets
from include.ohlcv.ledger.books import read_books
from include.ohlcv.ledger.gap_rows import plan_gaps
from include.ohlcv.ledger.run_rows import Run, read_run
from include.ohlcv.ledger.trade_rows import read_errands
from include.ohlcv.plan import Plan, make_plan, work_items
from include.ohlcv.trades.planning import plan_trades
from include.ohlcv.trades.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.ohlcv.archive.shelf import Shelf
    from include.ohlcv.gaps import Gap
    from include.ohlcv.ledger.session import Connection, RunKey
    from include.ohlcv.params import BackfillRequest
    from kraken_hooks.kraken import KrakenHook
    from kraken_hooks.questdb import QuestDBHook


def opened(connection: Connection, run: RunKey) -> Run:
    """Return the run as its step ``ask_exchange`` opened it.

    :param connection: the ledger
    :param run: the run
    :return: the run with the exchange's time
    :raises RunFailedError: if it was never opened
    """
    recorded = read_run(connection, run)
    if recorded is None:
        raise RunFailedError(f"run {run.run_id} has no exchange time: task ask_exchange did not finish")
    return recorded


def plan_run(
    connection: Connection,
    kraken: KrakenHook,
    questdb: QuestDBHook,
    run: RunKey,
    request: BackfillRequest,
    shelf: Shelf | None = None,
) -> list[dict[str, Any]]:
    """Choose the series to ask, the files to fetch and the ranges to rebuild, and take up their gaps.

    :param connection: the ledger
    :param kraken: hook of the exchange, asked only for weekly counts of trades that nobody knows
    :param questdb: hook of the candle store
    :param run: the run, after detection
    :param request: its params
    :param shelf: where files of the archive come from; None = nothing is fetched
    :return: items for the fill task, see :func:`include.ohlcv.plan.work_items`
    :raises RunFailedError: if the run was never opened
    """
    recorded = opened(connection, run)
    assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
    tiers = {asset.ticker: asset.tier for asset in assets}
    processed = set(recorded.series_processed)
    gaps = _gaps(connection, processed, list(tiers), request)
    plan = Plan(series=[], taken_up=[])
    if "ohlc" in request.repair_from:
        plan = make_plan(
            gaps,
            tiers=tiers,
            max_gaps_per_asset=request.max_gaps_per_asset,
            retry_failed=request.retry_failed,
            now_s=recorded.now_s,
        )
    plan_gaps(connection, run, plan.taken_up)
    bench = Bench(connection, kraken, questdb, run, recorded.now_s)
    fetch = Fetch()
    if "archive" in request.repair_from and shelf is not None:
        fetch = plan_fetch(bench, shelf, gaps)
        # What the quarters that are not published yet would hold is told apart now.
        gaps = _gaps(connection, processed, list(tiers), request)
    rebuilt: list[str] = []
    if "trades" in request.repair_from:
        # Trades are for what the archive cannot bring.
        taken_up = {gap.gap_id for gap in plan.taken_up} | fetch.gap_ids
        rebuilt = plan_trades(
            bench, request, assets, [gap for gap in gaps if gap.gap_id not in taken_up], plan.series
        )
    return work_items(plan.series, rebuilt, fetch.by_ticker())


def _gaps(
    connection: Connection, processed: set[int], tickers: Sequence[str], request: BackfillRequest
) -> list[Gap]:
    """Return the open gaps that a run is about."""
    return [
        gap
        for book in read_books(connection, tickers, request.intervals).values()
        if book.series_id in processed
        for gap in book.gaps
        if request.span is None or ranges.intersect([gap.range], [request.span])
    ]


def fill_item(
    connection: Connection,
    kraken: KrakenHook,
    questdb: QuestDBHook,
    run: RunKey,
    item: Mapping[str, Any],
    shelf: Shelf | None = None,
) -> None:
    """Fill the gaps of an item of the plan.

    :param connection: the ledger
    :param kraken: hook of the exchange
    :param questdb: hook of the candle store
    :param run: the run
    :param item: see :func:`include.ohlcv.plan.work_items`
    :param shelf: where its files come from
    :raises FillError: if gaps stay open for a passing reason
    :raises FillRefusedError: if gaps stay open for a reason that will not pass
    """
    recorded = opened(connection, run)
    bench = Bench(connection, kraken, questdb, run, recorded.now_s)
    series_list = [Series(ticker, interval) for ticker, interval in item["series"]]
    wanted = [*(series.ticker for series in series_list), *item["trades"]]
    assets = {asset.ticker: asset for asset in read_assets(connection, tickers=wanted, tier="ALL")}
    fills = [partial(fill_series, bench, assets[series.ticker], series) for series in series_list]
    fetches = [
        partial(fetch_unit, bench, shelf, Unit.from_dict(file)) for file in item["files"] if shelf is not None
    ]
    rebuilds = [
        partial(rebuild, bench, assets[planned.errand.ticker], planned, recorded.intervals)
        for planned in read_errands(connection, run)
        if planned.errand.ticker in item["trades"] and planned.errand.allotted > 0
    ]
    attempt_all([*fills, *fetches, *rebuilds])
