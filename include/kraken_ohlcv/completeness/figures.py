"""The figures of a series: expected, stored, proven empty, missing, pending, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import SeriesBuckets, reach_of
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.evidence import Evidence
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


def verified_of(*, stored: int, disputed: int, proven_empty: int) -> int:
    """Return how many buckets are verified: stored undisputed, or proven empty.

    :param stored: all candles, buckets
    :param disputed: those of them where trades prove that nothing traded
    :param proven_empty: buckets without a candle
    """
    return stored - disputed + proven_empty


@dataclass(frozen=True, slots=True)
class Figures:
    """How complete a series, or several together, are. All counts are buckets.

    ``expected == stored + proven_empty + missing``; with ``pending`` it is every closed bucket of the grid.

    :ivar n_series: how many series are counted
    :ivar stored: candles in QuestDB
    :ivar proven_archive: proven empty by Kraken's archive, and not stored
    :ivar proven_ohlc: proven empty by the OHLC call, and not stored
    :ivar proven_trades: proven empty by trades, and not stored
    :ivar fillable: missing and inside the API window for more than a day
    :ivar expiring: missing and inside the API window for a day at most
    :ivar unfillable: missing, beyond the window or of a pair that is gone
    :ivar pending: closed, not here and not due yet
    :ivar restated: stored candles for which the exchange gave other values
    :ivar disputed: stored candles where trades prove that nothing traded; stored, but not verified
    :ivar off_grid: candles off the grid, counted nowhere else
    :ivar start_s: first open time expected, epoch seconds UTC, or None of no series
    :ivar first_s: open time of the oldest stored candle, epoch seconds UTC, or None when nothing is stored
    :ivar last_s: open time of the newest stored candle, epoch seconds UTC, or None
    :ivar oldest_missing_s: open time of the oldest missing candle, epoch seconds UTC, or None
    :ivar next_expiry_s: when the API forgets the next missing candle, epoch seconds UTC, or None
    """

    n_series: int
    stored: int
    proven_archive: int
    proven_ohlc: int
    proven_trades: int
    fillable: int
    expiring: int
    unfillable: int
    pending: int
    restated: int
    disputed: int
    off_grid: int
    start_s: int | None
    first_s: int | None
    last_s: int | None
    oldest_missing_s: int | None
    next_expiry_s: int | None

    @property
    def proven(self) -> dict[str, int]:
        """Return the buckets proven empty, by evidence."""
        return {evidence: getattr(self, name) for evidence, name in PROVEN.items()}

    @property
    def proven_empty(self) -> int:
        """Return the buckets proven empty, by whatever evidence."""
        return self.proven_archive + self.proven_ohlc + self.proven_trades

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
    def verified(self) -> int:
        """Return the buckets that are stored undisputed or proven empty."""
        return verified_of(stored=self.stored, disputed=self.disputed, proven_empty=self.proven_empty)

    @property
    def verified_pct(self) -> float | None:
        """Return the share of the expected buckets that are verified, percent, or None of nothing."""
        return percent(self.verified, self.expected)

    @property
    def worst_first(self) -> float:
        """Return what to sort by to have nothing at all first, then the least verified."""
        return -1.0 if self.verified_pct is None else self.verified_pct

    @property
    def is_loaded(self) -> bool:
        """Return whether any candle is stored."""
        return self.first_s is not None

    def brief(self) -> dict[str, Any]:
        """Return the figures for a reader without the code: buckets, and percent of the expected ones."""
        return {"series": self.n_series, **{name: getattr(self, name) for name in BRIEF}}


BRIEF: Final = (
    "expected",
    "stored",
    "proven_empty",
    "missing",
    "pending",
    "disputed",
    "coverage_pct",
    "verified_pct",
)
PROVEN: Final = {evidence: f"proven_{evidence}" for evidence in Evidence}
"""Name of the count of what each evidence proves."""


def together(all_figures: Iterable[Figures]) -> Figures:
    """Return the figures of several series together.

    :param all_figures: figures of series counted once each; may be empty
    :return: sums, the oldest, the newest, the next
    """
    those = list(all_figures)

    def known(name: str) -> list[int]:
        return [value for one in those if (value := getattr(one, name)) is not None]

    counts = [field.name for field in fields(Figures) if not field.name.endswith("_s")]
    earliest = ("start_s", "first_s", "oldest_missing_s", "next_expiry_s")
    values: dict[str, Any] = {
        **{name: sum(known(name)) for name in counts},
        **{name: min(known(name), default=None) for name in earliest},
    }
    return Figures(**values, last_s=max(known("last_s"), default=None))


def of_interval(figures: Mapping[Series, Figures], interval_minutes: int) -> Figures:
    """Return the figures of all series of an interval together."""
    return together(one for series, one in figures.items() if series.interval_minutes == interval_minutes)


def series_figures(
    connection: Connection,
    questdb: QuestDBClient,
    rows: Sequence[SeriesRow],
    *,
    now_s: int,
    covered: Range | None = None,
) -> dict[Series, Figures]:
    """Return the figures of some series.

    :param rows: the series, each once
    :param covered: only buckets that overlap this half-open range, epoch seconds UTC; None = from the start
    :return: by series, in the order of ``rows``; ``first_s`` and ``last_s`` are over all time
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found = Buckets(connection, questdb, rows, now_s=now_s).read(rows, covered)
    return {one.row.series: figures_of(one, now_s) for one in found}


def figures_of(found: SeriesBuckets, now_s: int) -> Figures:
    """Return the figures of a series.

    :param found: what its buckets are; only those looked at are counted
    """
    interval = found.row.interval_minutes
    reach = reach_of(found.grid, interval, now_s=now_s)
    first_s, last_s = found.span or (None, None)
    saveable_s = found.missing.within(reach.saveable).start_s
    return Figures(
        n_series=1,
        stored=len(found.stored),
        **{PROVEN[evidence]: len(buckets) for evidence, buckets in found.empty.by.items()},
        **{name: len(found.missing.within(part)) for name, part in reach._asdict().items()},
        restated=len(found.restated),
        disputed=len(found.disputed),
        off_grid=found.off_grid,
        start_s=found.grid.start_s,
        first_s=first_s,
        last_s=last_s,
        oldest_missing_s=found.missing.within(reach.due).start_s,
        next_expiry_s=None if saveable_s is None else expiry_s(saveable_s, interval),
    )
