"""The one way in for every source: what was stored of a series' result, brought into its ledger at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence, Sighting, SourceResult, weigh_emptiness
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapPart, GapStatus, Outcome, Series, unchanged_segment
from kraken_ohlcv.core.months import months_in, months_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.context import FillAttempt, RunContext, WriteResult
from kraken_ohlcv.repair.resolve import Findings, resolve_gap
from kraken_ohlcv.repair.tally import Applied
from kraken_ohlcv.stores.contradictions import contested
from kraken_ohlcv.stores.ledger.coverage import Coverage, read_months, replace_sightings, save
from kraken_ohlcv.stores.ledger.gaps import DIED, Claim, close_gap, read_claims, record_outcome, split_gap
from kraken_ohlcv.stores.ledger.restatements import mark_restated
from kraken_ohlcv.stores.ledger.runs import Settled, count_work
from kraken_ohlcv.stores.ledger.series_state import SeriesState, bump_revision, locked_state
from kraken_ohlcv.stores.ledger.session import execute, rows


def apply_result(
    context: RunContext, series: Series, result: SourceResult, written: WriteResult, attempt: FillAttempt
) -> Applied:
    """Bring the ledger of a series up to what is stored now, in one transaction that reads its state once.

    Proofs are added and withdrawn, restatements marked as applied, gaps closed, trimmed or split, and the
    counts of the run follow.

    :param context: what to work with; the fill lock of the series is held
    :param result: what the source says
    :param written: what was written and read back
    :param attempt: the gaps it was asked for
    :return: what became of the ledger
    """
    connection, run, now_s = context.connection, context.run, context.now_s
    have = written.have
    with locked_state(connection, series) as state:
        start_s = _start_s(state, result, have, attempt.start_s)
        fell_away = (state.start_s, start_s)
        months = {*months_in([result.covered, fell_away, fell_away[::-1]]), *months_of(have)}
        gaps = [
            gap
            for gap in state.gaps
            if _is_tried(gap, attempt) or not months.isdisjoint(months_in([gap.range]))
        ]
        months.update(months_in(gap.range for gap in gaps))
        coverage = read_months(connection, series, months)
        sightings = rows(connection, "read_sightings", Sighting, series)
        seen_empty = result.empty - coverage.empty.at_least(result.evidence)
        if not _is_final(result):
            seen_empty -= have
        # Under the lock: a candle written since is seen, or its writer withdraws the proof after us.
        contradicted = (
            BucketSet(result.step) if _is_final(result) else contested(context.questdb, series, seen_empty)
        )
        proof = weigh_emptiness(
            seen_empty - contradicted,
            covered=result.covered,
            is_busy=result.is_busy,
            sightings=sightings,
            now_s=now_s,
        )
        withdrawn = coverage.withdraw(have)
        if _is_final(result):
            traded = BucketSet.of_points(result.traded, step=result.step)
            withdrawn |= coverage.withdraw(traded, by=result.evidence)
        newly_proven = proof.proven - coverage.empty.all
        coverage.prove(proof.proven, result.evidence)
        _note_stored(coverage, written)
        if result.evidence is not Evidence.ARCHIVE:
            # A file neither confirms nor refutes what an answer showed once.
            replace_sightings(connection, series, sightings, proof.sightings)
        mark_restated(connection, series, written.restated, now_s=now_s)
        if start_s != state.start_s:
            _move_start(context, state, coverage, start_s)
        findings = Findings(
            result=result,
            attempt=attempt,
            waiting=proof.waiting,
            contested=contradicted,
            sightings=sightings,
            reach_s=result.window_start_s if result.begins_late else result.covered[0],
            now_s=now_s,
        )
        applied, counted = _change_gaps(context, state, gaps, coverage, written, findings)
        applied.buckets_proven = len(newly_proven)
        applied.proofs_withdrawn = written.n_withdrawn + len(withdrawn)
        save(connection, [coverage], run=run, now_s=now_s)
        count_work(
            connection,
            run,
            candles_restated=len(written.restated),
            candles_outside=len(written.new - counted),
        )
        if attempt.is_recheck:
            settled = Settled(
                candles_stored=len(written.new),
                candles_restated=len(written.restated),
                candles_compared=written.n_compared,
                candles_differing=written.n_differing,
                buckets_proven=len(proof.proven),
                proofs_withdrawn=applied.proofs_withdrawn,
                candles_disputed=len(proof.proven & have),
            )
            covered_from_s, covered_to_s = result.covered
            first_id, last_id = result.trade_ids or (None, None)
            where = {
                "source": result.source,
                "start_s": covered_from_s,
                "end_s": covered_to_s,
                "first_trade_id": first_id,
                "last_trade_id": last_id,
            }
            execute(connection, "record_repair", run, series, settled, where)
        bump_revision(connection, state.series_id)
    return applied


def _is_final(result: SourceResult) -> bool:
    """Return whether a source decides against candles, too: where no trade was, a candle is suspect."""
    return result.evidence is Evidence.TRADES


def _is_tried(gap: Gap, attempt: FillAttempt) -> bool:
    return attempt.tried is not None and gap.gap_id in attempt.tried


def _note_stored(coverage: Coverage, written: WriteResult) -> None:
    """Bring pages up to what is stored: as many candles more as were missing and were not stored before."""
    closed = written.new & coverage.missing
    for month in months_of(closed):
        count = coverage.reconciled.get(month)
        if count is not None:
            coverage.reconciled[month] = count + len(closed.within(month))
    coverage.missing -= written.have
    coverage.disputed |= written.have & coverage.empty.by[Evidence.TRADES]


def _start_s(state: SeriesState, result: SourceResult, have: BucketSet, first_s: int | None) -> int:
    """Return where a series begins: at its first trade, if that is later, or with an older file.

    Candles stored before the first trade keep the start low.
    """
    start_s = state.start_s if first_s is None else max(first_s, state.start_s)
    oldest_s = have.start_s
    if oldest_s is not None and (start_s > state.start_s or result.evidence is Evidence.ARCHIVE):
        start_s = min(start_s, oldest_s)
    return start_s


def _move_start(context: RunContext, state: SeriesState, coverage: Coverage, start_s: int) -> None:
    """Raise or lower the start of a series: nothing is missing before it, and little is known behind it."""
    execute(context.connection, "set_series_start", state, state.series, start_s=start_s)
    step = coverage.missing.step
    if start_s > state.start_s:
        coverage.missing -= BucketSet.of_ranges([(state.start_s, start_s)], step=step)
    else:
        coverage.read_again(BucketSet.of_ranges([(start_s, state.start_s + step)], step=step))


def _change_gaps(
    context: RunContext,
    state: SeriesState,
    gaps: Sequence[Gap],
    coverage: Coverage,
    written: WriteResult,
    findings: Findings,
) -> tuple[Applied, BucketSet]:
    """Bring gaps of a series up to date; return what became of them, and the candles counted with them."""
    connection, run, attempt = context.connection, context.run, findings.attempt
    claimed = read_claims(connection, run, state.series)
    applied = Applied()
    held, *_ = coverage.before
    counted = BucketSet(held.step)
    for gap in gaps:
        before, left = held.within(gap.range), coverage.missing.within(gap.range)
        is_near = _overlap(gap.range, findings.result.covered) or left != before
        if not is_near and not _is_tried(gap, attempt):
            continue
        # What is accepted may be filled, yet no source that leaves it open says anything of it.
        is_tried = gap.acceptance is None and (attempt.tried is None or _is_tried(gap, attempt))
        # A detection may have seen them before this task could say so.
        closed = (written.closing & before) | written.new.within(gap.range)
        if gap.gap_id in attempt.under_way and left:
            _count_down(context, gap, left, candles=len(closed))
            counted |= closed
            continue
        segments = resolve_gap(gap, left, findings, is_attempted=is_tried)
        applied.gaps_open += bool(segments) and is_tried
        if segments == [unchanged_segment(gap)]:
            continue
        if segments:
            split_gap(connection, run, gap, segments, candles=len(closed), is_claimed=is_tried)
            counted |= closed if is_tried else BucketSet(held.step)
            failed = [one for one in segments if is_tried and one.status is GapStatus.FAILED]
            applied.problems += [one.error_message or "" for one in failed]
            continue
        claim = claimed.get(gap.gap_id)
        filled_from = _filled_from(before, len(closed), coverage, written, claim) or findings.result.source
        close_gap(
            connection,
            run,
            _whole(gap, attempt),
            filled_from=filled_from,
            candles=len(closed),
            now_s=context.now_s,
        )
        applied.gaps_filled += 1
        counted |= closed
    for gap_id in set(attempt.tried or ()) - {gap.gap_id for gap in state.gaps}:
        record_outcome(connection, run, gap_id, Outcome.FILLED)
        applied.gaps_filled += 1
    return applied, counted


def _overlap(one: Range, other: Range) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _count_down(context: RunContext, gap: Gap, left: BucketSet, *, candles: int) -> None:
    """Keep a gap that more answers are needed for, from end to end, with the number of what is left of it."""
    if len(left) != gap.missing_candles:
        whole = unchanged_segment(gap, GapPart(*gap.range, len(left)))
        split_gap(context.connection, context.run, gap, [whole], is_claimed=False)
    record_outcome(context.connection, context.run, gap.gap_id, Outcome.FAILED, candles=candles, error=DIED)


def _whole(gap: Gap, attempt: FillAttempt) -> Gap:
    """Return a gap with what it held before the first of several answers."""
    begun = attempt.begun.get(gap.gap_id, gap)
    return replace(gap, start_s=begun.start_s, end_s=begun.end_s, missing_candles=begun.missing_candles)


def _filled_from(
    before: BucketSet, candles: int, coverage: Coverage, written: WriteResult, claim: Claim | None
) -> FilledFrom | None:
    """Return where the last buckets of a gap came from, or None when the source has brought them."""
    if candles or (claim is not None and claim.candles):
        return None
    is_stored = (before & written.have) - coverage.empty.all
    return FilledFrom.OBSERVED if is_stored else FilledFrom.EMPTY
