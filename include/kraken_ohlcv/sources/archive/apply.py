"""Brings the ledger of a series up to an archive file that has been stored, the way of every source."""

from __future__ import annotations

from dataclasses import replace

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import (
    FilledFrom,
    Gap,
    GapPart,
    GapSegment,
    GapStatus,
    Series,
    UnfillableReason,
    unchanged_segment,
)
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.apply import apply_result
from kraken_ohlcv.repair.context import FillAttempt, RunContext, WriteResult
from kraken_ohlcv.sources.archive.staging import Staged
from kraken_ohlcv.sources.archive.store import Stored
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.series_state import register_series, series_id_of
from kraken_ohlcv.stores.ledger.session import Connection


def register(connection: Connection, series: Series, *, oldest_s: int, now_s: int) -> int:
    """Make a series known, if it is not, so that its locks can be taken.

    :param oldest_s: open time of the file's first candle, epoch seconds UTC
    :return: its primary key
    """
    register_series(connection, {series: min(oldest_s, api_window_start_s(now_s, series.interval_minutes))})
    return series_id_of(connection, series)


def apply_file(
    context: RunContext,
    asset: Asset,
    series: Series,
    *,
    staged: Staged,
    stored: Stored,
    empty: BucketSet,
    is_identified: bool,
) -> None:
    """Record start, proofs, corrections and closed gaps of a series.

    :param context: what to work with, inside the transaction that records the file; the fill lock is held
    :param asset: of the series
    :param series: ticker and interval
    :param staged: the file
    :param stored: what was written
    :param empty: what the file proves empty; what shorter candles contradict stays open
    :param is_identified: whether it is known to be of its series
    """
    # A file that nothing has identified is of no release that anybody knows.
    covered = staged.span if is_identified else (0, 0)
    result = SourceResult(
        covered=covered,
        traded={},
        empty=empty,
        is_busy=False,
        window_start_s=covered[0],
        step=step_s(series.interval_minutes),
        source=FilledFrom.ARCHIVE,
    )
    written = WriteResult(
        have=staged.candles | stored.extra,
        new=stored.new,
        closing=staged.candles,
        restated=stored.corrected,
    )

    def rest(gap: Gap, part: GapPart) -> GapSegment:
        return _rest(unchanged_segment(gap, part), covered, is_delisted=asset.delisted_s is not None)

    apply_result(context, series, result, written, FillAttempt(tried=None, rest=rest))


def _rest(segment: GapSegment, loaded: Range, *, is_delisted: bool) -> GapSegment:
    """Return what a segment waits for, now that a release without it is loaded."""
    is_inside = loaded[0] <= segment.start_s and segment.end_s <= loaded[1]
    if segment.status is not GapStatus.UNFILLABLE or not is_inside:
        return segment
    if is_delisted:
        # No trades of a pair that is gone: what is not in the archive, nobody has.
        return replace(segment, unfillable_reason=UnfillableReason.NOBODY_HAS_IT)
    if segment.unfillable_reason is UnfillableReason.NOT_PUBLISHED:
        return replace(segment, unfillable_reason=UnfillableReason.OUTSIDE_API_WINDOW)
    return segment
