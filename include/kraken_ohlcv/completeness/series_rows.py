"""Which series there are, or should be: one row per asset and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, fetch

Listing: TypeAlias = Literal["listed", "unknown", "left", "not_expected"]


class SeriesRow(NamedTuple):
    """A series to look at.

    :ivar asset: the asset
    :ivar interval_minutes: candle length, minutes
    """

    asset: Asset
    interval_minutes: int

    @property
    def series(self) -> Series:
        """Return ticker and interval."""
        return Series(self.asset.ticker, self.interval_minutes)

    @property
    def listing(self) -> Listing:
        """Return how the pair stands with the exchange; ``not_expected`` with ``listed: false``."""
        if not self.asset.is_listed:
            return "not_expected"
        if self.asset.delisted_s is None:
            return "listed"
        return "unknown" if self.asset.is_unknown else "left"


def rows_of(assets: Sequence[Asset], intervals: Sequence[int]) -> list[SeriesRow]:
    """Return every series of some assets and intervals.

    :param assets: as read from the ledger
    :param intervals: candle lengths, minutes
    :return: asset by asset, in the given order
    """
    return [SeriesRow(asset, interval) for asset in assets for interval in intervals]


def kept_rows(assets: Sequence[Asset], asked: Sequence[int]) -> list[SeriesRow]:
    """Return the series of some assets that a run is about: each asset's own where it has intervals.

    :param assets: as read from the ledger
    :param asked: candle lengths that the run is asked for, minutes
    :return: asset by asset, in the given order
    """
    return [SeriesRow(asset, interval) for asset in assets for interval in asset.upkeep.wanted(asked)]


def list_rows(
    connection: Connection,
    *,
    tier: str | None,
    tickers: list[str] | None,
    intervals: Sequence[int] | None,
) -> list[SeriesRow]:
    """Return the series that a filter leaves: the known ones, and those that a schedule will make known.

    :param tier: ``TIER1`` .. ``TIER4``; None = any
    :param tickers: LIKE patterns; None = any
    :param intervals: candle lengths, minutes; None = any
    :return: in tier order, then as in the catalogue, then by interval
    """
    plan = read_plan(connection)
    found = []
    for row in fetch(connection, "list_series", tier=tier, tickers=tickers):
        wanted = set(row.pop("intervals"))
        is_active = row.pop("active")
        own = row.pop("own")
        asset = Asset(**row, upkeep=plan.upkeep(row["tier"], own))
        if is_active and asset.is_listed and (asset.delisted_s is None or asset.is_unknown):
            wanted.update(asset.upkeep.intervals if asset.upkeep.plan.schedule else ())
        found += rows_of([asset], sorted(wanted if intervals is None else wanted & set(intervals)))
    return found
