"""Table ``seal_disagreements``: sealed days whose contents have changed, though no record explains it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import Connection, execute_many, rows


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A sealed day that does not stand as it was sealed, and no record says why.

    :ivar series: ticker and interval
    :ivar day_s: first second of the day, epoch seconds UTC
    :ivar ts_s: open time of the first bucket that differs, epoch seconds UTC
    :ivar said: what is known of it, a clause
    :ivar found_s: when it was found, by the ledger's clock, epoch seconds UTC; None = just now
    """

    series: Series
    day_s: int
    ts_s: int
    said: str
    found_s: int | None = None


def read_disagreements(connection: Connection) -> list[Disagreement]:
    """Return all that are open, by series and day."""

    def disagreement(
        ticker: str, interval_minutes: int, day_s: int, ts_s: int, said: str, found_s: int
    ) -> Disagreement:
        return Disagreement(Series(ticker, interval_minutes), day_s, ts_s, said, found_s)

    return rows(connection, "read_disagreements", disagreement)


def keep_disagreements(connection: Connection, found: Iterable[Disagreement]) -> None:
    """Keep disagreements; what is kept of the same day keeps its time."""
    each = [
        {
            **one.series._asdict(),
            "day_s": one.day_s,
            "ts_s": one.ts_s,
            "said": one.said,
            "found_s": one.found_s,
        }
        for one in found
    ]
    execute_many(connection, "write_disagreement", each)


def end_disagreements(connection: Connection, series: Series, days: Iterable[int]) -> None:
    """End those of some days, which stand as sealed again.

    :param days: first second of each, epoch seconds UTC
    """
    execute_many(connection, "delete_disagreement", [{"day_s": day_s} for day_s in days], series)
