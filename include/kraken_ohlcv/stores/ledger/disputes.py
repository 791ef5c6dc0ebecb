"""Table ``disputes``: proofs from trades that stored candles contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.contradictions import Contradiction
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, rows


@dataclass(frozen=True, slots=True)
class Dispute:
    """A range in which trades prove that nothing traded, and candles stand.

    :ivar series: ticker and interval of the proof
    :ivar start_s: epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    :ivar found_s: when it was found first, epoch seconds UTC
    :ivar rechecked_s: when trades were asked about it again, epoch seconds UTC, or None if they were not
        since its candles changed
    """

    series: Series
    start_s: int
    end_s: int
    found_s: int
    rechecked_s: int | None

    @property
    def range(self) -> Range:
        """Return the range, epoch seconds UTC."""
        return self.start_s, self.end_s


def keep_disputes(
    connection: Connection, tickers: Sequence[str], found: Sequence[Contradiction], *, now_s: int
) -> None:
    """Keep what a look at all proofs of some tickers has found, and forget what it has not found again.

    :param tickers: those looked at
    :param found: what was contradicted; only what exists is kept
    """
    existing = [one for one in found if not one.is_withdrawn]
    with connection.transaction():
        execute(
            connection,
            "delete_settled_disputes",
            tickers=list(tickers),
            names=[one.series.ticker for one in existing],
            intervals=[one.series.interval_minutes for one in existing],
            starts_s=[one.start_s for one in existing],
        )
        kept = (
            {**one.series._asdict(), "start_s": one.start_s, "end_s": one.end_s, "candles": one.candles}
            for one in existing
        )
        execute_many(connection, "keep_dispute", kept, now_s=now_s)


def read_disputes(connection: Connection, tickers: Sequence[str]) -> list[Dispute]:
    """Return the disputes of some tickers, by series and time.

    :param tickers: Kraken's altnames
    """
    return rows(connection, "read_disputes", _dispute, tickers=list(tickers))


def _dispute(ticker: str, interval_minutes: int, **row: Any) -> Dispute:
    return Dispute(Series(ticker, interval_minutes), **row)
