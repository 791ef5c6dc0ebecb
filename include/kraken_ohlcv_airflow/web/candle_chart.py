"""Candles as SVG: prices as candlesticks over volumes, with the state of each bucket below them. Pure.

Shapes are stretched to the width of the page, labels are not: their place is a percentage of that width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple

from kraken_ohlcv.completeness.series_cells import CELL_STATES, CellState

MAX_COLUMNS: Final = 240
"""More buckets share columns, so that each is wide enough to be seen."""
MIN_COLUMNS: Final = 24
"""Fewer leave room at the right, so that none is as wide as the page."""

PITCH: Final = 10
BODY: Final = 7
PRICE_HEIGHT: Final = 210
VOLUME_TOP: Final = 222
VOLUME_HEIGHT: Final = 56
STATE_TOP: Final = 288
STATE_HEIGHT: Final = 18
"""The strip lies on the grid of the patterns that fill it, as a row of the heatmap does."""
HEIGHT: Final = STATE_TOP + STATE_HEIGHT
"""Pixels, the same at any width."""
MARGIN: Final = 8
"""Above the highest price and below the lowest one."""
SAME_PRICE: Final = 1e-9
"""Prices nearer to each other, as a share of the higher one, are drawn as one; Kraken's differ more."""
PRICE_LABELS: Final = 5
TIME_LABELS: Final = 5

SHADED: Final = (
    CellState.NOT_LOADED,
    CellState.EXPIRING,
    CellState.UNFILLABLE,
    CellState.FILLABLE,
    CellState.PENDING,
    CellState.PROVEN_EMPTY,
)
"""States that are also seen behind the prices."""


class Bucket(NamedTuple):
    """What is drawn of a bucket.

    :ivar at: open time, UTC
    :ivar kind: its state
    :ivar prices: open, high, low, close in quote units; None unless it is stored
    :ivar volume: base units, 0 unless it is stored
    """

    at: datetime
    kind: CellState
    prices: tuple[float, float, float, float] | None
    volume: float


class Label(NamedTuple):
    """A label of an axis.

    :ivar at: percent of the width, or pixels from the top
    :ivar text: what it says
    :ivar anchor: ``start``, ``middle`` or ``end``
    """

    at: float
    text: str
    anchor: str = "start"


class Column(NamedTuple):
    """One column, or the buckets that share it.

    :ivar first: open time of the first bucket, UTC
    :ivar n_buckets: how many there are
    :ivar kinds: of each kind, how many, worst first
    :ivar prices: open, high, low, close of the stored ones together; None when none is stored
    :ivar volume: of all
    """

    first: datetime
    n_buckets: int
    kinds: list[tuple[CellState, int]]
    prices: tuple[float, float, float, float] | None
    volume: float

    @property
    def worst(self) -> CellState:
        """Return the state that asks for action soonest."""
        return self.kinds[0][0]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the template draws; paths are in units of the stretched drawing.

    :ivar width: of the drawing, units
    :ivar per_column: buckets that share a column
    :ivar columns: from left to right
    :ivar rising: bodies of columns that closed at or above their open
    :ivar falling: those that closed lower
    :ivar rising_wicks: from their lowest to their highest price
    :ivar falling_wicks: likewise
    :ivar volumes: bars of volume
    :ivar states: a path per state, for the strip below
    :ivar shades: a path per state, behind the prices
    :ivar price_labels: ``at`` is pixels from the top
    :ivar time_labels: ``at`` is percent of the width
    """

    width: int
    per_column: int
    columns: list[Column]
    rising: str
    falling: str
    rising_wicks: str
    falling_wicks: str
    volumes: str
    states: list[tuple[str, str]]
    shades: list[tuple[str, str]]
    price_labels: list[Label]
    time_labels: list[Label]


def draw_candles(buckets: Sequence[Bucket], step_s: int) -> Chart:
    """Return the chart of some successive buckets.

    :param buckets: at least one, ascending, without one left out
    :param step_s: bucket length, seconds
    """
    per_column = -(-len(buckets) // MAX_COLUMNS)
    columns = [_column(buckets[at : at + per_column]) for at in range(0, len(buckets), per_column)]
    n_slots = max(len(columns), MIN_COLUMNS)
    traded = [one.prices for one in columns if one.prices]
    scale = _Scale.of(min((p[2] for p in traded), default=0.0), max((p[1] for p in traded), default=0.0))
    bodies: dict[bool, list[str]] = {True: [], False: []}
    wicks: dict[bool, list[str]] = {True: [], False: []}
    volumes = []
    most = max(one.volume for one in columns)
    for number, column in enumerate(columns):
        if column.prices is None:
            continue
        opened, high, low, closed = column.prices
        x, is_rising = number * PITCH, closed >= opened
        top, bottom = scale.y(max(opened, closed)), scale.y(min(opened, closed))
        left = x + (PITCH - BODY) / 2
        bodies[is_rising].append(f"M{left:g} {top:g}h{BODY}v{max(1.0, bottom - top):.4g}h-{BODY}z")
        wicks[is_rising].append(
            f"M{x + PITCH / 2:g} {scale.y(high):g}V{max(scale.y(low), scale.y(high) + 1):g}"
        )
        height = max(1.0, round(VOLUME_HEIGHT * column.volume / most, 1)) if column.volume else 0.0
        volumes.append(f"M{left:g} {VOLUME_TOP + VOLUME_HEIGHT:g}v-{height:g}h{BODY}v{height:g}z")
    return Chart(
        width=n_slots * PITCH,
        per_column=per_column,
        columns=columns,
        rising="".join(bodies[True]),
        falling="".join(bodies[False]),
        rising_wicks="".join(wicks[True]),
        falling_wicks="".join(wicks[False]),
        volumes="".join(volumes),
        states=_runs(columns, STATE_TOP, STATE_HEIGHT, CELL_STATES),
        shades=_runs(columns, 0, PRICE_HEIGHT, SHADED),
        price_labels=[Label(scale.y(price), _plain(price)) for price in scale.ticks()] if traded else [],
        time_labels=_time_labels(columns, n_slots, timedelta(seconds=step_s)),
    )


class _Scale(NamedTuple):
    """From prices to pixels."""

    low: float
    high: float

    @classmethod
    def of(cls, low: float, high: float) -> _Scale:
        """Return the scale that shows two prices with nothing beyond; one price lies in the middle.

        Prices that differ by the rounding of doubles only are one price: there is no round one between them.
        """
        if high - low <= abs(high) * SAME_PRICE:
            return cls(low - abs(low) * 0.01 - 1e-12, high + abs(high) * 0.01 + 1e-12)
        return cls(low, high)

    def y(self, price: float) -> float:
        """Return pixels from the top, to a tenth."""
        share = (self.high - price) / (self.high - self.low)
        return round(MARGIN + share * (PRICE_HEIGHT - 2 * MARGIN), 1)

    def ticks(self) -> list[float]:
        """Return round prices, at most as many as there is room for."""
        rough = (self.high - self.low) / (PRICE_LABELS - 1)
        power = 10.0 ** math.floor(math.log10(rough))
        size = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
        digits = max(0, 2 - math.floor(math.log10(size)))
        first = math.ceil(self.low / size)
        return [round(n * size, digits) for n in range(first, math.floor(self.high / size) + 1)]


def _plain(price: float) -> str:
    return f"{price:,.12f}".rstrip("0").rstrip(".").replace(",", "\u2009")


def _column(some: Sequence[Bucket]) -> Column:
    counts: dict[CellState, int] = {}
    for one in some:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    traded = [one.prices for one in some if one.prices]
    prices = None
    if traded:
        prices = traded[0][0], max(p[1] for p in traded), min(p[2] for p in traded), traded[-1][3]
    return Column(
        some[0].at,
        len(some),
        sorted(counts.items(), key=lambda item: CELL_STATES.index(item[0])),
        prices,
        sum(one.volume for one in some),
    )


def _runs(
    columns: Sequence[Column], top: int, height: int, wanted: Sequence[CellState]
) -> list[tuple[str, str]]:
    """Return neighbours of the same state as one rectangle, a path per state."""
    parts: dict[CellState, str] = {}
    x = 0
    for state, same in groupby(columns, key=lambda column: column.worst):
        width = PITCH * len(list(same))
        parts[state] = f"{parts.get(state, '')}M{x} {top}h{width}v{height}h-{width}z"
        x += width
    return [(state.value, parts[state]) for state in wanted if state in parts]


def _time_labels(columns: Sequence[Column], n_slots: int, step: timedelta) -> list[Label]:
    """Return some times below the columns that they belong to; the first one names the year."""
    form = "%-d %b %H:%M" if step < timedelta(days=1) else "%-d %b %Y"
    n = min(TIME_LABELS, len(columns))
    found = []
    for number in range(n):
        at = 0 if n == 1 else round(number * (len(columns) - 1) / (n - 1))
        is_last = at == n_slots - 1 and at
        percent = 100.0 if is_last else round(100 * (at + (0.5 if number else 0)) / n_slots, 2)
        anchor = "end" if is_last else "middle" if number else "start"
        found.append(Label(percent, columns[at].first.strftime(form), anchor))
    return found
