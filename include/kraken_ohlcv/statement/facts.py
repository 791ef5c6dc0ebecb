"""What a statement is made of: the facts of a tier and a range, before anybody words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from kraken_ohlcv.completeness.figures import percent, verified_of
from kraken_ohlcv.completeness.series_rows import Listing
from kraken_ohlcv.core.gap import GapStatus, Series
from kraken_ohlcv.core.seal import DaySeal
from kraken_ohlcv.core.tiers import TierPlan
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.disagreements import Disagreement
from kraken_ohlcv.stores.ledger.touched import CandleVersion

PROVISIONAL: Final = ("archive_provisional", "imported")
"""Sources of stored candles that nothing has identified so far."""


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What a series holds of a range; counts are buckets.

    ``due == all stored + all proven + missing``; ``pending`` and ``before_start`` are counted nowhere else.

    :ivar series: ticker and interval
    :ivar listing: how the pair stands with the exchange
    :ivar stored: candles in QuestDB, by source
    :ivar proven: buckets without a candle that are proven empty, by evidence
    :ivar missing: due, and neither stored nor proven empty
    :ivar accepted: those among the missing that somebody has accepted
    :ivar disputed: stored candles where trades prove that nothing traded
    :ivar restated: stored candles for which the exchange gave other values at any time
    :ivar off_grid: candles off the grid, which belong to no bucket
    :ivar pending: closed, not here and not due yet
    :ivar before_start: buckets before the series begins that the pair may have traded in; nobody loaded them
    :ivar start_s: where the series begins, epoch seconds UTC; None when it was never processed
    """

    series: Series
    listing: Listing
    stored: Mapping[str, int]
    proven: Mapping[str, int]
    missing: int
    accepted: int
    disputed: int
    restated: int
    off_grid: int
    pending: int
    before_start: int
    start_s: int | None

    @property
    def n_stored(self) -> int:
        """Return the stored candles."""
        return sum(self.stored.values())

    @property
    def n_proven(self) -> int:
        """Return the buckets proven empty."""
        return sum(self.proven.values())

    @property
    def due(self) -> int:
        """Return the buckets that are due, or here before they were."""
        return self.n_stored + self.n_proven + self.missing

    @property
    def provisional(self) -> int:
        """Return the stored candles that nothing has identified so far."""
        return sum(self.stored.get(source, 0) for source in PROVISIONAL)

    @property
    def unproven(self) -> int:
        """Return the due buckets about which nothing is sure: missing, provisional or disputed."""
        return self.missing + self.provisional + self.disputed

    @property
    def verified(self) -> int:
        """Return the due buckets that are stored undisputed or proven empty."""
        return verified_of(stored=self.n_stored, disputed=self.disputed, proven_empty=self.n_proven)

    @property
    def verified_pct(self) -> float | None:
        """Return the share of the due buckets that are verified, percent, cut; None of nothing."""
        return percent(self.verified, self.due)


@dataclass(frozen=True, slots=True)
class GapFacts:
    """A gap record; moments are epoch seconds UTC.

    :ivar visible_s: when it could be seen first: its oldest bucket had closed, and the asset was there
    :ivar is_part: whether it is a part of a gap that was split, and was detected with it
    """

    gap_id: int
    ticker: str
    interval_minutes: int
    start_s: int
    end_s: int
    missing_candles: int
    status: GapStatus
    detected_s: int
    visible_s: int
    is_part: bool
    filled_s: int | None
    filled_from: str | None
    attempts: int
    unfillable_reason: str | None
    accepted_by: str | None
    accepted_s: int | None
    accepted_reason: str | None

    @property
    def outcome(self) -> str:
        """Return how it was closed, a key of :data:`OUTCOMES`."""
        if self.status == GapStatus.FILLED:
            return str(self.filled_from)
        if self.accepted_by is not None:
            return "accepted"
        return "lost" if self.unfillable_reason == "nobody_has_it" else "open"


OUTCOMES: Final[Mapping[str, str]] = {
    "ohlc": "filled from OHLC",
    "trades": "filled from trades",
    "archive": "filled from the archive",
    "observed": "filled, by a candle that a later detection found stored",
    "empty": "proven empty",
    "accepted": "accepted as missing",
    "open": "still open",
    "lost": "nobody has it",
}
"""How a gap was closed, or was not, in words; by the last bucket of it that came."""


@dataclass(frozen=True, slots=True)
class RestatementFacts(CandleVersion):
    """Another version of a stored candle, and the series of the candle."""

    ticker: str
    interval_minutes: int


@dataclass(frozen=True, slots=True)
class Restatements:
    """The restatements that concern a range.

    :ivar replaced: candles of the range that were replaced
    :ivar pending: versions of candles of the range that were seen once and have replaced nothing
    :ivar of_earlier_days: candles of days before the range that were replaced in it
    :ivar listed: the newest of all these
    """

    replaced: int
    pending: int
    of_earlier_days: int
    listed: Sequence[RestatementFacts] = ()

    @property
    def n_left(self) -> int:
        """Return how many are counted and not listed."""
        return self.replaced + self.pending + self.of_earlier_days - len(self.listed)


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """An incident that was open in a range; moments are epoch seconds UTC.

    :ivar recovered_s: when it ended; None = it is open
    :ivar subjects: what it concerned, names of tickers, series, runs or tiers
    """

    incident_id: int
    key: str
    headline: str
    since_s: int
    opened_s: int
    recovered_s: int | None
    subjects: Sequence[str]


@dataclass(frozen=True, slots=True)
class Acceptances:
    """Missing buckets of a series that stay because somebody decided so.

    :ivar series: ticker and interval
    :ivar buckets: how many of them are in the range
    :ivar by: who decided
    :ivar at_s: when, epoch seconds UTC
    :ivar reason: why, in their words
    """

    series: Series
    buckets: int
    by: str
    at_s: int
    reason: str


@dataclass(frozen=True, slots=True)
class RolledUp:
    """Gap records that a clean-up has deleted: what of them is still known.

    :ivar month: in which they were closed, ``2026-10``
    """

    month: str
    status: str
    filled_from: str | None
    gaps: int
    candles: int


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """A target of the tier, and what was reached of it in the range.

    :ivar name: see :class:`kraken_ohlcv.core.objective.Objective`
    :ivar target_pct: percent, or None when the plan sets none
    :ivar reached_pct: percent, cut; None when no bucket counts
    :ivar is_met: None without a target, or where no bucket counts
    :ivar due: buckets that count
    :ivar bad: those of them that miss the target
    :ivar budget: how many may miss it; None like ``is_met``
    :ivar days: UTC days with buckets that count
    :ivar why: a sentence
    """

    name: str
    target_pct: float | None
    reached_pct: float | None
    is_met: bool | None
    due: int
    bad: int
    budget: float | None
    days: int
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SealHead:
    """The newest entry of the log of seals.

    :ivar number: place in the log
    :ivar hash: hexadecimal; who keeps it elsewhere can show later that nothing up to it was altered
    :ivar as_of_us: moment of the ledger's clock that it is about, epoch microseconds
    """

    number: int
    hash: str
    as_of_us: int


@dataclass(frozen=True, slots=True)
class SealedDay:
    """What is sealed of a UTC day.

    :ivar day_s: its first second, epoch seconds UTC
    :ivar root: over the newest seals of all series of the ledger, hexadecimal; None when there is none, or
        the log was altered
    :ivar sealed: series of the tier with a seal
    :ivar unsealed: series of the tier whose buckets of that day are all due, and that have no seal
    :ivar all_series: series of the ledger with a seal
    """

    day_s: int
    root: str | None
    sealed: int
    unsealed: int
    all_series: int


@dataclass(frozen=True, slots=True)
class Seals:
    """What the log of seals says of a range.

    :ivar head: its newest entry; None of an empty log
    :ivar days: every day of the range
    :ivar revisions: days of the tier's series that were sealed again, the newest first, as many as are listed
    :ivar n_revisions: how many there are
    :ivar unreadable: numbers of entries that are none any more: somebody has altered the log
    :ivar disagreements: sealed days of the tier's series that have changed, though no record explains it
    """

    head: SealHead | None
    days: Sequence[SealedDay]
    revisions: Sequence[DaySeal]
    n_revisions: int
    unreadable: Sequence[int]
    disagreements: Sequence[Disagreement] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of a tier and a range.

    :ivar exchange: base URL of the exchange that the ledger belongs to; None before its first use
    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar plan: what the plan says of the tier now
    :ivar period: the range
    :ivar made_s: the exchange's time, epoch seconds UTC
    :ivar as_of_us: every write up to this moment of the ledger's clock is in it, epoch microseconds
    :ivar version: of this package
    :ivar ledger_revision: newest migration of the ledger
    :ivar records_began_us: since when the ledger keeps what the past needs, epoch microseconds
    :ivar series: the series that the plan keeps
    :ivar targets: what the tier is to reach
    :ivar left: series that reports of the range counted in the tier, and that it does not keep now
    :ivar gaps: gap records that overlap the range or were detected in it
    :ivar rolled_up: gap records that may have been among them, and were deleted
    :ivar acceptances: what stays missing because somebody decided so
    :ivar restatements: other versions of candles
    :ivar incidents: those that concern the tier
    :ivar other_incidents: how many others were open in the range
    :ivar seals: what is sealed of it
    """

    exchange: str | None
    tier: str
    plan: TierPlan
    period: Period
    made_s: int
    as_of_us: int
    version: str
    ledger_revision: str
    records_began_us: int
    series: Sequence[SeriesFacts]
    targets: Sequence[TargetFacts]
    left: Sequence[Series]
    gaps: Sequence[GapFacts]
    rolled_up: Sequence[RolledUp]
    acceptances: Sequence[Acceptances]
    restatements: Restatements
    incidents: Sequence[IncidentFacts]
    other_incidents: int
    seals: Seals

    def total(self, name: str) -> int:
        """Return the sum of a count over all series.

        :param name: of a count of :class:`SeriesFacts`
        """
        return total(self.series, name)

    @property
    def verified_pct(self) -> float | None:
        """Return the share of all due buckets that are verified, percent, cut; None of nothing."""
        return verified_pct(self.series)


def total(series: Sequence[SeriesFacts], name: str) -> int:
    """Return the sum of a count over some series.

    :param name: of a count of :class:`SeriesFacts`
    """
    return sum(getattr(one, name) for one in series)


def verified_pct(series: Sequence[SeriesFacts]) -> float | None:
    """Return the share of the due buckets of some series that are verified, percent, cut; None of nothing."""
    return percent(total(series, "verified"), total(series, "due"))
