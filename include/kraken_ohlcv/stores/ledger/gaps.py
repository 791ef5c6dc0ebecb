"""Tables ``gap_records`` and ``gap_outcomes``: every change of a gap and what a run made of it, together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from kraken_ohlcv.core.gap import (
    FilledFrom,
    Gap,
    GapSegment,
    GapStatus,
    Outcome,
    Series,
    candles_from_today,
    check_move,
    missing_candles,
    overflow_candles,
    required_csv_file,
)
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, rows

DIED = "the task ended before it could report this gap's outcome"


def _columns(series: Series, segment: GapSegment) -> dict[str, Any]:
    is_unfillable = segment.status is GapStatus.UNFILLABLE
    return {
        "start_s": segment.start_s,
        "end_s": segment.end_s,
        "missing_candles": missing_candles(segment.start_s, segment.end_s, series.interval_minutes),
        "is_api_fillable": not is_unfillable,
        "status": segment.status,
        "required_csv_file": required_csv_file(series) if is_unfillable else None,
        "error_message": segment.error_message,
        "next_attempt_s": segment.next_attempt_s,
        "expires_s": expiry_s(segment.start_s, series.interval_minutes),
        "unfillable_reason": segment.unfillable_reason,
    }


def record_outcome(
    connection: Connection,
    run: RunKey,
    gap_id: int,
    outcome: Outcome,
    *,
    tries: int = 0,
    candles: int = 0,
    error: str | None = None,
) -> None:
    """Record what a run did with a gap; the last try overwrites.

    :param connection: the ledger, inside the transaction that changes the gap
    :param gap_id: the gap
    :param outcome: what became of it
    :param tries: tries to add, >= 0
    :param candles: missing candles of the gap that were stored, to add, >= 0
    :param error: one sentence or None
    """
    execute(
        connection,
        "record_outcome",
        run,
        gap_id=gap_id,
        outcome=outcome,
        tries=tries,
        candles=candles,
        error=error,
    )


def _new_row(
    series: Series, segment: GapSegment, *, detected_s: int, parent: Gap | None = None
) -> dict[str, Any]:
    return {
        "ticker": series.ticker,
        "interval_minutes": series.interval_minutes,
        "overflow_candles": overflow_candles(segment.start_s, detected_s, series.interval_minutes),
        "candles_from_today": candles_from_today(segment.start_s, detected_s, series.interval_minutes),
        "detected_s": detected_s,
        "attempts": parent.attempts if parent else 0,
        "parent": parent.gap_id if parent else None,
        "outcome": segment.told,
        **_columns(series, segment),
    }


def _insert(connection: Connection, run: RunKey, new: Sequence[dict[str, Any]]) -> None:
    if new:
        execute(connection, "insert_gaps", run, gaps=Jsonb(new))


def insert_gaps(
    connection: Connection, run: RunKey, segments: Sequence[tuple[Series, GapSegment]], *, now_s: int
) -> None:
    """Record new gaps, all in one statement; the run takes them up.

    :param connection: the ledger, inside a transaction of all their series
    :param run: the run that found them
    :param segments: series, range and state of each
    """
    _insert(connection, run, [_new_row(series, segment, detected_s=now_s) for series, segment in segments])


def split_gap(
    connection: Connection,
    run: RunKey,
    gap: Gap,
    segments: Sequence[GapSegment],
    *,
    candles: int = 0,
    take_up: bool,
) -> None:
    """Trim or split an open gap, and set the state of each segment.

    The first segment keeps the record, the others become its children. Trimming comes before inserting,
    because the database refuses overlapping open gaps at once.

    :param connection: the ledger, inside a series transaction
    :param run: the run; it takes up every child
    :param gap: the gap as it stands
    :param segments: what remains of it, ascending, not overlapping, at least one
    :param candles: missing candles of the gap that were stored, >= 0
    :param take_up: whether the run takes up the record itself
    :raises IllegalMoveError: if the state machine does not allow a segment's state
    """
    first, *others = segments
    for segment in segments:
        check_move(gap.status, segment.status)
    execute(connection, "update_gap", gap_id=gap.gap_id, **_columns(gap.series, first))
    if take_up:
        record_outcome(connection, run, gap.gap_id, first.told, candles=candles, error=first.error_message)
    children = [_new_row(gap.series, segment, detected_s=gap.detected_s, parent=gap) for segment in others]
    _insert(connection, run, children)


def close_gap(
    connection: Connection, run: RunKey, gap: Gap, *, filled_from: FilledFrom, candles: int = 0, now_s: int
) -> None:
    """Close a gap of which every bucket is stored or proven empty.

    :param connection: the ledger, inside a series transaction
    :param run: the run that saw it closed
    :param filled_from: where its last buckets came from
    :param candles: missing candles of the gap that were stored, >= 0
    """
    check_move(gap.status, GapStatus.FILLED)
    execute(connection, "close_gap", gap, filled_from=filled_from, now_s=now_s)
    record_outcome(connection, run, gap.gap_id, Outcome.FILLED, candles=candles)


def plan_gaps(connection: Connection, run: RunKey, gaps: Iterable[Gap]) -> None:
    """Take gaps up without trying them yet.

    :param gaps: open gaps
    """
    execute_many(
        connection, "record_outcome", gaps, run, outcome=Outcome.DEFERRED, tries=0, candles=0, error=None
    )


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What a run has made of a gap so far.

    :ivar outcome: its outcome
    :ivar tries: tries in this run, >= 0
    :ivar candles: its missing candles that this run has stored, >= 0
    """

    outcome: Outcome
    tries: int
    candles: int = 0


def read_taken_up(connection: Connection, run: RunKey, series: Series) -> dict[int, TakenUp]:
    """Return the gaps of a series that a run has taken up.

    :return: by gap id
    """
    return dict(
        rows(
            connection,
            "read_taken_up",
            lambda gap_id, outcome, **counts: (gap_id, TakenUp(Outcome(outcome), **counts)),
            run,
            series,
        )
    )


def start_attempt(connection: Connection, run: RunKey, gap: Gap, *, now_s: int, is_first_try: bool) -> None:
    """Mark a gap as being filled; until the task says otherwise, it died.

    :param connection: the ledger, inside a series transaction
    :param is_first_try: whether this run has not tried it before; only then the attempt counts for back-off
    :raises IllegalMoveError: if the gap is not open
    """
    check_move(gap.status, GapStatus.BACKFILLING)
    execute(connection, "start_attempt", gap, now_s=now_s, is_first_try=is_first_try)
    record_outcome(connection, run, gap.gap_id, Outcome.FAILED, tries=1, error=DIED)


def stranded_series(connection: Connection, run: RunKey) -> list[tuple[int, Series]]:
    """Return series with gaps that a run left in BACKFILLING.

    :return: series id and series
    """
    return rows(
        connection,
        "read_stranded",
        lambda series_id, **series: (series_id, Series(**series)),
        run,
    )
