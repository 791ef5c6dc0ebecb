"""Table ``gap_records`` as people look at it: filtered, counted, page by page; and what to fetch for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from kraken_ohlcv.core.gap import Acceptance, GapStatus, Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.quarters import quarters_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.required_files import RequiredFile
from kraken_ohlcv.core.times import Utc
from kraken_ohlcv.stores.ledger.session import Connection, rows

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class GapFilter:
    """Which gaps are looked at; what is None does not restrict.

    :ivar statuses: states
    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar tickers: LIKE patterns of tickers, at least one of which fits
    :ivar intervals: candle lengths, minutes
    :ivar expires_until_s: the API forgets them at this time or before, epoch seconds UTC
    :ivar detected_until_s: seen first at this time or before, epoch seconds UTC
    :ivar from_s: overlap the period from here, epoch seconds UTC
    :ivar until_s: to here, exclusive, epoch seconds UTC
    :ivar is_accepted: only those that somebody has accepted, or only the others
    """

    statuses: list[GapStatus] | None = None
    tier: str | None = None
    tickers: list[str] | None = None
    intervals: list[int] | None = None
    expires_until_s: int | None = None
    detected_until_s: int | None = None
    from_s: int | None = None
    until_s: int | None = None
    is_accepted: bool | None = None


class GapSubject(BaseModel):
    """What a gap is about; ``gap_end`` is the end of its newest missing bucket."""

    ticker: str
    interval_minutes: int
    tier: str
    gap_start: Utc
    gap_end: Utc
    status: GapStatus
    unfillable_reason: str | None
    accepted_by: str | None = None
    accepted_at: Utc | None = None
    accepted_reason: str | None = None

    @property
    def acceptance(self) -> Acceptance | None:
        """Return who decided that it stays missing, or None."""
        if self.accepted_by is None or self.accepted_at is None or self.accepted_reason is None:
            return None
        return Acceptance(self.accepted_by, int(self.accepted_at.timestamp()), self.accepted_reason)

    @property
    def series(self) -> Series:
        """Return ticker and interval."""
        return Series(self.ticker, self.interval_minutes)

    @property
    def span(self) -> Range:
        """Return from its oldest missing open time to its end, epoch seconds UTC."""
        return int(self.gap_start.timestamp()), int(self.gap_end.timestamp())


class ListedGap(GapSubject):
    """A gap; fields as in the ledger, times UTC."""

    gap_id: int
    missing_candles: int
    detected_at: Utc
    backfill_attempted_at: Utc | None
    filled_at: Utc | None
    expires_at: Utc
    next_attempt_at: Utc | None
    attempts: int
    filled_from: str | None
    required_csv_file: str | None
    error_message: str | None

    @property
    def is_scattered(self) -> bool:
        """Return whether buckets that are not missing lie between the missing ones of an open gap."""
        start_s, end_s = self.span
        n_buckets = (end_s - start_s) // step_s(self.interval_minutes)
        return self.status != GapStatus.FILLED and self.missing_candles < n_buckets


class Tally(BaseModel):
    """How many gaps and missing candles there are."""

    gaps: int = 0
    missing_candles: int = 0


@dataclass(frozen=True, slots=True)
class FailedTally:
    """FAILED gaps of a tier's active assets.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar intervals: candle lengths concerned, minutes, ascending
    :ivar n_gaps: gaps, > 0
    :ivar n_series: their series, > 0
    """

    tier: str
    intervals: list[int]
    n_gaps: int
    n_series: int


def listed_gaps(
    connection: Connection, chosen: GapFilter, *, limit: int | None = None, offset: int = 0
) -> list[ListedGap]:
    """Return the gaps that a filter leaves, the most urgent first.

    :param chosen: the filter
    :param limit: so many at most; None = all
    :param offset: so many are passed over
    """
    return rows(connection, "list_gaps", ListedGap, chosen, page_size=limit, page_offset=offset)


def tally_gaps(connection: Connection, chosen: GapFilter) -> dict[GapStatus, Tally]:
    """Return how many gaps a filter leaves.

    :param chosen: the filter
    :return: by status, every status
    """
    found = dict(rows(connection, "tally_gaps", lambda status, **counts: (status, Tally(**counts)), chosen))
    return {status: found.get(status, Tally()) for status in GapStatus}


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    counts = [(one.gaps, one.missing_candles) for one in tallies]
    return Tally(gaps=sum(gaps for gaps, _ in counts), missing_candles=sum(candles for _, candles in counts))


def list_required_files(connection: Connection, chosen: GapFilter) -> list[RequiredFile]:
    """Return the archive files that close UNFILLABLE gaps.

    :param chosen: only its tier, tickers and intervals count
    :return: by tier, ticker and interval
    """
    return rows(connection, "list_required_files", _required_file, chosen)


def _required_file(starts_s: list[int], ends_s: list[int], **row: Any) -> RequiredFile:
    held_by = quarters_in(zip(starts_s, ends_s, strict=True))
    return RequiredFile(**row, quarters=[one.name for one in held_by])
