"""Both stores of a test with a series to export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_ohlcv import snapshot
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.export import export_candles
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from tests.integration.damage import candle
from tests.integration.export.exports import opened, seal
from tests.integration.ledger_pages import add_proof, know

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from kraken_ohlcv.export import Exported
    from local.questdb import QuestDBServer
    from tests.integration.world import World

HOUR = 3600
HOURLY = Series("XBTUSD", 60)
AUGUST = 1_785_542_400  # 2026-08-01T00:00:00Z
SEPTEMBER = 1_788_220_800
OCTOBER = 1_790_812_800
NOVEMBER = 1_793_491_200
NOW = 1_795_437_296  # 2026-11-23T12:34:56Z


class Desk:
    """Both stores of a test, and exports of them."""

    def __init__(self, world: World, server: QuestDBServer, folder: Path) -> None:
        self.world, self.server, self.folder = world, server, folder

    def export(self, series: Series = HOURLY, *, now_s: float = NOW, **options: Any) -> Exported:
        """Export a series."""
        with opened(self.server, self.world.dsn, now_s) as stores:
            return export_candles(
                options.pop("folder", self.folder),
                series.ticker,
                options.pop("intervals", series.interval_minutes),
                stores=stores,
                **options,
            )

    def put(self, *opens: int, series: Series = HOURLY, **changes: Any) -> None:
        """Store candles."""
        rows = [candle(series, ts_s, **changes) for ts_s in opens]
        self.world.questdb.write_batch(CANDLE_TABLE, statement("insert_candle"), rows)

    def pin(self, name: str) -> datetime:
        """Pin this moment."""
        with opened(self.server, self.world.dsn, NOW) as stores:
            return snapshot(name, stores=stores)

    def restate(self, ts_s: int, close: float) -> None:
        """Replace a candle as trades tell it."""
        covered = ts_s, ts_s + HOUR
        new = StoredCandle(ts_s, 1.5, 1.5, 1.0, close, 1.25, 2.0, 9, source="trades")
        result = SourceResult(
            covered,
            {ts_s: new},
            BucketSet(HOUR),
            is_busy=False,
            window_start_s=ts_s,
            step=HOUR,
            source=FilledFrom.TRADES,
        )
        run = RunKey("backfill_tier1_daily", "restated")
        with connect(self.world.dsn) as connection:
            write(RunContext(connection, self.world.kraken(), self.world.questdb, run, NOW), HOURLY, result)

    def know(self, start_s: int, series: Series = HOURLY) -> None:
        """Make a series known to the ledger, and the pair's first trade with it."""
        with connect(self.world.dsn) as connection:
            know(connection, series, start_s)
            connection.execute(
                "UPDATE assets SET first_trade_at = to_timestamp(%s) WHERE ticker = %s",
                (start_s, series.ticker),
            )

    def prove(self, start_s: int, end_s: int, evidence: str = "trades", series: Series = HOURLY) -> None:
        """Prove buckets empty."""
        with connect(self.world.dsn) as connection:
            add_proof(connection, series, start_s, end_s, evidence)

    def seal(
        self, days: Iterable[int], *, series: Series = HOURLY, reason: str = "first", start_s: int = 0
    ) -> None:
        """Seal days as they stand now."""
        with opened(self.server, self.world.dsn, NOW) as stores:
            seal(stores, series, days, reason=reason, start_s=start_s)
