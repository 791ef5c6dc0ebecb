"""Table ``gap_records`` as people look at it: filtered, counted, page by page; and what to fetch for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.required_files import ShoppingItem, quarters
from kraken_ohlcv.stores.ledger.session import rows

if TYPE_CHECKING:
    from kraken_ohlcv.stores.ledger.session import Connection

PAGE_SIZE: Final = 50

OPEN_STATUSES: Final = tuple(status for status in GapStatus if status is not GapStatus.FILLED)


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
    """

    statuses: list[GapStatus] | None = None
    tier: str | None = None
    tickers: list[str] | None = None
    intervals: list[int] | None = None
    expires_until_s: int | None = None
    detected_until_s: int | None = None
    from_s: int | None = None
    until_s: int | None = None


@dataclass(frozen=True, slots=True)
class ListedGap:
    """A gap, open or filled, as a row of the list; times in epoch seconds UTC.

    :ivar gap_id: primary key
    :ivar ticker: Kraken's altname
    :ivar interval_minutes: candle length, minutes
    :ivar tier: of the asset
    :ivar start_s: oldest missing open time
    :ivar end_s: end of the newest missing bucket, exclusive
    :ivar missing_candles: buckets, > 0
    :ivar status: present state
    :ivar detected_s: when it was first seen
    :ivar attempted_s: last attempt, or None
    :ivar filled_s: when it was closed, or None
    :ivar expires_s: when the API forgets its oldest candle
    :ivar next_attempt_s: not tried before, or None
    :ivar attempts: runs that tried, >= 0
    :ivar filled_from: source of the last bucket, or None
    :ivar unfillable_reason: what it waits for when UNFILLABLE, or None
    :ivar required_csv_file: archive member that closes it when UNFILLABLE, or None
    :ivar error_message: what the last attempt said, or None
    """

    gap_id: int
    ticker: str
    interval_minutes: int
    tier: str
    start_s: int
    end_s: int
    missing_candles: int
    status: str
    detected_s: int
    attempted_s: int | None
    filled_s: int | None
    expires_s: int
    next_attempt_s: int | None
    attempts: int
    filled_from: str | None
    unfillable_reason: str | None
    required_csv_file: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How much there is of something.

    :ivar n_gaps: gaps, >= 0
    :ivar n_candles: missing candles in them, >= 0
    """

    n_gaps: int = 0
    n_candles: int = 0


@dataclass(frozen=True, slots=True)
class FailedTally:
    """FAILED gaps of a tier's active assets.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar intervals: candle lengths concerned, minutes, ascending
    :ivar n_gaps: gaps, > 0
    """

    tier: str
    intervals: list[int]
    n_gaps: int


@dataclass(frozen=True, slots=True)
class GapSubject:
    """What a gap is about.

    :ivar ticker: Kraken's altname
    :ivar interval_minutes: candle length, minutes
    :ivar tier: of the asset
    :ivar start_s: oldest missing open time, epoch seconds UTC
    :ivar end_s: end of the newest missing bucket, exclusive, epoch seconds UTC
    :ivar status: present state
    :ivar unfillable_reason: what it waits for when UNFILLABLE, or None
    """

    ticker: str
    interval_minutes: int
    tier: str
    start_s: int
    end_s: int
    status: str
    unfillable_reason: str | None = None


def tally_gaps(connection: Connection, chosen: GapFilter) -> dict[GapStatus, Tally]:
    """Return how many gaps a filter leaves.

    :param connection: the ledger
    :param chosen: the filter
    :return: by status, every status
    """
    found = dict(rows(connection, "tally_gaps", lambda status, **counts: (status, Tally(**counts)), chosen))
    return {status: found.get(status, Tally()) for status in GapStatus}


def list_shopping(connection: Connection, chosen: GapFilter) -> list[ShoppingItem]:
    """Return the archive files that close UNFILLABLE gaps.

    :param connection: the ledger
    :param chosen: only its tier, tickers and intervals count
    :return: by tier, ticker and interval
    """
    return rows(connection, "list_shopping", _shopping_item, chosen)


def _shopping_item(starts_s: list[int], ends_s: list[int], **row: Any) -> ShoppingItem:
    ranges = list(zip(starts_s, ends_s, strict=True))
    return ShoppingItem(**row, from_s=starts_s[0], until_s=max(ends_s), quarters=quarters(ranges))
