"""What must hold at the end of the demo; each check returns sentences about what does not."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from demo.candles import Series
from demo.scenes import DELISTED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from demo.report import RunReport
    from demo.truth import Truth

MAX_OHLC_CALLS = 40
RATE_ALLOWANCE = 1.25
START_ALLOWANCE_S = 24.0
"""For the tasks of both backfills, whose start takes longer than their calls."""
# The limiter lets no two calls closer than the interval; arrival at the exchange scatters by a little.
ARRIVAL_TOLERANCE_S = 0.05


def run_problems(run: RunReport) -> list[str]:
    """Judge a run by itself: its state, and that every gap taken up has one outcome."""
    result = run.result
    problems = []
    if run.state != "success":
        problems.append(f"{run.dag_id} {run.run_id} ended as {run.state}: {result.get('errors')}")
    outcomes = sum(result[f"gaps_{outcome}"] for outcome in ("filled", "unfillable", "failed", "deferred"))
    if result["gaps_detected"] != outcomes:
        problems.append(f"{run.dag_id}: {result['gaps_detected']} gaps detected, but {outcomes} outcomes")
    for kind, seen in (("api_calls", run.api_calls), ("ohlc_calls", run.ohlc_calls)):
        if result[kind] != seen:
            problems.append(f"{run.dag_id} tells {result[kind]} {kind}, the exchange received {seen}")
    return problems


def call_problems(run: RunReport) -> list[str]:
    """Judge the calls of the first TIER1 run."""
    if run.ohlc_calls > MAX_OHLC_CALLS:
        return [f"{run.dag_id} made {run.ohlc_calls} OHLC calls, more than {MAX_OHLC_CALLS}"]
    return []


def together_problems(runs: Sequence[RunReport], n_calls: int) -> list[str]:
    """Judge the calls of runs at the same time, some of which name no pair and so no run.

    :param runs: all of them
    :param n_calls: how many calls the exchange received from first to last
    """
    told = sum(run.api_calls for run in runs)
    if told == n_calls:
        return []
    names = " and ".join(run.dag_id for run in runs)
    return [f"{names} tell {told} calls together, the exchange received {n_calls}"]


def slowness(runs: Sequence[RunReport], *, min_interval_s: float) -> list[str]:
    """Judge the time of the first runs, which share one pace; a busy machine is no fault of the package.

    :param runs: those at the same time
    :param min_interval_s: seconds between two calls
    """
    limit_s = RATE_ALLOWANCE * sum(run.api_calls for run in runs) * min_interval_s + START_ALLOWANCE_S
    slowest = max(runs, key=lambda run: run.seconds)
    if slowest.seconds <= limit_s:
        return []
    return [f"{slowest.dag_id} took {slowest.seconds:.1f} s, more than {limit_s:.1f} s: is the machine busy?"]


def repeat_problems(run: RunReport, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Judge the repeated run: it must find nothing, ask nothing and change nothing.

    :param before: digest by table before it
    :param after: digest by table after it
    """
    problems = [f"the repeated run changed {table}" for table in before if before[table] != after[table]]
    gaps = run.result["gaps_detected"]
    if gaps or run.ohlc_calls:
        problems.append(f"the repeated run detected {gaps} gaps and made {run.ohlc_calls} OHLC calls")
    return problems


def naming_problems(runs: Sequence[RunReport], expected_skipped: Collection[Series]) -> list[str]:
    """Judge what the runs named: exactly the series left alone, and the delisted pair.

    :param runs: the first run of each tier
    :param expected_skipped: series whose newest candle is older than the lookback
    """
    skipped = {
        Series(item["ticker"], item["interval"]) for run in runs for item in run.result["series_skipped"]
    }
    problems = []
    if skipped != set(expected_skipped):
        names = [", ".join(map(str, sorted(each))) or "none" for each in (skipped, expected_skipped)]
        problems.append(f"series skipped: {names[0]}; expected: {names[1]}")
    gone = [ticker for run in runs for ticker in run.result["pairs_delisted"]]
    if gone != [DELISTED]:
        problems.append(f"pairs gone: {gone}; expected: {[DELISTED]}")
    return problems


def rebuild_problems(run: RunReport) -> list[str]:
    """Judge the run that rebuilds from trades: it filled something, and made no call beyond its plan."""
    result = run.result
    problems = []
    made, planned = result["trade_calls"], result["trade_calls_planned"]
    if made > planned:
        problems.append(f"{run.dag_id} made {made} calls for trades, planned {planned}")
    if not result["gaps_filled"]:
        problems.append(f"{run.dag_id} filled no gap from trades")
    return problems


def archive_problems(
    first: RunReport, again: RunReport, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[str]:
    """Judge two runs that take the same quarter in: the first closes a gap, the second finds all known.

    :param first: the first run
    :param again: the second run
    :param before: digest by table before the second run
    :param after: digest by table after it
    """
    problems = [
        f"{run.dag_id} {run.run_id} ended as {run.state}: {run.result.get('errors')}"
        for run in (first, again)
        if run.state != "success"
    ]
    if not first.result["rows_written"] or not first.result["gaps_filled"]:
        problems.append(f"{first.dag_id} wrote nothing or closed no gap: {dict(first.result)}")
    if not again.result["files_known"] or again.result["rows_written"]:
        problems.append(f"{again.dag_id}, run again, does not know its files: {dict(again.result)}")
    changed = [name for name in before if before[name] != after[name]]
    return problems + [f"{again.dag_id}, run again, changed {name}" for name in changed]


def truth_problems(truth: Truth) -> list[str]:
    """Judge the comparison with the exchange: something was compared, and nothing differs."""
    problems = [f"mismatch: {example}" for example in truth.examples]
    if truth.mismatches:
        problems.append(f"{truth.mismatches} of {truth.buckets} buckets differ from the exchange")
    if not truth.stored or not truth.proven_empty:
        problems.append("the comparison saw no stored or no proven empty bucket: it compared nothing")
    return problems


def rate_problems(calls: Sequence[dict[str, Any]], *, min_interval_s: float) -> list[str]:
    """Judge the pace: no two calls may reach the exchange closer than the interval.

    :param calls: as the exchange logged them, oldest first
    """
    arrivals = [call["at"] for call in calls]
    gaps_s = [later - earlier for earlier, later in pairwise(arrivals)]
    shortest_s = min(gaps_s, default=min_interval_s)
    if shortest_s < min_interval_s - ARRIVAL_TOLERANCE_S:
        return [
            f"two calls reached the exchange {shortest_s:.3f} s apart, the interval is {min_interval_s:g} s"
        ]
    return []
