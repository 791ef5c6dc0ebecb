"""Plans what a run rebuilds from trades: which ranges, in which order, and at what price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.gap import MAX_APART, Gap, GapStatus, Series
from kraken_ohlcv.core.grid import expiry_s, floor_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import all_wanted
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.disputes import to_recheck
from kraken_ohlcv.sources.trades.estimate import TradeCounts, expected_calls, trade_counts
from kraken_ohlcv.sources.trades.fetch import CURSOR
from kraken_ohlcv.stores.ledger.approvals import read_free_calls
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.session import execute, value
from kraken_ohlcv.stores.ledger.trades import TradeJob, plan_jobs

MOST_WEEKLY_CALLS: Final = 50
"""Of one plan; what is then not known is guessed, and asked by a later run."""

NEAR_S: Final = 1800
"""Missing buckets that open so near to each other are read as one: a busy pair has fewer trades between them
than a call brings."""


def plan_walks(
    context: RunContext,
    request: BackfillRequest,
    assets: Sequence[Asset],
    gaps: Sequence[Gap],
    asked: Collection[Series],
) -> dict[str, int]:
    """Choose the ranges to walk through trade by trade, after every other source has been tried.

    :param context: what to work with
    :param assets: the assets it is about
    :param gaps: open gaps of the series processed, but those that another source may still bring in this run
    :param asked: series that the run has asked with OHLC calls
    :return: estimated calls by ticker with ranges to walk, in the order in which they may use the calls;
        empty without a budget
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    context.kraken.names |= {asset.ticker: asset.names for asset in assets}
    listed = {asset.ticker: asset for asset in assets if asset.delisted_s is None}
    waiting = [
        gap for gap in gaps if gap.series.ticker in listed and _is_wanted(gap, context, request, asked)
    ]
    wanted = _wanted(context, request, listed, waiting, asked)
    budget = request.trades_call_budget
    counts = _counts(context, wanted, may_ask=budget > 0)
    jobs = in_order(
        {ticker: stretches(parts, counts[ticker]) for ticker, parts in wanted.items()},
        counts,
        tiers={ticker: asset.tier for ticker, asset in listed.items()},
        is_recheck=request.span is not None,
    )
    jobs = [
        _from_cursor(context, listed[job.ticker].upkeep.wanted(request.intervals), job, counts[job.ticker])
        for job in jobs
    ]
    if request.span is None:
        jobs += _rechecks(context, request, listed, jobs)
    if request.approve_above_calls is not None:
        calls_of_run = read_free_calls(context.connection, context.run, threshold=request.approve_above_calls)
        jobs = _with_waiting(jobs, room=calls_of_run.free - calls_of_run.made, budget=budget)
    plan_jobs(context.connection, context.run, jobs, budget=budget, now_s=context.now_s)
    calls: Counter[str] = Counter()
    for job in jobs if budget else ():
        if not job.is_waiting:
            calls[job.ticker] += job.calls
    return calls


def _with_waiting(jobs: Sequence[TradeJob], *, room: int, budget: int) -> list[TradeJob]:
    """Return the walks, those that wait for an approval marked: the first that has no room, and all behind.

    :param room: calls for trades that the run may still make without an approval
    :param budget: calls that it may make for trades: what lies beyond is not made, and not asked about
    """
    marked: list[TradeJob] = []
    used = 0
    for job in jobs:
        is_waiting = used < budget and (
            any(one.is_waiting for one in marked) or min(budget, used + job.calls) > room
        )
        used += job.calls
        marked.append(replace(job, is_waiting=is_waiting))
    return marked


def _from_cursor(
    context: RunContext, intervals: Sequence[int], job: TradeJob, counts: TradeCounts
) -> TradeJob:
    """Return a range with the calls that it takes from where an earlier walk through it has stopped."""
    state = value(context.connection, "read_trade_cursor", job)
    if state is None:
        return job
    builder = CandleBuilder.from_state(state["builder"])
    last_s = CURSOR.validate_python(state["place"]).last_s
    is_same = builder.span == job.range if job.is_recheck else builder.oldest_s <= job.start_s
    if last_s is None or not builder.intervals >= set(intervals) or not is_same:
        return job
    read_s = min(max(job.start_s, int(last_s)), job.end_s - 1)
    return replace(job, calls=expected_calls((read_s, job.end_s), counts))


def _rechecks(
    context: RunContext, request: BackfillRequest, listed: Mapping[str, Asset], jobs: Sequence[TradeJob]
) -> list[TradeJob]:
    """Return the ranges about which trades are asked once more, after all gaps."""
    intervals = all_wanted((asset.upkeep for asset in listed.values()), request.intervals)
    walked = {job.ticker: [one.range for one in jobs if one.ticker == job.ticker] for job in jobs}
    wanted = {
        # A range that a walk for gaps touches waits for the next run: no trade is read twice in one.
        ticker: [part for part in ranges.union(parts) if not ranges.intersect([part], walked.get(ticker, []))]
        for ticker, parts in to_recheck(context.connection, list(listed), intervals).items()
    }
    wanted = {ticker: parts for ticker, parts in wanted.items() if parts}
    counts = _counts(context, wanted, may_ask=False)
    tiers = {ticker: asset.tier for ticker, asset in listed.items()}
    return in_order(wanted, counts, tiers=tiers, is_recheck=True)


def _is_wanted(gap: Gap, context: RunContext, request: BackfillRequest, asked: Collection[Series]) -> bool:
    """Return whether trades are to close a gap: nothing else can, or nothing else has."""
    if gap.waits_for_trades(context.now_s, retry_failed=request.retry_failed):
        return True
    if not gap.is_eligible(context.now_s, retry_failed=request.retry_failed):
        return False
    if request.span is not None or "ohlc" not in request.repair_from:
        return True
    return _was_handed_on(gap, asked)


def _was_handed_on(gap: Gap, asked: Collection[Series]) -> bool:
    """Return whether Kraken's OHLC answer has left a gap open that lies within its window."""
    return gap.status is GapStatus.DETECTED and gap.series in asked


def _wanted(
    context: RunContext,
    request: BackfillRequest,
    listed: Mapping[str, Asset],
    waiting: Sequence[Gap],
    asked: Collection[Series],
) -> dict[str, list[Range]]:
    """Return the ranges wanted of each ticker: the one asked for, or those of its gaps."""
    if request.span is not None:
        start, end = request.span
        ends = {
            ticker: min(end, floor_s(context.now_s, min(asset.upkeep.wanted(request.intervals))))
            for ticker, asset in listed.items()
        }
        return {ticker: [(start, own_end)] for ticker, own_end in ends.items() if start < own_end}
    wanted = {}
    limit = request.max_gaps_per_asset
    gaps: dict[str, list[Gap]] = {ticker: [] for ticker in listed}
    for gap in waiting:
        if gap.series.ticker in gaps:
            gaps[gap.series.ticker].append(gap)
    n_asked = Counter(series.ticker for series in asked)
    for ticker, own in gaps.items():
        # What the OHLC call left open has been counted against the cap when its series was asked.
        handed_on = [gap for gap in own if _was_handed_on(gap, asked)]
        left = limit - n_asked[ticker] if limit else None
        others = chosen([gap for gap in own if gap not in handed_on], limit=left)
        wanted[ticker] = ranges.union(_missing_stretches(context, [*handed_on, *others]))
    return {ticker: parts for ticker, parts in wanted.items() if parts}


def _missing_stretches(context: RunContext, gaps: Sequence[Gap]) -> list[Range]:
    """Return what is missing of gaps of a ticker, with what is stored between where that is near."""
    found: list[Range] = []
    for gap in gaps:
        step = step_s(gap.series.interval_minutes)
        if gap.missing_candles * step == gap.end_s - gap.start_s or NEAR_S // step >= MAX_APART:
            found.append(gap.range)
            continue
        missing = read_months(context.connection, gap.series, [gap.range]).missing.within(gap.range)
        found += missing.clusters(max(1, NEAR_S // step))
    return found


def _counts(
    context: RunContext, wanted: Mapping[str, Sequence[Range]], *, may_ask: bool
) -> dict[str, TradeCounts]:
    calls = context.kraken.calls
    counts = {}
    for ticker, parts in wanted.items():
        is_left = context.kraken.calls - calls < MOST_WEEKLY_CALLS
        counts[ticker] = trade_counts(context, ticker, parts, may_ask=may_ask and is_left)
    if made := context.kraken.calls - calls:
        execute(context.connection, "plan_more_calls", context.run, calls=made)
        count_work(context.connection, context.run, ohlc_calls=made, api_calls=made, ohlc_spent=made)
    return counts


def chosen(gaps: Iterable[Gap], *, limit: int | None) -> list[Gap]:
    """Return the gaps of one ticker that may cause calls, those forgotten first at the front.

    :param gaps: gaps that wait for trades
    :param limit: how many at most; None = no limit
    """
    ordered = sorted(gaps, key=lambda gap: (expiry_s(gap.start_s, gap.series.interval_minutes), gap.gap_id))
    return ordered if limit is None else ordered[: max(0, limit)]


def stretches(wanted: Iterable[Range], counts: TradeCounts) -> list[Range]:
    """Return the ranges to walk: neighbours are walked as one where that takes no more calls.

    :param wanted: range set
    :param counts: what is known of the ticker's trades
    :return: ascending, neither overlapping nor touching
    """
    walked: list[Range] = []
    for part in ranges.union(wanted):
        if walked:
            together = (walked[-1][0], part[1])
            apart = expected_calls(walked[-1], counts) + expected_calls(part, counts)
            if expected_calls(together, counts) <= apart:
                walked[-1] = together
                continue
        walked.append(part)
    return walked


def in_order(
    wanted: Mapping[str, Sequence[Range]],
    counts: Mapping[str, TradeCounts],
    *,
    tiers: Mapping[str, str],
    is_recheck: bool = False,
) -> list[TradeJob]:
    """Put the ranges to walk in the order in which they may use the calls of a run.

    A higher tier goes first, within a tier the ticker that takes fewest calls, so that a budget closes as
    much as it can; the ranges of a ticker follow each other as given.

    :param wanted: ranges by ticker, see :func:`stretches`
    :param counts: what is known of each ticker's trades
    :param tiers: tier by ticker
    :param is_recheck: whether they are read for their own sake, rather than for their gaps
    :return: all ranges
    """
    estimated = {
        ticker: [
            TradeJob(ticker, *part, expected_calls(part, counts[ticker]), is_recheck, part[0])
            for part in parts
        ]
        for ticker, parts in wanted.items()
    }
    tickers = sorted(estimated, key=lambda t: (tiers[t], sum(one.calls for one in estimated[t]), t))
    return [job for ticker in tickers for job in estimated[ticker]]
