"""Table ``range_repairs``: what a run has settled in the range that it was asked to repair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import Connection, execute, rows


@dataclass(frozen=True, slots=True)
class Settled:
    """What one answer, or one page of trades, has settled; all are numbers of buckets.

    :ivar candles_stored: missing before, in a gap or not
    :ivar candles_restated: replaced by another version
    :ivar buckets_proven: proven empty
    :ivar proofs_withdrawn: proven empty before, in this series or in longer ones, and no longer
    :ivar candles_disputed: candles that stand where trades prove that nothing traded
    """

    candles_stored: int = 0
    candles_restated: int = 0
    buckets_proven: int = 0
    proofs_withdrawn: int = 0
    candles_disputed: int = 0


@dataclass(frozen=True, slots=True)
class Repair:
    """What a run has settled of a series from one source.

    :ivar series: ticker and interval
    :ivar source: ``ohlc`` or ``trades``
    :ivar covered: the range looked at, half-open, epoch seconds UTC, or None when there was no answer
    :ivar settled: what was settled in it
    :ivar error: why the run could not go on, or None
    """

    series: Series
    source: str
    covered: Range | None
    settled: Settled
    error: str | None

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ticker": self.series.ticker,
            "interval": self.series.interval_minutes,
            "source": self.source,
            "from": None if self.covered is None else iso(self.covered[0]),
            "to": None if self.covered is None else iso(self.covered[1]),
            **asdict(self.settled),
        }


def record_repair(
    connection: Connection, run: RunKey, series: Series, source: str, covered: Range, settled: Settled
) -> None:
    """Add to what a run has settled.

    :param connection: the ledger, inside the transaction that settles it
    :param source: ``ohlc`` or ``trades``
    :param covered: the range looked at, half-open, epoch seconds UTC
    :param settled: what was settled in it
    """
    start_s, end_s = covered
    execute(connection, "record_repair", run, series, settled, source=source, start_s=start_s, end_s=end_s)


def record_repair_error(connection: Connection, run: RunKey, series: Series, source: str, error: str) -> None:
    """Note why a run could not go on; what it settles later clears it.

    :param source: ``ohlc`` or ``trades``
    :param error: one sentence
    """
    execute(connection, "record_repair_error", run, series, source=source, error=error)


def read_repairs(connection: Connection, run: RunKey) -> list[Repair]:
    """Return what a run has settled in the range that it was to repair; nothing if it repairs none."""
    return rows(connection, "read_repairs", _repair, run)


def _repair(
    ticker: str,
    interval_minutes: int,
    source: str,
    start_s: int | None,
    end_s: int | None,
    error: str | None,
    **settled: int,
) -> Repair:
    covered = None if start_s is None or end_s is None else (start_s, end_s)
    return Repair(Series(ticker, interval_minutes), source, covered, Settled(**settled), error)
