"""What the event of a backfill run says of the series the run processed."""

from __future__ import annotations

from typing import Any

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.figures import of_interval, series_figures
from kraken_ohlcv.completeness.series_rows import rows_of
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.tiers import all_wanted
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.series_state import read_states
from kraken_ohlcv.stores.ledger.session import Connection


def run_figures(
    connection: Connection, questdb: QuestDBClient, run: RunKey, request: BackfillRequest
) -> dict[str, Any] | None:
    """Return the completeness figures of the series a run processed.

    :return: ``{"tier", "now", "intervals": {"60": {...}}}`` with the brief figures of each interval; None
        when the run processed nothing
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    recorded = read_run(connection, run)
    if recorded is None or not recorded.series_processed:
        return None
    assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
    intervals = all_wanted((asset.upkeep for asset in assets), request.intervals)
    states = read_states(connection, [asset.ticker for asset in assets], intervals)
    processed = {
        state.series for state in states.values() if state.series_id in set(recorded.series_processed)
    }
    rows = [row for row in rows_of(assets, intervals) if row.series in processed]
    found = series_figures(connection, questdb, rows, now_s=recorded.now_s)
    totals = {interval: of_interval(found, interval) for interval in intervals}
    brief = {str(interval): total.brief() for interval, total in totals.items() if total.n_series}
    return {"tier": request.tier, "now": recorded.now_s, "intervals": brief}
