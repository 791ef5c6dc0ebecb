"""Which series are sealed, and which of their days can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kraken_ohlcv.completeness.buckets import Grid, grid_of
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.session import by_series, rows
from kraken_ohlcv.stores.stored_buckets import read_spans


class KeptSeries(NamedTuple):
    """A series that is sealed.

    :ivar row: the series
    :ivar grid: the buckets that it is to have
    """

    row: SeriesRow
    grid: Grid

    def covered(self, days: range) -> Range:
        """Return the buckets that belong to days; may be empty.

        :param days: first second of each, epoch seconds UTC; at least one
        :return: half-open, on the grid, epoch seconds UTC
        """
        interval = self.row.interval_minutes
        start_s = max(opens_of_day(days[0], interval)[0], ceil_s(self.grid.start_s, interval))
        return start_s, max(start_s, min(opens_of_day(days[-1], interval)[1], self.grid.closed_s))

    @property
    def days(self) -> range:
        """Return the days that can be sealed: with buckets, all of which are due.

        :return: first second of each, epoch seconds UTC
        """
        return self.grid.due_days(self.row.interval_minutes)


def read_kept(stores: Stores, *, now_s: int, at_us: int) -> dict[Series, KeptSeries]:
    """Return all series that are sealed: those of active assets that a run has processed.

    :param now_s: the exchange's time, epoch seconds UTC
    :param at_us: the moment of the sealing, epoch microseconds
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    assets = {one.ticker: one for one in read_assets(stores.ledger, tickers=None, tier="ALL")}
    starts = starts_at(stores, at_us)
    known = {series: start_s for series, start_s in starts.items() if series.ticker in assets}
    spans = _spans(stores, assets, known, now_s=now_s)
    return {
        series: KeptSeries(
            SeriesRow(assets[series.ticker], series.interval_minutes),
            grid_of(
                assets[series.ticker],
                series.interval_minutes,
                known_s=start_s,
                span=spans.get(series),
                now_s=now_s,
            ),
        )
        for series, start_s in known.items()
    }


def starts_at(stores: Stores, at_us: int) -> dict[Series, int]:
    """Return where all series begin as the ledger knew it at a moment, epoch seconds UTC.

    :param at_us: the moment, epoch microseconds
    """

    def start(start_s: int) -> int:
        return start_s

    return dict(rows(stores.ledger, "read_starts_at", by_series(start), at_us=at_us))


def _spans(
    stores: Stores, assets: Mapping[str, Asset], known: Mapping[Series, int], *, now_s: int
) -> dict[Series, Range]:
    """Return where those series end that nobody expects: with their newest candle."""
    unlisted: dict[int, list[str]] = {}
    for series in known:
        if not assets[series.ticker].is_listed:
            unlisted.setdefault(series.interval_minutes, []).append(series.ticker)
    found: dict[Series, Range] = {}
    for interval, tickers in unlisted.items():
        for ticker, (_, newest_s) in read_spans(stores.questdb, tickers, interval, until_s=now_s).items():
            # Where it begins, the ledger knew at the moment.
            series = Series(ticker, interval)
            found[series] = (known[series], newest_s)
    return found


def unsealed(days: range, sealed: Sequence[range]) -> list[range]:
    """Return the stretches of days that are not sealed.

    :param days: that can be sealed, first second of each, epoch seconds UTC
    :param sealed: stretches of sealed days, ascending
    """
    found: list[range] = []
    if not days:
        return found
    at_s, end_s, step = days.start, days[-1] + days.step, days.step
    for one in sealed:
        if one[-1] < at_s:
            continue
        if one[0] >= end_s:
            break
        if one[0] > at_s:
            found.append(range(at_s, one[0], step))
        at_s = one[-1] + step
    if at_s < end_s:
        found.append(range(at_s, end_s, step))
    return found
