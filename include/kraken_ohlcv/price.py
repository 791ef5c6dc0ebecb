"""What a run would do and cost: its own steps, taken in transactions that are rolled back.

So the plan is the one that the run would make, and nothing of it stays in the ledger. Calls that only the run
itself makes are withheld, see :mod:`kraken_ohlcv.clients.exchange.planning`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from kraken_ohlcv.backfill import context_of, plan_archive, plan_ohlc, plan_trades
from kraken_ohlcv.clients.exchange.planning import PlanningClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import WAITING, Gap, GapStatus, Series, UnfillableReason
from kraken_ohlcv.core.params import SOURCES, BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection.detect import detect
from kraken_ohlcv.repair.attempt import is_within_reach
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Member
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.gaps import start_attempt
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.series_state import SeriesState, read_states
from kraken_ohlcv.stores.ledger.session import Connection, rows
from kraken_ohlcv.stores.ledger.trades import TradeJob

Opening = Callable[[Connection], int]
"""Opens the run in the ledger, and returns the exchange's time, epoch seconds UTC."""

SERIES_AT_ONCE: Final = 500
"""Series of one transaction: each holds two locks until it is rolled back, and others wait for them."""

MOST_SERIES: Final = 1000
"""Series that a plan names one by one; its sums are of all."""

CAPPED: Final = "max_gaps_per_asset leaves it to a later run"
NOT_SERVED: Final = "Kraken's OHLC call no longer serves it: add trades or archive to repair_from"
OVER_BUDGET: Final = "trades_call_budget is spent before it"


@contextmanager
def nothing_kept(connection: Connection) -> Iterator[None]:
    """Open a transaction that is rolled back at its end."""
    with connection.transaction(force_rollback=True):
        yield


def _reasons(stays_open: Counter[str]) -> list[dict[str, Any]]:
    return [{"candles": n, "why": why} for why, n in stays_open.items() if n]


@dataclass(slots=True)
class SeriesPrice:
    """What a run would do for one series.

    :ivar series: ticker and interval
    :ivar gaps: open gaps
    :ivar missing_candles: missing buckets of these
    :ivar ohlc_calls: OHLC calls for it
    :ivar candles: missing buckets by the source that would be asked for them
    :ivar walked: missing buckets by the walk through trades that would close them
    :ivar stays_open: missing buckets that nothing would be asked for, by the reason
    """

    series: Series
    gaps: int = 0
    missing_candles: int = 0
    ohlc_calls: int = 0
    candles: Counter[str] = field(default_factory=Counter)
    walked: Counter[TradeJob] = field(default_factory=Counter)
    stays_open: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ticker": self.series.ticker,
            "interval": self.series.interval_minutes,
            "gaps": self.gaps,
            "missing_candles": self.missing_candles,
            "ohlc_calls": self.ohlc_calls,
            "candles_from": dict(+self.candles),
            "stays_open": _reasons(self.stays_open),
        }


@dataclass(slots=True)
class Price:
    """What a run would do and cost.

    :ivar series: series with gaps or calls, by ticker and interval
    :ivar jobs: walks through trades with the tier of their ticker
    :ivar files: files of the archive, with their length in bytes
    :ivar n_series: series looked at
    :ivar warnings: a sentence each
    :ivar errors: what would make the run fail, a sentence each
    """

    series: list[SeriesPrice] = field(default_factory=list)
    jobs: list[tuple[str, TradeJob]] = field(default_factory=list)
    files: list[tuple[Member, int]] = field(default_factory=list)
    n_series: int = 0
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def in_order(self) -> list[TradeJob]:
        """Return the walks in the order in which they may use the calls of the run."""
        calls = Counter[str]()
        for _, job in self.jobs:
            calls[job.ticker] += 0 if job.is_recheck else job.calls
        ordered = sorted(
            self.jobs, key=lambda one: (one[1].is_recheck, one[0], calls[one[1].ticker], one[1].ticker)
        )
        return [job for _, job in ordered]


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
    for batch in _batches(assets, len(request.intervals)):
        with nothing_kept(connection):
            opening(connection)
            detect(connection, questdb, run, request, batch, now_s=now_s)
            context = context_of(connection, kraken, questdb, run)
            _add(price, context, request, batch, locator)
    n_weekly = sum(endpoint == "OHLC" for endpoint, _ in kraken.withheld)
    return as_plan(price, request, n_weekly=n_weekly, pace_s=kraken.min_interval_s)


def _batches(assets: Sequence[Asset], intervals: int) -> Iterator[Sequence[Asset]]:
    size = max(1, SERIES_AT_ONCE // intervals)
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
    processed = set(recorded.series_processed) if recorded else set()
    items = plan_ohlc(context, request)
    asked = {Series(*series) for item in items for series in item["series"]}
    known = read_states(connection, [asset.ticker for asset in assets], request.intervals)
    states = [state for state in known.values() if state.series_id in processed]
    by_ohlc = {gap.gap_id for gap in _due(states, asked, context, request)}
    for gap in _due(states, asked, context, request):
        # As if it was being asked for: what the answer leaves open is not known before.
        start_attempt(connection, run, gap, now_s=context.now_s, is_first_try=True)
    files = plan_archive(context, request, locator)
    members = [Member.from_dict(file) for item in files for file in item["files"]]
    price.files += _sizes(members, locator)
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


def _sizes(members: Sequence[Member], locator: ArchiveLocator | None) -> list[tuple[Member, int]]:
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
        elif walk := next((job for job in jobs if _closes(job, gap)), None):
            price.walked[walk] += n
        else:
            price.stays_open[why_open(gap, request, now_s=context.now_s)] += n
    return price


def _closes(job: TradeJob, gap: Gap) -> bool:
    return job.ticker == gap.series.ticker and bool(ranges.intersect([job.range], [gap.range]))


def why_open(gap: Gap, request: BackfillRequest, *, now_s: int) -> str:
    """Return why a run asks nothing for a gap.

    :param gap: open gap
    :param request: params of the run
    :param now_s: the exchange's time, epoch seconds UTC
    """
    if gap.unfillable_reason is UnfillableReason.NOBODY_HAS_IT:
        return "nobody has it"
    if gap.unfillable_reason is UnfillableReason.PAIR_DELISTED:
        return "the pair has left Kraken: only the archive may have it"
    if gap.unfillable_reason in WAITING and "trades" not in request.repair_from:
        return (
            "no published quarter has it yet: add trades to repair_from"
            if "archive" in request.repair_from
            else NOT_SERVED
        )
    if gap.next_attempt_s is not None and gap.next_attempt_s > now_s and not request.retry_failed:
        return f"its next attempt is after {iso(gap.next_attempt_s)}"
    if gap.status is GapStatus.FAILED and gap.next_attempt_s is None and not request.retry_failed:
        return "it failed for good: retry_failed tries it again"
    return CAPPED


def as_plan(price: Price, request: BackfillRequest, *, n_weekly: int, pace_s: float) -> dict[str, Any]:
    """Return a plan as a result has it.

    :param price: what was planned
    :param request: params of the run
    :param n_weekly: OHLC calls for weekly counts that make the estimate of trades better
    :param pace_s: seconds between two calls
    :return: ``calls`` by what they are for, ``minutes`` at the limiter's pace, ``archive_bytes``, and what is
        fetched and stays open: ``series``, ``walks``, ``files``
    """
    left = request.trades_call_budget
    within: dict[TradeJob, int] = {}
    for job in price.in_order():
        within[job] = min(left, job.calls)
        left -= within[job]
    for one in price.series:
        for job, n in one.walked.items():
            # A walk that the budget ends closes what it has passed; gaps lie about evenly in it.
            closed = n * within[job] // job.calls
            one.candles["trades"] += closed
            one.stays_open[OVER_BUDGET] += n - closed
    calls = {
        "ohlc": sum(one.ohlc_calls for one in price.series) + n_weekly,
        "trades": sum(within.values()),
    }
    total = sum(calls.values())
    stays_open = Counter[str]()
    for one in price.series:
        stays_open.update(one.stays_open)
    return {
        "calls": {**calls, "total": total},
        "minutes": round(total * pace_s / 60, 1),
        "archive_bytes": sum(n_bytes for _, n_bytes in price.files),
        "series_complete": price.n_series - sum(one.gaps > 0 for one in price.series),
        "missing_candles": sum(one.missing_candles for one in price.series),
        "series": [one.as_dict() for one in price.series[:MOST_SERIES]],
        "walks": [
            {
                "ticker": job.ticker,
                "from": iso(job.start_s),
                "to": iso(job.end_s),
                "calls": job.calls,
                "calls_in_budget": within[job],
            }
            for job in list(within)[:MOST_SERIES]
        ],
        "files": [{"file": member.name, "bytes": n_bytes} for member, n_bytes in price.files[:MOST_SERIES]],
        "calls_over_budget": sum(job.calls - n for job, n in within.items()),
        "stays_open": _reasons(stays_open),
        "warnings": price.warnings,
        "errors": price.errors,
    }


def table(plan: Mapping[str, Any]) -> list[str]:
    """Return a plan as lines to read.

    :param plan: as :func:`as_plan` returned it
    """
    calls = plan["calls"]
    lines = [
        f"{calls['total']} calls ({calls['ohlc']} OHLC, {calls['trades']} for trades), "
        f"about {plan['minutes']} minutes; {plan['archive_bytes']:,} bytes of archive",
        f"{'series':<20} {'missing':>9}{''.join(f' {name:>9}' for name in SOURCES)}  stays open",
    ]
    for one in plan["series"]:
        source = one["candles_from"]
        why = "; ".join(f"{left['candles']}: {left['why']}" for left in one["stays_open"])
        by_source = "".join(f" {source.get(name, 0):>9}" for name in SOURCES)
        name = f"{one['ticker']} {one['interval']}"
        lines.append(f"{name:<20} {one['missing_candles']:>9}{by_source}  {why}".rstrip())
    lines.append(f"{plan['series_complete']} series lack nothing")
    for walk in plan["walks"]:
        over = walk["calls"] - walk["calls_in_budget"]
        lines.append(
            f"trades of {walk['ticker']}, {walk['from']} to {walk['to']}: {walk['calls']} calls"
            + (f", {over} of them over the budget" if over else "")
        )
    lines += [f"file {one['file']}: {one['bytes']:,} bytes" for one in plan["files"]]
    return lines
