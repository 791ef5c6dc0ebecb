"""Reads both stores in bulk into matrices: what every bucket of some series of one interval is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import PROVEN, BucketStatus, Grid, Statuses, Times, classify, grid_of
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import MINUTE_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.proofs import ProvenRange
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.stored_buckets import Bits, read_spans, read_stored

MAX_BUCKETS: Final = 8_000_000
"""Buckets of one matrix, about 40 bytes of memory each while it is made; more series make more matrices."""


@dataclass(frozen=True, slots=True)
class BucketMatrix:
    """Some series of one interval, bucket by bucket; all arrays have one row per series.

    :ivar rows: the series; length n
    :ivar interval_minutes: candle length, minutes
    :ivar grids: grid of each series; length n
    :ivar spans: open times of the oldest and newest stored candle by ticker, over all time
    :ivar opens: open times, epoch seconds UTC, ascending, without a hole; shape (m,), m may be 0
    :ivar statuses: :class:`kraken_ohlcv.completeness.buckets.BucketStatus`; shape (n, m)
    :ivar restated: whether the exchange gave other values for a stored candle; shape (n, m)
    :ivar disputed: whether a candle is stored where trades prove that nothing traded; shape (n, m)
    :ivar off_grid: candles off the grid in the range looked at, counted nowhere else; shape (n,)
    """

    rows: Sequence[SeriesRow]
    interval_minutes: int
    grids: Sequence[Grid]
    spans: dict[str, Range]
    opens: Times
    statuses: Statuses
    restated: Bits
    disputed: Bits
    off_grid: NDArray[np.int64]

    def has(self, *statuses: BucketStatus) -> Bits:
        """Return whether each bucket has one of some statuses; shape (n, m)."""
        found: Bits = np.logical_or.reduce([self.statuses == status for status in statuses])
        return found


def read_matrices(
    connection: Connection,
    questdb: QuestDBClient,
    rows: Sequence[SeriesRow],
    covered: Range | None,
    *,
    now_s: int,
    max_buckets: int = MAX_BUCKETS,
) -> Iterator[BucketMatrix]:
    """Look at some series bucket by bucket, in bounded memory.

    :param rows: the series, each once
    :param covered: only buckets that overlap this half-open range, epoch seconds UTC; None = from the start
    :param max_buckets: size of a matrix; one that holds a single series may be larger
    :return: matrices, by interval in order of appearance, and within it in the order of ``rows``
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    for interval in dict.fromkeys(row.interval_minutes for row in rows):
        those = [row for row in rows if row.interval_minutes == interval]
        tickers = [row.asset.ticker for row in those]
        spans = read_spans(questdb, tickers, interval, until_s=now_s)
        known = fetch(connection, "read_series", tickers=tickers, intervals=[interval])
        known_s = {one["ticker"]: one["start_s"] for one in known}
        grids = [
            grid_of(
                row.asset,
                interval,
                known_s=known_s.get(row.asset.ticker),
                span=spans.get(row.asset.ticker),
                now_s=now_s,
            )
            for row in those
        ]
        whole = _whole(grids, covered, interval, now_s)
        size = max(1, max_buckets // max(1, (whole[1] - whole[0]) // step_s(interval)))
        for first in range(0, len(those), size):
            part = slice(first, first + size)
            yield _matrix(connection, questdb, those[part], grids[part], spans, whole, now_s=now_s)


def _whole(grids: Sequence[Grid], covered: Range | None, interval: int, now_s: int) -> Range:
    """Return the range to look at: on the grid, within what has closed."""
    end_s = floor_s(now_s, interval)
    begin_s = min(grid.start_s for grid in grids)
    if covered is not None:
        # The buckets that the borders lie in belong to it.
        begin_s = max(begin_s, floor_s(covered[0], interval))
        end_s = min(end_s, -floor_s(-covered[1], interval))
    return begin_s, max(begin_s, end_s)


def _matrix(
    connection: Connection,
    questdb: QuestDBClient,
    rows: Sequence[SeriesRow],
    grids: Sequence[Grid],
    spans: dict[str, Range],
    covered: Range,
    *,
    now_s: int,
) -> BucketMatrix:
    interval = rows[0].interval_minutes
    step = step_s(interval)
    tickers = [row.asset.ticker for row in rows]
    opens = np.arange(*covered, step, dtype=np.int64)
    asked = {"tickers": tickers, "interval_minutes": interval, "from_s": covered[0], "until_s": covered[1]}
    # The ledger first: a candle stored meanwhile then counts as stored, whatever was proven before.
    proven = _proven(proofs.read(connection, tickers, [interval], covered=covered), tickers, covered, step)
    restated = np.zeros((len(rows), len(opens)), dtype=np.bool_)
    row_of = {ticker: n for n, ticker in enumerate(tickers)}
    for one in fetch(connection, "read_restated_between", asked):
        restated[row_of[one["ticker"]], (one["ts_s"] - covered[0]) // step] = True
    stored, off_grid = read_stored(questdb, tickers, interval, covered)
    statuses = classify(opens, grids, stored, proven, interval_minutes=interval, now_s=now_s)
    restated &= statuses == BucketStatus.STORED
    disputed = (statuses == BucketStatus.STORED) & (proven == BucketStatus.PROVEN_TRADES)
    return BucketMatrix(rows, interval, grids, spans, opens, statuses, restated, disputed, off_grid)


def _proven(
    proven: Mapping[Series, Sequence[ProvenRange]], tickers: Sequence[str], covered: Range, step: int
) -> Statuses:
    """Return the proof of emptiness of each bucket, 0 = none; the ranges of a series never overlap."""
    found = np.zeros((len(tickers), (covered[1] - covered[0]) // step), dtype=np.uint8)
    for number, ticker in enumerate(tickers):
        for one in proven.get(Series(ticker, step // MINUTE_S), ()):
            first, last = (max(0, (moment_s - covered[0]) // step) for moment_s in one.range)
            found[number, first:last] = PROVEN[one.evidence]
    return found
