"""The report as a table for the log of its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from kraken_ohlcv.completeness.cross_check import Copies, CrossCheck, Mismatch
from kraken_ohlcv.completeness.figures import Figures, of_interval
from kraken_ohlcv.completeness.report import MAX_ACCEPTED, Report, expected_tickers
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted, duration
from kraken_ohlcv.stores.contradictions import Contradiction
from kraken_ohlcv.stores.ledger.reports import AcceptedHole

WIDTH: Final = 150
MAX_FINDINGS: Final = 1000
"""Findings of a kind in the log; their number is always reported."""
MAX_LINES: Final = 60
"""Series in the table, the least verified first; the history in PostgreSQL has all of them."""

COUNTS: Final = ("expected", "stored", "proven_empty", "missing", "unfillable", "pending")
"""Counts that have a column each."""


def as_text(report: Report) -> str:
    """Return a report for people who read the log.

    :param report: the report
    :return: lines of at most :data:`WIDTH` characters without colours
    """
    console = Console(width=WIDTH, color_system=None, force_terminal=False)
    body = report.body()
    n_expected = len(expected_tickers(report.figures))
    title = f"{report.request.tier} at {iso(report.now_s)} UTC: " + (
        f"nothing is expected of {counted(body['total_assets'], 'asset')}: no data"
        if body["completeness_pct"] is None
        else f"{body['completeness_pct']} % of {counted(n_expected, 'asset')} have no open gap"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("series")
    for name in (*COUNTS, "verified %", "oldest gap", "next expiry"):
        table.add_column(name.replace("_", " "), justify="right")
    those = sorted(report.figures.items(), key=lambda item: item[1].worst_first)
    for series, figures in those[:MAX_LINES]:
        table.add_row(str(series), *_cells(figures))
    if len(those) > MAX_LINES:
        table.add_row(f"and {len(those) - MAX_LINES} more")
    table.add_section()
    for interval in report.intervals:
        table.add_row(f"all {interval}", *_cells(of_interval(report.figures, interval)))
    with console.capture() as captured:
        console.print(table)
        for line in _remarks(report):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    return captured.get()


def _cells(figures: Figures) -> list[str]:
    moments = (figures.oldest_missing_s, figures.next_expiry_s)
    return [
        *(str(getattr(figures, name)) for name in COUNTS),
        "no data" if figures.verified_pct is None else f"{figures.verified_pct:.4f}",
        *("-" if moment is None else iso(moment)[:16] for moment in moments),
    ]


def _target(one: dict[str, Any]) -> str:
    if one["is_met"] is None:
        return f"{one['tier']}: target {one['target_pct']:g} % verified; nothing is due"
    said = "met" if one["is_met"] else "missed"
    return f"{one['tier']}: target {one['target_pct']:g} % verified is {said}: {one['verified_pct']} %"


def _remarks(report: Report) -> list[str]:
    times = report.gap_times
    lines = [
        f"{times.gaps_detected} gaps detected, {times.gaps_filled} filled in the last 30 days",
        f"time to detect: {_percentiles(times.mttd_s)}; time to repair: {_percentiles(times.mttr_s)}",
        f"restated: {report.restatements.candles} candles, {report.restatements.applied} of them replaced",
    ]
    if report.cross_check is not None:
        lines += _findings(report.cross_check)
    if report.accepted:
        lines += _accepted(report.accepted)
    lines += [_target(one) for one in report.targets()]
    lines += [need.sentence() for need in report.needs]
    nothing = report.body()["assets_without_data"]
    if nothing:
        lines.append(f"no data: {', '.join(nothing)}")
    return lines + report.warnings()


def _accepted(holes: Sequence[AcceptedHole]) -> list[str]:
    """Return what stays missing because somebody decided so, a line each."""
    n_candles = sum(one.missing_candles for one in holes)
    lines = [f"accepted, and still missing: {counted(n_candles, 'candle')}"]
    for one in holes[:MAX_ACCEPTED]:
        where = f"{one.ticker} {one.interval_minutes}, {iso(one.start_s)} to {iso(one.end_s)}"
        lines.append(
            f"  {where}, {counted(one.missing_candles, 'candle')}: by {one.accepted_by} at"
            f" {iso(one.accepted_s)}: {one.accepted_reason}"
        )
    return lines + ([f"  and {len(holes) - MAX_ACCEPTED} more"] if len(holes) > MAX_ACCEPTED else [])


def _findings(check: CrossCheck) -> list[str]:
    """Return what the comparison of intervals has found, a line each."""
    lines = []
    for one in check.compared:
        shorter, longer = one.pair.names()
        unit = "days" if one.pair == check.days.pair else "buckets"
        n_different = f"{len(one.mismatches)} differ{', and more' if one.is_cut else ''}"
        lines.append(f"{shorter} against {longer}: {one.buckets} {unit} compared, {n_different}")
        lines += _named(one.mismatches)
    lines += _named(check.copies)
    if check.contradictions:
        lines.append(f"{len(check.contradictions)} proofs of emptiness contradicted by stored candles")
        lines += _named(check.contradictions)
    return lines


def _named(found: Sequence[Mismatch | Copies | Contradiction]) -> list[str]:
    named = [f"  {one.as_json()}" for one in found[:MAX_FINDINGS]]
    return named + ([f"  and {len(found) - MAX_FINDINGS} more"] if len(found) > MAX_FINDINGS else [])


def _percentiles(times: dict[str, int] | None) -> str:
    if times is None:
        return "no gap"
    return f"{duration(times['p50'])} (p50), {duration(times['p95'])} (p95)"
