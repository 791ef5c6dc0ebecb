"""The gap: its states, the moves between them, and what is derived from its position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, DAY_S, MINUTE_S, step_s
from kraken_ohlcv.core.months import month_of, months_in
from kraken_ohlcv.core.ranges import Range

MAX_APART: Final = 24
"""Buckets that two missing ones of a gap may open apart."""


class Series(NamedTuple):
    """One ticker at one interval."""

    ticker: str
    interval_minutes: int

    def __str__(self) -> str:
        """Return ``XBTUSD 60``."""
        return f"{self.ticker} {self.interval_minutes}"


class GapStatus(StrEnum):
    """State of a gap record; every state but FILLED is open."""

    DETECTED = "DETECTED"
    BACKFILLING = "BACKFILLING"
    FILLED = "FILLED"
    FAILED = "FAILED"
    UNFILLABLE = "UNFILLABLE"


class UnfillableReason(StrEnum):
    """What an UNFILLABLE gap waits for."""

    OUTSIDE_API_WINDOW = "outside_api_window"
    NOT_PUBLISHED = "not_published"
    PAIR_DELISTED = "pair_delisted"
    NOBODY_HAS_IT = "nobody_has_it"


WAITING: Final = frozenset({UnfillableReason.OUTSIDE_API_WINDOW, UnfillableReason.NOT_PUBLISHED})
"""Reasons for which trades, or Kraken's archive, may still close a gap."""


class FilledFrom(StrEnum):
    """Where the last missing bucket of a FILLED gap came from."""

    OHLC = "ohlc"
    TRADES = "trades"
    ARCHIVE = "archive"
    OBSERVED = "observed"
    EMPTY = "empty"


class Outcome(StrEnum):
    """What one run did with a gap it claimed."""

    FILLED = "filled"
    UNFILLABLE = "unfillable"
    FAILED = "failed"
    DEFERRED = "deferred"


MOVES: Final[dict[GapStatus, frozenset[GapStatus]]] = {
    GapStatus.DETECTED: frozenset({GapStatus.BACKFILLING, GapStatus.FILLED, GapStatus.UNFILLABLE}),
    GapStatus.BACKFILLING: frozenset({
        GapStatus.DETECTED,
        GapStatus.FILLED,
        GapStatus.FAILED,
        GapStatus.UNFILLABLE,
    }),
    GapStatus.FAILED: frozenset({GapStatus.BACKFILLING, GapStatus.FILLED, GapStatus.UNFILLABLE}),
    GapStatus.UNFILLABLE: frozenset({GapStatus.BACKFILLING, GapStatus.DETECTED, GapStatus.FILLED}),
    GapStatus.FILLED: frozenset(),
}
"""Allowed moves; staying in a state is no move."""

OUTCOME_OF: Final[dict[GapStatus, Outcome]] = {
    GapStatus.DETECTED: Outcome.DEFERRED,
    GapStatus.BACKFILLING: Outcome.FAILED,
    GapStatus.FAILED: Outcome.FAILED,
    GapStatus.FILLED: Outcome.FILLED,
    GapStatus.UNFILLABLE: Outcome.UNFILLABLE,
}
"""The outcome that a state means for the run that claims the gap; BACKFILLING: its task died."""


class IllegalMoveError(Exception):
    """A gap was asked to go from one state to another that the table of moves does not allow."""


def check_move(old: GapStatus, new: GapStatus) -> None:
    """Refuse a move that the state machine does not know.

    :param old: present state
    :param new: wanted state
    :raises IllegalMoveError: if the move is not in :data:`MOVES`
    """
    if new != old and new not in MOVES[old]:
        raise IllegalMoveError(f"a gap cannot go from {old} to {new}")


class Acceptance(NamedTuple):
    """Somebody's decision that what is missing stays missing: it is not fetched, nobody is alerted.

    :ivar by: who decided
    :ivar at_s: when, epoch seconds UTC
    :ivar reason: why, as they put it
    """

    by: str
    at_s: int
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """An open row of ``gap_records``.

    :ivar gap_id: primary key
    :ivar series: ticker and interval
    :ivar start_s: oldest missing open time, epoch seconds UTC
    :ivar end_s: end of the newest missing bucket, exclusive, epoch seconds UTC; between them may lie others
        that are not missing
    :ivar missing_candles: missing buckets in it, >= 1
    :ivar status: present state, never FILLED
    :ivar detected_s: when the hole was first seen, the exchange's time, epoch seconds UTC
    :ivar attempts: runs that tried to fill it, >= 0
    :ivar next_attempt_s: not before this time, epoch seconds UTC; None in FAILED means only on request
    :ivar unfillable_reason: set when UNFILLABLE
    :ivar error_message: what the last attempt said
    :ivar acceptance: who decided that it stays, or None; then each bucket of its range is missing, so that
        none becomes part of it without being decided on
    """

    gap_id: int
    series: Series
    start_s: int
    end_s: int
    missing_candles: int
    status: GapStatus
    detected_s: int
    attempts: int
    next_attempt_s: int | None
    unfillable_reason: UnfillableReason | None
    error_message: str | None
    acceptance: Acceptance | None = None

    @property
    def range(self) -> Range:
        """Return from its first to its last missing bucket, epoch seconds UTC."""
        return self.start_s, self.end_s

    def is_eligible(self, now_s: int, *, retry_failed: bool) -> bool:
        """Return whether a run at ``now_s`` may try this gap.

        :param retry_failed: take FAILED gaps before their time, permanent failures too
        :return: False for UNFILLABLE gaps, accepted ones, and those whose time has not come
        """
        if self.status is GapStatus.UNFILLABLE or self.acceptance is not None:
            return False
        if self.status is GapStatus.FAILED:
            return retry_failed or (self.next_attempt_s is not None and self._may_be_tried(now_s))
        return self._may_be_tried(now_s)

    def waits_for_trades(self, now_s: int, *, retry_failed: bool) -> bool:
        """Return whether this gap is one that only trades, or the archive, can close now.

        :param retry_failed: take gaps before their next attempt
        :return: False for accepted gaps
        """
        is_open = self.acceptance is None and self.unfillable_reason in WAITING
        return is_open and (retry_failed or self._may_be_tried(now_s))

    def parts(self, missing: BucketSet, borders: Iterable[int] = ()) -> list[GapPart]:
        """Return what is missing of this gap, parted as its record may hold it.

        :param missing: missing buckets of the series
        :param borders: where a part ends in any case, epoch seconds UTC
        """
        return parts_of(missing.within(self.range), borders, is_accepted=self.acceptance is not None)

    def _may_be_tried(self, now_s: int) -> bool:
        return self.next_attempt_s is None or self.next_attempt_s <= now_s


@dataclass(frozen=True, slots=True)
class GapSegment:
    """What a gap, or a part of it, is to become.

    :ivar start_s: open time of its first missing bucket, epoch seconds UTC
    :ivar end_s: end of its last missing bucket, exclusive, epoch seconds UTC
    :ivar missing_candles: missing buckets in it, >= 1
    :ivar status: new state, never FILLED
    :ivar unfillable_reason: for UNFILLABLE
    :ivar next_attempt_s: epoch seconds UTC or None
    :ivar error_message: one sentence or None
    :ivar outcome: what it means for the run; None = what the state says, see :data:`OUTCOME_OF`
    :ivar acceptance: who decided that it stays, or None
    """

    start_s: int
    end_s: int
    missing_candles: int
    status: GapStatus
    unfillable_reason: UnfillableReason | None = None
    next_attempt_s: int | None = None
    error_message: str | None = None
    outcome: Outcome | None = None
    acceptance: Acceptance | None = None

    @property
    def run_outcome(self) -> Outcome:
        """Return what the segment means for the run that claims it."""
        return self.outcome or OUTCOME_OF[self.status]


class GapPart(NamedTuple):
    """A stretch with missing buckets that lie near each other.

    :ivar start_s: open time of the first missing bucket, epoch seconds UTC
    :ivar end_s: end of the last missing bucket, exclusive, epoch seconds UTC
    :ivar missing_candles: missing buckets in it, >= 1
    """

    start_s: int
    end_s: int
    missing_candles: int

    @property
    def range(self) -> Range:
        """Return from its first to its last missing bucket, epoch seconds UTC."""
        return self.start_s, self.end_s


def reach_of(interval_minutes: int) -> int:
    """Return how many buckets apart two missing ones of a gap may open.

    :return: 24 buckets, at most a day, at least one: from 1440 minutes on only adjacent ones
    """
    return max(1, min(MAX_APART, DAY_S // step_s(interval_minutes)))


def parts_of(missing: BucketSet, borders: Iterable[int] = (), *, is_accepted: bool = False) -> list[GapPart]:
    """Return missing buckets as gaps hold them: near each other, in one UTC month, on one side of a border.

    :param missing: missing buckets of a series
    :param borders: where a gap ends in any case, epoch seconds UTC
    :param is_accepted: whether somebody decided that these buckets stay missing; then only adjacent ones are
        one gap, and none that was not decided on lies between them
    :return: ascending
    """
    start_s, end_s = missing.start_s, missing.end_s
    if start_s is None or end_s is None:
        return []
    reach = 1 if is_accepted else reach_of(missing.step // MINUTE_S)
    cuts = {month[0] for month in months_in([(start_s, end_s)])}.union(borders)
    marks = [start_s, *sorted(cut for cut in cuts if start_s < cut < end_s), end_s]
    return [
        GapPart(*part, len(zone.within(part)))
        for zone in map(missing.within, pairwise(marks))
        for part in zone.clusters(reach)
    ]


def is_joinable(first: Range, second: Range, interval_minutes: int, *, is_accepted: bool = False) -> bool:
    """Return whether two stretches lie near enough to each other for one gap, whatever their states.

    :param first: from the first to the last missing bucket, epoch seconds UTC
    :param second: likewise, behind it; nothing missing lies between them
    :param is_accepted: whether both are accepted; then they must be adjacent
    """
    step = step_s(interval_minutes)
    reach = 1 if is_accepted else reach_of(interval_minutes)
    is_near = second[0] - (first[1] - step) <= reach * step
    return is_near and month_of(first[0]) == month_of(second[1] - step)


def unchanged_segment(gap: Gap, part: GapPart | None = None) -> GapSegment:
    """Return the segment of a gap that keeps all that the gap has.

    :param gap: the open gap
    :param part: part of it; None = all of it
    :return: the same state, reason, time and message there
    """
    kept = part or GapPart(gap.start_s, gap.end_s, gap.missing_candles)
    return GapSegment(
        *kept,
        status=gap.status,
        unfillable_reason=gap.unfillable_reason,
        next_attempt_s=gap.next_attempt_s,
        error_message=gap.error_message,
        acceptance=gap.acceptance,
    )


def candles_from_today(start_s: int, detected_s: int, interval_minutes: int) -> int:
    """Return how many buckets lie between a gap's start and its detection.

    :param start_s: oldest missing open time, epoch seconds UTC
    :param detected_s: the exchange's time at detection, epoch seconds UTC
    :return: closed buckets from ``start_s`` on, >= 0
    """
    return max(0, floor_s(detected_s, interval_minutes) - start_s) // step_s(interval_minutes)


def overflow_candles(start_s: int, detected_s: int, interval_minutes: int) -> int:
    """Return how far a gap's start lay beyond the API window at detection.

    :param start_s: oldest missing open time, epoch seconds UTC
    :param detected_s: the exchange's time at detection, epoch seconds UTC
    :return: buckets, >= 0
    """
    return max(0, candles_from_today(start_s, detected_s, interval_minutes) - API_WINDOW_BUCKETS)


def required_csv_file(series: Series) -> str:
    """Return the member of Kraken's OHLCVT archive that holds a series.

    :return: ``XBTUSD_60.csv``: the archive names members ``<ALTNAME>_<minutes>.csv``
    """
    return f"{series.ticker}_{series.interval_minutes}.csv"
