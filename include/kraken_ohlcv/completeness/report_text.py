"""The result of a completeness report for people who read the log: a sentence, and a table per interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kraken_ohlcv.core.text_table import text_table
from kraken_ohlcv.core.wording import counted, named


def report_in_words(result: Mapping[str, Any]) -> list[str]:
    """Return what a report says, in short.

    :param result: of the report; without the figures of candles when those could not be counted
    :return: lines
    """
    share = result["completeness_pct"]
    what = "nothing is expected" if share is None else f"{share} % have no open gap"
    lines = [
        f"{result['tier']}: of {counted(result['total_assets'], 'asset')} {what};"
        f" {counted(result['assets_with_gaps'], 'asset')} with gaps"
    ]
    columns = list(dict.fromkeys(name for one in result["intervals"].values() for name in one))
    lines += text_table(
        ["interval", *(name.replace("_", " ") for name in columns)],
        [
            [interval, *("-" if one.get(name) is None else one[name] for name in columns)]
            for interval, one in result["intervals"].items()
        ],
    )
    if result["assets_without_data"]:
        lines.append(f"without data: {named(result['assets_without_data'])}")
    if "series" in result:
        lines.append("the log of task report has a row per series")
    return lines
