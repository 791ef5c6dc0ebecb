"""Tables ``assets`` and ``series`` as people look at them: which series there are or should be."""

from __future__ import annotations

from collections.abc import Sequence

from kraken_ohlcv.completeness.sheets import Line
from kraken_ohlcv.core.schedules import SCHEDULES
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.session import Connection, fetch


def scheduled_intervals(tier: str) -> set[int]:
    """Return the candle lengths that scheduled backfills keep for a tier.

    :param tier: ``TIER1`` .. ``TIER4``
    :return: minutes
    """
    scopes = [entry.backfill for entry in SCHEDULES.values() if entry.backfill is not None]
    return {interval for scope in scopes if scope.tier == tier for interval in scope.intervals}


def list_lines(
    connection: Connection,
    *,
    tier: str | None,
    tickers: Sequence[str] | None,
    intervals: Sequence[int] | None,
) -> list[Line]:
    """Return the series that a filter leaves: the known ones, and those that a schedule will make known.

    :param tier: ``TIER1`` .. ``TIER4``; None = any
    :param tickers: LIKE patterns; None = any
    :param intervals: candle lengths, minutes; None = any
    :return: in tier order, then as in the catalogue, then by interval
    """
    lines = []
    patterns = None if tickers is None else list(tickers)
    for row in fetch(connection, "list_series", tier=tier, tickers=patterns):
        known = set(row.pop("intervals"))
        is_active = row.pop("active")
        asset = Asset(**row)
        is_expected = is_active and asset.is_listed and (asset.delisted_s is None or asset.is_unknown)
        wanted = known | scheduled_intervals(asset.tier) if is_expected else known
        lines += [
            Line(asset, interval) for interval in sorted(wanted) if intervals is None or interval in intervals
        ]
    return lines
