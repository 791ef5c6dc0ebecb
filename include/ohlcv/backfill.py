"""The steps of a backfill run after detection: plan it, and fill what an item of the plan names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.ohlcv.bench import Bench
from include.ohlcv.errors import RunFailedError
from include.ohlcv.fill import fill_all
from include.ohlcv.gaps import Series
from include.ohlcv.ledger.asset_rows import read_assets
from include.ohlcv.ledger.books import read_books
from include.ohlcv.ledger.gap_rows import plan_gaps
from include.ohlcv.ledger.run_rows import Run, read_run
from include.ohlcv.plan import make_plan, work_items

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def plan_run(connection: Connection, run: RunKey, request: BackfillRequest) -> list[dict[str, Any]]:
    """Choose the series to ask, and take up their gaps.

    :param connection: the ledger
    :param run: the run, after detection
    :param request: its params
    :return: items for the fill task, see :func:`include.ohlcv.plan.work_items`
    :raises RunFailedError: if the run was never opened
    """
    recorded = opened(connection, run)
    assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
    tiers = {asset.ticker: asset.tier for asset in assets}
    processed = set(recorded.series_processed)
    books = read_books(connection, list(tiers), request.intervals).values()
    plan = make_plan(
        [gap for book in books if book.series_id in processed for gap in book.gaps],
        tiers=tiers,
        max_gaps_per_asset=request.max_gaps_per_asset,
        retry_failed=request.retry_failed,
        now_s=recorded.now_s,
    )
    plan_gaps(connection, run, plan.taken_up)
    return work_items(plan.series)


def fill_item(
    connection: Connection, kraken: KrakenHook, questdb: QuestDBHook, run: RunKey, item: Mapping[str, Any]
) -> None:
    """Fill the gaps of an item of the plan.

    :param connection: the ledger
    :param kraken: hook of the exchange
    :param questdb: hook of the candle store
    :param run: the run
    :param item: ``{"label", "series": [[ticker, interval], ...]}``
    :raises FillError: if gaps stay open for a passing reason
    :raises FillRefusedError: if gaps stay open for a reason that will not pass
    """
    bench = Bench(connection, kraken, questdb, run, opened(connection, run).now_s)
    fill_all(bench, [Series(ticker, interval) for ticker, interval in item["series"]])
