"""Looks at the buckets of many series in bounded memory: through the ledger's pages as long as these hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import Grid, SeriesBuckets, grid_of
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import ceil_s, floor_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.detection.look import Look
from kraken_ohlcv.stores.ledger.session import Connection, fetch

MAX_BUCKETS: Final = 8_000_000
"""Buckets looked at together: a byte per bucket and bitmap while the pages are read, a bit afterwards."""


class _Part(NamedTuple):
    """What to look at of a series.

    :ivar row: the series
    :ivar grid: the buckets it is to have
    :ivar span: open times of the oldest and newest stored candle, or None
    :ivar covered: part of the grid, epoch seconds UTC; may be empty
    """

    row: SeriesRow
    grid: Grid
    span: Range | None
    covered: Range

    @property
    def n_buckets(self) -> int:
        return (self.covered[1] - self.covered[0]) // step_s(self.row.interval_minutes)


class Buckets:
    """Looks at some series; what both stores hold is counted once, whatever is read afterwards.

    :ivar look: what was counted
    """

    def __init__(
        self, connection: Connection, questdb: QuestDBClient, rows: Sequence[SeriesRow], *, now_s: int
    ) -> None:
        """Count what has changed.

        :param rows: the series that will be looked at
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        tickers = sorted({row.asset.ticker for row in rows})
        intervals = sorted({row.interval_minutes for row in rows})
        self.look = Look.at(connection, questdb, tickers, intervals)
        self._connection = connection
        self._now_s = now_s

    def start_s(self, series: Series) -> int | None:
        """Return where a series begins that was processed or has candles, epoch seconds UTC, else None."""
        known_s, span = self._known_s(series), self._span(series)
        starts = [start_s for start_s in (known_s, None if span is None else span[0]) if start_s is not None]
        return min(starts, default=None)

    def read(
        self, rows: Sequence[SeriesRow], covered: Range | None = None, *, max_buckets: int = MAX_BUCKETS
    ) -> Iterator[SeriesBuckets]:
        """Return what the buckets of series are.

        :param rows: the series, each once, out of those counted
        :param covered: only buckets that overlap this half-open range, epoch seconds UTC; None = all
        :param max_buckets: looked at together; a single series may have more
        :return: in the order of ``rows``
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        together: list[_Part] = []
        n_buckets = 0
        for row in rows:
            part = self._part(row, covered)
            if together and n_buckets + part.n_buckets > max_buckets:
                yield from self._read(together)
                together, n_buckets = [], 0
            together.append(part)
            n_buckets += part.n_buckets
        yield from self._read(together)

    def _known_s(self, series: Series) -> int | None:
        grid = self.look.grids.get(series)
        return None if grid is None else grid[0]

    def _span(self, series: Series) -> Range | None:
        counted = self.look.counted.get(series)
        return None if counted is None else counted.span

    def _part(self, row: SeriesRow, covered: Range | None) -> _Part:
        interval, span = row.interval_minutes, self._span(row.series)
        grid = grid_of(row.asset, interval, known_s=self._known_s(row.series), span=span, now_s=self._now_s)
        start_s, end_s = floor_s(grid.start_s, interval), grid.closed_s
        if covered is not None:
            # The buckets that the borders lie in belong to it.
            start_s = max(start_s, floor_s(covered[0], interval))
            end_s = min(end_s, ceil_s(covered[1], interval))
        return _Part(row, grid, span, (start_s, max(start_s, end_s)))

    def _read(self, parts: Sequence[_Part]) -> Iterator[SeriesBuckets]:
        # The ledger first: a candle stored meanwhile then counts as stored, whatever was proven before.
        restated = self._restated(parts)
        found = self.look.read({part.row.series: months_in([part.covered]) for part in parts})
        for part in parts:
            step = step_s(part.row.interval_minutes)
            looked = found[part.row.series]
            yield SeriesBuckets.of(
                part.row,
                part.grid,
                part.span,
                part.covered,
                stored=looked.stored,
                empty=looked.coverage.empty,
                restated=BucketSet.of_points(restated.get(part.row.series, ()), step=step),
                off_grid=looked.off_grid,
            )

    def _restated(self, parts: Sequence[_Part]) -> dict[Series, list[int]]:
        """Return the open times of candles for which the exchange gave other values, by series."""
        found: dict[Series, list[int]] = {}
        for interval in {part.row.interval_minutes for part in parts}:
            those = [part for part in parts if part.row.interval_minutes == interval]
            restated = fetch(
                self._connection,
                "read_restated_between",
                tickers=[part.row.asset.ticker for part in those],
                interval_minutes=interval,
                from_s=min(part.covered[0] for part in those),
                until_s=max(part.covered[1] for part in those),
            )
            for one in restated:
                found.setdefault(Series(one["ticker"], interval), []).append(one["ts_s"])
        return found
