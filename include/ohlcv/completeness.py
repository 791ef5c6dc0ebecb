"""How complete the series of a run are: expected, stored, proven empty and missing buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.ohlcv import ranges
from include.ohlcv.gaps import Series
from include.ohlcv.grid import closed_range
from include.ohlcv.intervals import step_s
from include.ohlcv.ledger.asset_rows import read_assets
from include.ohlcv.ledger.books import read_books
from include.ohlcv.ledger.run_rows import read_run
from include.ohlcv.statements import statement
from include.ohlcv.store import MICROSECONDS

if TYPE_CHECKING:
    from include.ohlcv.ledger.session import Connection, RunKey
    from include.ohlcv.params import BackfillRequest
    from kraken_hooks.questdb import QuestDBHook


def figures(
    connection: Connection, questdb: QuestDBHook, run: RunKey, request: BackfillRequest
) -> dict[str, Any] | None:
    """Return the completeness figures of the series a run processed.

    Stored candles are counted in QuestDB, never derived from the ledger.

    :param connection: the ledger
    :param questdb: hook of the candle store
    :param run: the run
    :param request: its params
    :return: ``{"tier", "now", "intervals": {"60": {"series", "expected", "stored", "proven_empty", "missing",
        "verified_pct"}}}``, buckets and percent of the expected ones; None when the run processed nothing
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    recorded = read_run(connection, run)
    if recorded is None or not recorded.series_processed:
        return None
    counted = {
        Series(ticker, int(interval)): n
        for ticker, interval, n in questdb.query(
            statement("questdb", "count_candles"), {"until": recorded.now_s * MICROSECONDS}
        )
    }
    assets = {
        asset.ticker: asset for asset in read_assets(connection, tickers=request.tickers, tier=request.tier)
    }
    processed = set(recorded.series_processed)
    totals: dict[str, dict[str, Any]] = {}
    for book in read_books(connection, list(assets), request.intervals).values():
        if book.series_id not in processed:
            continue
        interval = book.series.interval_minutes
        step = step_s(interval)
        end_s = min(recorded.now_s, assets[book.series.ticker].gone_s or recorded.now_s)
        expected = [closed_range(book.start_s, end_s, interval)]
        line = totals.setdefault(
            str(interval), {"series": 0, "expected": 0, "stored": 0, "proven_empty": 0, "missing": 0}
        )
        line["series"] += 1
        line["expected"] += ranges.count(expected, step=step)
        line["stored"] += counted.get(book.series, 0)
        proven = ranges.intersect(expected, [proven.range for proven in book.proven])
        line["proven_empty"] += ranges.count(proven, step=step)
        line["missing"] += ranges.count([gap.range for gap in book.gaps], step=step)
    for line in totals.values():
        verified = line["stored"] + line["proven_empty"]
        line["verified_pct"] = round(100 * verified / line["expected"], 4) if line["expected"] else 100.0
    return {"tier": request.tier, "now": recorded.now_s, "intervals": totals}
