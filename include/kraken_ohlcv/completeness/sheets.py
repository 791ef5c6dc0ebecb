"""Reads both stores in bulk into sheets: what every bucket of some series of one interval is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import PROVEN, Grid, Kind, Kinds, Times, classify, grid_of
from kraken_ohlcv.core.freshness import DEFAULT_HOURS
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.proofs import ProvenRange
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.stored_buckets import Bits, read_spans, read_stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BUCKETS: Final = 8_000_000
"""Buckets of one sheet, some 40 bytes of memory each while it is made; more series make more sheets."""


class Line(NamedTuple):
    """A series to look at.

    :ivar asset: the asset
    :ivar interval_minutes: candle length, minutes
    """

    asset: Asset
    interval_minutes: int

    @property
    def series(self) -> Series:
        """Return ticker and interval."""
        return Series(self.asset.ticker, self.interval_minutes)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Some series of one interval, bucket by bucket; all arrays have one row per series.

    :ivar lines: the series; length n
    :ivar interval_minutes: candle length, minutes
    :ivar grids: grid of each series; length n
    :ivar spans: open times of the oldest and newest stored candle by ticker, over all time
    :ivar opens: open times, epoch seconds UTC, ascending, without a hole; shape (m,), m may be 0
    :ivar kinds: :class:`kraken_ohlcv.completeness.buckets.Kind`; shape (n, m)
    :ivar restated: whether the exchange gave other values for a stored candle; shape (n, m)
    :ivar disputed: whether a candle is stored where trades prove that nothing traded; shape (n, m)
    :ivar strays: candles off the grid in the range looked at, counted nowhere else; shape (n,)
    """

    lines: Sequence[Line]
    interval_minutes: int
    grids: Sequence[Grid]
    spans: dict[str, Range]
    opens: Times
    kinds: Kinds
    restated: Bits
    disputed: Bits
    strays: NDArray[np.int64]


def lines_of(assets: Sequence[Asset], intervals: Sequence[int]) -> list[Line]:
    """Return every series of some assets and intervals.

    :param assets: as read from the ledger
    :param intervals: candle lengths, minutes
    :return: asset by asset, in the given order
    """
    return [Line(asset, interval) for asset in assets for interval in intervals]


def read_sheets(
    connection: Connection,
    questdb: QuestDBClient,
    lines: Sequence[Line],
    covered: Range | None,
    *,
    now_s: int,
    hours: int = DEFAULT_HOURS,
    max_buckets: int = MAX_BUCKETS,
) -> Iterator[Sheet]:
    """Look at some series bucket by bucket, in bounded memory.

    :param lines: the series, each once
    :param covered: only buckets that overlap this half-open range, epoch seconds UTC; None = from the start
    :param hours: limit for series that no scheduled backfill covers, hours
    :param max_buckets: size of a sheet; one that holds a single series may be larger
    :return: sheets, by interval in order of appearance, and within it in the order of ``lines``
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    for interval in dict.fromkeys(line.interval_minutes for line in lines):
        those = [line for line in lines if line.interval_minutes == interval]
        tickers = [line.asset.ticker for line in those]
        spans = read_spans(questdb, tickers, interval, until_s=now_s)
        known = fetch(connection, "read_series", tickers=tickers, intervals=[interval])
        start_s = {row["ticker"]: row["start_s"] for row in known}
        grids = [
            grid_of(
                line.asset,
                interval,
                known_s=start_s.get(line.asset.ticker),
                span=spans.get(line.asset.ticker),
                now_s=now_s,
                hours=hours,
            )
            for line in those
        ]
        whole = _whole(grids, covered, interval, now_s)
        size = max(1, max_buckets // max(1, (whole[1] - whole[0]) // step_s(interval)))
        for first in range(0, len(those), size):
            part = slice(first, first + size)
            yield _sheet(connection, questdb, those[part], grids[part], spans, whole, now_s=now_s)


def _whole(grids: Sequence[Grid], covered: Range | None, interval: int, now_s: int) -> Range:
    """Return the range to look at: on the grid, within what has closed."""
    end_s = floor_s(now_s, interval)
    begin_s = min(grid.start_s for grid in grids)
    if covered is not None:
        # The buckets that the borders lie in belong to it.
        begin_s = max(begin_s, floor_s(covered[0], interval))
        end_s = min(end_s, -floor_s(-covered[1], interval))
    return begin_s, max(begin_s, end_s)


def _sheet(
    connection: Connection,
    questdb: QuestDBClient,
    lines: Sequence[Line],
    grids: Sequence[Grid],
    spans: dict[str, Range],
    covered: Range,
    *,
    now_s: int,
) -> Sheet:
    interval = lines[0].interval_minutes
    step = step_s(interval)
    tickers = [line.asset.ticker for line in lines]
    opens = np.arange(*covered, step, dtype=np.int64)
    asked = {"tickers": tickers, "interval_minutes": interval, "from_s": covered[0], "until_s": covered[1]}
    # The ledger first: a candle stored meanwhile then counts as stored, whatever was proven before.
    proven = _proven(proofs.read(connection, tickers, [interval], covered=covered), tickers, opens, step)
    restated = np.zeros((len(lines), len(opens)), dtype=np.bool_)
    row_of = {ticker: n for n, ticker in enumerate(tickers)}
    for row in fetch(connection, "read_restated_between", asked):
        restated[row_of[row["ticker"]], (row["ts_s"] - covered[0]) // step] = True
    if len(opens):
        stored, strays = read_stored(questdb, tickers, interval, covered)
    else:
        stored, strays = np.zeros_like(restated), np.zeros(len(lines), dtype=np.int64)
    kinds = classify(opens, grids, stored, proven, interval_minutes=interval, now_s=now_s)
    disputed = (kinds == Kind.STORED) & (proven == Kind.PROVEN_TRADES)
    return Sheet(lines, interval, grids, spans, opens, kinds, restated & stored, disputed, strays)


def _proven(
    proven: Mapping[Series, Sequence[ProvenRange]], tickers: Sequence[str], opens: Times, step: int
) -> Kinds:
    """Return the kind of proof of each bucket, 0 = none; the ranges of a series never overlap."""
    shape = (len(tickers), len(opens) + 1)
    if not proven or not len(opens):
        return np.zeros((shape[0], len(opens)), dtype=np.uint8)
    row_of = {ticker: n for n, ticker in enumerate(tickers)}
    found = np.array(
        [
            (row_of[series.ticker], one.start_s, one.end_s, PROVEN[one.evidence])
            for series, those in proven.items()
            for one in those
        ],
        dtype=np.int64,
    )
    borders = np.clip((found[:, 1:3] - opens[0]) // step, 0, len(opens))
    change = np.zeros(shape, dtype=np.int16)
    np.add.at(change, (found[:, 0], borders[:, 0]), found[:, 3])
    np.subtract.at(change, (found[:, 0], borders[:, 1]), found[:, 3])
    return change.cumsum(axis=1, dtype=np.int16)[:, :-1].astype(np.uint8)
