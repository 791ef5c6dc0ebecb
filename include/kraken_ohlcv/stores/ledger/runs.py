"""Table ``backfill_runs`` and the figures of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.types.json import Jsonb

from kraken_ohlcv.core.gap import Outcome
from kraken_ohlcv.stores.ledger.session import Connection, execute, fetch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kraken_ohlcv.core.run import RunKey


@dataclass(frozen=True, slots=True)
class Run:
    """A run as recorded.

    :ivar now_s: the exchange's time it works with, epoch seconds UTC
    :ivar tier: ``TIER1`` .. ``TIER4`` or ``ALL``
    :ivar intervals: candle lengths, minutes
    :ivar assets_processed: assets with at least one series processed
    :ivar series_processed: their series ids
    :ivar remarks: what the result names: ``series_skipped``, ``pairs_delisted``, ``pairs_unknown``,
        ``warnings``, ``errors``; and ``odd``, see :func:`add_oddity`
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


class Reading(NamedTuple):
    """Both clocks at one moment, epoch seconds UTC.

    :ivar exchange_s: the exchange's
    :ivar worker_s: the worker's
    """

    exchange_s: int
    worker_s: float


def record_reading(connection: Connection, reading: Reading) -> Reading | None:
    """Remember what both clocks say.

    :param connection: the ledger
    :param reading: both clocks now
    :return: both clocks at the look before, or None at the first
    """
    rows = fetch(connection, "record_reading", **reading._asdict())
    return Reading(**rows[0]) if rows else None


def seconds_since_asked(connection: Connection, run: RunKey) -> float:
    """Return how long ago a run asked the exchange's clock.

    :param connection: the ledger
    :param run: the run, recorded before
    :return: seconds by the ledger's own clock: the steps of a run may be done by different workers
    """
    (row,) = fetch(connection, "seconds_since_asked", **run._asdict())
    return float(row["passed_s"])


def start_run(
    connection: Connection, run: RunKey, *, now_s: int, tier: str, intervals: Sequence[int]
) -> None:
    """Record a run and the exchange's time it works with.

    :param connection: the ledger
    :param run: the run; when it is cleared and starts again, the row takes the new time
    :param now_s: epoch seconds UTC
    :param tier: tier or ``ALL``
    :param intervals: candle lengths, minutes
    """
    execute(connection, "start_run", **run._asdict(), now_s=now_s, tier=tier, intervals=list(intervals))


def record_survey(
    connection: Connection,
    run: RunKey,
    *,
    assets_processed: int,
    series_processed: Sequence[int],
    remarks: Mapping[str, Sequence[Any]],
) -> None:
    """Record what a run looked at.

    :param connection: the ledger
    :param run: the run
    :param assets_processed: assets with at least one series processed
    :param series_processed: ids of the series processed
    :param remarks: what the result is to name: ``series_skipped``, ``pairs_delisted``, ``pairs_unknown``,
        ``warnings``, ``errors``
    """
    execute(
        connection,
        "record_survey",
        **run._asdict(),
        assets_processed=assets_processed,
        series_processed=list(series_processed),
        remarks=Jsonb(dict(remarks)),
    )


def add_oddity(connection: Connection, run: RunKey, found: Mapping[str, Any]) -> None:
    """Keep with a run what an answer held that could not be used.

    :param connection: the ledger
    :param run: the run
    :param found: ``ticker``, ``source``, ``n_rows``, ``n_odd``, ``odd`` and ``notes`` (sentences)
    """
    execute(connection, "add_oddity", **run._asdict(), found=Jsonb(dict(found)))


def read_asked(connection: Connection, run: RunKey) -> list[str]:
    """Return the tickers whose gaps a run has tried to fill.

    :param connection: the ledger
    :param run: the run
    :return: ascending
    """
    return [row["ticker"] for row in fetch(connection, "read_asked", **run._asdict())]


def count_work(
    connection: Connection,
    run: RunKey,
    *,
    ohlc_calls: int = 0,
    api_calls: int = 0,
    candles_restated: int = 0,
    candles_outside: int = 0,
) -> None:
    """Add to what a run has done.

    :param connection: the ledger
    :param run: the run
    :param ohlc_calls: OHLC calls made
    :param api_calls: all calls made
    :param candles_restated: stored candles replaced
    :param candles_outside: candles stored that no gap counts
    """
    execute(
        connection,
        "count_work",
        **run._asdict(),
        ohlc_calls=ohlc_calls,
        api_calls=api_calls,
        candles_restated=candles_restated,
        candles_outside=candles_outside,
    )


def read_run(connection: Connection, run: RunKey) -> Run | None:
    """Return a run as recorded.

    :param connection: the ledger
    :param run: the run
    :return: the run, or None if it ended before it was recorded
    """
    rows = fetch(connection, "read_run", **run._asdict())
    return Run(**rows[0]) if rows else None


def count_outcomes(connection: Connection, run: RunKey) -> dict[Outcome, tuple[int, int]]:
    """Return how many gaps a run took up.

    :param connection: the ledger
    :param run: the run
    :return: gaps and stored candles, by outcome; absent outcomes are zero
    """
    counts = dict.fromkeys(Outcome, (0, 0))
    for row in fetch(connection, "count_outcomes", **run._asdict()):
        counts[Outcome(row["outcome"])] = (row["gaps"], row["candles"])
    return counts


def read_failures(connection: Connection, run: RunKey) -> list[str]:
    """Return what went wrong, a sentence a series and message.

    :param connection: the ledger
    :param run: the run
    :return: for example ``XBTUSD 60: 2 gaps not filled: EService:Busy``
    """
    return [
        f"{row['ticker']} {row['interval_minutes']}: "
        f"{row['gaps']} gap{'s' if row['gaps'] != 1 else ''} not filled: {row['error']}"
        for row in fetch(connection, "read_failures", **run._asdict())
    ]


def count_standing(connection: Connection, run: RunKey, series_ids: Sequence[int]) -> int:
    """Return how many open gaps of the processed series a run left alone.

    :param connection: the ledger
    :param run: the run
    :param series_ids: the series processed
    :return: gaps: UNFILLABLE ones, and those whose next attempt has not come
    """
    (row,) = fetch(connection, "count_standing", **run._asdict(), series_ids=list(series_ids))
    return int(row["gaps"])
