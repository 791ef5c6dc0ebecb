"""Plans what a run rebuilds from trades: which ranges, at what price, and which gaps it takes up for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from include.ohlcv import ranges
from include.ohlcv.grid import floor_s
from include.ohlcv.ledger.gap_rows import plan_gaps
from include.ohlcv.ledger.run_rows import count_work
from include.ohlcv.ledger.trade_rows import add_errands, plan_errands, read_errands, spare_calls
from include.ohlcv.trades.counts import asked_counts, known_counts
from include.ohlcv.trades.errands import allot, chosen, stretches, waits_for_trades

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.ohlcv.bench import Bench
    from include.ohlcv.gaps import Gap, Series
    from include.ohlcv.ledger.asset_rows import Asset
    from include.ohlcv.params import BackfillRequest
    from include.ohlcv.ranges import Range
    from include.ohlcv.trades.errands import Errand
    from include.ohlcv.trades.estimate import Counts

MOST_WEEKLY_CALLS: Final = 50
"""Of one plan; what is then not known is guessed, and asked by a later run."""


def plan_trades(
    bench: Bench,
    request: BackfillRequest,
    assets: Sequence[Asset],
    gaps: Sequence[Gap],
    asked: Sequence[Series],
) -> list[str]:
    """Choose the ranges to walk through trade by trade, and take up the gaps in them.

    :param bench: what to work with
    :param request: params of the run
    :param assets: the assets it is about
    :param gaps: open gaps of the series processed that the run has not taken up for another source
    :param asked: series that the run asks anyway; their gaps use up the cap of their asset first
    :return: tickers with calls allotted, in the order of the plan
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    listed = {asset.ticker: asset for asset in assets if asset.gone_s is None}
    waiting: dict[str, list[Gap]] = {}
    for gap in gaps:
        if gap.series.ticker in listed and _is_wanted(gap, bench, request):
            waiting.setdefault(gap.series.ticker, []).append(gap)
    wanted = _wanted(bench, request, listed, waiting, asked)
    # A run that was cleared and plans again has spent a part of its calls.
    spent = sum(planned.made for planned in read_errands(bench.connection, bench.run))
    budget = max(0, request.trades_call_budget - spent)
    counts = _counts(bench, wanted, may_ask=budget > 0)
    errands = allot(
        {ticker: stretches(parts, counts[ticker]) for ticker, parts in wanted.items()},
        counts,
        tiers={ticker: asset.tier for ticker, asset in listed.items()},
        budget=budget,
    )
    is_recheck = request.span is not None
    plan_errands(bench.connection, bench.run, errands, is_recheck=is_recheck, now_s=bench.now_s)
    begun = [errand for errand in errands if errand.allotted > 0]
    taken_up = [gap for errand in begun for gap in _within([errand], waiting.get(errand.ticker, []))]
    plan_gaps(bench.connection, bench.run, taken_up)
    return list(dict.fromkeys(errand.ticker for errand in begun))


def plan_lacking(
    bench: Bench,
    request: BackfillRequest,
    asset: Asset,
    gaps: Sequence[Gap],
    covered: Mapping[Series, Sequence[Range]],
    asked: Sequence[Series],
) -> None:
    """Let trades bring what files lack that have just been read, with the calls that the run has left.

    A gap that reaches out of a range planned before waits for the next run: no trade is read twice.

    :param bench: what to work with
    :param request: params of the run
    :param asset: the files' asset
    :param gaps: its open gaps, as the files leave them
    :param covered: what the files read speak about, range set by series
    :param asked: series that the run asks anyway; see :func:`plan_trades`
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if asset.gone_s is not None:
        return
    of_run = [one for one in read_errands(bench.connection, bench.run) if not one.is_ended]
    planned = [one.errand for one in of_run if one.errand.ticker == asset.ticker]
    begun = [errand for errand in planned if errand.allotted > 0]
    lacking = [
        gap
        for gap in gaps
        if _is_wanted(gap, bench, request)
        and not ranges.subtract([gap.range], ranges.union(covered.get(gap.series, ())))
    ]
    plan_gaps(bench.connection, bench.run, _within(begun, lacking))
    free = [gap for gap in lacking if not any(ranges.intersect([gap.range], [of.range]) for of in planned)]
    taken = sum(series.ticker == asset.ticker for series in asked) + len(_within(begun, gaps))
    parts = ranges.union(gap.range for gap in _capped(free, request, taken))
    if not parts:
        return
    counts = _counts(bench, {asset.ticker: parts}, may_ask=request.trades_call_budget > 0)
    walks = {asset.ticker: stretches(parts, counts[asset.ticker])}
    with spare_calls(bench.connection, bench.run, request.trades_call_budget) as budget:
        errands = allot(walks, counts, tiers={asset.ticker: asset.tier}, budget=budget)
        add_errands(bench.connection, bench.run, errands, is_recheck=False, now_s=bench.now_s)
    plan_gaps(bench.connection, bench.run, _within([one for one in errands if one.allotted > 0], free))


def _within(errands: Sequence[Errand], gaps: Sequence[Gap]) -> list[Gap]:
    """Return the gaps that lie in the ranges to walk, one after the other."""
    return [
        gap
        for errand in errands
        for gap in gaps
        if errand.start_s <= gap.start_s and gap.end_s <= errand.end_s
    ]


def _capped(gaps: Sequence[Gap], request: BackfillRequest, taken: int) -> list[Gap]:
    limit = request.max_gaps_per_asset
    return chosen(gaps, limit=limit - taken if limit else None)


def _is_wanted(gap: Gap, bench: Bench, request: BackfillRequest) -> bool:
    if request.span is not None and gap.is_eligible(bench.now_s, retry_failed=request.retry_failed):
        return True
    return waits_for_trades(gap, now_s=bench.now_s, retry_failed=request.retry_failed)


def _wanted(
    bench: Bench,
    request: BackfillRequest,
    listed: Mapping[str, Asset],
    waiting: Mapping[str, Sequence[Gap]],
    asked: Sequence[Series],
) -> dict[str, list[Range]]:
    """Return the ranges wanted of each ticker: the one asked for, or those of its gaps."""
    if request.span is not None:
        start, end = request.span
        end = min(end, floor_s(bench.now_s, min(request.intervals)))
        return {ticker: [(start, end)] for ticker in listed if start < end}
    wanted = {}
    for ticker, gaps in waiting.items():
        taken = sum(series.ticker == ticker for series in asked)
        wanted[ticker] = [gap.range for gap in _capped(gaps, request, taken)]
    return {ticker: ranges.union(parts) for ticker, parts in wanted.items() if parts}


def _counts(bench: Bench, wanted: Mapping[str, Sequence[Range]], *, may_ask: bool) -> dict[str, Counts]:
    calls = bench.kraken.calls
    counts = {}
    for ticker, parts in wanted.items():
        known = known_counts(bench.connection, bench.questdb, ticker, parts)
        if may_ask and bench.kraken.calls - calls < MOST_WEEKLY_CALLS:
            known = asked_counts(bench.connection, bench.kraken, ticker, parts, known, now_s=bench.now_s)
        counts[ticker] = known
    made = bench.kraken.calls - calls
    if made:
        count_work(bench.connection, bench.run, ohlc_calls=made, api_calls=made)
    return counts
