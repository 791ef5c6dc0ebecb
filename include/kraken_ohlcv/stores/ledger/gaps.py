"""Tables ``gap_records`` and ``gap_outcomes``: every change of a gap and what a run made of it, together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

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
        "missing_candles": segment.missing_candles,
        "is_api_fillable": not is_unfillable,
        "status": segment.status,
        "required_csv_file": required_csv_file(series) if is_unfillable else None,
        "error_message": segment.error_message,
        "next_attempt_s": segment.next_attempt_s,
        "expires_s": expiry_s(segment.start_s, series.interval_minutes),
        "unfillable_reason": segment.unfillable_reason,
        "accepted_by": segment.acceptance and segment.acceptance.by,
        "accepted_s": segment.acceptance and segment.acceptance.at_s,
        "accepted_reason": segment.acceptance and segment.acceptance.reason,
    }


NO_WORK: Final = {"tries": 0, "candles": 0, "error": None}
"""What an outcome says of a gap that was only claimed."""


def record_outcome(connection: Connection, run: RunKey, gap_id: int, outcome: Outcome, **work: Any) -> None:
    """Record what a run did with a gap; the last try overwrites.

    :param connection: the ledger, inside the transaction that changes the gap
    :param work: ``tries`` to add; ``candles``: missing candles of the gap that were stored, to add;
        ``error``: one sentence or None
    """
    execute(connection, "record_outcome", run, NO_WORK, gap_id=gap_id, outcome=outcome, **work)


class NewGap(NamedTuple):
    """A gap to be recorded.

    :ivar series: ticker and interval
    :ivar segment: its range and state
    :ivar detected_s: when it was seen first, epoch seconds UTC
    :ivar parent: the gap that it was part of, or None
    """

    series: Series
    segment: GapSegment
    detected_s: int
    parent: Gap | None = None


NO_RUN: Final = {"dag_id": None, "run_id": None}


def insert_gaps(connection: Connection, run: RunKey | None, gaps: Sequence[NewGap]) -> None:
    """Record new gaps, all in one statement; the run claims them, but for accepted ones.

    :param connection: the ledger, inside a transaction of all their series
    :param run: the run that found them; None = no run did, and none claims them
    """
    new = [
        {
            **series._asdict(),
            "overflow_candles": overflow_candles(segment.start_s, detected_s, series.interval_minutes),
            "candles_from_today": candles_from_today(segment.start_s, detected_s, series.interval_minutes),
            "detected_s": detected_s,
            "attempts": parent.attempts if parent else 0,
            "parent": parent.gap_id if parent else None,
            "outcome": None if run is None or segment.acceptance else segment.run_outcome,
            **_columns(series, segment),
        }
        for series, segment, detected_s, parent in gaps
    ]
    if new:
        execute(connection, "insert_gaps", run or NO_RUN, gaps=Jsonb(new))


def change_gap(
    connection: Connection,
    run: RunKey | None,
    gap: Gap,
    segment: GapSegment,
    *,
    candles: int = 0,
    is_claimed: bool,
) -> None:
    """Give an open gap another range and state.

    :param connection: the ledger, inside a series transaction
    :param gap: the gap as it stands
    :param candles: missing candles of the gap that were stored, >= 0
    :param is_claimed: whether the run claims it
    :raises IllegalMoveError: if the state machine does not allow the state
    """
    check_move(gap.status, segment.status)
    execute(connection, "update_gap", gap_id=gap.gap_id, **_columns(gap.series, segment))
    if is_claimed and run is not None:
        record_outcome(
            connection, run, gap.gap_id, segment.run_outcome, candles=candles, error=segment.error_message
        )


def absorb_gap(connection: Connection, gap: Gap, survivor: Gap) -> None:
    """Make an open gap part of its neighbour, which takes over what runs made of it.

    :param connection: the ledger, inside a series transaction
    """
    execute(connection, "move_outcomes", gap_id=gap.gap_id, into_id=survivor.gap_id)
    execute(connection, "delete_gap", gap_id=gap.gap_id)


def split_gap(
    connection: Connection,
    run: RunKey | None,
    gap: Gap,
    segments: Sequence[GapSegment],
    *,
    candles: int = 0,
    is_claimed: bool,
) -> None:
    """Trim or split an open gap, and set the state of each segment.

    The first segment keeps the record, the others become its children. Trimming comes before inserting,
    because the database refuses overlapping open gaps at once.

    :param connection: the ledger, inside a series transaction
    :param run: the run; it claims every child, but for accepted ones; None = no run changes it
    :param gap: the gap as it stands
    :param segments: what remains of it, ascending, not overlapping, at least one
    :param candles: missing candles of the gap that were stored, >= 0
    :param is_claimed: whether the run claims the record itself
    :raises IllegalMoveError: if the state machine does not allow a segment's state
    """
    kept, *others = segments
    for segment in others:
        check_move(gap.status, segment.status)
    change_gap(connection, run, gap, kept, candles=candles, is_claimed=is_claimed)
    insert_gaps(connection, run, [NewGap(gap.series, one, gap.detected_s, gap) for one in others])


def close_gap(
    connection: Connection, run: RunKey, gap: Gap, *, filled_from: FilledFrom, candles: int = 0, now_s: int
) -> None:
    """Close a gap whose buckets are all stored or proven empty.

    :param connection: the ledger, inside a series transaction
    :param run: the run that saw it closed
    :param gap: the gap with the range and the number that its record is to keep
    :param filled_from: where its last buckets came from
    :param candles: missing candles of the gap that were stored, >= 0
    """
    check_move(gap.status, GapStatus.FILLED)
    execute(connection, "close_gap", gap, filled_from=filled_from, now_s=now_s)
    record_outcome(connection, run, gap.gap_id, Outcome.FILLED, candles=candles)


def claim_gaps(connection: Connection, run: RunKey, gaps: Iterable[Gap]) -> None:
    """Claim open gaps without trying them yet."""
    execute_many(connection, "record_outcome", gaps, run, NO_WORK, outcome=Outcome.DEFERRED)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run has made of a gap so far.

    :ivar outcome: its outcome
    :ivar tries: tries in this run, >= 0
    :ivar candles: its missing candles that this run has stored, >= 0
    """

    outcome: Outcome
    tries: int
    candles: int = 0


def read_claims(connection: Connection, run: RunKey, series: Series) -> dict[int, Claim]:
    """Return the gaps of a series that a run has claimed, by gap id."""

    def shape(gap_id: int, outcome: str, **counts: int) -> tuple[int, Claim]:
        return gap_id, Claim(Outcome(outcome), **counts)

    return dict(rows(connection, "read_claims", shape, run, series))


def start_attempt(connection: Connection, run: RunKey, gap: Gap, *, now_s: int, is_first_try: bool) -> None:
    """Mark a gap as being filled; until the task says otherwise, it died.

    :param connection: the ledger, inside a series transaction
    :param is_first_try: whether this run has not tried it before; only then the attempt counts for back-off
    :raises IllegalMoveError: if the gap is not open
    """
    check_move(gap.status, GapStatus.BACKFILLING)
    execute(connection, "start_attempt", gap, now_s=now_s, is_first_try=is_first_try)
    record_outcome(connection, run, gap.gap_id, Outcome.FAILED, tries=1, error=DIED)
