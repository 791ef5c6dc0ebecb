"""Candles as a page, its JSON twin and its CSV show them."""

from datetime import date, datetime

from pydantic import BaseModel

from kraken_ohlcv.completeness.series_cells import CellState
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.gap_lists import ListedGap
from kraken_ohlcv.stores.ledger.touched import RunTouch


class Restated(BaseModel):
    """Another version of a stored candle, with the figures in which it differs.

    ``applied_at`` is when it replaced the stored one; None = it was seen once and has not.
    """

    source: str
    first_seen_at: datetime
    applied_at: datetime | None
    old: dict[str, float | None]
    new: dict[str, float | None]


class SealedDay(BaseModel):
    """The newest seal of a UTC day; ``root`` is over what the day held at ``as_of``."""

    day: datetime
    number: int
    revision: int
    root: str
    as_of: datetime
    missing: int


class ShownBucket(BaseModel):
    """A bucket; prices in quote units, volume in base units, None unless it is stored.

    ``state`` is ``stored``, ``empty``, ``missing`` or ``pending``; ``kind`` is its name in the
    heatmap.
    """

    open_time: datetime
    state: str
    kind: CellState
    evidence: str
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    vwap: float | None
    volume: float | None
    trades: int | None
    source: str | None
    stored_at: datetime | None
    gap_id: int | None = None
    is_disputed: bool = False
    restated: list[Restated] = []


class Run(BaseModel):
    """What a run did to the buckets of the period; ``at`` is the exchange's time that it worked with."""

    dag_id: str
    run_id: str
    at: datetime | None
    gaps: int
    candles: int
    outcomes: list[str]
    proven: int
    withdrawn: int

    @classmethod
    def of(cls, one: RunTouch) -> "Run":
        """Return what the ledger tells of it."""
        return cls(
            dag_id=one.dag_id,
            run_id=one.run_id,
            at=None if one.at_s is None else utc(one.at_s),
            gaps=one.gaps,
            candles=one.candles,
            outcomes=sorted(one.outcomes),
            proven=one.proven,
            withdrawn=one.withdrawn,
        )


class CandlePage(BaseModel):
    """One page of the buckets of a series in a period, both days inclusive.

    ``tallies`` count all of them by state; ``runs`` are those that claimed one of the ``gaps`` named, or
    changed proofs in the period.
    """

    ticker: str
    interval_minutes: int
    first_day: date
    last_day: date
    tallies: dict[str, int]
    total: int
    page: int
    pages: int
    buckets: list[ShownBucket]
    total_gaps: int
    gaps: list[ListedGap]
    runs: list[Run]
    note: str
