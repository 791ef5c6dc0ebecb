"""A plan: what a run would fetch for each series and from where, at what price, and what stays open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kraken_ohlcv.core.gap import WAITING, Gap, GapStatus, Series, UnfillableReason
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.tiers import SOURCES
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted, duration
from kraken_ohlcv.sources.archive.members import Member
from kraken_ohlcv.stores.ledger.trades import TradeJob

MOST_SERIES: Final = 1000
"""Series that a plan names one by one; its sums are of all."""

CAPPED: Final = "max_gaps_per_asset leaves it to a later run"
NOT_SERVED: Final = "Kraken's OHLC call no longer serves it: add trades or archive to repair_from"
NOT_OHLC: Final = "Kraken's OHLC call serves it: add ohlc or trades to repair_from"
OVER_BUDGET: Final = "trades_call_budget is spent before it"
OUTSIDE: Final = "it lies outside of repair_range"

PASSED_OVER: Final = ("series_skipped", "pairs_delisted", "pairs_unknown")
"""What a run, and so its plan, does not look at; named as in the result."""


def _reasons(stays_open: Counter[str]) -> list[dict[str, Any]]:
    return [{"candles": n, "why": why} for why, n in stays_open.items() if n]


FINAL: Final = {
    UnfillableReason.NOBODY_HAS_IT: "nobody has it",
    UnfillableReason.PAIR_DELISTED: "the pair has left Kraken: only the archive may have it",
}
"""Why neither OHLC calls nor trades can close a gap."""


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
    :ivar passed_over: what the run would not look at, by :data:`PASSED_OVER`
    :ivar warnings: a sentence each
    :ivar errors: what would make the run fail, a sentence each
    """

    series: list[SeriesPrice] = field(default_factory=list)
    jobs: list[tuple[str, TradeJob]] = field(default_factory=list)
    files: list[tuple[Member, int]] = field(default_factory=list)
    n_series: int = 0
    passed_over: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in PASSED_OVER})
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


def why_open(gap: Gap, request: BackfillRequest, *, now_s: int) -> str:
    """Return why a run asks nothing for a gap.

    :param gap: open gap
    :param request: params of the run
    :param now_s: the exchange's time, epoch seconds UTC
    """
    if gap.acceptance is not None:
        return f"accepted by {gap.acceptance.by}: {gap.acceptance.reason}"
    if gap.unfillable_reason in FINAL:
        return FINAL[gap.unfillable_reason]
    if gap.unfillable_reason in WAITING and "trades" not in request.repair_from:
        return (
            "no published quarter has it yet: add trades to repair_from"
            if "archive" in request.repair_from
            else NOT_SERVED
        )
    if not request.retry_failed and (why := _waits(gap, now_s=now_s)):
        return why
    return CAPPED if {"ohlc", "trades"}.intersection(request.repair_from) else NOT_OHLC


def _waits(gap: Gap, *, now_s: int) -> str | None:
    """Return why a gap is not tried now unless ``retry_failed`` asks for it, or None."""
    if gap.next_attempt_s is not None and gap.next_attempt_s > now_s:
        return f"its next attempt is after {iso(gap.next_attempt_s)}"
    if gap.status is GapStatus.FAILED and gap.next_attempt_s is None:
        return "it failed for good: retry_failed tries it again"
    return None


def as_plan(price: Price, *, trades_budget: int, n_others: int, pace_s: float) -> dict[str, Any]:
    """Return a plan as a result has it.

    :param price: what was planned
    :param trades_budget: calls that the run may make for trades
    :param n_others: OHLC calls at most for something else than series: weekly counts of trades that make an
        estimate better, or an answer to compare a file with
    :param pace_s: seconds between two calls
    :return: ``calls`` by what they are for, ``minutes`` at the limiter's pace, ``archive_bytes``, and what is
        fetched and stays open: ``series``, ``walks``, ``files``
    """
    left = trades_budget
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
        "ohlc": sum(one.ohlc_calls for one in price.series) + n_others,
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
        **price.passed_over,
        "warnings": price.warnings,
        "errors": price.errors,
    }


def table(plan: Mapping[str, Any]) -> list[str]:
    """Return a plan as lines to read.

    :param plan: as :func:`as_plan` returned it
    """
    calls = plan["calls"]
    lines = [
        f"{counted(calls['total'], 'call')} ({calls['ohlc']} OHLC, {calls['trades']} for trades), "
        f"{duration(round(plan['minutes'] * 60))}; {plan['archive_bytes']:,} bytes of archive",
        f"{'series':<20} {'missing':>9}{''.join(f' {name:>9}' for name in SOURCES)}  stays open",
    ]
    for one in plan["series"]:
        source = one["candles_from"]
        why = "; ".join(f"{left['candles']}: {left['why']}" for left in one["stays_open"])
        by_source = "".join(f" {source.get(name, 0):>9}" for name in SOURCES)
        name = f"{one['ticker']} {one['interval']}"
        lines.append(f"{name:<20} {one['missing_candles']:>9}{by_source}  {why}".rstrip())
    lines.append(
        f"{plan['series_complete']} series {'is' if plan['series_complete'] == 1 else 'are'} complete"
    )
    lines += [
        f"{one['ticker']} {one['interval']} is skipped: its newest candle, of {one['last_candle']},"
        " is older than lookback_days"
        for one in plan["series_skipped"]
    ]
    lines += [f"{ticker} is skipped: Kraken does not list it" for ticker in plan["pairs_unknown"]]
    for walk in plan["walks"]:
        over = walk["calls"] - walk["calls_in_budget"]
        lines.append(
            f"trades of {walk['ticker']}, {walk['from']} to {walk['to']}: {counted(walk['calls'], 'call')}"
            + (f", {over} of them over the budget" if over else "")
        )
    lines += [f"file {one['file']}: {one['bytes']:,} bytes" for one in plan["files"]]
    return [*lines, *plan["warnings"], *plan["errors"]]
