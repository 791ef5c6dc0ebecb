"""The clean-up of a million gap records of one series: the worst case for anything that waits for its lock.

* ``longest wait``: how long another transaction on that series waited at most, against the whole clean-up.
* ``clean-up / DELETE``: against one statement that deletes the same records in one transaction, keeps no
  figures, and locks all of it until it ends.
* ``memory``: what the clean-up of 1,000,000 records leaves behind in this process, against one of 100,000.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import psutil

from bench.tools.ratios import Ratio
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.monitoring.cleanup import clean_up
from kraken_ohlcv.stores.ledger.session import connect, series_transaction

if TYPE_CHECKING:
    from bench.tools.services import Services
    from kraken_ohlcv.stores.ledger.session import Connection

RECORDS: Final = 1_000_000
NOW_S: Final = 1_795_392_000
DAYS: Final = 90

ASSET: Final = "INSERT INTO assets VALUES ('XBTUSD', 'XBT', 'USD', 'TIER1', TRUE, 0) ON CONFLICT DO NOTHING"
SERIES: Final = """
INSERT INTO series (ticker, interval_minutes, start_ts) VALUES ('XBTUSD', 60, to_timestamp(0))
ON CONFLICT DO NOTHING"""
GAPS: Final = """
INSERT INTO gap_records (ticker, interval_minutes, gap_start, gap_end, missing_candles, is_api_fillable,
    overflow_candles, candles_from_today, status, detected_at, backfill_attempted_at, filled_at, attempts,
    expires_at, filled_from)
SELECT 'XBTUSD', 60, at, at + interval '2 hours', 2, TRUE, 0, 100, 'FILLED', at + interval '1 day',
    at + interval '2 days', at + interval '2 days', 1, at + interval '30 days', 'ohlc'
FROM (
    SELECT to_timestamp(1000000800 + (n * 600000000::bigint / %(records)s) / 3600 * 3600) AS at
    FROM generate_series(1, %(records)s) AS n
) AS places"""
CHILDREN: Final = "UPDATE gap_records SET parent = gap_id - 1 WHERE gap_id %% %(every)s = 0"
OUTCOMES: Final = """
INSERT INTO gap_outcomes (dag_id, run_id, gap_id, outcome)
SELECT 'backfill_tier1_daily', 'run_' || gap_id / 20, gap_id, 'filled' FROM gap_records"""
ONE_DELETE: Final = (
    "DELETE FROM gap_records WHERE status = 'FILLED' AND filled_at < to_timestamp(%(before_s)s)"
)


def run(services: Services) -> list[Ratio]:
    """Measure.

    :param services: what it works with
    :return: three ratios
    """
    process = psutil.Process()
    with connect(services.new_ledger()) as small:
        _fill(small, RECORDS // 10)
        clean_up(small, days=DAYS, now_s=NOW_S)
        memory_small = process.memory_info().rss
    uri = services.new_ledger()
    with connect(uri) as connection:
        _fill(connection, RECORDS)
        services.say(f"  {RECORDS:,} records written")
        with Neighbour(uri) as neighbour:
            began = time.perf_counter()
            cleaned = clean_up(connection, days=DAYS, now_s=NOW_S)
            total_ms = 1000 * (time.perf_counter() - began)
        memory_large = process.memory_info().rss
    with connect(services.new_ledger()) as connection:
        _fill(connection, RECORDS)
        began = time.perf_counter()
        connection.execute(ONE_DELETE, {"before_s": NOW_S - DAYS * DAY_S})
        delete_ms = 1000 * (time.perf_counter() - began)
    return [
        Ratio(
            f"{cleaned.filled_deleted:,} records: longest wait / whole clean-up",
            neighbour.longest_ms / total_ms,
            0.01,
            details={"wait_ms": neighbour.longest_ms, "total_ms": total_ms, "waits": neighbour.waits},
        ),
        Ratio(
            "clean-up / one DELETE without history",
            total_ms / delete_ms,
            2.0,
            details={"total_ms": total_ms, "delete_ms": delete_ms},
        ),
        Ratio(
            "memory after 1,000,000 / after 100,000",
            memory_large / memory_small,
            1.05,
            details={"mb": memory_large / 2**20},
        ),
    ]


def _fill(connection: Connection, records: int) -> None:
    connection.execute(ASSET)
    connection.execute(SERIES)
    connection.execute(GAPS, {"records": records})
    connection.execute(CHILDREN, {"every": 10})
    connection.execute(OUTCOMES)
    connection.execute("ANALYZE")


class Neighbour:
    """Changes the same series over and over, and remembers how long it had to wait at most.

    :ivar longest_ms: longest wait, milliseconds
    :ivar waits: how often it waited
    """

    def __init__(self, uri: str) -> None:
        self.longest_ms = 0.0
        self.waits = 0
        self._uri = uri
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Neighbour:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        with connect(self._uri) as connection:
            (row,) = connection.execute("SELECT series_id FROM series").fetchall()
            while not self._stop.wait(0.005):
                began = time.perf_counter()
                with series_transaction(connection, row["series_id"]):
                    pass
                self.longest_ms = max(self.longest_ms, 1000 * (time.perf_counter() - began))
                self.waits += 1
