"""The steps of a backfill run after detection, a source at a time: OHLC calls, the archive, trades.

Each source is planned when the one before it has done what it could, so that what one leaves open is what the
next one is asked for.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.errors import RunFailedError
from kraken_ohlcv.core.gap import FilledFrom, Gap, Series
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.tiers import all_wanted
from kraken_ohlcv.core.wording import counted, duration, named
from kraken_ohlcv.repair.attempt import attempt_all
from kraken_ohlcv.repair.context import RunContext, calls_at_a_stretch
from kraken_ohlcv.repair.plan import make_plan, shared, work_items
from kraken_ohlcv.sources.archive.fetch import Ingestion, ingest_files
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Member
from kraken_ohlcv.sources.archive.plan import plan_fetch
from kraken_ohlcv.sources.ohlc.fetch import CALLS_PER_SERIES, fill_series
from kraken_ohlcv.sources.trades.fetch import CALLS_PER_PAGE
from kraken_ohlcv.sources.trades.plan import plan_walks
from kraken_ohlcv.sources.trades.rebuild import rebuild
from kraken_ohlcv.stores.ledger.archive import read_results
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.gaps import claim_gaps, read_claims
from kraken_ohlcv.stores.ledger.runs import Repair, Run, read_run
from kraken_ohlcv.stores.ledger.series_state import SeriesState, read_states
from kraken_ohlcv.stores.ledger.session import Connection, execute, rows
from kraken_ohlcv.stores.ledger.trades import TradeJob

log = logging.getLogger(__name__)


def opened(connection: Connection, run: RunKey) -> Run:
    """Return the run as its step ``ask_exchange`` opened it.

    :return: the run with the exchange's time
    :raises RunFailedError: if it was never opened
    """
    recorded = read_run(connection, run)
    if recorded is None:
        raise RunFailedError(f"run {run.run_id} has no exchange time: task ask_exchange did not finish")
    return recorded


def context_of(
    connection: Connection, kraken: KrakenClient, questdb: QuestDBClient, run: RunKey
) -> RunContext:
    """Return what the steps of a run work with.

    :param kraken: client of the exchange, whose calls count from here
    :raises RunFailedError: if it was never opened
    """
    now_s = opened(connection, run).now_s
    stretch = calls_at_a_stretch(kraken.min_interval_s)
    return RunContext(connection, kraken, questdb, run, now_s, stretch=stretch)


def plan_ohlc(context: RunContext, request: BackfillRequest) -> list[dict[str, Any]]:
    """Choose the series to ask, earliest expiry first, and claim the gaps that the calls can serve.

    :param context: what to work with, after detection
    :return: items ``{"label", "series": [[ticker, interval], ...]}`` for :func:`fill_ohlc`: one per asset, or
        one per stretch of calls where those are quicker than task instances
    """
    if "ohlc" not in request.repair_from:
        log.info("no OHLC call: repair_from is %s", ", ".join(request.repair_from))
        return []
    assets, states = assets_and_states(context, request)
    plan = make_plan(
        _gaps(states, request),
        tiers={asset.ticker: asset.tier for asset in assets},
        max_gaps_per_asset=request.max_gaps_per_asset,
        retry_failed=request.retry_failed,
        now_s=context.now_s,
    )
    claim_gaps(context.connection, context.run, plan.claimed)
    asked = plan.series
    if request.span is not None:
        # Although nothing is missing: a range in the API window is to be checked.
        delisted = {asset.ticker for asset in assets if asset.delisted_s is not None}
        asked += sorted(
            state.series
            for state in states
            if state.series.ticker not in delisted
            and request.span[1] > api_window_start_s(context.now_s, state.series.interval_minutes)
        )
    asked = list(dict.fromkeys(asked))
    execute(context.connection, "plan_ohlc_calls", context.run, calls=len(asked))
    log.info("%s", _calls_in_words(context, asked, len(plan.claimed)))
    items = work_items("series", ((series.ticker, list(series)) for series in asked))
    # A pair whose first trade nobody has looked up yet may take a call for that.
    unknown = {asset.ticker for asset in assets if asset.first_trade_s is None}
    calls = [len(item["series"]) + (item["label"] in unknown) for item in items]
    at_most = context.stretch - CALLS_PER_SERIES + 1
    return shared(items, calls, min_interval_s=context.kraken.min_interval_s, at_most=at_most)


def _calls_in_words(context: RunContext, asked: Sequence[Series], n_gaps: int) -> str:
    if not asked:
        return "no OHLC call: no gap within reach of the API is due for an attempt"
    tickers = list(dict.fromkeys(series.ticker for series in asked))
    took_s = round(len(asked) * context.kraken.min_interval_s)
    return (
        f"{counted(len(asked), 'OHLC call')} for {counted(n_gaps, 'gap')} of {counted(len(tickers), 'asset')}"
        f" ({named(tickers)}), {duration(took_s)} at {context.kraken.min_interval_s:g} s per call"
    )


def fill_ohlc(context: RunContext, item: Mapping[str, Any], request: BackfillRequest) -> bool:
    """Fill the gaps of the series of an item: one OHLC call each.

    :param context: what to work with
    :param item: see :func:`plan_ohlc`
    :return: whether series wait for another stretch of calls
    :raises FillError: if gaps stay open for a passing reason
    :raises FillRefusedError: if gaps stay open for a reason that will not pass
    """
    series_list = [Series(ticker, interval) for ticker, interval in item["series"]]
    assets = _assets(context, [series.ticker for series in series_list])
    repairs = [
        one
        for one in rows(context.connection, "read_repairs", Repair, context.run)
        if one.source == FilledFrom.OHLC
    ]
    repaired = {one.series for one in repairs}
    untried = {series for series in series_list if series not in repaired and not _was_tried(context, series)}
    new = frozenset(untried)
    # Series not tried yet go first, so that every stretch comes closer to the end.
    in_turn = sorted(series_list, key=lambda series: series not in untried)
    # A range that was checked is not asked for again with what is left of the item; all of it may be.
    checked = {one.series for one in repairs if one.error is None}
    in_turn = [series for series in in_turn if series not in checked] or in_turn

    def fills() -> Iterator[Callable[[], None]]:
        for series in in_turn:
            if not context.may_begin(CALLS_PER_SERIES):
                return
            untried.discard(series)
            yield partial(
                fill_series,
                context,
                assets[series.ticker],
                series,
                hands_on="trades" in request.repair_from,
                is_recheck=request.span is not None,
                is_again=series not in new,
            )

    progress = Progress(f"{item['label']}: asked", "series", len(in_turn), log.info, clock=context.clock)
    attempt_all(fills(), progress, waits=lambda: bool(untried))
    if untried:
        log.info("%s left; this task goes on after others had their turn", counted(len(untried), "series"))
    return bool(untried)


def _was_tried(context: RunContext, series: Series) -> bool:
    return any(one.tries for one in read_claims(context.connection, context.run, series).values())


def plan_archive(
    context: RunContext, request: BackfillRequest, locator: ArchiveLocator | None
) -> list[dict[str, Any]]:
    """Choose the members of published quarters that may close gaps past the edge.

    :param context: what to work with, after the OHLC calls
    :param locator: where files come from; None = nothing is fetched
    :return: items ``{"label", "files"}`` for :func:`ingest_archive`, one per asset
    :raises ArchiveRefusedError: if the server sends whole files only
    :raises ArchiveServerError: if it does not give a usable answer
    """
    if "archive" not in request.repair_from or locator is None:
        log.info("no file of the archive: repair_from is %s", ", ".join(request.repair_from))
        return []
    _, states = assets_and_states(context, request)
    members = plan_fetch(context, locator, _gaps(states, request))
    files = f": {named([member.name for member in members])}" if members else ""
    log.info("%s of the archive to ingest%s", counted(len(members), "file"), files)
    return work_items("files", ((member.series.ticker, member.as_dict()) for member in members))


def ingest_archive(context: RunContext, item: Mapping[str, Any], locator: ArchiveLocator) -> None:
    """Take in the files of an item, one after the other.

    :param context: what to work with
    :param item: see :func:`plan_archive`
    :param locator: where files come from
    :raises FillError: if a file failed for a passing reason
    :raises FillRefusedError: if one is not acceptable
    """
    # The plan leaves out what has been read since the gap was found.
    ingest_files(Ingestion(context, locator, again=True), item["files"])


def plan_trades(
    context: RunContext,
    request: BackfillRequest,
    *,
    asked: Sequence[Mapping[str, Any]],
    fetched: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Choose the ranges to walk through trade by trade: what no other source has brought, or can bring.

    :param context: what to work with, after the OHLC calls and the archive; the exchange is asked only for
        weekly counts of trades that nobody knows
    :param asked: items of :func:`plan_ohlc`
    :param fetched: items of :func:`plan_archive`; a gap in a file that did not arrive waits for the next run
    :return: items ``{"label", "tickers"}`` for :func:`rebuild_trades`: one per asset, or one per stretch of
        calls where those are quicker than task instances
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if "trades" not in request.repair_from:
        log.info("no trades: repair_from is %s", ", ".join(request.repair_from))
        return []
    assets, states = assets_and_states(context, request)
    results = read_results(context.connection, context.run)
    coming = [
        member
        for item in fetched
        for member in map(Member.from_dict, item["files"])
        if results.get(member.name, {"status": "failed"})["status"] == "failed"
    ]
    gaps = [
        gap
        for gap in _gaps(states, request)
        if not any(member.series == gap.series and member.may_hold(gap.range) for member in coming)
    ]
    series_asked = {Series(ticker, interval) for item in asked for ticker, interval in item["series"]}
    calls = plan_walks(context, request, assets, gaps, series_asked)
    log.info("%s", _walks_in_words(context, calls, request.trades_call_budget))
    return _walk_items(context, calls)


def _walks_in_words(context: RunContext, calls: Mapping[str, int], budget: int) -> str:
    if not calls:
        why = "no other gap is due for an attempt" if budget else "trades_call_budget is 0"
        return f"no trades to read: {why}"
    total = sum(calls.values())
    took_s = round(min(total, budget) * context.kraken.min_interval_s)
    return (
        f"trades of {named(list(calls))} to read, about {counted(total, 'call')} ({duration(took_s)}); the"
        f" run may make {budget:,}"
    )


def _walk_items(context: RunContext, calls: Mapping[str, int]) -> list[dict[str, Any]]:
    items = work_items("tickers", zip(calls, calls, strict=True))
    return shared(
        items,
        list(calls.values()),
        min_interval_s=context.kraken.min_interval_s,
        at_most=context.stretch - CALLS_PER_PAGE + 1,
    )


def items_of_jobs(context: RunContext) -> list[dict[str, Any]]:
    """Return the walks that the run may make and has not ended, as :func:`plan_trades` does.

    :param context: what to work with, after an approval
    """
    calls: Counter[str] = Counter()
    for job in rows(context.connection, "read_trade_jobs", TradeJob, context.run):
        if not job.is_done and not job.is_waiting:
            calls[job.ticker] += job.calls_left
    return _walk_items(context, calls)


def rebuild_trades(context: RunContext, item: Mapping[str, Any], request: BackfillRequest) -> bool:
    """Walk through the trades of the tickers of an item, from where an earlier stretch of calls stopped.

    :param context: what to work with
    :param item: see :func:`plan_trades`
    :return: whether a walk waits for another stretch of calls
    :raises FillError: if a walk broke off for a passing reason
    :raises FillRefusedError: if one broke off for a reason that will not pass
    """
    assets = _assets(context, item["tickers"])
    goes_on = False

    def walk(job: TradeJob) -> None:
        nonlocal goes_on
        goes_on = rebuild(context, assets[job.ticker], job, request) or goes_on

    jobs = [
        job
        for job in rows(context.connection, "read_trade_jobs", TradeJob, context.run)
        if job.ticker in assets and not job.is_done and not job.is_waiting
    ]

    def walks() -> Iterator[Callable[[], None]]:
        nonlocal goes_on
        for job in jobs:
            if not context.may_begin(CALLS_PER_PAGE):
                goes_on = True
                return
            yield partial(walk, job)

    progress = Progress(f"{item['label']}: walked through", "range", len(jobs), log.info, clock=context.clock)
    attempt_all(walks(), progress, waits=lambda: goes_on)
    return goes_on


def _assets(context: RunContext, tickers: Sequence[str]) -> dict[str, Asset]:
    found = read_assets(context.connection, tickers=list(dict.fromkeys(tickers)), tier="ALL")
    return {asset.ticker: asset for asset in found}


def assets_and_states(context: RunContext, request: BackfillRequest) -> tuple[list[Asset], list[SeriesState]]:
    """Return the assets that a run is about, and the ledgers of their series that it processes.

    :param context: what to work with, after detection
    """
    assets = read_assets(context.connection, tickers=request.tickers, tier=request.tier)
    intervals = all_wanted((asset.upkeep for asset in assets), request.intervals)
    states = read_states(context.connection, [asset.ticker for asset in assets], intervals)
    processed = set(opened(context.connection, context.run).series_processed)
    return assets, [state for state in states.values() if state.series_id in processed]


def _gaps(states: Sequence[SeriesState], request: BackfillRequest) -> list[Gap]:
    """Return the open gaps that a run is about: in a range asked for by name the accepted ones, too."""
    return [
        gap
        for state in states
        for gap in state.gaps
        if (gap.acceptance is None if request.span is None else ranges.intersect([gap.range], [request.span]))
    ]
