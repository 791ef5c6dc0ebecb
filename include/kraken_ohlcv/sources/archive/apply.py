"""Brings the ledger of a series up to an archive file that has been stored, in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import PRICES, StoredCandle, vwap_within
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapSegment, GapStatus, UnfillableReason, unchanged_segment
from kraken_ohlcv.core.grid import api_window_start_s, closed_range
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.detection.reconcile import View, reconcile
from kraken_ohlcv.stores.bulk import scan_series
from kraken_ohlcv.stores.contradictions import contested
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.archive import record_file
from kraken_ohlcv.stores.ledger.gaps import close_gap, split_gap
from kraken_ohlcv.stores.ledger.restatements import log_restatement
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.series_state import (
    SeriesState,
    bump_revision,
    read_state,
    read_states,
    set_start,
)
from kraken_ohlcv.stores.ledger.session import Connection, series_transaction
from kraken_ohlcv.stores.missing import missing_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.run import RunKey
    from kraken_ohlcv.sources.archive.fetch import Ingestion
    from kraken_ohlcv.sources.archive.staging import Staged
    from kraken_ohlcv.sources.archive.store import Stored
    from kraken_ohlcv.stores.ledger.archive import Ingested
    from kraken_ohlcv.stores.ledger.assets import Asset


def register(connection: Connection, series: Series, *, oldest_s: int, now_s: int) -> int:
    """Make a series known, if it is not, so that its locks can be taken.

    :param connection: the ledger
    :param series: ticker and interval
    :param oldest_s: open time of the file's first candle, epoch seconds UTC
    :param now_s: the exchange's time, epoch seconds UTC
    :return: its primary key
    """
    if series not in read_states(connection, [series.ticker], [series.interval_minutes]):
        start_s = min(oldest_s, api_window_start_s(now_s, series.interval_minutes))
        set_start(connection, series, start_s, revision=None)
    return read_state(connection, series).series_id


def settle(
    work: Ingestion,
    asset: Asset,
    file: Ingested,
    *,
    spooled: Staged,
    stored: Stored,
    empty: Sequence[Range],
) -> int:
    """Record start, proofs, corrections and closed gaps, and the file itself, in one transaction.

    :param work: what to work with; the fill lock of the series is held
    :param asset: of the series
    :param file: what is to be remembered of the file
    :param spooled: the file
    :param stored: what was written
    :param empty: what the file proves empty, range set; what shorter candles contradict stays open
    :return: the file's version
    """
    connection, run, now_s = work.connection, work.run, work.now_s
    series, have = file.series, spooled.runs
    state = read_state(connection, series)
    with series_transaction(connection, state.series_id):
        state = read_state(connection, series)
        if have[0][0] < state.start_s:
            set_start(connection, series, have[0][0], revision=state.revision)
        proofs.withdraw(connection, series, have)
        empty = ranges.subtract(empty, contested(work.questdb, series, empty))
        proofs.add(connection, series, empty, evidence=Evidence.ARCHIVE, seen_s=now_s)
        for old, new in _corrections(stored.corrected):
            log_restatement(connection, series, old=old, new=new, first_seen_s=now_s, applied_s=now_s)
        known_empty = [proven.range for proven in read_state(connection, series).proven]
        settled = ranges.union(have, known_empty, stored.extra)
        for gap in state.gaps:
            _settle_gap(
                connection,
                run,
                gap,
                (0, 0) if file.identified_by is None else spooled.span,  # of no release that anybody knows
                settled,
                have,
                is_delisted=asset.delisted_s is not None,
                now_s=now_s,
            )
        outside = ranges.subtract(stored.new, [gap.range for gap in state.gaps])
        step = step_s(series.interval_minutes)
        count_work(connection, run, candles_outside=ranges.count(outside, step=step))
        version = record_file(connection, run, file, now_s=now_s)
        bump_revision(connection, state.series_id)
    return version


def bring_up(
    connection: Connection, questdb: QuestDBClient, run: RunKey, asset: Asset, series: Series, *, now_s: int
) -> None:
    """Reconcile the whole series with its candles: a start that was lowered leaves holes nobody has told yet.

    :param connection: the ledger
    :param questdb: client of the candle store
    :param run: the run
    :param asset: of the series
    :param series: ticker and interval
    :param now_s: the exchange's time, epoch seconds UTC
    """

    def look(state: SeriesState) -> View:
        scan = scan_series(questdb, series, now_s=now_s)
        expected = closed_range(state.start_s, min(now_s, asset.delisted_s or now_s), series.interval_minutes)
        return View(
            unstored=missing_ranges(scan, series, expected=expected, proven_empty=()),
            window_start_s=api_window_start_s(now_s, series.interval_minutes),
            start_s=state.start_s,
            is_delisted=asset.delisted_s is not None,
            now_s=now_s,
            end_s=expected[1],
        )

    state = read_state(connection, series)
    reconcile(connection, run, [(state, look(state))], look, now_s=now_s)


def _settle_gap(
    connection: Connection,
    run: RunKey,
    gap: Gap,
    loaded: Range,
    settled: Sequence[Range],
    have: Sequence[Range],
    *,
    is_delisted: bool,
    now_s: int,
) -> None:
    """Close, trim or split one gap."""
    step = step_s(gap.series.interval_minutes)
    candles = ranges.count(ranges.intersect([gap.range], have), step=step)
    left = ranges.subtract([gap.range], settled)
    if not left:
        source = FilledFrom.ARCHIVE if candles else FilledFrom.EMPTY
        close_gap(connection, run, gap, filled_from=source, candles=candles, now_s=now_s)
        return
    segments = [
        segment
        for part in ranges.cut_at(left, loaded)
        for segment in [_waiting(unchanged_segment(gap, part), loaded, is_delisted=is_delisted)]
    ]
    if segments != [unchanged_segment(gap, gap.range)]:
        split_gap(connection, run, gap, _joined(segments), candles=candles, take_up=True)


def _waiting(segment: GapSegment, loaded: Range, *, is_delisted: bool) -> GapSegment:
    """Return what a segment waits for, now that a release is loaded that lacks it."""
    is_inside = loaded[0] <= segment.start_s and segment.end_s <= loaded[1]
    if segment.status is not GapStatus.UNFILLABLE or not is_inside:
        return segment
    if is_delisted:
        # No trades of a pair that is gone: whatever the archive lacks, nobody has.
        return replace(segment, unfillable_reason=UnfillableReason.NOBODY_HAS_IT)
    if segment.unfillable_reason is UnfillableReason.NOT_PUBLISHED:
        return replace(segment, unfillable_reason=UnfillableReason.OUTSIDE_API_WINDOW)
    return segment


def _joined(segments: Sequence[GapSegment]) -> list[GapSegment]:
    """Return the segments with those that touch and wait for the same made one again."""
    joined: list[GapSegment] = []
    for segment in segments:
        before = joined[-1] if joined else None
        if before is not None and replace(before, end_s=segment.end_s) == replace(
            segment, start_s=before.start_s
        ):
            joined[-1] = replace(before, end_s=segment.end_s)
        else:
            joined.append(segment)
    return joined


def _corrections(frames: Sequence[pl.DataFrame]) -> Iterator[tuple[StoredCandle, StoredCandle]]:
    for frame in frames:
        for row in frame.iter_rows(named=True):
            new = {name: row[name] for name in ("ts_s", *PRICES, "vwap", "volume", "trades", "source")}
            old = {name: row[f"{name}_stored"] for name in (*PRICES, "volume", "trades", "source")}
            yield (
                StoredCandle(ts_s=row["ts_s"], vwap=row["vwap"], **old),
                StoredCandle(**{**new, "vwap": vwap_within(row["low"], row["vwap"], row["high"])}),
            )
