"""Looks at all series of a run, decides which are processed, and records in the ledger what is missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.cron import longest_pause_s
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import series_start_s
from kraken_ohlcv.core.intervals import API_WINDOW_BUCKETS, DAY_S, HOUR_S, step_s
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.tiers import all_wanted
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection.look import refresh
from kraken_ohlcv.detection.missing_text import missing_in_words
from kraken_ohlcv.detection.reconciler import Reconciler
from kraken_ohlcv.stores.contradictions import Contradiction, sweep
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.counts import Counted, Counts, counted_of, read_counted, write_counts
from kraken_ohlcv.stores.ledger.series_state import SeriesState, read_states, register_series
from kraken_ohlcv.stores.ledger.session import Connection, execute, value

log = logging.getLogger(__name__)

FULL_SCAN_S: Final = 7 * DAY_S
"""So often all open times are read, because one candle may have taken the place of another."""

MAX_NAMED: Final = 20
"""Contradicted proofs that the result of a repaired range names."""

CHANGED_SINCE: Final = -1
"""No series has this revision: its candles are read again before its ledger is touched."""


@dataclass(slots=True)
class SeriesSelection:
    """What a run looks at, and what it leaves alone.

    :ivar starts: first open time expected of each series processed, epoch seconds UTC
    :ivar skipped: series whose newest candle, and whose asset, is older than the lookback
    :ivar delisted: tickers that have left the exchange
    :ivar unknown: tickers that the exchange never had, as far as is known
    :ivar errors: series that cannot be judged, a sentence each
    """

    starts: dict[Series, int] = field(default_factory=dict)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    delisted: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def select(
    counted: Mapping[Series, Counted],
    states: Mapping[Series, SeriesState],
    assets: Sequence[Asset],
    request: BackfillRequest,
    *,
    now_s: int,
) -> SeriesSelection:
    """Decide which series a run processes.

    :param counted: what was counted of the candle table
    :param states: ledgers of the series processed before
    :param assets: the assets the run is about
    :return: the selection; a series never loaded of a pair that is gone is nobody's gap
    Rule: a run that cannot take what it is asked for by name is not green.
    """
    selection = SeriesSelection()
    for asset in assets:
        if asset.delisted_s is not None:
            is_stored = any(
                _span(counted, Series(asset.ticker, one)) for one in asset.upkeep.wanted(request.intervals)
            )
            if asset.is_unknown and not is_stored:
                selection.unknown.append(asset.ticker)
                if request.tickers:
                    selection.errors.append(_not_had(asset))
            else:
                selection.delisted.append(asset.ticker)
                if request.tickers and "archive" not in request.repair_from:
                    selection.errors.append(_left(asset.ticker, asset.delisted_s))
        for interval in asset.upkeep.wanted(request.intervals):
            series = Series(asset.ticker, interval)
            span = _span(counted, series)
            if series in counted and counted[series].off_grid_us:
                selection.errors.append(_unsound(series, is_off_grid=True))
            elif span is not None and is_left_alone(
                span[1],
                added_s=asset.added_s,
                interval_minutes=interval,
                cron=asset.upkeep.cron(interval),
                lookback_days=request.lookback_days,
                now_s=now_s,
            ):
                selection.skipped.append({
                    "ticker": asset.ticker,
                    "interval": interval,
                    "last_candle": iso(span[1]),
                })
            elif span is not None or asset.delisted_s is None or series in states:
                selection.starts[series] = series_start_s(
                    known_s=states[series].start_s if series in states else None,
                    oldest_s=span[0] if span else None,
                    first_trade_s=asset.first_trade_s,
                    now_s=now_s,
                    interval_minutes=interval,
                    history_from_s=asset.history_from_s,
                )
    return selection


def _span(counted: Mapping[Series, Counted], series: Series) -> Range | None:
    return counted[series].span if series in counted else None


def _unsound(series: Series, *, is_off_grid: bool) -> str:
    """Return why the candles of a series cannot be judged, and what to do; nothing is lost by it."""
    if is_off_grid:
        what = f"stored candles do not lie on the {series.interval_minutes}-minute grid"
        cure, chapter = "set them aside", "Strays"
    else:
        what, cure, chapter = "some candles are stored twice", "make them one", "Duplicate candles"
    return f'{series}: {what}; {cure} as docs/OPERATIONS.md says under "{chapter}", then run again'


def _not_had(asset: Asset) -> str:
    listed = f"it as {asset.pair_status}" if asset.pair_status else "no pair of this name"
    cure = f"did you mean {asset.meant}?" if asset.meant else "correct the ticker in assets.yaml"
    return f"{asset.ticker}: requested by name, but Kraken lists {listed}; {cure}"


def _left(ticker: str, delisted_s: int) -> str:
    return (
        f"{ticker}: requested by name, but Kraken has delisted it, as seen on {iso(delisted_s)[:10]}; only"
        " the archive may have what is missing before that day: add archive to repair_from, or leave the"
        " ticker out"
    )


def warnings(assets: Sequence[Asset], asked: Sequence[int]) -> list[str]:
    """Return what the schedule cannot keep complete with OHLC calls.

    :param assets: the assets the run is about
    :param asked: candle lengths that the run is asked for, minutes
    :return: a sentence an interval whose API window is shorter than the pause between two scheduled runs, or
        than a day where no schedule covers it
    """
    pauses: dict[int, int] = {}
    for upkeep in {asset.upkeep for asset in assets}:
        for interval in upkeep.wanted(asked):
            cron = upkeep.cron(interval)
            pause_s = DAY_S if cron is None else longest_pause_s(cron)
            pauses[interval] = max(pause_s, pauses.get(interval, 0))
    return [
        f"interval {interval}: the API reaches back {API_WINDOW_BUCKETS * step_s(interval) // 3600} h only, "
        f"so a run every {pauses[interval] / HOUR_S:g} h leaves holes to be rebuilt from trades"
        for interval in sorted(pauses)
        if API_WINDOW_BUCKETS * step_s(interval) < pauses[interval]
    ]


def _moved_states(
    connection: Connection,
    states: Mapping[Series, SeriesState],
    starts: Mapping[Series, int],
    intervals: Sequence[int],
    counts: Counts,
) -> dict[Series, SeriesState]:
    """Register new series, move starts that are no longer right, and return the ledgers of both."""
    new = {series: start_s for series, start_s in starts.items() if series not in states}
    revisions: dict[Series, int | None] = dict.fromkeys(new) | register_series(connection, new)
    write_counts(connection, {key: one for key, one in counts.items() if key[0] in new})
    for series, start_s in starts.items():
        if series in states and states[series].start_s != start_s:
            revisions[series] = value(connection, "set_series_start", states[series], series, start_s=start_s)
    if not revisions:
        return {}
    fresh = read_states(connection, [series.ticker for series in revisions], intervals)
    # With the revision of our own change: what others have changed since is not in the scan.
    return {
        series: replace(fresh[series], revision=CHANGED_SINCE if revision is None else revision)
        for series, revision in revisions.items()
    }


@dataclass(slots=True)
class Survey:
    """What was counted for a run, and what it is to look at.

    :ivar selection: the series that it processes, and what it says of the others
    :ivar states: ledgers of the series processed, by series
    :ivar counted: what was counted, by series
    :ivar delisted: when each pair left the exchange, epoch seconds UTC, or None, by ticker
    :ivar scanned: series whose open times are all read, primary keys
    :ivar contradictions: proofs in a range asked for that candles contradict
    :ivar warnings: what the schedule cannot keep complete, a sentence each
    """

    selection: SeriesSelection
    states: dict[Series, SeriesState]
    counted: dict[Series, Counted]
    delisted: dict[str, int | None]
    scanned: list[int]
    contradictions: list[Contradiction]
    warnings: list[str]


def detect(
    connection: Connection,
    questdb: QuestDBClient,
    run: RunKey,
    request: BackfillRequest,
    assets: Sequence[Asset],
    *,
    now_s: int,
) -> SeriesSelection:
    """Count what has changed, register new series, and reconcile the ledger of every series processed.

    :param assets: the assets it is about
    :return: the selection
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    survey = take_survey(connection, questdb, run, request, assets, now_s=now_s)
    return record_survey(connection, questdb, run, request, survey, now_s=now_s)


def take_survey(
    connection: Connection,
    questdb: QuestDBClient,
    run: RunKey,
    request: BackfillRequest,
    assets: Sequence[Asset],
    *,
    now_s: int,
) -> Survey:
    """Count what has changed, choose the series of a run, and register those that are new.

    :param assets: the assets it is about
    :return: the survey, for :func:`record_survey`
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    tickers = [asset.ticker for asset in assets]
    intervals = all_wanted((asset.upkeep for asset in assets), request.intervals)
    # Before the ledger is read: what falls here is missing in this very run.
    contradictions = (
        []
        if request.span is None
        else sweep(connection, questdb, tickers, now_s=now_s, covered=request.span, run=run)
    )
    states = read_states(connection, tickers, intervals)
    is_full = request.full_scan or any(
        state.scanned_s is None or now_s - state.scanned_s >= FULL_SCAN_S for state in states.values()
    )
    counts = refresh(connection, questdb, tickers, intervals, is_full=is_full)
    counted = read_counted(connection, tickers, intervals, is_full=is_full) | counted_of(counts)
    selection = select(counted, states, assets, request, now_s=now_s)
    moved = _moved_states(connection, states, selection.starts, intervals, counts)
    if moved:
        named = sorted({series.ticker for series in moved})
        counted |= read_counted(connection, named, intervals, is_full=is_full)
    states |= moved
    return Survey(
        selection=selection,
        states={series: states[series] for series in selection.starts},
        counted=counted,
        delisted={asset.ticker: asset.delisted_s for asset in assets},
        scanned=[states[series].series_id for series in selection.starts if is_full or series in moved],
        contradictions=contradictions,
        warnings=warnings(assets, request.intervals),
    )


def record_survey(
    connection: Connection,
    questdb: QuestDBClient,
    run: RunKey,
    request: BackfillRequest,
    survey: Survey,
    *,
    now_s: int,
) -> SeriesSelection:
    """Reconcile the ledger of every series of a survey.

    :return: the selection, without series that have candles stored twice
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    selection, states = survey.selection, survey.states
    reconciler = Reconciler(connection, questdb, run, survey.counted, survey.delisted, now_s)
    for series in reconciler.reconcile(list(states.values())):
        del selection.starts[series]
        selection.errors.append(_unsound(series, is_off_grid=False))
    processed = [states[series].series_id for series in selection.starts]
    execute(connection, "note_scan", series_ids=survey.scanned, now_s=now_s)
    execute(
        connection,
        "record_survey",
        run,
        assets_processed=len({series.ticker for series in selection.starts}),
        series_processed=processed,
        remarks={
            "series_skipped": selection.skipped,
            "pairs_delisted": selection.delisted,
            "pairs_unknown": selection.unknown,
            "warnings": survey.warnings,
            "errors": selection.errors,
            "contradictions": [one.as_json() for one in survey.contradictions[:MAX_NAMED]],
        },
    )
    for line in missing_in_words(connection, processed, now_s=now_s):
        log.info("%s", line)
    return selection


def is_left_alone(
    last_s: int, *, added_s: int, interval_minutes: int, cron: str | None, lookback_days: int, now_s: int
) -> bool:
    """Return whether a series is too old to be processed.

    :param last_s: open time of its newest candle, epoch seconds UTC
    :param added_s: when its asset came into the catalogue, epoch seconds UTC
    :param cron: schedule that keeps the series, five-field cron, UTC, or None
    :param lookback_days: limit in days, >= 0; 0 = no limit
    :return: True when the newest candle closed, and the asset was added, more than max(lookback, two candles,
        two pauses of the schedule) ago: before it was added nobody was to fetch anything, so old candles that
        were brought in, from the archive or another application, say nothing about the pair; and a series is
        not too old for its own schedule, nor when one of its runs has failed
    """
    if lookback_days == 0:
        return False
    step = step_s(interval_minutes)
    limit = max(lookback_days * DAY_S, 2 * step, 0 if cron is None else 2 * longest_pause_s(cron) + step)
    return now_s - max(last_s + step, added_s) > limit
