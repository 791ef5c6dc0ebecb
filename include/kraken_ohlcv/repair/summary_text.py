"""The result of a run for people who read the log: a sentence, and a table per series."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kraken_ohlcv.core.gap import Outcome, Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.text_table import text_table
from kraken_ohlcv.core.wording import counted, named
from kraken_ohlcv.stores.ledger.session import Connection, fetch

MAX_LINES: Final = 60
"""Series in the table, those with failed gaps first."""


def gaps_in_words(summary: Mapping[str, Any]) -> str:
    """Return what a run did with gaps.

    :param summary: the result of a run, with the keys of
        :data:`kraken_ohlcv.repair.summary.GAP_FIGURES`
    :return: for example ``3 gaps: 3 filled, 0 unfillable, 0 failed, 0 deferred; 14 candles stored, 2 buckets
        proven empty``
    """
    stored = (
        f"{counted(summary['total_candles_filled'], 'candle')} stored,"
        f" {counted(summary['buckets_proven_empty'], 'bucket')} proven empty"
    )
    if not summary["gaps_detected"]:
        return f"no gap tried; {stored}"
    by_outcome = ", ".join(f"{summary[f'gaps_{outcome}']:,} {outcome}" for outcome in Outcome)
    return f"{counted(summary['gaps_detected'], 'gap')}: {by_outcome}; {stored}"


def backfill_in_words(summary: Mapping[str, Any], tickers: Sequence[str] | None) -> list[str]:
    """Return what a backfill run did, a few sentences.

    :param summary: its result
    :param tickers: those that it was asked for instead of a tier, or None
    """
    what = named(tickers) if tickers else summary["tier"]
    intervals = ", ".join(map(str, summary["intervals"]))
    if not summary["assets_processed"]:
        return [f"{what} at {intervals} minutes: no asset was looked at, and nothing was fetched"]
    calls = (
        f"made {summary['calls_spent']:,} of {counted(summary['calls_planned'], 'planned call')} to Kraken"
    )
    if summary["calls_retried"]:
        calls += f", {summary['calls_retried']:,} more to repeat some"
    lines = [
        f"{what} at {intervals} minutes: looked at {counted(summary['assets_processed'], 'asset')}"
        f"; {gaps_in_words(summary)}, {counted(summary['candles_restated'], 'candle')} restated; {calls}"
    ]
    standing = summary["gaps_standing"]
    if standing:
        lines.append(
            f"{counted(standing, 'more gap')} not tried: each waits for its next attempt or another source"
            " (page Gaps says which)"
        )
    lines += [_repaired(one) for one in summary["repaired"]]
    lines += [
        f"{left['ticker']}: trades from {left['from']} to {left['to']} are left for the next run, about"
        f" {counted(left['calls'], 'call')}"
        for left in summary["trades_left_open"]
    ]
    return lines


def _repaired(one: Mapping[str, Any]) -> str:
    checked = (
        f"{one['ticker']} {one['interval']} from {one['source']}, {one['from']} to {one['to']}:"
        f" {counted(one['candles_compared'], 'candle')} compared, {one['candles_differing']:,} differed,"
        f" {one['candles_restated']:,} restated; {one['candles_stored']:,} stored,"
        f" {one['buckets_proven']:,} proven empty"
    )
    if one["first_trade_id"] is None:
        return checked
    return f"{checked}; trades {one['first_trade_id']} to {one['last_trade_id']}"


def series_table(connection: Connection, run: RunKey) -> list[str]:
    """Return a table of the series whose gaps a run tried, or that it proved empty somewhere.

    :return: lines; those with failed gaps first, :data:`MAX_LINES` at most; nothing without such series
    """
    gaps: defaultdict[Series, Counter[str]] = defaultdict(Counter)
    for row in fetch(connection, "read_series_outcomes", run):
        own = gaps[Series(row["ticker"], row["interval_minutes"])]
        own["gaps"] += row["gaps"]
        own["candles"] += row["candles"]
        own[row["outcome"]] += row["gaps"]
    for row in fetch(connection, "count_proven", run):
        gaps[Series(row["ticker"], row["interval_minutes"])]["proven empty"] += row["buckets"]
    columns = ["gaps", *Outcome, "candles", "proven empty"]
    those = sorted(gaps, key=lambda series: (not gaps[series][Outcome.FAILED], series))
    rows = [[str(series), *(gaps[series][name] for name in columns)] for series in those[:MAX_LINES]]
    more = len(those) - MAX_LINES
    return text_table(["series", *columns], rows) + ([f"and {more} more series"] if more > 0 else [])
