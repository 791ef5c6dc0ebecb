"""``verify``: what a verification says to people and to programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.seals.finding import CURES, Finding
from kraken_ohlcv.seals.verify import Verification
from kraken_ohlcv.stores.queries import MICROSECONDS
from kraken_ohlcv_cli.output import print_lines, print_table

MOST_LINES: Final = 60
"""Findings in the table; JSON has all."""
COLUMNS: Final = ("series", "day", "bucket", "finding", "sealed", "stored now")


def as_json(found: Verification) -> dict[str, Any]:
    """Return a verification as JSON; times are ISO text, UTC."""
    return {
        "is_as_sealed": found.is_as_sealed and found.days > 0,
        "verdict": verdict(found),
        "series": found.series,
        "days": found.days,
        "days_not_sealed": found.days_unsealed,
        "revisions": found.revisions,
        "months": found.months,
        "records": found.records,
        "log": {
            "entries": found.entries,
            "head": found.head,
            "as_of": None if found.as_of_us is None else iso(found.as_of_us / MICROSECONDS),
        },
        "root": found.root,
        "signed": found.signed,
        "not_checked": found.not_checked,
        "days_touched": [
            {"ticker": series.ticker, "interval": series.interval_minutes, "day": _day(day_s)}
            for series, day_s in found.days_touched
        ],
        "findings": [one.as_json() for one in found.findings],
    }


def verdict(found: Verification) -> str:
    """Return the outcome in a sentence."""
    if found.findings:
        more = len(found.findings) - 1
        rest = f" And {counted(more, 'more finding')}." if more else ""
        return f"Not as sealed: {found.findings[0].sentence}.{rest}"
    if not found.days:
        return "Nothing is sealed of these series and days, so nothing was verified."
    return (
        f"All {counted(found.days, 'sealed day')} of {counted(found.series, 'series')} are as sealed; log "
        f"head {found.entries:,} {found.head}."
    )


def show(found: Verification) -> None:
    """Print a verification for people."""
    print_lines([verdict(found)])
    if found.days_touched:
        print_lines(["Days touched:", *_days(found)])
    if found.findings:
        shown = found.findings[:MOST_LINES]
        print_table(COLUMNS, [_cells(one) for one in shown], n_left=len(COLUMNS))
        if len(shown) < len(found.findings):
            print_lines([f"and {len(found.findings) - len(shown):,} more: --json has all"])
        print_lines(f"{kind}: {CURES[kind]}." for kind in found.kinds)
    if found.root is not None:
        print_lines([f"The root that you gave is {found.root}."])
    print_lines([
        f"Compared: {counted(found.revisions, 'revision')} of the days, "
        f"{counted(found.months, 'coverage month')}, {counted(found.records, 'record')}, "
        f"{found.entries:,} entries of the log.",
        f"Due and not sealed yet, so not verified: {counted(found.days_unsealed, 'day')} of these series.",
        *(f"Entry {number:,} is signed by key {key}." for key, number in sorted(found.signed.items())),
        *found.not_checked,
    ])


def _days(found: Verification) -> Iterator[str]:
    """Return the days with findings, a line per series."""
    by_series: dict[str, list[str]] = {}
    for series, day_s in found.days_touched:
        by_series.setdefault(str(series), []).append(_day(day_s))
    for name, days in by_series.items():
        yield f"  {name}: {', '.join(days)}"


def _cells(one: Finding) -> list[object]:
    day = None if one.day_s is None else _day(one.day_s)
    entry = None if one.number is None else f"entry {one.number:,}"
    return [
        one.series or entry,
        day,
        None if one.ts_s is None else iso(one.ts_s)[:16],
        one.kind,
        one.sealed,
        one.stands,
    ]


def _day(day_s: int) -> str:
    return utc(day_s).date().isoformat()


@contextmanager
def progress() -> Iterator[Callable[[int, int], None] | None]:
    """Show on standard error how far a verification is, where a person looks at it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("series"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("series", total=None)
        yield lambda n_done, n_all: bar.update(task, completed=n_done, total=n_all)
