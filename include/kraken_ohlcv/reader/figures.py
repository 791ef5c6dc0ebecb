"""Figures of what can be read: up to where a series is complete, and how a range adds up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from kraken_ohlcv.completeness.buckets import SeriesBuckets, reach_of
from kraken_ohlcv.completeness.figures import percent, verified_of
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.reader.scope import Part, find_rows, parts_of
from kraken_ohlcv.reader.stores import Stores, opened
from kraken_ohlcv.reader.times import Moment, asked_of
from kraken_ohlcv.stores.candle_frames import TIME
from kraken_ohlcv.stores.ledger.coverage import read_months

COUNTS: Final = ("buckets", *(str(one) for one in BucketStatus if one is not BucketStatus.UNKNOWN))
COVERAGE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "ticker": pl.String(),
    "start": TIME,
    "end": TIME,
    **dict.fromkeys((*COUNTS, "never_loaded", "disputed", "restated", "off_grid"), pl.Int64()),
    "verified_pct": pl.Float64(),
}
"""Columns of :func:`coverage`."""


def complete_until(ticker: str, interval_minutes: int, *, stores: Stores | None = None) -> datetime | None:
    """Return up to where a series is complete, from its start on.

    :param ticker: Kraken's altname
    :param interval_minutes: candle length, minutes
    :param stores: open stores; None = those of the environment, opened for this call
    :return: every bucket that closes at this time or earlier is stored or proven empty; UTC; None when not
        even the first bucket is, or nothing was ever loaded
    :raises BadRequestError: if the ticker is not in the catalogue, or Kraken has no such interval
    :raises SetUpError: if a store is not set up, another version's, or its login may not read
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    with opened(stores) as both:
        now_s = int(both.clock())
        rows = find_rows(both, [ticker], interval_minutes)
        (found,) = Buckets(both.ledger, both.questdb, rows, now_s=now_s).read(rows)
    until_s = found.complete_until_s
    return None if until_s is None else utc(until_s)


def coverage(
    tickers: str | Sequence[str],
    interval_minutes: int,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    stores: Stores | None = None,
) -> pl.DataFrame:
    """Return how the buckets of a range add up, a row per ticker.

    :param tickers: Kraken's altname, or several, each once
    :param interval_minutes: candle length, minutes
    :param start: as of :func:`kraken_ohlcv.reader.candles.read_candles`
    :param end: likewise
    :param stores: open stores; None = those of the environment, opened for this call
    :return: columns ``ticker``; ``start`` and ``end`` of what is looked at, UTC; ``buckets``, and how many of
        them are ``stored``, ``empty_trades``, ``empty_ohlc``, ``empty_archive``, ``missing``, ``pending``,
        which add up to it; of the missing ones ``never_loaded``, before the series' start; of the stored ones
        ``disputed``, where trades prove that nothing traded, and ``restated``, for which the exchange gave
        other values; ``off_grid``, candles that belong to no bucket; ``verified_pct``, percent of what is not
        pending that is stored undisputed or proven empty, truncated, null of nothing
    :raises BadRequestError: if an argument cannot be used
    :raises SetUpError: if a store is not set up, another version's, or its login may not read
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    asked = asked_of(start, end)
    with opened(stores) as both:
        now_s = int(both.clock())
        rows = find_rows(both, [tickers] if isinstance(tickers, str) else tickers, interval_minutes)
        parts = parts_of(both, rows, asked, now_s=now_s)
        counting = Buckets(both.ledger, both.questdb, rows, now_s=now_s)
        lines = [
            _line(both, part, one, now_s) for part in parts for one in counting.read([part.row], part.covered)
        ]
    return pl.DataFrame(lines, schema=COVERAGE_SCHEMA, orient="row")


def _line(stores: Stores, part: Part, found: SeriesBuckets, now_s: int) -> list[object]:
    reach = reach_of(found.grid, part.row.interval_minutes, now_s=now_s)
    before = part.covered[0], max(part.covered[0], min(part.covered[1], found.looked_at[0]))
    proven = read_months(stores.ledger, part.series, [before]).empty.within(before)
    never_loaded = (before[1] - before[0]) // part.step - len(proven.all)
    empty = {
        BucketStatus.empty_by(evidence): len(one) + len(proven.by[evidence])
        for evidence, one in found.empty.by.items()
    }
    pending = len(found.missing.within(reach.pending))
    counts = {
        BucketStatus.STORED: len(found.stored),
        **empty,
        BucketStatus.MISSING: len(found.missing) - pending + never_loaded,
        BucketStatus.PENDING: pending,
    }
    verified = verified_of(
        stored=len(found.stored), disputed=len(found.disputed), proven_empty=sum(empty.values())
    )
    return [
        part.row.asset.ticker,
        *(utc(border_s) for border_s in part.covered),
        part.n_buckets,
        *(counts[BucketStatus(name)] for name in COUNTS[1:]),
        never_loaded,
        len(found.disputed),
        len(found.restated),
        found.off_grid,
        percent(verified, part.n_buckets - pending),
    ]
