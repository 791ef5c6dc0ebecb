"""What the ledger says of its own state, for a monitoring system: sums by tier, interval, status and DAG."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kraken_ohlcv.core.gap import GapStatus, Series
from kraken_ohlcv.stores.ledger.session import Connection, column, fetch, rows


@dataclass(frozen=True, slots=True)
class SeriesMeasure:
    """How complete the series of a tier and interval were when they were looked at last.

    Counts are buckets, as far as the grid of each series was accounted for.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes
    :ivar n_series: series of active assets that were ever looked at, >= 1
    :ivar expected: buckets of their grids
    :ivar verified: those of them that are stored, undisputed, or proven empty
    :ivar missing: what their open gaps miss, accepted ones included
    :ivar oldest_missing_s: when the oldest missing candle closed, epoch seconds UTC; None = none is missing
    :ivar newest_candle_s: when the newest stored candle closed, epoch seconds UTC; None = none is stored
    :ivar next_expiry_s: when the next missing candle leaves the API window, epoch seconds UTC, or None
    :ivar measured_until_s: no candle that opens later has been looked for in each series that a schedule
        keeps, epoch seconds UTC; None = none is kept
    """

    tier: str
    interval_minutes: int
    n_series: int
    expected: int
    verified: int
    missing: int
    oldest_missing_s: int | None
    newest_candle_s: int | None
    next_expiry_s: int | None
    measured_until_s: int | None


@dataclass(frozen=True, slots=True)
class KeptCount:
    """How many series of a tier and interval a schedule keeps.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar interval_minutes: candle length, minutes
    :ivar series: those of pairs that are not delisted
    :ivar never_measured: those of them that were never looked at
    """

    tier: str
    interval_minutes: int
    series: int
    never_measured: int


@dataclass(frozen=True, slots=True)
class AssetCount:
    """How many assets a tier has.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar assets: active and expected at the exchange
    :ivar without_data: those of them without a stored candle
    """

    tier: str
    assets: int
    without_data: int


@dataclass(frozen=True, slots=True)
class ExchangeCalls:
    """What the runs of a DAG have asked the exchange.

    :ivar dag_id: the DAG
    :ivar made: calls of all its runs
    :ivar calls_left: calls that its newest run has planned and not made
    """

    dag_id: str
    made: int
    calls_left: int


@dataclass(frozen=True, slots=True)
class Measures:
    """All that the ledger says of its state at a moment.

    :ivar series: by tier and interval
    :ivar kept: by tier and interval
    :ivar assets: by tier
    :ivar gaps: number of gap records by tier, interval (minutes) and status
    :ivar incidents: number of open incidents by class
    :ivar calls: by DAG
    """

    series: list[SeriesMeasure]
    kept: list[KeptCount]
    assets: list[AssetCount]
    gaps: Mapping[tuple[str, int, GapStatus], int]
    incidents: Mapping[str, int]
    calls: list[ExchangeCalls]


def read_measures(connection: Connection, kept: Collection[Series], *, now_s: int) -> Measures:
    """Read the state of the ledger in one transaction; no candle is looked at.

    :param kept: series that a schedule keeps
    """
    places = {
        "tickers": [series.ticker for series in kept],
        "intervals": [series.interval_minutes for series in kept],
    }
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return Measures(
            series=rows(connection, "measure_series", SeriesMeasure, places, now_s=now_s),
            kept=rows(connection, "count_kept_series", KeptCount, places),
            assets=rows(connection, "count_without_data", AssetCount),
            gaps={
                (row["tier"], row["interval_minutes"], GapStatus(row["status"])): row["gaps"]
                for row in fetch(connection, "count_gaps_by_status")
            },
            incidents={row["class"]: row["incidents"] for row in fetch(connection, "count_open_incidents")},
            calls=rows(connection, "count_exchange_calls", ExchangeCalls),
        )


def plan_only_runs(connection: Connection) -> list[str]:
    """Return the ids of backfill runs that have only planned."""
    return column(connection, "list_plan_only_runs")
