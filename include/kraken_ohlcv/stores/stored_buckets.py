"""Reads from QuestDB, for many series at once, which buckets are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.queries import BLOCK_BUCKETS, MICROSECONDS, bounds, chosen, rendered

Bits: TypeAlias = NDArray[np.bool_]


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
        rendered("stored_buckets", n_tickers=n_tickers),
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
