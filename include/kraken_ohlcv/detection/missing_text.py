"""What the series of a run are missing, for people who read the log: a sentence, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.text_table import text_table
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.session import Connection, fetch

MAX_LINES: Final = 60
"""Series in the table, those that miss most."""


def missing_in_words(connection: Connection, series_ids: Sequence[int], *, now_s: int) -> list[str]:
    """Return what is missing of some series, as the ledger has it.

    :param series_ids: primary keys of the series that a run processes
    :param now_s: the exchange's time of the run, at which it recorded the gaps that are new
    :return: lines
    """
    rows = fetch(connection, "count_missing", series_ids=list(series_ids), now_s=now_s)
    n_series = counted(len(series_ids), "series")
    if not rows:
        return [f"looked at {n_series}: nothing is missing"]
    candles, gaps, new = (sum(row[name] for row in rows) for name in ("candles", "gaps", "new"))
    shown = [
        (str(Series(row["ticker"], row["interval_minutes"])), row["candles"], row["gaps"], row["new"])
        for row in rows[:MAX_LINES]
    ]
    more = len(rows) - MAX_LINES
    return [
        f"looked at {n_series}: {counted(candles, 'candle')} missing in {counted(gaps, 'gap')} of"
        f" {counted(len(rows), 'series')}; this run was the first to see {new:,} of the gaps",
        *text_table(["series", "missing", "gaps", "new"], shown),
        *([f"and {more} more series"] if more > 0 else []),
    ]
