"""The heatmap as SVG: one row per series, one path per state, and the counts for the tooltip. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from kraken_ohlcv.completeness import STATES, Cells, CellState, Period
from kraken_ohlcv.completeness.figures import percent
from kraken_ohlcv.core.ranges import Range

COUNTS: Final = (
    "stored",
    "proven_empty",
    "fillable",
    "expiring",
    "unfillable",
    "pending",
    "not_loaded",
    "restated",
)
"""Counts of a cell, in the order in which they follow its state in :func:`runs_of`."""

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


@dataclass(frozen=True, slots=True)
class Mark:
    """A label of the axis.

    :ivar x: left edge, pixels
    :ivar text: what it says
    """

    x: int
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A series.

    :ivar paths: state and SVG path of its cells, without cells outside
    :ivar runs: see :func:`runs_of`
    :ivar expected: due buckets, or here before they were, in all its cells
    :ivar verified: stored or proven empty among them
    :ivar missing: neither
    :ivar not_loaded: before the series' start, never loaded
    """

    paths: list[tuple[str, str]]
    runs: list[list[int]]
    expected: int
    verified: int
    missing: int
    not_loaded: int

    @property
    def verified_pct(self) -> float | None:
        """Return the verified share of what is expected, percent, or None when nothing is."""
        return percent(self.verified, self.expected)

    @property
    def is_whole(self) -> bool:
        """Return whether something is expected, nothing is missing, and all of the time is loaded."""
        return self.expected > 0 and not self.missing and not self.not_loaded


@dataclass(frozen=True, slots=True)
class Heatmap:
    """All that the template draws.

    :ivar pitch: width of a cell with its gap, pixels
    :ivar width: width of all cells, pixels
    :ivar marks: labels of the axis
    :ivar rows: in the order of the lines
    :ivar counts: cells of the whole map by state, those outside left out
    """

    pitch: int
    width: int
    marks: list[Mark]
    rows: list[Row]
    counts: dict[str, int]


def pitch_of(n_periods: int) -> int:
    """Return how wide cells are.

    :param n_periods: columns, > 0
    :return: pixels, the widest of :data:`PITCHES_PX` that fits
    """
    return next((pitch for pitch in PITCHES_PX if pitch * n_periods <= WIDTH_PX), PITCHES_PX[-1])


def runs_of(cells: Cells) -> list[list[list[int]]]:
    """Return each row as runs of equal neighbours, since most cells are like the one before.

    :param cells: of many series
    :return: by row: ``[n, state, *counts]``: n neighbours with the same state and the same counts, in the
        order of :data:`COUNTS`; the n of a row add up to the number of periods
    """
    layers = np.stack([cells.state.astype(np.int32), *(getattr(cells, name) for name in COUNTS)], axis=2)
    n_rows, n_periods, _ = layers.shape
    is_first = np.ones((n_rows, n_periods), dtype=np.bool_)
    if n_periods > 1:
        is_first[:, 1:] = (layers[:, 1:] != layers[:, :-1]).any(axis=2)
    found = []
    for row in range(n_rows):
        firsts = np.flatnonzero(is_first[row])
        lengths = np.diff(firsts, append=n_periods)
        found.append(np.column_stack([lengths, layers[row, firsts]]).tolist())
    return found


def paths_of(runs: Sequence[Sequence[int]], pitch: int) -> list[tuple[str, str]]:
    """Return the cells of a row as one path a state.

    :param runs: as :func:`runs_of` gives them
    :param pitch: width of a cell, pixels
    :return: state and path, by state; the gaps between cells are cut by the style sheet
    """
    parts: dict[int, list[str]] = {}
    outside = STATES.index(CellState.OUTSIDE)
    x = n_same = 0
    last = outside
    for n, state, *_ in [*runs, (0, -1)]:
        if state != last:
            if last != outside and n_same:
                width = n_same * pitch
                parts.setdefault(last, []).append(f"M{x - width} 0h{width}v{HEIGHT_PX}h-{width}z")
            last, n_same = state, 0
        n_same += n
        x += n * pitch
    return [(STATES[state].value, "".join(parts[state])) for state in sorted(parts)]


def marks_of(periods: Sequence[Range], period: Period, pitch: int) -> list[Mark]:
    """Return the labels of the axis: Mondays over wide days, months over days and weeks, years over months.

    :param periods: the columns, epoch seconds UTC
    :param period: length of a cell
    :param pitch: width of a cell, pixels
    :return: from left to right, none over another; the first one, and the first of each year, names the year
    """
    marks: list[Mark] = []
    end_px, year = -LABEL_GAP_PX, None
    starts = [datetime.fromtimestamp(start_s, UTC) for start_s, _ in periods]
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
        if x + CHARACTER_PX * len(text) > pitch * len(periods):
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


def draw(cells: Cells, period: Period) -> Heatmap:
    """Return the heatmap of some cells.

    :param cells: of many series
    :param period: length of a cell
    :return: what the template draws
    """
    pitch = pitch_of(len(cells.periods))
    stored, empty, missing, not_loaded = (
        array.sum(axis=1).tolist()
        for array in (cells.stored, cells.proven_empty, cells.missing, cells.not_loaded)
    )
    numbers, counts = np.unique(cells.state, return_counts=True)
    return Heatmap(
        pitch=pitch,
        width=pitch * len(cells.periods),
        marks=marks_of(cells.periods, period, pitch),
        rows=[
            Row(
                paths=paths_of(runs, pitch),
                runs=runs,
                expected=stored[number] + empty[number] + missing[number],
                verified=stored[number] + empty[number],
                missing=missing[number],
                not_loaded=not_loaded[number],
            )
            for number, runs in enumerate(runs_of(cells))
        ],
        counts={
            STATES[number].value: count
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
            if STATES[number] is not CellState.OUTSIDE
        },
    )


def tooltip_data(cells: Cells, heatmap: Heatmap) -> dict[str, Any]:
    """Return what the script needs to tell of a cell under the pointer.

    :param cells: of many series
    :param heatmap: drawn from them
    :return: ``states`` and ``counts`` name the numbers of each run, ``edges`` are the borders of the columns,
        epoch seconds UTC
    """
    return {
        "states": [state.value for state in STATES],
        "counts": COUNTS,
        "edges": [cells.periods[0][0], *(end_s for _, end_s in cells.periods)],
        "pitch": heatmap.pitch,
        "rows": [row.runs for row in heatmap.rows],
    }
