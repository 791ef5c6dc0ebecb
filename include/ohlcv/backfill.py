"""The steps of a backfill run after detection: plan it, and fill what an item of the plan names."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from include.ohlcv import ranges
from include.ohlcv.archive.repair import Fetch, fetch_unit, plan_fetch
from include.ohlcv.archive.units import Unit
from include.ohlcv.bench import Bench
from include.ohlcv.errors import FillError, FillRefusedError, RunFailedError
from include.ohlcv.fill import attempt_all, fill_series
from include.ohlcv.gaps import Series
from include.ohlcv.ledger.asset_rows import read_assets
from include.ohlcv.ledger.books import read_books
from include.ohlcv.ledger.gap_rows import plan_gaps
from include.ohlcv.ledger.run_rows import Run, read_run
from include.ohlcv.ledger.trade_rows import read_errands
from include.ohlcv.plan import Plan, make_plan, work_items
from include.ohlcv.trades.planning import plan_lacking, plan_trades
from include.ohlcv.trades.rebuild import rebuild
from kraken_hooks.errors import QuestDBError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from include.ohlcv.archive.shelf import Shelf
    from include.ohlcv.gaps import Gap
    from include.ohlcv.ledger.asset_rows import Asset
    from include.ohlcv.ledger.session import Connection, RunKey
    from include.ohlcv.params import BackfillRequest
    from include.ohlcv.ranges import Range
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
    request: BackfillRequest,
    item: Mapping[str, Any],
    shelf: Shelf | None = None,
) -> None:
    """Fill the gaps of an item of the plan: by OHLC calls, then from files, then from trades.

    :param connection: the ledger
    :param kraken: hook of the exchange
    :param questdb: hook of the candle store
    :param run: the run
    :param request: its params
    :param item: see :func:`include.ohlcv.plan.work_items`
    :param shelf: where its files come from, None for an item without files
    :raises FillError: if gaps stay open for a passing reason
    :raises FillRefusedError: if gaps stay open for a reason that will not pass
    """
    recorded = opened(connection, run)
    bench = Bench(connection, kraken, questdb, run, recorded.now_s)
    attempt_all(_jobs(bench, recorded, request, item, shelf))


def _jobs(
    bench: Bench, recorded: Run, request: BackfillRequest, item: Mapping[str, Any], shelf: Shelf | None
) -> Iterator[Callable[[], None]]:
    """Give the jobs of an item; what one leaves open decides about those after it."""
    series_list = [Series(ticker, interval) for ticker, interval in item["series"]]
    units = [Unit.from_dict(file) for file in item["files"]]
    wanted = [*item["trades"], *(of.ticker for of in (*series_list, *(unit.series for unit in units)))]
    assets = {asset.ticker: asset for asset in read_assets(bench.connection, tickers=wanted, tier="ALL")}
    for series in series_list:
        yield partial(fill_series, bench, assets[series.ticker], series)
    read: list[Unit] = []
    for unit in units:
        yield partial(_fetch, bench, cast("Shelf", shelf), unit, read)
    if read and "trades" in request.repair_from:
        for ticker in dict.fromkeys(unit.series.ticker for unit in read):
            yield partial(_hand_on, bench, recorded, request, assets[ticker], read, series_list)
    for planned in read_errands(bench.connection, bench.run):
        if planned.errand.ticker in assets and planned.errand.allotted > 0:
            yield partial(rebuild, bench, assets[planned.errand.ticker], planned, recorded.intervals)


def _fetch(bench: Bench, shelf: Shelf, unit: Unit, read: list[Unit]) -> None:
    """Ingest a file, and note it as read unless another try may bring more."""
    try:
        fetch_unit(bench, shelf, unit)
    except FillRefusedError:
        read.append(unit)
        raise
    read.append(unit)


def _hand_on(
    bench: Bench,
    recorded: Run,
    request: BackfillRequest,
    asset: Asset,
    read: Sequence[Unit],
    asked: Sequence[Series],
) -> None:
    """Let trades bring what the files of an asset lack."""
    covered: dict[Series, list[Range]] = defaultdict(list)
    for unit in read:
        covered[unit.series].append((unit.release.start_s or 0, unit.release.end_s or 0))
    gaps = _gaps(bench.connection, set(recorded.series_processed), [asset.ticker], request)
    try:
        plan_lacking(bench, request, asset, gaps, covered, asked)
    except QuestDBError as error:
        raise FillError(f"{asset.ticker}: {error}") from error
