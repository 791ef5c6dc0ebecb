"""The result of an hourly check for people who read the log: a sentence, and a table of what is late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kraken_ohlcv.core.text_table import text_table
from kraken_ohlcv.core.wording import counted, named

MAX_LINES: Final = 60
"""Series in the table."""


def check_in_words(result: Mapping[str, Any], tiers: Sequence[str]) -> list[str]:
    """Return what a check found.

    :param result: of the check
    :param tiers: tiers that it was about
    :return: lines
    """
    if "checked_at" not in result:
        return [f"{', '.join(tiers)}: no series was judged, because a step failed before"]
    late = result["assets_missing_data"]
    lines = [
        f"{', '.join(tiers)} at {result['interval_minutes']} minutes: {result['assets_checked']:,} series"
        f" checked, {len(late):,} of them without data that should be here"
    ]
    lines += text_table(
        ["ticker", "tier", "newest candle", "hours behind", "hours overdue", "state"],
        [
            (
                one["ticker"],
                one["tier"],
                one["last_timestamp"] or "none",
                "-" if one["hours_behind"] is None else one["hours_behind"],
                one["hours_overdue"],
                one["state"],
            )
            for one in late[:MAX_LINES]
        ],
    )
    if len(late) > MAX_LINES:
        lines.append(f"and {len(late) - MAX_LINES} more series")
    late = result["series_stale"]
    lines += text_table(
        ["stale series", "newest candle", "hours overdue"],
        [
            (f"{one['ticker']} {one['interval']}", one["last_timestamp"] or "none", one["hours_overdue"])
            for one in late[:MAX_LINES]
        ],
    )
    if len(late) > MAX_LINES:
        lines.append(f"and {len(late) - MAX_LINES} more series")
    for words, tickers in (
        ("no trades for a while, as is proven", result.get("assets_quiet", [])),
        ("delisted by Kraken", result.get("pairs_delisted", [])),
        ("never listed by Kraken", result.get("pairs_unknown", [])),
    ):
        if tickers:
            lines.append(f"{words}: {named(tickers)}")
    lines += [
        f"{one['decision']} by {one['by']}: {one['ticker']} {one['interval']}, {one['start']} to"
        f" {one['end']}, {counted(one['candles'], 'candle')}: {one['reason']}"
        for one in result["decisions"]
    ]
    return lines
