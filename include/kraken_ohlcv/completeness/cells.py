"""The cells of a heatmap: what many series are in each day, week or month, and one state a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import PROVEN, Kind
from kraken_ohlcv.completeness.sheets import Line, Sheet, read_sheets
from kraken_ohlcv.core.freshness import DEFAULT_HOURS
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.session import Connection

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECEMBER: Final = 12


class Period(StrEnum):
    """Length of a cell, UTC: a day, a week from Monday (ISO 8601), a calendar month."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class CellState(StrEnum):
    """State of a cell: the first of these that holds, what asks for action soonest first."""

    NOT_LOADED = "not_loaded"
    """Nothing of this time was ever loaded: it lies before the series' start, or nothing is stored at all."""
    EXPIRING = "expiring"
    """The API forgets a missing candle within a day."""
    UNFILLABLE = "unfillable"
    """A missing candle is out of the API's reach: only trades or Kraken's archive can bring it."""
    FILLABLE = "fillable"
    """A candle is missing; the next backfill brings it."""
    PARTLY_LOADED = "partly_loaded"
    """Nothing is missing from the series' start on; the part before it was never loaded."""
    RESTATED = "restated"
    """Nothing is missing; for a stored candle the exchange gave other values."""
    PENDING = "pending"
    """Nothing is missing; something is not due yet."""
    COMPLETE = "complete"
    """Every bucket is stored or proven empty, and at least one is stored."""
    PROVEN_EMPTY = "proven_empty"
    """Every bucket is proven empty."""
    OUTSIDE = "outside"
    """Nothing is expected: before the pair's first trade, not closed yet, or after it left the exchange."""


STATES: Final = tuple(CellState)
"""What the numbers in :attr:`Cells.state` mean."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Many series by periods, columnar: every array has shape (series, periods), all counts are buckets.

    ``stored + proven_empty + fillable + expiring + unfillable + pending`` is every closed bucket of the grid.

    :ivar lines: the series, in the order asked for
    :ivar periods: half-open range of each column, epoch seconds UTC, ascending, touching
    :ivar state: position in :data:`STATES`
    :ivar stored: candles in QuestDB
    :ivar proven_empty: proven empty and not stored
    :ivar fillable: missing and inside the API window for more than a day
    :ivar expiring: missing and inside the API window for a day at most
    :ivar unfillable: missing and out of the API's reach
    :ivar pending: closed, not here and not due yet
    :ivar not_loaded: before the series' start, though the pair may have traded: never loaded
    :ivar restated: stored candles for which the exchange gave other values, or none at all: trades prove that
        nothing traded
    """

    lines: Sequence[Line]
    periods: list[Range]
    state: NDArray[np.uint8]
    stored: NDArray[np.int32]
    proven_empty: NDArray[np.int32]
    fillable: NDArray[np.int32]
    expiring: NDArray[np.int32]
    unfillable: NDArray[np.int32]
    pending: NDArray[np.int32]
    not_loaded: NDArray[np.int32]
    restated: NDArray[np.int32]

    @property
    def missing(self) -> NDArray[np.int32]:
        """Return the due buckets that are neither stored nor proven empty."""
        return self.fillable + self.expiring + self.unfillable

    @property
    def expected(self) -> NDArray[np.int32]:
        """Return the buckets that are due, or here before they were."""
        return self.stored + self.proven_empty + self.missing


def periods_of(covered: Range, period: Period) -> list[Range]:
    """Return the whole periods that overlap a range.

    :param covered: half-open, not empty, epoch seconds UTC
    :param period: length of a cell
    :return: half-open ranges, ascending, touching, epoch seconds UTC
    """
    day = datetime.fromtimestamp(covered[0] // DAY_S * DAY_S, UTC)
    if period is Period.WEEK:
        day -= timedelta(days=day.weekday())
    if period is Period.MONTH:
        day = day.replace(day=1)
    borders = [int(day.timestamp())]
    while borders[-1] < covered[1]:
        day = _next(day, period)
        borders.append(int(day.timestamp()))
    return list(pairwise(borders))


def _next(day: datetime, period: Period) -> datetime:
    if period is Period.MONTH:
        return day.replace(year=day.year + day.month // DECEMBER, month=day.month % DECEMBER + 1)
    return day + timedelta(days=7 if period is Period.WEEK else 1)


def cells(
    connection: Connection,
    questdb: QuestDBClient,
    lines: Sequence[Line],
    covered: Range,
    period: Period,
    *,
    now_s: int,
    hours: int = DEFAULT_HOURS,
) -> Cells:
    """Return what some series are in each period of a range.

    A candle counts in the period it opens in. A period in which no candle of a long interval opens repeats
    the one that covers it, so that weekly candles leave no white days; only there do the cells add up to more
    than the figures of the series.

    :param lines: the series, each once
    :param covered: half-open, not empty, epoch seconds UTC; widened to whole periods
    :param period: length of a cell
    :param hours: limit for series that no scheduled backfill covers, hours
    :return: one row per line, one column per period
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    periods = periods_of(covered, period)
    shape = (len(lines), len(periods))
    names = [field.name for field in fields(Cells)[3:]]
    counts: dict[str, Any] = {name: np.zeros(shape, dtype=np.int32) for name in names}
    state = np.full(shape, STATES.index(CellState.OUTSIDE), dtype=np.uint8)
    row_of = {line.series: row for row, line in enumerate(lines)}
    whole = (periods[0][0], periods[-1][1])
    for sheet in read_sheets(connection, questdb, lines, whole, now_s=now_s, hours=hours):
        rows = [row_of[line.series] for line in sheet.lines]
        of_sheet = _count(sheet, periods)
        for name in names:
            counts[name][rows] = of_sheet[name]
        is_loaded = np.array([[line.asset.ticker in sheet.spans] for line in sheet.lines], dtype=np.bool_)
        state[rows] = _judge(of_sheet, is_loaded)
    return Cells(lines, periods, state, **counts)


def _count(sheet: Sheet, periods: Sequence[Range]) -> dict[str, NDArray[np.int32]]:
    step, n_buckets = step_s(sheet.interval_minutes), len(sheet.opens)
    borders = np.array([periods[0][0], *(end for _, end in periods)], dtype=np.int64)
    # Number of the first bucket that opens at or after each border, counted from the epoch.
    numbers = -(-borders // step)
    first, last = numbers[:-1], numbers[1:]
    first = np.where(first == last, first - 1, first)
    not_loaded = _before_start(sheet, first, last)
    if not n_buckets:
        nothing = np.zeros((len(sheet.lines), len(periods)), dtype=np.int32)
        return {field.name: nothing for field in fields(Cells)[3:]} | {"not_loaded": not_loaded}
    offset = sheet.opens[0] // step
    first, last = np.clip(first - offset, 0, n_buckets), np.clip(last - offset, 0, n_buckets)

    def per_period(is_one: NDArray[np.bool_]) -> NDArray[np.int32]:
        below = np.zeros((len(sheet.lines), n_buckets + 1), dtype=np.int32)
        np.cumsum(is_one, axis=1, out=below[:, 1:])
        return below[:, last] - below[:, first]

    is_stored = sheet.kinds == Kind.STORED
    return {
        "stored": per_period(is_stored),
        "proven_empty": per_period(np.isin(sheet.kinds, list(PROVEN.values()))),
        "fillable": per_period(sheet.kinds == Kind.FILLABLE),
        "expiring": per_period(sheet.kinds == Kind.EXPIRING),
        "unfillable": per_period(sheet.kinds == Kind.UNFILLABLE),
        "pending": per_period(sheet.kinds == Kind.PENDING),
        "not_loaded": not_loaded,
        "restated": per_period((sheet.restated & is_stored) | sheet.disputed),
    }


def _before_start(sheet: Sheet, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the buckets of each period that lie before a series' start, from its pair's first trade on.

    :param sheet: the series
    :param first: number of the first bucket of each period, counted from the epoch
    :param last: number behind the last one
    :return: shape (series, periods); 0 for a series with nothing expected at all
    """
    step = step_s(sheet.interval_minutes)
    starts, traded = [], []
    for line, grid in zip(sheet.lines, sheet.grids, strict=True):
        first_trade_s = line.asset.first_trade_s
        traded.append(0 if first_trade_s is None else int(first_trade_s // step))
        starts.append(0 if grid.start_s == grid.closed_s else grid.start_s // step)
    until = np.minimum(last[None, :], np.array(starts, dtype=np.int64)[:, None])
    since = np.maximum(first[None, :], np.array(traded, dtype=np.int64)[:, None])
    found: NDArray[np.int32] = np.maximum(until - since, 0).astype(np.int32)
    return found


def _judge(counts: dict[str, NDArray[np.int32]], is_loaded: NDArray[np.bool_]) -> NDArray[np.uint8]:
    has = {name: count > 0 for name, count in counts.items()}
    is_missing = has["fillable"] | has["expiring"] | has["unfillable"]
    is_anything = is_missing | has["stored"] | has["proven_empty"] | has["pending"]
    holds = {
        CellState.NOT_LOADED: (is_missing & ~is_loaded) | (has["not_loaded"] & ~is_anything),
        CellState.EXPIRING: has["expiring"],
        CellState.UNFILLABLE: has["unfillable"],
        CellState.FILLABLE: has["fillable"],
        CellState.PARTLY_LOADED: has["not_loaded"],
        CellState.RESTATED: has["restated"],
        CellState.PENDING: has["pending"],
        CellState.COMPLETE: has["stored"],
        CellState.PROVEN_EMPTY: has["proven_empty"],
    }
    found = np.select(
        list(holds.values()), [STATES.index(one) for one in holds], STATES.index(CellState.OUTSIDE)
    )
    return found.astype(np.uint8)
