"""What every bucket of a series is: stored, proven empty, missing or not due yet; pure, series in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.freshness import DEFAULT_HOURS, due_end_s
from kraken_ohlcv.core.grid import api_window_start_s, closed_range, expiry_s, series_start_s
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.stored_buckets import Bits

Statuses: TypeAlias = NDArray[np.uint8]
Times: TypeAlias = NDArray[np.int64]

EXPIRING_S: Final = DAY_S
"""A missing candle whose expiry (:func:`kraken_ohlcv.core.grid.expiry_s`) is nearer than this, seconds."""


class BucketStatus(IntEnum):
    """What a bucket is. Every closed bucket of a series' grid is exactly one of these but OUTSIDE."""

    OUTSIDE = 0
    """Before the series' start, not closed yet, or after its pair left the exchange."""
    STORED = 1
    """A candle stands in QuestDB, whatever the ledger says."""
    PROVEN_ARCHIVE = 2
    PROVEN_OHLC = 3
    PROVEN_TRADES = 4
    """Not stored, and proven empty by this evidence."""
    FILLABLE = 5
    """Missing, due, and inside the API window for more than a day."""
    EXPIRING = 6
    """Missing, due, and inside the API window for a day at most."""
    UNFILLABLE = 7
    """Missing, due, and out of the API's reach: beyond the window, or of a pair that is gone."""
    PENDING = 8
    """Missing and not due yet: not counted against anything."""


PROVEN: Final[Mapping[str, BucketStatus]] = {
    Evidence.ARCHIVE: BucketStatus.PROVEN_ARCHIVE,
    Evidence.OHLC: BucketStatus.PROVEN_OHLC,
    Evidence.TRADES: BucketStatus.PROVEN_TRADES,
}
"""By evidence, as the ledger spells it."""
MISSING: Final = (BucketStatus.FILLABLE, BucketStatus.EXPIRING, BucketStatus.UNFILLABLE)


class Grid(NamedTuple):
    """The buckets that a series is to have.

    :ivar start_s: first open time expected, epoch seconds UTC
    :ivar closed_s: end of the newest closed bucket, epoch seconds UTC
    :ivar due_s: end of the newest bucket that is due, epoch seconds UTC
    :ivar is_delisted: whether the pair has left the exchange
    """

    start_s: int
    closed_s: int
    due_s: int
    is_delisted: bool


def grid_of(
    asset: Asset,
    interval_minutes: int,
    *,
    known_s: int | None,
    span: Range | None,
    now_s: int,
) -> Grid:
    """Return the grid of a series as the next backfill would see it.

    :param asset: the asset
    :param known_s: start in the ledger, epoch seconds UTC, or None when the series was never processed
    :param span: open times of the oldest and newest stored candle, epoch seconds UTC, or None when nothing is
        stored
    :return: the grid; empty for a series never loaded whose pair is gone, which is nobody's gap; that of a
        pair which the catalogue does not expect ends with its newest candle
    """
    oldest_s = None if span is None else span[0]
    start_s = series_start_s(
        known_s=known_s,
        oldest_s=oldest_s,
        first_trade_s=asset.first_trade_s,
        now_s=now_s,
        interval_minutes=interval_minutes,
    )
    is_delisted = asset.delisted_s is not None or not asset.is_listed
    if is_delisted and span is None and (known_s is None or not asset.is_listed):
        return Grid(start_s, start_s, start_s, is_delisted)
    end_s = min(now_s, asset.delisted_s or now_s)
    if not asset.is_listed and span is not None:
        end_s = min(end_s, span[1] + step_s(interval_minutes))
    _, closed_s = closed_range(start_s, end_s, interval_minutes)
    due_s = due_end_s(asset.tier, interval_minutes, now_s, hours=DEFAULT_HOURS)
    return Grid(start_s, closed_s, due_s, is_delisted)


def classify(
    opens: Times, grids: Sequence[Grid], stored: Bits, proven: Statuses, *, interval_minutes: int, now_s: int
) -> Statuses:
    """Return what every bucket of some series of one interval is.

    :param opens: open times, epoch seconds UTC, ascending; shape (m,)
    :param grids: grid of each series; length n
    :param stored: whether a candle is stored; shape (n, m)
    :param proven: :class:`BucketStatus` of the proof of emptiness, 0 = none; shape (n, m)
    :return: :class:`BucketStatus` of each bucket; shape (n, m)
    """
    window_start_s = api_window_start_s(now_s, interval_minutes)
    reach = np.select(
        [opens < window_start_s, opens + expiry_s(0, interval_minutes) <= now_s + EXPIRING_S],
        [np.uint8(BucketStatus.UNFILLABLE), np.uint8(BucketStatus.EXPIRING)],
        np.uint8(BucketStatus.FILLABLE),
    )
    start, closed, due, gone = np.array(grids, dtype=np.int64).reshape(-1, 4).T[:, :, None]
    missing = np.where(gone, np.uint8(BucketStatus.UNFILLABLE), reach[None, :])
    statuses = np.where(opens[None, :] < due, missing, np.uint8(BucketStatus.PENDING))
    statuses = np.where(proven > 0, proven, statuses)
    statuses[stored] = BucketStatus.STORED
    statuses[(opens[None, :] < start) | (opens[None, :] >= closed)] = BucketStatus.OUTSIDE
    return statuses
