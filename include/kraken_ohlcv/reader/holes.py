"""Holes in what somebody wants to read: where they are, how their gaps stand, and what would close them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.freshness import due_s
from kraken_ohlcv.core.gap import Gap, GapStatus, UnfillableReason, required_csv_file
from kraken_ohlcv.core.quarters import quarters_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.schedules import BACKFILL_DAGS, INGEST_ARCHIVE
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.reader.scope import Part
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.stores.ledger.series_state import read_states

MOST_NAMED: Final = 10
"""Holes that a message names."""


THEN: Final = {
    BucketStatus.MISSING: "it was missing then; read it without as_of to see whether it has come since",
    BucketStatus.PENDING: "it was not due yet",
    BucketStatus.UNKNOWN: "what it was then, nothing tells: records begin later, or a store has lost it",
}
"""How a hole of the past stands."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Buckets that cannot be read: of one gap record, or a stretch that no record knows.

    :ivar ticker: Kraken's altname
    :ivar interval_minutes: candle length, minutes
    :ivar start_s: open time of its first bucket, epoch seconds UTC
    :ivar end_s: end of its last bucket, exclusive, epoch seconds UTC; buckets that can be read may lie
        between
    :ivar buckets: how many cannot be read, >= 1
    :ivar status: ``missing``, ``pending`` or ``unknown``; None = not closed yet, or not expected
    :ivar gap_id: primary key of its gap record, or None without one
    :ivar gap_status: status of the record, or None
    :ivar cure: how it stands and what would close it, a clause
    """

    ticker: str
    interval_minutes: int
    start_s: int
    end_s: int
    buckets: int
    status: BucketStatus | None
    gap_id: int | None
    gap_status: GapStatus | None
    cure: str

    def __str__(self) -> str:
        """Return a clause for a message."""
        what = counted(self.buckets, "bucket")
        state = f"{self.status} " if self.status else ""
        return (
            f"{self.ticker} {self.interval_minutes}: {what} {state}from {iso(self.start_s)} "
            f"to {iso(self.end_s)}: {self.cure}"
        )


class IncompleteError(OhlcvError):
    """What was asked for has holes, which nobody allowed to be read over.

    :ivar holes: all of them, by series, oldest first
    """

    def __init__(self, holes: Sequence[Hole]) -> None:
        self.holes = tuple(holes)
        named = "; ".join(str(hole) for hole in self.holes[:MOST_NAMED])
        more = f"; and {len(self.holes) - MOST_NAMED} more holes" if len(self.holes) > MOST_NAMED else ""
        total = sum(hole.buckets for hole in self.holes)
        super().__init__(
            f"{counted(total, 'bucket')} cannot be read. {named}{more}. To read the others, with the status "
            'of each bucket, give on_missing="mark"; "drop" leaves the holes out'
        )


class Found(NamedTuple):
    """What of a series cannot be read.

    :ivar part: what was looked at
    :ivar stretches: stretches and what they are, oldest first, not overlapping
    """

    part: Part
    stretches: Sequence[tuple[Range, BucketStatus]]


def holes_of(stores: Stores, found: Iterable[Found], *, is_past: bool = False) -> list[Hole]:
    """Return the holes of some series: buckets of one gap record together.

    :param stores: both stores
    :param found: of each series, its stretches
    :param is_past: whether they are those of an earlier moment, of whose gaps today's say nothing
    """
    return [hole for one in found for hole in _holes(stores, one, is_past=is_past)]


def _holes(stores: Stores, found: Found, *, is_past: bool) -> list[Hole]:
    part, stretches = found
    holes: list[Hole] = []
    if is_past:
        for stretch, status in stretches:
            n, why = (stretch[1] - stretch[0]) // part.step, THEN[status]
            holes.append(_hole(part, stretch, n, status, None, why))
    elif stretches:
        states = read_states(stores.ledger, [part.row.asset.ticker], [part.row.interval_minutes])
        gaps = states[part.series].gaps if part.series in states else []
        holes = _by_gap(part, stretches, gaps)
    start_s, end_s = part.beyond
    if start_s < end_s:
        why = (
            "not closed yet"
            if part.row.asset.is_listed
            else "assets.yaml does not expect the pair any more (listed: false)"
        )
        holes.append(_hole(part, (start_s, end_s), (end_s - start_s) // part.step, None, None, why))
    return holes


def _by_gap(part: Part, stretches: Sequence[tuple[Range, BucketStatus]], gaps: Sequence[Gap]) -> list[Hole]:
    """Return the holes that stretches make, cut where a gap record, or the series itself, begins or ends."""
    holes: list[Hole] = []
    borders = sorted({border for gap in gaps for border in gap.range} | {part.grid.start_s})
    open_: tuple[Gap, list[Range]] | None = None
    gaps_left = iter(gaps)
    gap = next(gaps_left, None)
    for stretch, status in stretches:
        for piece in _cut(stretch, borders):
            while gap is not None and gap.end_s <= piece[0]:
                gap = next(gaps_left, None)
            if gap is not None and gap.start_s <= piece[0] and status is BucketStatus.MISSING:
                if open_ is None or open_[0] is not gap:
                    holes += _closed(part, open_)
                    open_ = gap, []
                open_[1].append(piece)
                continue
            holes += _closed(part, open_)
            open_ = None
            n = (piece[1] - piece[0]) // part.step
            holes.append(_hole(part, piece, n, status, None, _without_gap(part, piece, status)))
    return [*holes, *_closed(part, open_)]


def _cut(stretch: Range, borders: Sequence[int]) -> list[Range]:
    inside = borders[bisect_right(borders, stretch[0]) : bisect_left(borders, stretch[1])]
    edges = [stretch[0], *inside, stretch[1]]
    return list(pairwise(edges))


def _closed(part: Part, open_: tuple[Gap, list[Range]] | None) -> list[Hole]:
    if open_ is None:
        return []
    gap, pieces = open_
    n = sum(end_s - start_s for start_s, end_s in pieces) // part.step
    hull = pieces[0][0], pieces[-1][1]
    return [_hole(part, hull, n, BucketStatus.MISSING, gap, _of_gap(part, gap, hull))]


def _hole(part: Part, piece: Range, n: int, status: BucketStatus | None, gap: Gap | None, cure: str) -> Hole:
    return Hole(
        ticker=part.row.asset.ticker,
        interval_minutes=part.row.interval_minutes,
        start_s=piece[0],
        end_s=piece[1],
        buckets=n,
        status=status,
        gap_id=None if gap is None else gap.gap_id,
        gap_status=None if gap is None else gap.status,
        cure=cure,
    )


def _without_gap(part: Part, piece: Range, status: BucketStatus) -> str:
    asset, interval = part.row
    if piece[0] < part.grid.start_s:
        return (
            f"never loaded: ingest {_files(part, piece)} with DAG {INGEST_ARCHIVE.dag_id}, or give the pair "
            "history_from in assets.yaml"
        )
    if asset.upkeep.cron(interval) is None:
        return (
            f"no schedule keeps {interval} minutes of {asset.tier}: trigger a backfill with "
            f'{{"tickers": ["{asset.ticker}"], "intervals": [{interval}]}}'
        )
    if status is BucketStatus.PENDING:
        by_s = due_s(asset.upkeep, interval, piece[1], hours=asset.upkeep.plan.hours)
        return f"not due yet, expected by {iso(by_s)}"
    return f"not detected yet: the next run of DAG {BACKFILL_DAGS[asset.tier]} does, and fetches it"


def _of_gap(part: Part, gap: Gap, piece: Range) -> str:
    """Return how a gap stands and what would close it."""
    state = f"gap {gap.gap_id} is {gap.status}"
    if gap.acceptance is not None:
        return f"{state}; {gap.acceptance.by} accepted that it stays missing ({gap.acceptance.reason})"
    if gap.unfillable_reason is not None:
        return f"{state}: {_unfillable(part, gap.unfillable_reason, piece)}"
    if gap.status is GapStatus.BACKFILLING:
        return f"{state}: a run is fetching it right now"
    backfill = f"DAG {BACKFILL_DAGS[part.row.asset.tier]}"
    when = "" if gap.next_attempt_s is None else f" from {iso(gap.next_attempt_s)} on"
    if gap.status is GapStatus.FAILED:
        said = f" ({gap.error_message})" if gap.error_message else ""
        retry = f"{backfill} tries again{when}" if when else f"run {backfill} with retry_failed"
        return f"{state}{said}: {retry}"
    return f"{state}: the next run of {backfill} fetches it{when}"


def _unfillable(part: Part, reason: UnfillableReason, piece: Range) -> str:
    file, ingest = _files(part, piece), f"DAG {INGEST_ARCHIVE.dag_id}"
    backfill = f"DAG {BACKFILL_DAGS[part.row.asset.tier]}"
    return {
        UnfillableReason.NOBODY_HAS_IT: "neither Kraken nor its archive has it; accept it",
        UnfillableReason.NOT_PUBLISHED: f"{file} is not published yet; run {backfill} when it is",
        UnfillableReason.PAIR_DELISTED: f"the pair left Kraken; ingest {file} with {ingest}",
        UnfillableReason.OUTSIDE_API_WINDOW: f"older than the OHLC call reaches; run {backfill} with "
        f"repair_from archive and trades, or ingest {file} with {ingest}",
    }[reason]


def _files(part: Part, piece: Range) -> str:
    """Return the archive file that holds some buckets, and in which releases."""
    quarters = [one.name for one in quarters_in([piece])]
    named = quarters[0] if len(quarters) == 1 else f"{quarters[0]} to {quarters[-1]}"
    return f"{required_csv_file(part.series)} ({named})"
