"""Table ``candle_restatements``: other versions of stored candles, applied or seen once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import Connection, execute_many, rows


def read_pending(connection: Connection, series: Series) -> dict[StoredCandle, int]:
    """Return the versions of a series' candles that were logged, and are not known to have replaced them.

    They wait for a second sight, or their writer died before it could say that they are stored.

    :return: when each of them was first seen, the exchange's time, epoch seconds UTC
    """

    def version(ts_s: int, first_seen_s: int, source: str, new: dict[str, Any]) -> tuple[StoredCandle, int]:
        return StoredCandle(ts_s=ts_s, source=source, **new), first_seen_s

    return dict(rows(connection, "read_pending_restatements", version, series))


def log_versions(
    connection: Connection, series: Series, versions: Iterable[tuple[StoredCandle, StoredCandle, int]]
) -> None:
    """Log other versions of candles before they replace the stored ones; each ends an earlier pending one.

    A pending version that is stored by now was written by a task that died before it could say so: its row,
    with the values that it replaced, stays.

    :param versions: the stored version, the version seen, and when that was first seen, the exchange's time,
        epoch seconds UTC
    """
    seen = list(versions)
    each = [
        {
            "ts_s": new.ts_s,
            "source": new.source,
            "old": old.figures(),
            "new": new.figures(),
            "first_seen_s": first_seen_s,
        }
        for old, new, first_seen_s in seen
    ]
    if not each:
        return
    # A pending version that equals the stored one has replaced it.
    stored = [
        {"start_s": new.ts_s, "end_s": new.ts_s + 1, "version": old.figures(), "applied_s": first_seen_s}
        for old, new, first_seen_s in seen
    ]
    with connection.transaction():
        execute_many(connection, "mark_restated", stored, series)
        execute_many(connection, "delete_pending_restatement", each, series)
        execute_many(connection, "insert_restatement", each, series)


def mark_restated(connection: Connection, series: Series, buckets: BucketSet, *, now_s: int) -> None:
    """Note that the versions logged for some buckets are stored by now.

    :param connection: the ledger, inside a series transaction
    """
    each = [{"start_s": start_s, "end_s": end_s} for start_s, end_s in buckets.ranges()]
    execute_many(connection, "mark_restated", each, series, version=None, applied_s=now_s)
