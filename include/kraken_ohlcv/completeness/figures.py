"""The figures of a series: expected, stored, proven empty, missing, pending, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import MISSING, PROVEN, Kind
from kraken_ohlcv.completeness.sheets import Line, Sheet, read_sheets
from kraken_ohlcv.core.freshness import DEFAULT_HOURS
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.session import Connection


def percent(part: int, whole: int) -> float | None:
    """Return a share that reads 100 only when nothing is missing.

    :param part: buckets, >= 0
    :param whole: buckets, >= ``part``
    :return: percent, cut, not rounded, after four decimals; None of nothing, which is never complete
    """
    return (part * 1_000_000 // whole) / 10_000 if whole else None


@dataclass(frozen=True, slots=True)
class Figures:
    """How complete a series, or several together, are. All counts are buckets.

    ``expected == stored + proven_empty + missing``; with ``pending`` it is every closed bucket of the grid.

    :ivar n_series: how many series are counted
    :ivar stored: candles in QuestDB
    :ivar proven: proven empty and not stored, by evidence
    :ivar fillable: missing and inside the API window for more than a day
    :ivar expiring: missing and inside the API window for a day at most
    :ivar unfillable: missing, beyond the window or of a pair that is gone
    :ivar pending: closed, not here and not due yet
    :ivar restated: stored candles for which the exchange gave other values
    :ivar disputed: stored candles where trades prove that nothing traded; stored, but not verified
    :ivar strays: candles off the grid, counted nowhere else
    :ivar start_s: first open time expected, epoch seconds UTC, or None of no series
    :ivar first_s: open time of the oldest stored candle, epoch seconds UTC, or None when nothing is stored
    :ivar last_s: open time of the newest stored candle, epoch seconds UTC, or None
    :ivar oldest_missing_s: open time of the oldest missing candle, epoch seconds UTC, or None
    :ivar next_expiry_s: when the API forgets the next missing candle, epoch seconds UTC, or None
    """

    n_series: int
    stored: int
    proven: dict[str, int]
    fillable: int
    expiring: int
    unfillable: int
    pending: int
    restated: int
    strays: int
    start_s: int | None
    first_s: int | None
    last_s: int | None
    oldest_missing_s: int | None
    next_expiry_s: int | None
    disputed: int = 0

    @property
    def proven_empty(self) -> int:
        """Return the buckets proven empty, by whatever evidence."""
        return sum(self.proven.values())

    @property
    def missing(self) -> int:
        """Return the due buckets that are neither stored nor proven empty."""
        return self.fillable + self.expiring + self.unfillable

    @property
    def expected(self) -> int:
        """Return the buckets that are due, or here before they were."""
        return self.stored + self.proven_empty + self.missing

    @property
    def coverage_pct(self) -> float | None:
        """Return the share of the expected buckets that are stored, percent, or None of nothing."""
        return percent(self.stored, self.expected)

    @property
    def verified_pct(self) -> float | None:
        """Return the share of the expected buckets that are stored undisputed or proven empty, or None."""
        return percent(self.stored - self.disputed + self.proven_empty, self.expected)

    @property
    def worst_first(self) -> float:
        """Return what to sort by to have nothing at all first, then the least verified."""
        return -1.0 if self.verified_pct is None else self.verified_pct

    @property
    def is_loaded(self) -> bool:
        """Return whether any candle is stored."""
        return self.first_s is not None


def together(all_figures: Iterable[Figures]) -> Figures:
    """Return the figures of several series together.

    :param all_figures: figures of series counted once each; may be empty
    :return: sums, the oldest, the newest, the next
    """
    those = list(all_figures)

    def total(name: str) -> int:
        return sum(getattr(one, name) for one in those)

    def known(name: str) -> list[int]:
        return [getattr(one, name) for one in those if getattr(one, name) is not None]

    return Figures(
        n_series=total("n_series"),
        stored=total("stored"),
        proven={evidence: sum(one.proven[evidence] for one in those) for evidence in PROVEN},
        fillable=total("fillable"),
        expiring=total("expiring"),
        unfillable=total("unfillable"),
        pending=total("pending"),
        restated=total("restated"),
        disputed=total("disputed"),
        strays=total("strays"),
        start_s=min(known("start_s"), default=None),
        first_s=min(known("first_s"), default=None),
        last_s=max(known("last_s"), default=None),
        oldest_missing_s=min(known("oldest_missing_s"), default=None),
        next_expiry_s=min(known("next_expiry_s"), default=None),
    )


def series_figures(
    connection: Connection,
    questdb: QuestDBClient,
    lines: Sequence[Line],
    *,
    now_s: int,
    covered: Range | None = None,
    hours: int = DEFAULT_HOURS,
) -> dict[Series, Figures]:
    """Return the figures of some series.

    :param lines: the series, each once
    :param covered: only buckets that overlap this half-open range, epoch seconds UTC; None = from the start
    :param hours: limit for series that no scheduled backfill covers, hours
    :return: by series, in the order of ``lines``; ``first_s`` and ``last_s`` are over all time
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found: dict[Series, Figures] = {}
    for sheet in read_sheets(connection, questdb, lines, covered, now_s=now_s, hours=hours):
        found |= _figures(sheet)
    return {line.series: found[line.series] for line in lines}


def _figures(sheet: Sheet) -> dict[Series, Figures]:
    counts = {kind: (sheet.kinds == kind).sum(axis=1).tolist() for kind in Kind}
    restated = (sheet.restated & (sheet.kinds == Kind.STORED)).sum(axis=1).tolist()
    disputed = sheet.disputed.sum(axis=1).tolist()
    in_reach = _oldest(sheet, Kind.FILLABLE, Kind.EXPIRING)
    missing = _oldest(sheet, *MISSING)
    found = {}
    for row, line in enumerate(sheet.lines):
        first_s, last_s = sheet.spans.get(line.asset.ticker, (None, None))
        saveable_s = in_reach[row]
        found[line.series] = Figures(
            n_series=1,
            stored=counts[Kind.STORED][row],
            proven={evidence: counts[kind][row] for evidence, kind in PROVEN.items()},
            fillable=counts[Kind.FILLABLE][row],
            expiring=counts[Kind.EXPIRING][row],
            unfillable=counts[Kind.UNFILLABLE][row],
            pending=counts[Kind.PENDING][row],
            restated=restated[row],
            disputed=disputed[row],
            strays=int(sheet.strays[row]),
            start_s=sheet.grids[row].start_s,
            first_s=first_s,
            last_s=last_s,
            oldest_missing_s=missing[row],
            next_expiry_s=None if saveable_s is None else expiry_s(saveable_s, sheet.interval_minutes),
        )
    return found


def _oldest(sheet: Sheet, *kinds: Kind) -> list[int | None]:
    """Return the open time of the oldest bucket of some kinds in each series."""
    is_one = np.isin(sheet.kinds, kinds)
    if not is_one.size:
        return [None] * len(sheet.lines)
    first = is_one.argmax(axis=1)
    return [
        int(sheet.opens[column]) if is_one[row, column] else None for row, column in enumerate(first.tolist())
    ]
