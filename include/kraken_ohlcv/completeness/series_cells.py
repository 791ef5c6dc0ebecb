"""What series are in each day, week or month: the cells of the heatmap, and one state per cell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, computed_field

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import Counter, Numbers, SeriesBuckets, reach_of
from kraken_ohlcv.completeness.figures import percent, verified_of
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_rows import Listing, SeriesRow
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.session import Connection


class Period(StrEnum):
    """Length of a cell, UTC: a day, a week from Monday (ISO 8601), a calendar month."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


MOST_DAYS: Final = {
    Period.DAY: timedelta(days=1),
    Period.WEEK: timedelta(days=7),
    Period.MONTH: timedelta(days=31),
}
"""From the beginning of a period into the next one."""


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
    DISPUTED = "disputed"
    """Nothing is missing; a candle is stored where trades prove that nothing traded."""
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


CELL_STATES: Final = tuple(CellState)
"""In the order in which they are tried, and numbered where a number stands for a state."""

MISSING_COUNTS: Final = ("fillable", "expiring", "unfillable")
"""Counts of a cell that are of missing candles."""
CELL_COUNTS: Final = (
    "stored",
    "proven_empty",
    *MISSING_COUNTS,
    "pending",
    "not_loaded",
    "disputed",
    "restated",
)
"""Names of the counts of a cell."""


class Shares(NamedTuple):
    """How a series stands in a time, in buckets.

    :ivar verified: stored undisputed or proven empty
    :ivar disputed: stored where trades prove that nothing traded
    :ivar missing: due, neither stored nor proven empty
    :ivar never_loaded: before the series' start, though the pair may have traded
    """

    verified: int
    disputed: int
    missing: int
    never_loaded: int

    @property
    def expected(self) -> int:
        """Return the buckets that are due, or here before they were."""
        return self.verified + self.disputed + self.missing

    @property
    def verified_pct(self) -> float | None:
        """Return the share of the time that is verified, percent; None when nothing is expected."""
        return percent(self.verified, self.expected + self.never_loaded) if self.expected else None

    @property
    def is_whole(self) -> bool:
        """Return whether something is expected, and all of the time is loaded and verified."""
        return self.verified > 0 and self.verified == self.expected + self.never_loaded

    @property
    def worst_first(self) -> tuple[float, int]:
        """Return what to sort by to have no data at all first, then the least verified, then most missing."""
        return (-1.0 if self.verified_pct is None else self.verified_pct), -self.missing


class SeriesCells(BaseModel):
    """A series by periods: one number per period in each list, counting buckets.

    ``stored + proven_empty + fillable + expiring + unfillable + pending`` is every closed bucket of the grid.

    :ivar since: where the series begins; None when nothing of it is stored
    :ivar stored: candles in QuestDB
    :ivar proven_empty: proven empty and not stored
    :ivar fillable: missing and inside the API window for more than a day
    :ivar expiring: missing and inside the API window for a day at most
    :ivar unfillable: missing and out of the API's reach
    :ivar pending: closed, not here and not due yet
    :ivar not_loaded: before the series' start, though the pair may have traded: never loaded
    :ivar disputed: stored candles where trades prove that nothing traded; not verified
    :ivar restated: stored candles for which the exchange gave other values
    """

    ticker: str
    tier: str
    interval_minutes: int
    listing: Listing
    since: datetime | None
    state: list[CellState]
    stored: list[int]
    proven_empty: list[int]
    fillable: list[int]
    expiring: list[int]
    unfillable: list[int]
    pending: list[int]
    not_loaded: list[int]
    disputed: list[int]
    restated: list[int]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def expected(self) -> int:
        """Return the buckets of all periods that are due, or here before they were."""
        return self.shares.expected

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verified_pct(self) -> float | None:
        """Return the share of all periods that is verified, percent, or None of nothing.

        What was never loaded counts: it is of the time asked for.
        """
        return self.shares.verified_pct

    @cached_property
    def missing(self) -> int:
        """Return the due buckets of all periods that are neither stored nor proven empty."""
        return sum(sum(getattr(self, name)) for name in MISSING_COUNTS)

    @cached_property
    def verified(self) -> int:
        """Return the buckets of all periods that are stored undisputed or proven empty."""
        return verified_of(
            stored=sum(self.stored), disputed=self.n_disputed, proven_empty=sum(self.proven_empty)
        )

    @cached_property
    def n_disputed(self) -> int:
        """Return the stored candles of all periods where trades prove that nothing traded."""
        return sum(self.disputed)

    @cached_property
    def never_loaded(self) -> int:
        """Return the buckets of all periods before the series' start."""
        return sum(self.not_loaded)

    @property
    def shares(self) -> Shares:
        """Return what is verified, disputed, missing and never loaded of all periods."""
        return Shares(self.verified, self.n_disputed, self.missing, self.never_loaded)

    @property
    def is_whole(self) -> bool:
        """Return whether something is expected, and all of the time is loaded and verified."""
        return self.shares.is_whole


def edges_of(covered: Range, period: Period) -> list[datetime]:
    """Return the borders of the whole periods that overlap a range.

    :param covered: half-open, not empty, epoch seconds UTC
    :param period: length of a cell
    :return: ascending, UTC; one more than there are periods
    """
    day = utc(covered[0] // DAY_S * DAY_S)
    if period is Period.WEEK:
        day -= timedelta(days=day.weekday())
    if period is Period.MONTH:
        day = day.replace(day=1)
    edges = [day]
    while edges[-1].timestamp() < covered[1]:
        day = edges[-1] + MOST_DAYS[period]
        edges.append(day.replace(day=1) if period is Period.MONTH else day)
    return edges


def series_cells(
    connection: Connection,
    questdb: QuestDBClient,
    rows: Sequence[SeriesRow],
    edges: Sequence[datetime],
    *,
    now_s: int,
) -> list[SeriesCells]:
    """Return what some series are in each period.

    A candle counts in the period it opens in. A period in which no candle of a long interval opens repeats
    the one that covers it, so that weekly candles leave no white days; only there do the cells add up to more
    than the figures of the series.

    :param rows: the series, each once
    :param edges: borders of the periods, as :func:`edges_of` gives them
    :return: in the order of ``rows``
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if not rows:
        return []
    borders = np.array([int(edge.timestamp()) for edge in edges], dtype=np.int64)
    whole = (int(borders[0]), int(borders[-1]))
    counts, is_loaded, starts = [], [], []
    for one in Buckets(connection, questdb, rows, now_s=now_s).read(rows, whole):
        counts.append(count_cells(one, borders, now_s))
        is_loaded.append(one.span is not None)
        starts.append(None if one.span is None else utc(one.grid.start_s))
    of_all = {name: np.array([count[name] for count in counts]) for name in CELL_COUNTS}
    states = _judge(of_all, np.array(is_loaded)[:, None]).tolist()
    listed = {name: count.tolist() for name, count in of_all.items()}
    return [
        SeriesCells(
            ticker=row.asset.ticker,
            tier=row.asset.tier,
            interval_minutes=row.interval_minutes,
            listing=row.listing,
            since=starts[number],
            state=[CELL_STATES[state] for state in states[number]],
            **{name: listed[name][number] for name in CELL_COUNTS},
        )
        for number, row in enumerate(rows)
    ]


def count_cells(found: SeriesBuckets, borders: Numbers, now_s: int) -> dict[str, Numbers]:
    """Return the counts of a series in each period.

    :param borders: of the periods, ascending, epoch seconds UTC
    :return: by name, see :data:`CELL_COUNTS`
    """
    step = step_s(found.row.interval_minutes)
    # Number of the first bucket that opens at or after each border, counted from the epoch.
    numbers = -(-borders // step)
    first, last = numbers[:-1], numbers[1:]
    first = np.where(first == last, first - 1, first)
    sets = {
        "stored": found.stored,
        "proven_empty": found.empty.all,
        "disputed": found.disputed,
        "restated": found.restated,
    }
    # Most sets of most series are empty.
    counts = dict.fromkeys(CELL_COUNTS, np.zeros_like(first))
    counts |= {name: Counter(buckets).between(first, last) for name, buckets in sets.items() if buckets}
    if found.missing:
        missing = Counter(found.missing)
        reach = reach_of(found.grid, found.row.interval_minutes, now_s=now_s)
        for name, (start_s, end_s) in reach._asdict().items():
            part = np.maximum(first, -(-start_s // step)), np.minimum(last, -(-end_s // step))
            counts[name] = missing.between(*part)
    counts["not_loaded"] = _before_start(found, first, last)
    return counts


def shares_of(found: SeriesBuckets, covered: Range, now_s: int) -> Shares:
    """Return how a series stands in a time.

    :param found: what its buckets are in this time
    :param covered: half-open, epoch seconds UTC
    """
    counts = count_cells(found, np.array(covered, dtype=np.int64), now_s)
    n = {name: int(count[0]) for name, count in counts.items()}
    missing = sum(n[name] for name in MISSING_COUNTS)
    verified = verified_of(stored=n["stored"], disputed=n["disputed"], proven_empty=n["proven_empty"])
    return Shares(verified, n["disputed"], missing, n["not_loaded"])


def _before_start(found: SeriesBuckets, first: Numbers, last: Numbers) -> Numbers:
    """Return the buckets of each period that lie before a series' start, from its pair's first trade on.

    :param found: the series
    :param first: number of the first bucket of each period, counted from the epoch
    :param last: number behind the last one
    :return: 0 everywhere for a series with nothing expected at all
    """
    step = step_s(found.row.interval_minutes)
    grid, first_trade_s = found.grid, found.row.asset.first_trade_s
    start = 0 if grid.start_s == grid.closed_s else grid.start_s // step
    traded = 0 if first_trade_s is None else int(first_trade_s // step)
    before: Numbers = np.maximum(np.minimum(last, start) - np.maximum(first, traded), 0)
    return before


def _judge(counts: dict[str, Numbers], is_loaded: NDArray[np.bool_]) -> NDArray[np.uint8]:
    has = {name: count > 0 for name, count in counts.items()}
    is_missing = np.logical_or.reduce([has[name] for name in MISSING_COUNTS])
    is_anything = is_missing | has["stored"] | has["proven_empty"] | has["pending"]
    holds = {
        CellState.NOT_LOADED: (is_missing & ~is_loaded) | (has["not_loaded"] & ~is_anything),
        CellState.EXPIRING: has["expiring"],
        CellState.UNFILLABLE: has["unfillable"],
        CellState.FILLABLE: has["fillable"],
        CellState.DISPUTED: has["disputed"],
        CellState.PARTLY_LOADED: has["not_loaded"],
        CellState.RESTATED: has["restated"],
        CellState.PENDING: has["pending"],
        CellState.COMPLETE: has["stored"],
        CellState.PROVEN_EMPTY: has["proven_empty"],
    }
    found = np.select(
        list(holds.values()), [CELL_STATES.index(one) for one in holds], CELL_STATES.index(CellState.OUTSIDE)
    )
    return found.astype(np.uint8)
