"""Reads from QuestDB, for many series at once, which buckets are stored: the second of the gap queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.bucket_arrays import of_marks
from kraken_ohlcv.stores.queries import BLOCK_BUCKETS, MICROSECONDS, bounds, chosen, rendered

Bits: TypeAlias = NDArray[np.bool_]

MAX_BUCKETS: Final = 2_000_000
"""Buckets of one statement, about twenty bytes of memory each while it is read."""


def read_spans(
    questdb: QuestDBClient, tickers: Sequence[str], interval_minutes: int, *, until_s: int
) -> dict[str, Range]:
    """Return the open times of the oldest and newest stored candle of each series.

    :param tickers: Kraken's altnames, at least one
    :param until_s: exclusive, epoch seconds UTC
    :return: first and last open time by ticker, epoch seconds UTC; a series without a candle is absent
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    n_tickers, named = chosen(tickers)
    rows = questdb.query(
        rendered("candle_spans", n_tickers=n_tickers),
        {"interval": str(interval_minutes), "until_us": until_s * MICROSECONDS, **named},
    )
    wanted = set(tickers)
    return {ticker: (first_s, last_s) for ticker, first_s, last_s in rows if ticker in wanted}


def read_stored(
    questdb: QuestDBClient, tickers: Sequence[str], interval_minutes: int, covered: Range
) -> tuple[Bits, NDArray[np.int64]]:
    """Return which buckets of some series of one interval are stored.

    :param tickers: Kraken's altnames, unique; n of them
    :param covered: half-open, on the grid, m buckets, epoch seconds UTC
    :return: whether a candle is stored, shape (n, m); candles off the grid, shape (n,), which count nowhere
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    step = step_s(interval_minutes)
    block_s = BLOCK_BUCKETS * step
    first_block = covered[0] // block_s
    n_blocks = -(-covered[1] // block_s) - first_block
    n_tickers, named = chosen(tickers)
    rows = questdb.query(
        rendered("stored_buckets", params={"tickers": tickers if n_tickers else None}),
        {
            "interval": str(interval_minutes),
            "step_us": step * MICROSECONDS,
            "block_us": block_s * MICROSECONDS,
            **bounds(covered),
            **named,
        },
    )
    row_of = {ticker: n for n, ticker in enumerate(tickers)}
    found = np.array(
        [
            (row_of[ticker], block, bits, off_grid)
            for ticker, block, bits, off_grid in rows
            if ticker in row_of
        ],
        dtype=np.int64,
    ).reshape(-1, 4)
    stored = np.zeros((len(tickers), n_blocks, BLOCK_BUCKETS), dtype=np.bool_)
    bits = found[:, 2, None] >> np.arange(BLOCK_BUCKETS)
    stored[found[:, 0], found[:, 1] - first_block] = (bits & 1).astype(np.bool_)
    off_grid = np.bincount(found[:, 0], weights=found[:, 3], minlength=len(tickers)).astype(np.int64)
    begin = (covered[0] - first_block * block_s) // step
    n_buckets = (covered[1] - covered[0]) // step
    return stored.reshape(len(tickers), -1)[:, begin : begin + n_buckets], off_grid


def read_open_times(
    questdb: QuestDBClient, wanted: Mapping[Series, Sequence[Range]]
) -> tuple[dict[Series, BucketSet], dict[Series, int]]:
    """Return which buckets of some series are stored in some months.

    :param wanted: months by series, ascending, epoch seconds UTC
    :return: open times on the grid by series; and candles off the grid by series, counted nowhere else
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found = {series: BucketSet(step_s(series.interval_minutes)) for series in wanted}
    strays: dict[Series, int] = dict.fromkeys(wanted, 0)
    for tickers, interval, covered in _statements(wanted):
        stored, off_grid = read_stored(questdb, tickers, interval, covered)
        first = covered[0] // step_s(interval)
        for number, ticker in enumerate(tickers):
            series = Series(ticker, interval)
            found[series] |= of_marks(stored[number], first=first, step=step_s(interval))
            strays[series] += int(off_grid[number])
    return found, strays


def _statements(wanted: Mapping[Series, Sequence[Range]]) -> Iterator[tuple[list[str], int, Range]]:
    """Return tickers, interval and range of each statement: months of the same tickers go together."""
    tickers: dict[tuple[int, Range], list[str]] = defaultdict(list)
    for series, months in wanted.items():
        for month in months:
            tickers[series.interval_minutes, month].append(series.ticker)
    open_: tuple[list[str], int, Range] | None = None
    for (interval, month), those in sorted(tickers.items()):
        step = step_s(interval)
        part = (-(-month[0] // step) * step, -(-month[1] // step) * step)
        at_once = max(1, MAX_BUCKETS * step // (part[1] - part[0]))
        if len(those) > at_once:
            yield from ((those[n : n + at_once], interval, part) for n in range(0, len(those), at_once))
            continue
        if open_ is not None:
            whole = (open_[2][0], part[1])
            if (
                open_[:2] == (those, interval)
                and open_[2][1] == part[0]
                and (whole[1] - whole[0]) // step * len(those) <= MAX_BUCKETS
            ):
                open_ = (those, interval, whole)
                continue
            yield open_
        open_ = (those, interval, part)
    if open_ is not None:
        yield open_
