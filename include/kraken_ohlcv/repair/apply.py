"""The one way in for every source: what was stored of a series' result, brought into its ledger at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence, Sighting, SourceResult, weigh_emptiness
from kraken_ohlcv.core.gap import FilledFrom, GapStatus, Outcome, Series, unchanged_segment
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.context import FillAttempt, RunContext, WriteResult
from kraken_ohlcv.repair.resolve import Findings, resolve_gap
from kraken_ohlcv.stores.contradictions import contested
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.gaps import DIED, close_gap, read_claims, record_outcome, split_gap
from kraken_ohlcv.stores.ledger.restatements import mark_restated
from kraken_ohlcv.stores.ledger.runs import Settled, count_work
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, locked_state
from kraken_ohlcv.stores.ledger.session import execute, rows


def apply_result(
    context: RunContext, series: Series, result: SourceResult, written: WriteResult, attempt: FillAttempt
) -> str | None:
    """Bring the ledger of a series up to what is stored now, in one transaction that reads its state once.

    Proofs are added and withdrawn, restatements marked as applied, gaps closed, trimmed or split, and the
    counts of the run follow.

    :param context: what to work with; the fill lock of the series is held
    :param result: what the source says
    :param written: what was written and read back
    :param attempt: the gaps it was asked for
    :return: a sentence when something that was tried stays open and may come at another try, else None
    """
    connection, run, now_s = context.connection, context.run, context.now_s
    step = step_s(series.interval_minutes)
    have = written.have
    with locked_state(connection, series) as state:
        sightings = rows(connection, "read_sightings", Sighting, series)
        seen_empty = _seen_empty(state, result, have)
        # Under the lock: a candle written since is seen, or its writer withdraws the proof after us.
        contradicted = [] if _is_final(result) else contested(context.questdb, series, seen_empty)
        proof = weigh_emptiness(
            ranges.subtract(seen_empty, contradicted),
            covered=result.covered,
            is_busy=result.is_busy,
            sightings=sightings,
            now_s=now_s,
        )
        withdrawn = proofs.withdraw(connection, series, state.proven, have)
        if _is_final(result):
            traded = ranges.from_points(result.traded, step=step)
            withdrawn += proofs.withdraw(connection, series, state.proven, traded, by=result.evidence)
        proofs.add(connection, series, state.proven, proof.proven, evidence=result.evidence, seen_s=now_s)
        if result.evidence is not Evidence.ARCHIVE:
            # A file neither confirms nor refutes what an answer showed once.
            proofs.replace_sightings(connection, series, sightings, proof.sightings)
        mark_restated(connection, series, written.restated, now_s=now_s)
        before_trading = _move_start(context, state, result, have, attempt.start_s)
        empty = ranges.union((proven.range for proven in state.proven), before_trading)
        findings = Findings(
            result=result,
            attempt=attempt,
            settled=ranges.union(have, empty),
            waiting=proof.waiting,
            contested=contradicted,
            sightings=sightings,
            reach_s=result.window_start_s if result.begins_late else result.covered[0],
            now_s=now_s,
        )
        touched = ranges.union([result.covered], have, before_trading)
        problems, counted = _change_gaps(context, state, written, findings, empty, touched)
        n_restated = ranges.count(written.restated, step=step)
        count_work(
            connection,
            run,
            candles_restated=n_restated,
            candles_outside=ranges.count(ranges.subtract(written.new, counted), step=step),
        )
        if attempt.is_recheck:
            settled = Settled(
                candles_stored=ranges.count(written.new, step=step),
                candles_restated=n_restated,
                buckets_proven=ranges.count(proof.proven, step=step),
                proofs_withdrawn=written.n_withdrawn + ranges.count(withdrawn, step=step),
                candles_disputed=ranges.count(ranges.intersect(proof.proven, have), step=step),
            )
            start_s, end_s = result.covered
            where = {"source": result.source, "start_s": start_s, "end_s": end_s}
            execute(connection, "record_repair", run, series, settled, where)
        bump_revision(connection, state.series_id)
    return "; ".join(problems) or None


def _is_final(result: SourceResult) -> bool:
    """Return whether a source decides against candles, too: where no trade was, a candle is suspect."""
    return result.evidence is Evidence.TRADES


def _seen_empty(state: SeriesState, result: SourceResult, have: Sequence[Range]) -> list[Range]:
    """Return the buckets that a source says are empty, as far as that is news."""
    rank = EVIDENCE_RANK[result.evidence]
    as_strong = [proven.range for proven in state.proven if EVIDENCE_RANK[proven.evidence] >= rank]
    return ranges.subtract(result.empty, as_strong if _is_final(result) else [*have, *as_strong])


def _move_start(
    context: RunContext, state: SeriesState, result: SourceResult, have: Sequence[Range], first_s: int | None
) -> list[Range]:
    """Raise the start of a series to its first trade, or lower it to an older file's; return what fell away.

    Candles stored before the first trade keep the start low.
    """
    start_s = state.start_s if first_s is None else max(first_s, state.start_s)
    if have and (start_s > state.start_s or result.evidence is Evidence.ARCHIVE):
        start_s = min(start_s, have[0][0])
    if start_s == state.start_s:
        return []
    execute(context.connection, "set_series_start", state, state.series, start_s=start_s)
    return [(state.start_s, start_s)]


def _change_gaps(
    context: RunContext,
    state: SeriesState,
    written: WriteResult,
    findings: Findings,
    empty: Sequence[Range],
    touched: Sequence[Range],
) -> tuple[list[str], list[Range]]:
    """Bring the gaps of a series up to date; return what is to be said, and the candles counted with them."""
    connection, run, attempt = context.connection, context.run, findings.attempt
    step = step_s(state.series.interval_minutes)
    claimed = read_claims(connection, run, state.series)
    problems: list[str] = []
    counted: list[Range] = []
    # A thin series has thousands of gaps: each is judged by what lies near it.
    for gap in state.gaps:
        is_tried = attempt.tried is None or gap.gap_id in attempt.tried
        if not ranges.near(touched, gap.range) and (attempt.tried is None or not is_tried):
            continue
        new = ranges.intersect([gap.range], ranges.near(written.closing, gap.range))
        candles = ranges.count(new, step=step)
        if gap.gap_id in attempt.under_way:
            record_outcome(connection, run, gap.gap_id, Outcome.FAILED, candles=candles, error=DIED)
            counted += new
            continue
        near = replace(findings, settled=ranges.near(findings.settled, gap.range))
        segments = resolve_gap(gap, near, is_attempted=is_tried)
        if segments == [unchanged_segment(gap, gap.range)]:
            continue
        if segments:
            split_gap(connection, run, gap, segments, candles=candles, is_claimed=is_tried)
            counted += new if is_tried else []
            problems += [s.error_message or "" for s in segments if is_tried and s.status is GapStatus.FAILED]
            continue
        before = claimed.get(gap.gap_id)
        if candles or (before is not None and before.candles):
            filled_from = findings.result.source
        elif ranges.subtract([gap.range], ranges.near(empty, gap.range)):
            filled_from = FilledFrom.OBSERVED
        else:
            filled_from = FilledFrom.EMPTY
        close_gap(connection, run, gap, filled_from=filled_from, candles=candles, now_s=context.now_s)
        counted += new
    for gap_id in set(attempt.tried or ()) - {gap.gap_id for gap in state.gaps}:
        record_outcome(connection, run, gap_id, Outcome.FILLED)
    return problems, counted
