"""Reads both stores in bulk: what the buckets of many series are, a few series at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import Grid, SeriesBuckets, grid_of
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.coverage import Emptiness, read_coverage
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.stored_buckets import read_spans, read_stored

MAX_BUCKETS: Final = 8_000_000
"""Buckets looked at together, about 40 bytes of memory each while they are read."""


def read_buckets(
    connection: Connection,
    questdb: QuestDBClient,
    rows: Sequence[SeriesRow],
    covered: Range | None,
    *,
    now_s: int,
    max_buckets: int = MAX_BUCKETS,
) -> Iterator[SeriesBuckets]:
    for interval in dict.fromkeys(row.interval_minutes for row in rows):
        those = [row for row in rows if row.interval_minutes == interval]
        step = step_s(interval)
        tickers = [row.asset.ticker for row in those]
        spans = read_spans(questdb, tickers, interval, until_s=now_s)
        known = {o["ticker"]: o["start_s"] for o in fetch(connection, "read_series", tickers=tickers, intervals=[interval])}
        grids = [grid_of(r.asset, interval, known_s=known.get(r.asset.ticker), span=spans.get(r.asset.ticker), now_s=now_s) for r in those]
        end_s = floor_s(now_s, interval)
        begin_s = floor_s(min(grid.start_s for grid in grids), interval)
        if covered is not None:
            begin_s = max(begin_s, floor_s(covered[0], interval))
            end_s = min(end_s, -floor_s(-covered[1], interval))
        whole = (begin_s, max(begin_s, end_s))
        pages = read_coverage(connection, tickers, [interval], whole)
        restated = {}
        asked = {"tickers": tickers, "interval_minutes": interval, "from_s": whole[0], "until_s": whole[1]}
        for one in fetch(connection, "read_restated_between", asked):
            restated.setdefault(one["ticker"], []).append(one["ts_s"])
        stored, off = read_stored(questdb, tickers, interval, whole)
        for n, row in enumerate(those):
            bits = int.from_bytes(np.packbits(stored[n], bitorder="little").tobytes(), "little")
            yield SeriesBuckets.of(
                row, grids[n], spans.get(row.asset.ticker), whole,
                stored=BucketSet(step, whole[0] // step, bits),
                empty=pages[row.series].empty if row.series in pages else Emptiness.none(step),
                restated=BucketSet.of_points(restated.get(row.asset.ticker, []), step=step),
                off_grid=int(off[n]),
            )
