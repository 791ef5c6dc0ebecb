"""The stores of the Celery application, with tables as it makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv_from_celery.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.integration.world import World

HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
HOUR = 3600
START = 1_790_000_000 // 86400 * 86400
ASSETPRICE = """
CREATE TABLE assetprice (
    asset_id INT, time TIMESTAMP, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE,
    interval_minutes INT, trade_count INT, quote_currency SYMBOL, source SYMBOL
) TIMESTAMP(time) PARTITION BY MONTH WAL
    DEDUP UPSERT KEYS(time, asset_id, interval_minutes, quote_currency, source)"""
GAP_RECORDS = """
CREATE TABLE gap_records (
    id serial PRIMARY KEY, asset_id integer NOT NULL, interval_minutes integer NOT NULL,
    gap_start timestamp NOT NULL, gap_end timestamp NOT NULL, missing_candles integer NOT NULL,
    is_api_fillable boolean, overflow_candles integer, candles_from_today integer, status text NOT NULL,
    detected_at timestamp NOT NULL, backfill_attempted_at timestamp, filled_at timestamp,
    required_csv_file text, error_message text
)"""
MAPPING: dict[str, Any] = {
    "assets": {1: {"USD": "XBTUSD"}, 2: {"USD": "ETHUSD"}},
    "candles": {"sources": ["kraken_rest", "kraken_csv"]},
    "gaps": {"connection": "celery_postgres"},
}


def at(hours: float) -> datetime:
    return datetime.fromtimestamp(START + hours * HOUR, UTC).replace(tzinfo=None)


@dataclass
class Old:
    """The stores of the Celery application."""

    world: World
    ledger: psycopg.Connection[Any]
    mapping_file: Path

    def candle(self, hour: float, close: float = 100.0, **changes: Any) -> None:
        """Insert a candle of asset 1."""
        row = {
            "asset_id": 1,
            "time": at(hour).replace(tzinfo=UTC),
            "close": close,
            "volume": 2.0,
            "minutes": 60,
            "trades": 5,
            "quote": "USD",
            "source": "kraken_rest",
        } | changes
        self.world.questdb.query(
            "INSERT INTO assetprice VALUES (%(asset_id)s, %(time)s, 100.0, 101.0, 99.0, %(close)s,"
            " %(volume)s, %(minutes)s, %(trades)s, %(quote)s, %(source)s)",
            row,
        )

    def gap(
        self, first: int, end: int, status: str, /, *, missing: int | None = None, **changes: Any
    ) -> None:
        """Insert a gap record of asset 1, hours from the start."""
        row = {
            "asset_id": 1,
            "minutes": 60,
            "start": at(first),
            "end": at(end),
            "missing": end - first if missing is None else missing,
            "status": status,
            "detected": at(500),
            "attempted": at(501),
            "filled": at(502) if status == "FILLED" else None,
            "error": "EService:Busy" if status == "FAILED" else None,
        } | changes
        self.ledger.execute(
            "INSERT INTO gap_records (asset_id, interval_minutes, gap_start, gap_end, missing_candles,"
            " status, detected_at, backfill_attempted_at, filled_at, error_message)"
            " VALUES (%(asset_id)s, %(minutes)s, %(start)s, %(end)s, %(missing)s, %(status)s, %(detected)s,"
            " %(attempted)s, %(filled)s, %(error)s)",
            row,
        )

    def bring_over(self, mapping: dict[str, Any], *options: str) -> int:
        """Run the import."""
        self.world.questdb.wait_applied("assetprice")
        self.mapping_file.write_text(yaml.safe_dump(mapping, sort_keys=False), encoding="utf-8")
        return main([str(self.mapping_file), *options])

    def stored(self) -> dict[int, tuple[float, str]]:
        """Return close and source of the stored hourly candles, by hour from the start."""
        stored = self.world.stored(HOURLY, (START - 99 * HOUR, START + 9999 * HOUR))
        return {(ts_s - START) // HOUR: (candle.close, candle.source) for ts_s, candle in stored.items()}

    def gaps(self) -> list[tuple[int, int, str]]:
        """Return the records of the ledger, in hours from the start."""
        return [
            ((gap["start_s"] - START) // HOUR, (gap["end_s"] - START) // HOUR, gap["status"])
            for gap in self.world.gaps()
        ]
