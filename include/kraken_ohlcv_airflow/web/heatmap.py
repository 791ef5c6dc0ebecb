"""The heatmap as SVG: one row per series, one path per state, and the counts for the tooltip. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby
from typing import Any, Final

from kraken_ohlcv.completeness.series_cells import CELL_COUNTS, CELL_STATES, CellState, Period, SeriesCells

WIDTH_PX: Final = 1080
"""Room for all cells of a row on a usual screen."""
PITCHES_PX: Final = (32, 24, 18, 14, 12, 10, 8, 7, 6, 5, 4, 3)
"""Widths of a cell with the gap behind it, each with a class in the style sheet."""
HEIGHT_PX: Final = 18
CHARACTER_PX: Final = 7
LABEL_GAP_PX: Final = 10
"""Between two labels of the axis."""
DAY_LABELS_PX: Final = 14
"""From this pitch on, days have labels of their own."""

LEGEND: Final = {
    CellState.COMPLETE: ("Complete", "Every bucket is stored or proven empty"),
    CellState.PROVEN_EMPTY: ("Proven empty", "No trades at all, with evidence"),
    CellState.FILLABLE: (
        "Missing, Kraken still serves it",
        "Fillable: candles are missing; the next backfill fetches them",
    ),
    CellState.EXPIRING: (
        "Missing, leaves the API within 24 h",
        "Expiring: candles are missing that will leave Kraken's API window within 24 hours",
    ),
    CellState.UNFILLABLE: (
        "Missing, beyond the API",
        "Unfillable by the OHLC call: candles are missing that trades or the archive may have",
    ),
    CellState.DISPUTED: (
        "Disputed",
        "Nothing is missing; a candle is stored where trades prove that nothing traded: it is not verified",
    ),
    CellState.RESTATED: (
        "Restated",
        "Nothing is missing; the exchange sent other values for a stored candle",
    ),
    CellState.PARTLY_LOADED: (
        "Partly loaded",
        "The series begins in this period; earlier candles were never loaded",
    ),
    CellState.NOT_LOADED: ("Not loaded", "Nothing in this period was ever loaded"),
    CellState.PENDING: (
        "Not due yet",
        "Nothing is missing; the next scheduled run fetches the newest candles",
    ),
}
"""Title and hint of each state, in the order of the legend."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A label of the axis.

    :ivar x: left edge, pixels
    :ivar text: what it says
    """

    x: int
    text: str


@dataclass(frozen=True, slots=True)
class Heatmap:
    """All that the template draws.

    :ivar pitch: width of a cell with its gap, pixels
    :ivar width: width of all cells, pixels
    :ivar marks: labels of the axis
    :ivar rows: the series
    :ivar paths: of each series, see :func:`paths_of`
    :ivar counts: cells of the whole map by state, those outside left out
    :ivar tooltip: what the script shows of a cell under the pointer: ``states`` and ``counts`` name the
        numbers of each run, ``edges`` are the borders of the columns, epoch seconds UTC
    """

    pitch: int
    width: int
    marks: list[Mark]
    rows: Sequence[SeriesCells]
    paths: list[list[tuple[str, str]]]
    counts: dict[str, int]
    tooltip: dict[str, Any]


def pitch_of(n_periods: int) -> int:
    """Return how wide cells are.

    :param n_periods: columns, > 0
    :return: pixels, the widest of :data:`PITCHES_PX` that fits
    """
    return next((pitch for pitch in PITCHES_PX if pitch * n_periods <= WIDTH_PX), PITCHES_PX[-1])


def runs_of(cells: SeriesCells) -> list[list[int]]:
    """Return the cells of a series as runs of equal neighbours, since most cells are like the one before.

    :param cells: of a series
    :return: ``[n, state, *counts]``: n neighbours with the same state, as numbered by ``CELL_STATES``, and
        the same counts, in the order of ``CELL_COUNTS``; the n add up to the number of periods
    """
    numbers = {state: number for number, state in enumerate(CELL_STATES)}
    columns = [[numbers[state] for state in cells.state], *(getattr(cells, name) for name in CELL_COUNTS)]
    return [[len(list(same)), *cell] for cell, same in groupby(zip(*columns, strict=True))]


def paths_of(states: Sequence[CellState], pitch: int) -> list[tuple[str, str]]:
    """Return the cells of a row as one path a state.

    :param states: of the row's cells
    :param pitch: width of a cell, pixels
    :return: state and path, by state; the gaps between cells are cut by the style sheet
    """
    parts: dict[CellState, str] = {}
    x = 0
    for state, same in groupby(states):
        width = pitch * len(list(same))
        parts[state] = f"{parts.get(state, '')}M{x} 0h{width}v{HEIGHT_PX}h-{width}z"
        x += width
    return [
        (state.value, parts[state])
        for state in CELL_STATES
        if state in parts and state is not CellState.OUTSIDE
    ]


def marks_of(starts: Sequence[datetime], period: Period, pitch: int) -> list[Mark]:
    """Return the labels of the axis: Mondays over wide days, months over days and weeks, years over months.

    :param starts: beginning of each column, UTC
    :param period: length of a cell
    :param pitch: width of a cell, pixels
    :return: from left to right, none over another; the first one, and the first of each year, names the year
    """
    marks: list[Mark] = []
    end_px, year = -LABEL_GAP_PX, None
    for column, day in enumerate(starts):
        before = starts[column - 1] if column else None
        if not _is_marked(day, before, period, pitch):
            continue
        x = column * pitch
        if x < end_px + LABEL_GAP_PX:
            if len(marks) > 1:
                continue
            # What the first label stands for is often cut off by the edge: the second one says more.
            marks.pop()
            year = None
        is_of_days = period is Period.DAY and pitch >= DAY_LABELS_PX
        if period is Period.MONTH and day.month == 1:
            text = f"{day:%Y}"
        else:
            text = f"{day:%-d %b}" if is_of_days else f"{day:%b}"
            text += f" {day:%Y}" if day.year != year else ""
        if x + CHARACTER_PX * len(text) > pitch * len(starts):
            break
        marks.append(Mark(x, text))
        end_px, year = x + CHARACTER_PX * len(text), day.year
    return marks


def _is_marked(day: datetime, before: datetime | None, period: Period, pitch: int) -> bool:
    """Return whether a column that begins at a day may have a label."""
    if before is None:
        return True
    if period is Period.MONTH:
        return day.month == 1 or (pitch >= DAY_LABELS_PX and day.month % 3 == 1)
    if period is Period.DAY and pitch >= DAY_LABELS_PX:
        return day.weekday() == 0
    return day.month != before.month


def draw(rows: Sequence[SeriesCells], edges: Sequence[datetime], period: Period) -> Heatmap:
    """Return the heatmap of some series.

    :param rows: the series
    :param edges: borders of the columns, UTC
    :param period: length of a cell
    :return: what the template draws
    """
    n_periods = len(edges) - 1
    pitch = pitch_of(n_periods)
    runs = [runs_of(row) for row in rows]
    counts: Counter[str] = Counter()
    for n, number, *_ in chain.from_iterable(runs):
        counts[CELL_STATES[number].value] += n
    del counts[CellState.OUTSIDE.value]
    return Heatmap(
        pitch=pitch,
        width=pitch * n_periods,
        marks=marks_of(edges[:-1], period, pitch),
        rows=rows,
        paths=[paths_of(row.state, pitch) for row in rows],
        counts=counts,
        tooltip={
            "states": CELL_STATES,
            "titles": {state: title for state, (title, _) in LEGEND.items()},
            "counts": CELL_COUNTS,
            "edges": [int(edge.timestamp()) for edge in edges],
            "pitch": pitch,
            "rows": runs,
            "series": [(row.ticker, row.interval_minutes) for row in rows],
        },
    )
