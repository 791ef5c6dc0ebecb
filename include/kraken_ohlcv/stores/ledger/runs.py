"""Tables ``backfill_runs`` and ``range_repairs``: the figures of a run, and what it has settled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import Connection, execute, first, rows, value


@dataclass(frozen=True, slots=True)
class Run:
    """A run as recorded.

    :ivar now_s: the exchange's time it works with, epoch seconds UTC
    :ivar tier: ``TIER1`` .. ``TIER4`` or ``ALL``
    :ivar intervals: candle lengths, minutes
    :ivar assets_processed: assets with at least one series processed
    :ivar series_processed: their series ids
    :ivar remarks: what the result names: ``series_skipped``, ``pairs_delisted``, ``pairs_unknown``,
        ``warnings``, ``errors``; and ``odd``, see :mod:`kraken_ohlcv.detection.oddities`
    :ivar ohlc_calls: OHLC calls that fills made
    :ivar api_calls: all calls of the run
    :ivar trade_calls: calls for trades, each counted before it was made
    :ivar trade_calls_planned: calls for trades that the plan expected within the budget
    :ivar calls_planned: calls for candles and trades that were planned, before they were made
    :ivar calls_spent: those made, but for the ones that were made again
    :ivar calls_retried: calls made again, because there was no answer or one that did not serve
    :ivar candles_restated: stored candles replaced by a newer version
    :ivar candles_outside: candles stored that no gap counts
    """

    now_s: int
    tier: str
    intervals: list[int]
    assets_processed: int
    series_processed: list[int]
    remarks: dict[str, list[Any]]
    ohlc_calls: int
    api_calls: int
    trade_calls: int
    trade_calls_planned: int
    calls_planned: int
    calls_spent: int
    calls_retried: int
    candles_restated: int
    candles_outside: int


NOTHING: Final = dict.fromkeys(
    (
        "ohlc_calls",
        "api_calls",
        "ohlc_spent",
        "walks_spent",
        "calls_retried",
        "candles_restated",
        "candles_outside",
    ),
    0,
)


def count_work(connection: Connection, run: RunKey, **done: int) -> None:
    """Add to what a run has done.

    :param done: ``ohlc_calls`` and ``api_calls`` made, in which the former count, too; of them
        ``ohlc_spent`` and ``walks_spent`` for OHLC and trades as planned, and ``calls_retried`` for those
        made again; ``candles_restated``: stored candles replaced; ``candles_outside``: candles stored that no
        gap counts
    """
    execute(connection, "count_work", run, NOTHING, **done)


def read_run(connection: Connection, run: RunKey) -> Run | None:
    """Return a run as recorded.

    :return: the run, or None if it ended before it was recorded
    """
    return first(connection, "read_run", Run, run)


def record_plan(
    connection: Connection, run: RunKey, request: object, plan: dict[str, Any], *, now_s: int
) -> None:
    """Record a run that only plans, and what it has planned.

    :param request: ``tier`` and ``intervals`` that it was asked for
    :param plan: what its result shows; empty as long as it is being made
    """
    execute(connection, "record_plan", run, request, plan=plan, now_s=now_s)


def read_run_plan(connection: Connection, run: RunKey) -> dict[str, Any] | None:
    """Return what a run has planned, or None when it does not only plan."""
    found: dict[str, Any] | None = value(connection, "read_run_plan", run)
    return found


def read_failures(connection: Connection, run: RunKey) -> list[str]:
    """Return what went wrong, a sentence a series and message.

    :return: for example ``XBTUSD 60: 2 gaps not filled: EService:Busy``
    """
    return rows(connection, "read_failures", _failure, run)


def _failure(ticker: str, interval_minutes: int, gaps: int, error: str) -> str:
    return f"{ticker} {interval_minutes}: {gaps} gap{'s' if gaps != 1 else ''} not filled: {error}"


@dataclass(frozen=True, slots=True)
class Settled:
    """What one answer, or one page of trades, has settled; all are numbers of buckets.

    :ivar candles_stored: missing before, in a gap or not
    :ivar candles_compared: stored before, and held by the answer, too
    :ivar candles_differing: those of them for which it gave other values
    :ivar candles_restated: replaced by another version
    :ivar buckets_proven: proven empty
    :ivar proofs_withdrawn: proven empty before, in this series or in longer ones, and no longer
    :ivar candles_disputed: candles stored where trades prove that nothing traded
    """

    candles_stored: int = 0
    candles_compared: int = 0
    candles_differing: int = 0
    candles_restated: int = 0
    buckets_proven: int = 0
    proofs_withdrawn: int = 0
    candles_disputed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Settled):
    """What a run has settled of a series from one source; see statement ``read_repairs``.

    :ivar ticker: Kraken's altname
    :ivar interval_minutes: candle length, minutes
    :ivar source: ``ohlc`` or ``trades``
    :ivar start_s: start of the range looked at, epoch seconds UTC, or None when there was no answer
    :ivar end_s: its end, exclusive, epoch seconds UTC, or None
    :ivar first_trade_id: Kraken's number of the first trade read, or None where no numbered trade was
    :ivar last_trade_id: that of the last one, or None
    :ivar error: why the run could not go on, or None
    """

    ticker: str
    interval_minutes: int
    source: str
    start_s: int | None
    end_s: int | None
    first_trade_id: int | None
    last_trade_id: int | None
    error: str | None

    @property
    def series(self) -> Series:
        """Return the series."""
        return Series(self.ticker, self.interval_minutes)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ticker": self.ticker,
            "interval": self.interval_minutes,
            "source": self.source,
            "from": None if self.start_s is None else iso(self.start_s),
            "to": None if self.end_s is None else iso(self.end_s),
            "first_trade_id": self.first_trade_id,
            "last_trade_id": self.last_trade_id,
            **{counted.name: getattr(self, counted.name) for counted in fields(Settled)},
        }
