"""Table ``backfill_runs`` and the figures of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.core.gap import Outcome
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection, execute, first, rows


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
    candles_restated: int
    candles_outside: int


NOTHING: Final = {"ohlc_calls": 0, "api_calls": 0, "candles_restated": 0, "candles_outside": 0}


def count_work(connection: Connection, run: RunKey, **done: int) -> None:
    """Add to what a run has done.

    :param done: ``ohlc_calls`` and ``api_calls`` made, in which the former count, too; ``candles_restated``:
        stored candles replaced; ``candles_outside``: candles stored that no gap counts
    """
    execute(connection, "count_work", run, NOTHING, **done)


def read_run(connection: Connection, run: RunKey) -> Run | None:
    """Return a run as recorded.

    :return: the run, or None if it ended before it was recorded
    """
    return first(connection, "read_run", Run, run)


def count_outcomes(connection: Connection, run: RunKey) -> dict[Outcome, tuple[int, int]]:
    """Return how many gaps a run took up.

    :return: gaps and stored candles, by outcome; absent outcomes are zero
    """
    counts = dict(
        rows(connection, "count_outcomes", lambda outcome, gaps, candles: (outcome, (gaps, candles)), run)
    )
    return {outcome: counts.get(outcome, (0, 0)) for outcome in Outcome}


def read_failures(connection: Connection, run: RunKey) -> list[str]:
    """Return what went wrong, a sentence a series and message.

    :return: for example ``XBTUSD 60: 2 gaps not filled: EService:Busy``
    """
    return rows(connection, "read_failures", _failure, run)


def _failure(ticker: str, interval_minutes: int, gaps: int, error: str) -> str:
    return f"{ticker} {interval_minutes}: {gaps} gap{'s' if gaps != 1 else ''} not filled: {error}"
