"""What `/ohlcv/metrics` reads of the ledger, against one second: 1,400 pairs at 1, 60 and 1440 minutes.

* ``a year / 1 s``: pages of a year, an open gap a series, and a filled one for each of twenty days.
* ``three years / a year``: a scrape comes every minute, so its cost must not grow with history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from bench.tools.invented import tickers
from bench.tools.ratios import Ratio
from bench.tools.timing import best_ms
from kraken_ohlcv.completeness.verified_days import kept_series
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.tiers import Tier
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.metrics import plan_only_runs, read_measures
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from bench.tools.services import Services
    from kraken_ohlcv.stores.ledger.session import Connection

PAIRS: Final = 1400
TIERS: Final = get_args(Tier)
NOW_S: Final = 1_795_435_200
"""2026-11-23, 12:00."""
YEARS: Final = (1, 3)
GROWTH: Final = 1.5
"""Target for three years by one; a scrape that read every page would take more than twice as long."""

SERIES: Final = """
INSERT INTO series (ticker, interval_minutes, start_ts, until_ts)
SELECT
    ticker, interval_minutes,
    timestamptz '2026-11-01Z' - make_interval(years => %s), timestamptz '2026-11-23Z'
FROM assets, unnest(ARRAY[1, 60, 1440]) AS interval_minutes"""

PAGES: Final = """
INSERT INTO coverage_months (
    ticker, interval_minutes, month, stored, first_ts, last_ts, reconciled, empty_trades
)
SELECT
    ticker, interval_minutes, month, 1, month, month, 1,
    CASE
        WHEN interval_minutes > 1
        THEN rpad('', buckets_in_month(month::date, interval_minutes), '01')::varbit
    END
FROM series, generate_series(start_ts, timestamptz '2026-11-01Z', INTERVAL '1 month') AS month"""

GAPS: Final = """
INSERT INTO gap_records (
    ticker, interval_minutes, gap_start, gap_end, missing_candles, is_api_fillable, overflow_candles,
    candles_from_today, status, detected_at, filled_at, filled_from, expires_at
)
SELECT
    ticker, interval_minutes, day, day + make_interval(mins => interval_minutes), 1, true, 0, 1,
    CASE WHEN n = 0 THEN 'DETECTED' ELSE 'FILLED' END, day,
    CASE WHEN n > 0 THEN day END, CASE WHEN n > 0 THEN 'ohlc' END, timestamptz '2027-01-01Z'
FROM
    series, generate_series(0, 20) AS n,
    LATERAL (SELECT timestamptz '2026-11-22Z' - make_interval(days => n)) AS d (day)"""


def run(services: Services) -> list[Ratio]:
    """Measure a scrape of a short and of a long ledger.

    :param services: what it works with
    :return: two ratios
    """
    uris = {years: large_ledger(services, years) for years in YEARS}
    short, long = YEARS
    with connect(uris[short]) as one, connect(uris[long]) as other:
        took = best_ms({"short": lambda: scrape(one), "long": lambda: scrape(other)})
        series = scrape(other)
    details = {"short_ms": took["short"], "long_ms": took["long"], "series": series}
    return [
        Ratio(
            f"scrape, {PAIRS} pairs x 3 intervals: a year / 1 s", took["short"] / 1000, 1.0, details=details
        ),
        Ratio("scrape: three years / a year", took["long"] / took["short"], GROWTH, details=details),
    ]


def large_ledger(services: Services, years: int) -> str:
    """Return the URI of a new ledger that has looked at every series for some years."""
    uri = services.new_ledger()
    with connect(uri) as connection:
        sync_catalogue(
            connection,
            [
                CatalogueEntry(ticker=ticker, base=ticker[:-3], quote="USD", tier=TIERS[place % len(TIERS)])
                for place, ticker in enumerate(tickers(PAIRS))
            ],
        )
        connection.execute(SERIES, (years,))
        connection.execute(PAGES)
        connection.execute(GAPS)
        connection.execute("ANALYZE")
    return uri


def scrape(connection: Connection) -> int:
    """Read what a scrape does; return how many series it has figures of."""
    kept = [
        Series(asset.ticker, interval)
        for (_, interval), assets in kept_series(connection).items()
        for asset in assets
    ]
    measures = read_measures(connection, kept, now_s=NOW_S)
    plan_only_runs(connection)
    return sum(one.n_series for one in measures.series)
