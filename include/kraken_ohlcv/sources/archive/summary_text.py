"""The result of an archive run for people who read the log: sentences, and a table of its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kraken_ohlcv.core.text_table import text_table
from kraken_ohlcv.core.wording import counted, named
from kraken_ohlcv.repair.summary_text import gaps_in_words

MAX_LINES: Final = 60
"""Files in the table."""

STATES: Final = ("ingested", "known", "empty", "checked", "refused", "failed")
COUNTS: Final = ("rows_good", "rows_bad", "rows_written", "rows_equal", "candles_corrected")


def ingest_in_words(summary: Mapping[str, Any]) -> list[str]:
    """Return what an archive run did.

    :param summary: its result
    :return: lines
    """
    states = [f"{summary[f'files_{state}']:,} {state}" for state in STATES if summary[f"files_{state}"]]
    did = "; dry run: nothing was written" if summary["dry_run"] else ""
    lines = [
        f"{summary['path'] or summary['quarter']}: {counted(summary['files_found'], 'file')} found"
        f"{': ' if states else ''}{', '.join(states)}; wrote {summary['rows_written']:,} of"
        f" {counted(summary['rows_good'], 'good row')}, {summary['candles_corrected']:,} of them corrections;"
        f" {gaps_in_words(summary)}{did}"
    ]
    if summary["not_published"]:
        lines.append(f"not published yet: {named(summary['not_published'])}; a later run asks again")
    if summary["files_unverified"]:
        lines.append(f"nothing to compare with, so they prove nothing: {named(summary['files_unverified'])}")
    lines += text_table(
        ["file", *(name.replace("_", " ") for name in COUNTS), "state"],
        [
            (one["file"], *(one.get(name, 0) for name in COUNTS), one["status"])
            for one in summary["files"][:MAX_LINES]
        ],
    )
    more = len(summary["files"]) - MAX_LINES
    return [*lines, *([f"and {more} more files"] if more > 0 else [])]
