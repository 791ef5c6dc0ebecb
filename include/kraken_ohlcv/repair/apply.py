"""Brings the ledger of a series up to an answer that has been stored, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence, Proof, Reading, weigh_emptiness
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapSegment, GapStatus, Outcome, Series, unchanged_segment
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.repair.resolve import Findings, remains_of
from kraken_ohlcv.stores.contradictions import contested
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.gaps import DIED, close_gap, read_taken_up, record_outcome, split_gap
from kraken_ohlcv.stores.ledger.repairs import Settled, record_repair
from kraken_ohlcv.stores.ledger.restatements import log_restatement
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, read_state, set_start
from kraken_ohlcv.stores.ledger.session import Connection, series_transaction
from kraken_ohlcv.stores.ledger.sightings import read_sightings, replace_sightings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from kraken_ohlcv.core.evidence import Sighting
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.repair.context import RunContext, Writing


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is being tried.

    :ivar tried: ids of the gaps tried
    :ivar cron: schedule that repairs the series, or None
    :ivar under_way: ids of gaps that more answers are needed for: they stay as they are
    :ivar rest: what becomes of the open parts of a tried gap, cut where the answer ends; None =
        by the rules of the OHLC call
    :ivar hands_on: whether what the OHLC answer leaves open goes to trades in the same run
    :ivar is_trading: whether the pair is online, so that more candles are to come
    :ivar is_recheck: whether the range was asked for, so that the result is to say what was settled in it
    """

    tried: Collection[int]
    cron: str | None = None
    under_way: Collection[int] = ()
    rest: Callable[[Gap, Range], GapSegment] | None = None
    hands_on: bool = False
    is_trading: bool = True
    is_recheck: bool = False


def settle(
    context: RunContext,
    series: Series,
    reading: Reading,
    writing: Writing,
    attempt: Attempt,
    *,
    start_s: int | None = None,
) -> str | None:
    """Bring the ledger of a series up to what is stored now.

    :param context: what to work with; the fill lock of the series is held
    :param series: ticker and interval
    :param reading: what the source says
    :param writing: what was written and read back
    :param attempt: the gaps it was asked for
    :param start_s: open time of the bucket of the pair's first trade, if it was looked up, epoch seconds UTC
    :return: a sentence when something that was tried stays open and may come at another try, else None
    """
    connection, run, now_s = context.connection, context.run, context.now_s
    step = step_s(series.interval_minutes)
    state = read_state(connection, series)
    with series_transaction(connection, state.series_id):
        state = read_state(connection, series)
        sightings = read_sightings(connection, series)
        have = ranges.from_points(writing.stored, step=step)
        seen_empty = _seen_empty(state, reading, have)
        # Under the lock: a candle written since is seen, or whoever wrote it withdraws the proof after us.
        contradicted = [] if _is_final(reading) else contested(context.questdb, series, seen_empty)
        proof = weigh_emptiness(
            ranges.subtract(seen_empty, contradicted),
            is_busy=reading.is_busy,
            sightings=sightings,
            now_s=now_s,
        )
        withdrawn = _record_proof(connection, state, reading, proof, have, sightings, now_s=now_s)
        for stored, seen, first_seen_s, is_applied in writing.versions:
            log_restatement(
                connection,
                series,
                old=stored,
                new=seen,
                first_seen_s=first_seen_s,
                applied_s=now_s if is_applied else None,
            )
        before_trading: list[Range] = []
        if start_s is not None and start_s > state.start_s:
            start_s = min([start_s, *writing.stored])
            set_start(connection, series, start_s, revision=state.revision)
            before_trading = [(state.start_s, start_s)]
        empty = ranges.union((proven.range for proven in state.proven), proof.proven, before_trading)
        findings = Findings(
            settled=ranges.union(have, empty),
            waiting=proof.waiting,
            contested=contradicted,
            sightings=sightings,
            reach_s=_reach_s(reading) if attempt.rest is None else reading.covered[1],
            covered=reading.covered,
            now_s=now_s,
            cron=attempt.cron,
            rest=attempt.rest,
            hands_on=attempt.hands_on,
            odd=reading.odd,
            is_trading=attempt.is_trading,
        )
        new = ranges.from_points(writing.new, step=step)
        taken_up = read_taken_up(connection, run, series)
        problems, counted = [], 0
        touched = ranges.union([reading.covered], have, before_trading)
        # A thin series has thousands of gaps: each is judged by what lies near it.
        for gap in state.gaps:
            is_attempted = gap.gap_id in attempt.tried
            if not is_attempted and not ranges.near(touched, gap.range):
                continue
            new_here = ranges.intersect([gap.range], ranges.near(new, gap.range))
            if gap.gap_id in attempt.under_way:
                candles = ranges.count(new_here, step=step)
                record_outcome(connection, run, gap.gap_id, Outcome.FAILED, candles=candles, error=DIED)
                counted += candles
                continue
            so_far = taken_up.get(gap.gap_id)
            said, candles = _settle_gap(
                context,
                gap,
                replace(findings, settled=ranges.near(findings.settled, gap.range)),
                _Source(
                    reading.source,
                    ranges.near(empty, gap.range),
                    new_here,
                    so_far.candles if so_far else 0,
                ),
                is_attempted=is_attempted,
            )
            problems += said
            counted += candles
        for gap_id in set(attempt.tried) - {gap.gap_id for gap in state.gaps}:
            record_outcome(connection, run, gap_id, Outcome.FILLED)
        n_restated = sum(is_applied for _, _, _, is_applied in writing.versions)
        count_work(connection, run, candles_restated=n_restated, candles_outside=len(writing.new) - counted)
        if attempt.is_recheck:
            settled = Settled(
                candles_stored=len(writing.new),
                candles_restated=n_restated,
                buckets_proven=ranges.count(proof.proven, step=step),
                proofs_withdrawn=writing.n_withdrawn + ranges.count(withdrawn, step=step),
                candles_disputed=ranges.count(ranges.intersect(proof.proven, have), step=step),
            )
            record_repair(connection, run, series, reading.source, reading.covered, settled)
        bump_revision(connection, state.series_id)
    return "; ".join(problems) or None


def _record_proof(
    connection: Connection,
    state: SeriesState,
    reading: Reading,
    proof: Proof,
    have: Sequence[Range],
    sightings: Sequence[Sighting],
    *,
    now_s: int,
) -> list[Range]:
    """Record emptiness contradicted, emptiness proven, and first sightings; return what was contradicted."""
    series = state.series
    withdrawn = proofs.withdraw(connection, series, have)
    if _is_final(reading):
        traded = ranges.from_points(reading.traded, step=reading.step)
        withdrawn += proofs.withdraw(connection, series, traded, by=reading.evidence)
    proofs.add(connection, series, proof.proven, evidence=reading.evidence, seen_s=now_s)
    replace_sightings(
        connection, series, covered=reading.covered, standing=sightings, waiting=proof.waiting, now_s=now_s
    )
    return withdrawn


def _is_final(reading: Reading) -> bool:
    """Return whether a source decides against candles, too: where no trade was, a candle is suspect."""
    return reading.evidence is Evidence.TRADES


def _seen_empty(state: SeriesState, reading: Reading, have: Sequence[Range]) -> list[Range]:
    """Return the buckets that a source says are empty, as far as that is news."""
    as_strong = [
        proven.range
        for proven in state.proven
        if EVIDENCE_RANK[proven.evidence] >= EVIDENCE_RANK[reading.evidence]
    ]
    return ranges.subtract(reading.empty, as_strong if _is_final(reading) else [*have, *as_strong])


class _Source(NamedTuple):
    """Where the buckets of a gap come from.

    :ivar name: source of the candles
    :ivar empty: ranges proven empty near it
    :ivar new: its buckets stored just now
    :ivar candles_before: candles that this run has stored of the gap before
    """

    name: FilledFrom
    empty: Sequence[Range]
    new: Sequence[Range]
    candles_before: int


def _reach_s(reading: Reading) -> int:
    return reading.window_start_s if reading.begins_late else reading.covered[0]


def _settle_gap(
    context: RunContext, gap: Gap, findings: Findings, source: _Source, *, is_attempted: bool
) -> tuple[list[str], int]:
    """Close, trim or split one gap; return what is to be said about it, and the candles that it counts."""
    segments = remains_of(gap, findings, is_attempted=is_attempted)
    if not is_attempted and segments == [unchanged_segment(gap, gap.range)]:
        return [], 0
    step = step_s(gap.series.interval_minutes)
    candles = ranges.count(source.new, step=step)
    if segments:
        split_gap(context.connection, context.run, gap, segments, candles=candles, take_up=is_attempted)
        failed = [segment for segment in segments if is_attempted and segment.status is GapStatus.FAILED]
        return [segment.error_message or "" for segment in failed], candles if is_attempted else 0
    if candles or source.candles_before:
        filled_from = source.name
    elif ranges.subtract([gap.range], source.empty):
        filled_from = FilledFrom.OBSERVED
    else:
        filled_from = FilledFrom.EMPTY
    close_gap(
        context.connection, context.run, gap, filled_from=filled_from, candles=candles, now_s=context.now_s
    )
    return [], candles
