"""What the event of a backfill run says of the series the run processed."""

from __future__ import annotations

from typing import Any

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.figures import Figures, series_figures, together
from kraken_ohlcv.completeness.sheets import lines_of
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.series_state import read_states
from kraken_ohlcv.stores.ledger.session import Connection


def brief(figures: Figures) -> dict[str, Any]:
    """Return the figures of several series for a reader without the code.

    :param figures: of the series together
    :return: buckets, and percent of the expected ones
    """
    return {
        "series": figures.n_series,
        "expected": figures.expected,
        "stored": figures.stored,
        "proven_empty": figures.proven_empty,
        "missing": figures.missing,
        "pending": figures.pending,
        "disputed": figures.disputed,
        "coverage_pct": figures.coverage_pct,
        "verified_pct": figures.verified_pct,
    }


def run_figures(
    connection: Connection, questdb: QuestDBClient, run: RunKey, request: BackfillRequest
) -> dict[str, Any] | None:
    """Return the completeness figures of the series a run processed.

    :return: ``{"tier", "now", "intervals": {"60": {...}}}`` with :func:`brief` of each interval; None when
        the run processed nothing
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    recorded = read_run(connection, run)
    if recorded is None or not recorded.series_processed:
        return None
    assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
    states = read_states(connection, [asset.ticker for asset in assets], request.intervals)
    processed = {
        state.series for state in states.values() if state.series_id in set(recorded.series_processed)
    }
    lines = [line for line in lines_of(assets, request.intervals) if line.series in processed]
    found = series_figures(connection, questdb, lines, now_s=recorded.now_s)
    totals = {
        str(interval): brief(
            together(one for series, one in found.items() if series.interval_minutes == interval)
        )
        for interval in request.intervals
        if any(series.interval_minutes == interval for series in found)
    }
    return {"tier": request.tier, "now": recorded.now_s, "intervals": totals}
