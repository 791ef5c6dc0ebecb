"""Brings the ledger of a series up to an answer that has been stored, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.ohlcv import ranges
from include.ohlcv.evidence import Evidence, Proof, Reading, weigh_emptiness
from include.ohlcv.gaps import FilledFrom, Gap, GapStatus, Outcome, Series, unchanged_piece
from include.ohlcv.intervals import step_s
from include.ohlcv.ledger.books import Book, bump_revision, read_book, set_start
from include.ohlcv.ledger.gap_rows import close_gap, record_outcome, redraw_gap
from include.ohlcv.ledger.proof_rows import disprove_empty, prove_empty, read_sightings, replace_sightings
from include.ohlcv.ledger.restatement_rows import log_restatement
from include.ohlcv.ledger.run_rows import count_work
from include.ohlcv.ledger.session import Connection, series_transaction
from include.ohlcv.remains import Findings, remains_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.ohlcv.bench import Bench, Writing
    from include.ohlcv.evidence import Sighting
    from include.ohlcv.ranges import Range


def settle(
    bench: Bench,
    series: Series,
    reading: Reading,
    writing: Writing,
    *,
    start_s: int | None,
    attempted: set[int],
    cron: str | None,
) -> str | None:
    """Bring the ledger of a series up to what is stored now.

    :param bench: what to work with; the fill lock of the series is held
    :param series: ticker and interval
    :param reading: what the answer says
    :param writing: what was written and read back
    :param start_s: open time of the bucket of the pair's first trade, if it was looked up, epoch seconds UTC
    :param attempted: ids of the gaps tried
    :param cron: schedule that repairs the series, or None
    :return: a sentence when something that was tried stays open and may come at another try, else None
    """
    connection, run, now_s = bench.connection, bench.run, bench.now_s
    step = step_s(series.interval_minutes)
    book = read_book(connection, series)
    with series_transaction(connection, book.series_id):
        book = read_book(connection, series)
        sightings = read_sightings(connection, series)
        have = ranges.from_points(writing.stored, step=step)
        proof = weigh_emptiness(
            ranges.subtract(reading.empty, [*have, *(proven.range for proven in book.proven)]),
            is_busy=reading.is_busy,
            sightings=sightings,
            now_s=now_s,
        )
        _record_proof(connection, book, reading, proof, have, sightings, now_s=now_s)
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
        if start_s is not None and start_s > book.start_s:
            start_s = min([start_s, *writing.stored])
            set_start(connection, series, start_s, revision=book.revision)
            before_trading = [(book.start_s, start_s)]
        empty = [*(proven.range for proven in book.proven), *proof.proven, *before_trading]
        findings = Findings(
            settled=ranges.union(have, empty),
            waiting=proof.waiting,
            sightings=sightings,
            reach_s=reading.edge_s if reading.begins_late else reading.covered[0],
            covered=reading.covered,
            now_s=now_s,
            cron=cron,
        )
        new = ranges.from_points(writing.new, step=step)
        troubles = [
            trouble
            for gap in book.gaps
            for trouble in _settle_gap(bench, gap, findings, empty, new, is_attempted=gap.gap_id in attempted)
        ]
        for gap_id in attempted - {gap.gap_id for gap in book.gaps}:
            record_outcome(connection, run, gap_id, Outcome.FILLED)
        count_work(
            connection, run, candles_restated=sum(is_applied for _, _, _, is_applied in writing.versions)
        )
        bump_revision(connection, book.series_id)
    return "; ".join(troubles) or None


def _record_proof(
    connection: Connection,
    book: Book,
    reading: Reading,
    proof: Proof,
    have: Sequence[Range],
    sightings: Sequence[Sighting],
    *,
    now_s: int,
) -> None:
    """Record emptiness contradicted, emptiness proven, and first sightings."""
    series = book.series
    disprove_empty(connection, series, have, standing=book.proven)
    standing = read_book(connection, series).proven
    prove_empty(connection, series, proof.proven, evidence=Evidence.OHLC, standing=standing, seen_s=now_s)
    replace_sightings(
        connection, series, covered=reading.covered, standing=sightings, waiting=proof.waiting, now_s=now_s
    )


def _settle_gap(
    bench: Bench,
    gap: Gap,
    findings: Findings,
    empty: Sequence[Range],
    new: Sequence[Range],
    *,
    is_attempted: bool,
) -> list[str]:
    """Close, trim or split one gap; return what is to be said about it."""
    pieces = remains_of(gap, findings, is_attempted=is_attempted)
    if not is_attempted and pieces == [unchanged_piece(gap, gap.range)]:
        return []
    candles = ranges.count(ranges.intersect([gap.range], new), step=step_s(gap.series.interval_minutes))
    if pieces:
        redraw_gap(bench.connection, bench.run, gap, pieces, candles=candles, take_up=is_attempted)
        return [
            piece.error_message or "" for piece in pieces if is_attempted and piece.status is GapStatus.FAILED
        ]
    if candles:
        source = FilledFrom.OHLC
    else:
        source = FilledFrom.OBSERVED if ranges.subtract([gap.range], empty) else FilledFrom.EMPTY
    close_gap(bench.connection, bench.run, gap, filled_from=source, candles=candles, now_s=bench.now_s)
    return []
