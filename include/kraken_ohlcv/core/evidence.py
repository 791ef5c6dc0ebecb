"""What a source says of a series, and what the emptiness in it proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import OddRow, StoredCandle
from kraken_ohlcv.core.gap import FilledFrom
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.restatement import CONFIRM_AFTER_S

BUSY_SHARE: Final = 0.99
"""A series is busy when at least this share of an answer's buckets traded."""

LATE_START_BUCKETS: Final = 2
"""An answer may begin this many buckets after the edge of the window: the documentation promises 720 rows
with the running one, and a bucket may roll while the call is under way."""


class Evidence(StrEnum):
    """How it is known that nothing traded, weakest first."""

    ARCHIVE = "archive"
    OHLC = "ohlc"
    TRADES = "trades"


EVIDENCE_RANK: Final = {Evidence.ARCHIVE: 1, Evidence.OHLC: 2, Evidence.TRADES: 3}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A first sight of an empty range in a busy series, not yet proof.

    :ivar start_s: epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    :ivar first_seen_s: the exchange's time, epoch seconds UTC
    """

    start_s: int
    end_s: int
    first_seen_s: int

    @property
    def range(self) -> Range:
        """Return the empty range, epoch seconds UTC."""
        return self.start_s, self.end_s


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What a source says of a series: one OHLC answer, what was built of trades, or a file of the archive.

    Only buckets that were closed at the run's time are in it.

    :ivar covered: the range the answer speaks about, epoch seconds UTC; empty (0, 0) without a closed row
    :ivar traded: candles with trades, by open time, ascending
    :ivar empty: buckets without trades, as the source itself says: a row left out says nothing
    :ivar is_busy: whether at least :data:`BUSY_SHARE` of the buckets traded
    :ivar window_start_s: oldest open time that this answer could reach, epoch seconds UTC
    :ivar step: candle length, seconds
    :ivar source: where the candles come from
    :ivar doubtful: buckets of ``traded`` that may be short of trades; they fill a hole and replace nothing
    :ivar odd: rows that cannot be used; their buckets are neither in ``traded`` nor in ``empty``
    :ivar trade_ids: Kraken's numbers of the first and the last trade read, or None
    """

    covered: Range
    traded: dict[int, StoredCandle]
    empty: BucketSet
    is_busy: bool
    window_start_s: int
    step: int
    source: FilledFrom = FilledFrom.OHLC
    doubtful: Sequence[Range] = ()
    odd: Sequence[OddRow] = ()
    trade_ids: tuple[int, int] | None = None

    @property
    def evidence(self) -> Evidence:
        """Return what kind of proof the source gives."""
        return Evidence(self.source)

    @property
    def begins_late(self) -> bool:
        """Return whether buckets that the window should hold are missing at the old end of the answer."""
        start, end = self.covered
        return start == end or start > self.window_start_s + LATE_START_BUCKETS * self.step


@dataclass(frozen=True, slots=True)
class Proof:
    """What the emptiness seen in an answer amounts to.

    :ivar proven: buckets that are now proven empty
    :ivar waiting: buckets seen empty, waiting for a second sighting
    :ivar sightings: the first sightings of the series that wait for a second from now on
    """

    proven: BucketSet
    waiting: BucketSet
    sightings: list[Sighting]


def weigh_emptiness(
    empty: BucketSet, *, covered: Range, is_busy: bool, sightings: Sequence[Sighting], now_s: int
) -> Proof:
    """Decide which empty buckets are proven.

    :param empty: buckets without trades that are neither stored nor proven yet
    :param covered: the range that the answer speaks about, epoch seconds UTC
    :param is_busy: whether the series nearly always trades
    :param sightings: earlier first sightings of the series
    :return: the proof
    Rule: a bucket of a liquid pair was once served flat with count 0 although it had traded, so in a busy
    series one sighting is not enough.
    """
    old_enough = ranges.union(s.range for s in sightings if now_s - s.first_seen_s >= CONFIRM_AFTER_S)
    proven = empty & BucketSet.of_ranges(old_enough, step=empty.step) if is_busy else empty
    waiting = empty - proven
    stretches = waiting.ranges()
    kept = [
        Sighting(*part, old.first_seen_s)
        for old in sightings
        # Outside the answer nothing new is known about an old sighting.
        for part in ranges.union(
            ranges.intersect([old.range], stretches), ranges.subtract([old.range], [covered])
        )
    ]
    new = ranges.subtract(stretches, [s.range for s in sightings])
    return Proof(proven, waiting, [*kept, *(Sighting(*part, now_s) for part in new)])


def confirmable_s(waiting: Range, sightings: Sequence[Sighting], *, now_s: int) -> int:
    """Return when a second look at a waiting range can prove all of it.

    :param waiting: range seen empty, epoch seconds UTC
    :param sightings: earlier first sightings of the series
    :param now_s: the exchange's time of this sighting, epoch seconds UTC
    :return: epoch seconds UTC
    """
    seen = [s.first_seen_s for s in sightings if ranges.intersect([waiting], [s.range])]
    first_seen = now_s if ranges.subtract([waiting], [s.range for s in sightings]) else max(seen)
    return first_seen + CONFIRM_AFTER_S
