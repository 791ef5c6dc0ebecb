"""Makes the ledgers of series say what their candles say, each all or nothing; a no-op when all is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapStatus, Piece, UnfillableReason, unchanged_piece
from kraken_ohlcv.stores.ledger import proofs
from kraken_ohlcv.stores.ledger.gap_rows import close_gap, insert_gaps, redraw_gap
from kraken_ohlcv.stores.ledger.series_state import Book, bump_revision, read_book
from kraken_ohlcv.stores.ledger.session import (
    Connection,
    being_filled,
    free_series_transaction,
    series_transaction,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.run import RunKey

PAIR_GONE = UnfillableReason.PAIR_GONE

SERIES_AT_ONCE: Final = 200
"""Series of one transaction: tens of milliseconds, and few of the 6,400 locks PostgreSQL has room for."""


@dataclass(frozen=True, slots=True)
class View:
    """What the candles of a series say at a moment.

    :ivar unstored: expected buckets without a stored candle, range set
    :ivar edge_s: the API edge, epoch seconds UTC
    :ivar start_s: first open time expected, epoch seconds UTC; nothing traded before
    :ivar is_gone: whether the pair has left the exchange
    :ivar now_s: the exchange's time, epoch seconds UTC
    :ivar end_s: end of the expected buckets, epoch seconds UTC; proofs are judged by the candles before it
    """

    unstored: list[Range]
    edge_s: int
    start_s: int
    is_gone: bool
    now_s: int
    end_s: int = 0

    def missing(self, book: Book) -> list[Range]:
        """Return what is neither stored nor proven empty.

        :param book: ledger of the series
        :return: normal range set
        """
        return ranges.subtract(self.unstored, [proven.range for proven in book.proven])

    def contradicted(self, book: Book) -> list[Range]:
        """Return what is proven empty, not by trades, where a candle is stored all the same.

        :param book: ledger of the series
        :return: normal range set
        """
        weak = [proven.range for proven in book.proven if proven.is_refutable]
        return ranges.subtract(ranges.intersect(weak, [(self.start_s, self.end_s)]), self.unstored)

    def piece(self, part: Range, gap: Gap | None) -> Piece:
        """Return the state a missing part is to have, a part that does not cross the edge.

        :param part: epoch seconds UTC
        :param gap: the open gap it belongs to, or None when it is new
        :return: the piece
        """
        if self.is_gone:
            reason = PAIR_GONE
        elif part[1] <= self.edge_s:
            reason = UnfillableReason.PAST_EDGE
        elif gap is None or gap.status in {GapStatus.BACKFILLING, GapStatus.UNFILLABLE}:
            return Piece(*part, status=GapStatus.DETECTED)
        else:
            return unchanged_piece(gap, part)
        return Piece(*part, status=GapStatus.UNFILLABLE, unfillable_reason=reason)

    def redrawn(self, gap: Gap, missing: list[Range]) -> list[Piece]:
        """Return what becomes of an open gap.

        :param gap: the gap
        :param missing: what the series misses
        :return: its pieces, none when every bucket of it is accounted for
        """
        parts = ranges.intersect([gap.range], missing)
        if gap.status is GapStatus.UNFILLABLE and not self._is_back(gap):
            # What waits for another source goes on waiting, whole: the edge may pass through it.
            return [unchanged_piece(gap, part) for part in parts]
        return [self.piece(part, gap) for part in self._cut(parts)]

    def _is_back(self, gap: Gap) -> bool:
        # AssetPairs may go on listing a pair that the other calls refuse; hence the back-off.
        return (
            gap.unfillable_reason is PAIR_GONE
            and not self.is_gone
            and (gap.next_attempt_s is None or gap.next_attempt_s <= self.now_s)
        )

    def _cut(self, parts: list[Range]) -> list[Range]:
        # The edge of a pair that is gone parts nothing: no side of it is within reach.
        return parts if self.is_gone else ranges.cut_at(parts, [self.edge_s])

    def untold(self, book: Book, missing: list[Range]) -> list[Piece]:
        """Return the gaps that the ledger lacks.

        :param book: ledger of the series
        :param missing: what the series misses
        :return: new gaps
        """
        new = ranges.subtract(missing, [gap.range for gap in book.gaps])
        return [self.piece(part, None) for part in self._cut(new)]

    def is_told_by(self, book: Book) -> bool:
        """Return whether the ledger already says what the candles say.

        :param book: ledger of the series
        :return: True when reconciling would change nothing
        """
        missing = self.missing(book)
        return (
            not self.contradicted(book)
            and not self.untold(book, missing)
            and all(self.redrawn(gap, missing) == [unchanged_piece(gap, gap.range)] for gap in book.gaps)
        )


def _filled_from(gap: Gap, book: Book, view: View) -> FilledFrom:
    empty = [*(proven.range for proven in book.proven), (gap.start_s, view.start_s)]
    is_all_empty = not ranges.subtract([gap.range], empty)
    return FilledFrom.EMPTY if is_all_empty else FilledFrom.OBSERVED


def reconcile(
    connection: Connection,
    run: RunKey,
    seen: Sequence[tuple[Book, View]],
    look: Callable[[Book], View],
    *,
    now_s: int,
) -> None:
    """Bring the ledgers of series up to their candles.

    Proofs that a stored candle contradicts are withdrawn. New gaps are inserted; open ones are trimmed, split
    at the API edge, closed, or taken back from a task that died. A gap that another task is filling right now
    is left to it. A ledger that nobody has changed since it was read, as nearly all, is written together with
    others; the rest one by one.

    :param connection: the ledger
    :param run: the run; it takes up what it inserts, splits off or closes
    :param seen: of each series its ledger, as read before the candles were, and what the candles said
    :param look: reads the candles of a series again; called when its ledger has changed since
    :param now_s: the exchange's time, epoch seconds UTC
    """
    untold = [(book, view) for book, view in seen if not view.is_told_by(book)]
    for start in range(0, len(untold), SERIES_AT_ONCE):
        batch = untold[start : start + SERIES_AT_ONCE]
        done = _tell_unchanged(connection, run, batch, now_s=now_s)
        for book, view in batch:
            if book.series_id not in done:
                _tell(connection, run, book, look, view=view, now_s=now_s)


def _tell_unchanged(
    connection: Connection, run: RunKey, batch: Sequence[tuple[Book, View]], *, now_s: int
) -> set[int]:
    """Write what is new of the series that nobody changes or has changed; return their primary keys."""
    with free_series_transaction(connection, [book.series_id for book, _ in batch]) as revisions:
        unchanged = [(book, view) for book, view in batch if revisions.get(book.series_id) == book.revision]
        taken = being_filled(connection, [book.series_id for book, _ in unchanged])
        _write(connection, run, unchanged, taken, now_s=now_s)
    return {book.series_id for book, _ in unchanged}


def _tell(
    connection: Connection, run: RunKey, book: Book, look: Callable[[Book], View], *, view: View, now_s: int
) -> None:
    """Write what is new of one series, after those who change it now."""
    with series_transaction(connection, book.series_id) as revision:
        if revision != book.revision:
            # A fill has settled in between; the candles read before it prove nothing any more.
            book = read_book(connection, book.series)
            view = look(book)
            if view.is_told_by(book):
                return
        taken = being_filled(connection, [book.series_id])
        _write(connection, run, [(book, view)], taken, now_s=now_s)


def _write(
    connection: Connection,
    run: RunKey,
    seen: Sequence[tuple[Book, View]],
    taken: Container[int],
    *,
    now_s: int,
) -> None:
    new: list[tuple[Series, Piece]] = []
    for book, view in seen:
        proofs.withdraw(connection, book.series, view.contradicted(book))
    # Nothing is read any more: the statements follow each other without waiting for answers.
    with connection.pipeline():
        for book, view in seen:
            missing = view.missing(book)
            _redraw(connection, run, book, view, missing, is_taken=book.series_id in taken, now_s=now_s)
            new += [(book.series, piece) for piece in view.untold(book, missing)]
        insert_gaps(connection, run, new, now_s=now_s)
        bump_revision(connection, *(book.series_id for book, _ in seen))


def _redraw(
    connection: Connection,
    run: RunKey,
    book: Book,
    view: View,
    missing: list[Range],
    *,
    is_taken: bool,
    now_s: int,
) -> None:
    for gap in book.gaps:
        if gap.status is GapStatus.BACKFILLING and is_taken:
            continue
        pieces = view.redrawn(gap, missing)
        if not pieces:
            close_gap(connection, run, gap, filled_from=_filled_from(gap, book, view), now_s=now_s)
        elif pieces != [unchanged_piece(gap, gap.range)]:
            became_unfillable = (
                gap.status is not GapStatus.UNFILLABLE and pieces[0].status is GapStatus.UNFILLABLE
            )
            redraw_gap(connection, run, gap, pieces, take_up=became_unfillable)
