"""Table ``candle_restatements``: other versions of stored candles, applied or seen once."""

from __future__ import annotations

from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import Connection, Row, execute, fetch


class Pending:
    """The versions of a series' candles that were seen once and wait; read when first asked for."""

    def __init__(self, connection: Connection, series: Series) -> None:
        self._connection = connection
        self._series = series
        self._rows: dict[int, Row] | None = None

    def first_seen(self, seen: StoredCandle) -> int | None:
        """Return when this very version of a candle was first seen.

        :param seen: the version
        :return: the exchange's time, epoch seconds UTC, or None if it is new
        """
        row = self._row(seen)
        return int(row["first_seen_s"]) if row else None

    def replaced(self, seen: StoredCandle) -> StoredCandle | None:
        """Return what a stored version has replaced, if its writer could not finish the log.

        :param seen: the version, as it is stored by now
        """
        row = self._row(seen)
        return StoredCandle(ts_s=seen.ts_s, source=seen.source, **row["old"]) if row else None

    def _row(self, seen: StoredCandle) -> Row | None:
        if self._rows is None:
            found = fetch(self._connection, "read_pending_restatements", self._series)
            self._rows = {row["ts_s"]: row for row in found}
        row = self._rows.get(seen.ts_s)
        return row if row and row["new"] == seen.figures() else None


def log_restatement(
    connection: Connection,
    series: Series,
    *,
    old: StoredCandle,
    new: StoredCandle,
    first_seen_s: int,
    applied_s: int | None,
) -> None:
    """Log another version of a candle; it takes the place of an earlier pending one.

    :param connection: the ledger, inside a series transaction
    :param old: the stored version
    :param new: the version seen
    :param first_seen_s: when it was first seen, the exchange's time, epoch seconds UTC
    :param applied_s: when it replaced the stored one, or None while it waits
    """
    execute(connection, "delete_pending_restatement", series, new)
    seen = {"first_seen_s": first_seen_s, "applied_s": applied_s}
    execute(connection, "insert_restatement", series, new, seen, old=old.figures(), new=new.figures())
