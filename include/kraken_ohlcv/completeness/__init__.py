"""How complete the candles are: counted bucket by bucket in the stores, never derived from the gap records.

Every closed bucket of a series' grid (from the series' start to the exchange's time, or to when its pair
left) is exactly one of

* *stored*: a candle stands in QuestDB, whatever the ledger says;
* *proven empty*: not stored, and the ledger has the evidence (``archive``, ``ohlc``, ``trades``);
* *missing*: due, and neither; by its reach *fillable* (inside the API window), *expiring* (for a day at
  most), or *unfillable* (beyond it, or of a pair that is gone);
* *pending*: neither, and not due yet (:func:`kraken_ohlcv.core.freshness.due_end_s`): no fault of anybody.

``expected = stored + proven_empty + missing``. What is used from outside:

* ``lines_of(read_assets(...), intervals) -> list[Line]``: the series to look at, asset by asset; a slice of
  it is a page.
* ``series_figures(connection, questdb, lines, *, now_s, covered=None) -> dict[Series, Figures]``: one
  :class:`Figures` a series: ``expected``, ``stored``, ``proven`` (by evidence), ``proven_empty``,
  ``fillable``, ``expiring``, ``unfillable``, ``missing``, ``pending``, ``restated``, ``coverage_pct``,
  ``verified_pct``, ``start_s``, ``first_s``, ``last_s``, ``oldest_missing_s``, ``next_expiry_s``;
  ``together(...)`` adds several up.
* ``cells(connection, questdb, lines, covered, period, *, now_s) -> Cells``: arrays of shape (lines, periods),
  one a count, and ``state``, whose numbers are positions in ``STATES``. Use ``.tolist()`` once instead of
  looking at single cells. ``periods`` are the columns' half-open ranges; the gaps of a cell overlap it.
"""

from kraken_ohlcv.completeness.cells import STATES, Cells, CellState, Period, cells, periods_of
from kraken_ohlcv.completeness.figures import Figures, series_figures, together
from kraken_ohlcv.completeness.sheets import Line, lines_of

__all__ = [
    "STATES",
    "CellState",
    "Cells",
    "Figures",
    "Line",
    "Period",
    "cells",
    "lines_of",
    "periods_of",
    "series_figures",
    "together",
]
