"""What a backfill would do and cost: its own steps, taken in transactions that are rolled back.

So the plan is the one that the run would make, and nothing of it stays in the ledger. Calls that only the run
itself makes are withheld, see :mod:`kraken_ohlcv.clients.exchange.planning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kraken_ohlcv.backfill import assets_and_states, context_of, plan_archive, plan_ohlc, plan_trades
from kraken_ohlcv.clients.exchange.planning import PlanningClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Gap, Series
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.tiers import all_wanted
from kraken_ohlcv.detection.detect import detect
from kraken_ohlcv.price.plan import OUTSIDE, PASSED_OVER, Price, SeriesPrice, as_plan, why_open
from kraken_ohlcv.repair.attempt import is_within_reach
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Member
from kraken_ohlcv.sources.trades.plan import MOST_WEEKLY_CALLS
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.gaps import start_attempt
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.series_state import SeriesState
from kraken_ohlcv.stores.ledger.session import Connection, rows
from kraken_ohlcv.stores.ledger.trades import TradeJob

Opening = Callable[[Connection], int]
"""Opens the run in the ledger, and returns the exchange's time, epoch seconds UTC."""

SERIES_AT_ONCE: Final = 500
"""Series of one transaction: each holds two locks until it is rolled back, and others wait for them."""

NO_HISTORY: Final = (
    "its history_from is not in this plan: the first run asks for the pair's first trade, then plan again"
)


@contextmanager
def nothing_kept(connection: Connection) -> Iterator[None]:
    """Open a transaction that is rolled back at its end."""
    with connection.transaction(force_rollback=True):
        yield


def price_backfill(
    connection: Connection,
    kraken: PlanningClient,
    questdb: QuestDBClient,
    locator: ArchiveLocator | None,
    run: RunKey,
    request: BackfillRequest,
    opening: Opening,
) -> dict[str, Any]:
    """Return what a backfill would do and cost, and write nothing.

    :param connection: the ledger, in autocommit
    :param kraken: its clock, state and pairs are asked, nothing else
    :param locator: where archive files come from; their directory is read, when archives are to be used
    :param run: the run, which need not be known
    :param request: its params
    :param opening: opens the run; called once per transaction
    :return: the plan, as :func:`as_plan` makes it
    """
    with nothing_kept(connection):
        now_s = opening(connection)
        request.check(now_s)
        assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
    price = Price()
    for batch in _batches(assets, request):
        with nothing_kept(connection):
            opening(connection)
            detect(connection, questdb, run, request, batch, now_s=now_s)
            context = context_of(connection, kraken, questdb, run)
            _add(price, context, request, batch, locator)
    price.warnings += sorted(
        f"{ticker}: {NO_HISTORY}" for endpoint, ticker in kraken.withheld if endpoint == "Trades"
    )
    n_weekly = min(MOST_WEEKLY_CALLS, sum(endpoint == "OHLC" for endpoint, _ in kraken.withheld))
    return as_plan(
        price,
        trades_budget=request.trades_call_budget,
        n_others=n_weekly,
        pace_s=kraken.min_interval_s,
    )


def _batches(assets: Sequence[Asset], request: BackfillRequest) -> Iterator[Sequence[Asset]]:
    intervals = all_wanted((asset.upkeep for asset in assets), request.intervals)
    size = max(1, SERIES_AT_ONCE // max(1, len(intervals)))
    for first in range(0, len(assets), size):
        yield assets[first : first + size]


def _add(
    price: Price,
    context: RunContext,
    request: BackfillRequest,
    assets: Sequence[Asset],
    locator: ArchiveLocator | None,
) -> None:
    """Plan for some assets after detection, and add it."""
    connection, run = context.connection, context.run
    recorded = read_run(connection, run)
    items = plan_ohlc(context, request)
    asked = {Series(*series) for item in items for series in item["series"]}
    _, states = assets_and_states(context, request)
    due = _due(states, asked, context, request)
    by_ohlc = {gap.gap_id for gap in due}
    for gap in due:
        # As if it was being asked for: what the answer leaves open is not known before.
        start_attempt(connection, run, gap, now_s=context.now_s, is_first_try=True)
    files = plan_archive(context, request, locator)
    members = [Member.from_dict(file) for item in files for file in item["files"]]
    price.files += sizes(members, locator)
    plan_trades(context, request, asked=items, fetched=files)
    jobs = rows(connection, "read_trade_jobs", TradeJob, run)
    tiers = {asset.ticker: asset.tier for asset in assets}
    price.jobs += [(tiers[job.ticker], job) for job in jobs]
    price.n_series += len(states)
    for state in states:
        found = _series_price(state, context, request, by_ohlc, members, jobs)
        found.ohlc_calls = int(state.series in asked)
        if found.gaps or found.ohlc_calls:
            price.series.append(found)
    remarks = recorded.remarks if recorded else {}
    price.warnings += [said for said in remarks.get("warnings", []) if said not in price.warnings]
    price.errors += remarks.get("errors", [])
    for name in PASSED_OVER:
        price.passed_over[name] += remarks.get(name, [])
    lost = (one for one in read_results(connection, run).values() if "error" in one)
    price.errors += [sentence(one["file"], one["error"]) for one in lost]


def _due(
    states: Iterable[SeriesState], asked: set[Series], context: RunContext, request: BackfillRequest
) -> list[Gap]:
    """Return the gaps for which a series is asked with an OHLC call."""
    return [
        gap
        for state in states
        if state.series in asked
        for gap in state.gaps
        if _is_wanted(gap, request)
        and gap.is_eligible(context.now_s, retry_failed=request.retry_failed)
        and is_within_reach(gap, now_s=context.now_s)
    ]


def _is_wanted(gap: Gap, request: BackfillRequest) -> bool:
    return request.span is None or bool(ranges.intersect([gap.range], [request.span]))


def sizes(members: Sequence[Member], locator: ArchiveLocator | None) -> list[tuple[Member, int]]:
    """Return files of the archive with their lengths, bytes.

    :param members: the files
    :param locator: where they lie
    """
    found = []
    for member in members:
        if locator is not None:
            with locator.open_for(member) as archive:
                found.append((member, archive.size(member.path)))
    return found


def _series_price(
    state: SeriesState,
    context: RunContext,
    request: BackfillRequest,
    by_ohlc: set[int],
    members: Sequence[Member],
    jobs: Sequence[TradeJob],
) -> SeriesPrice:
    price = SeriesPrice(state.series)
    for gap in state.gaps:
        if not _is_wanted(gap, request):
            continue
        n = gap.missing_candles
        price.gaps += 1
        price.missing_candles += n
        if gap.gap_id in by_ohlc:
            price.candles["ohlc"] += n
        elif any(member.series == gap.series and member.may_hold(gap.range) for member in members):
            price.candles["archive"] += n
        else:
            for walk, n_walked in _walked(context, gap, jobs):
                price.walked[walk] += n_walked
                n -= n_walked
            is_cut = request.span is not None and n < gap.missing_candles
            why = OUTSIDE if is_cut else why_open(gap, request, now_s=context.now_s)
            price.stays_open[why] += n
    return price


def _walked(context: RunContext, gap: Gap, jobs: Iterable[TradeJob]) -> Iterator[tuple[TradeJob, int]]:
    """Give the walks through trades that pass a gap, and how many missing buckets of it each passes."""
    passing = [job for job in jobs if _closes(job, gap)]
    if not passing:
        return
    missing = read_months(context.connection, gap.series, [gap.range]).missing.within(gap.range)
    for job in passing:
        yield job, len(missing.within(job.range))


def _closes(job: TradeJob, gap: Gap) -> bool:
    return job.ticker == gap.series.ticker and bool(ranges.intersect([job.range], [gap.range]))
