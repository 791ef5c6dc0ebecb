"""Walks through the trades of a range, and stores and settles what they make, page by page.

After each page the candles it has finished are written and read back; then, in one ledger transaction, gaps,
proofs and the place of the walk move on together. Killed anywhere, the next try asks for one page again.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import asdict, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from include.ohlcv import ranges
from include.ohlcv.attempts import begin, give_up_pair, is_within_reach
from include.ohlcv.backoff import next_attempt_s
from include.ohlcv.errors import FillError, FillRefusedError, ReadBackError
from include.ohlcv.evidence import Reading
from include.ohlcv.gaps import FilledFrom, Gap, GapStatus, Outcome, Piece, Series, UnfillableReason
from include.ohlcv.grid import api_edge_s
from include.ohlcv.intervals import step_s
from include.ohlcv.ledger.books import bump_revision, read_book, read_books
from include.ohlcv.ledger.gap_rows import redraw_gap
from include.ohlcv.ledger.run_rows import count_work
from include.ohlcv.ledger.session import fill_lock, series_transaction
from include.ohlcv.ledger.trade_rows import (
    delete_pass,
    note_reached,
    read_pass,
    save_pass,
    spend_call,
)
from include.ohlcv.settle import Attempt, settle
from include.ohlcv.store import read_candles
from include.ohlcv.times import iso
from include.ohlcv.trades.builder import CandleBuilder
from include.ohlcv.trades.counts import lead_start_s
from include.ohlcv.writing import write
from kraken_hooks.errors import (
    KrakenError,
    KrakenMalformedReplyError,
    KrakenPermanentError,
    QuestDBError,
    UnknownPairError,
)
from kraken_hooks.pages import MAX_TRADES, Place, turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.ohlcv.bench import Bench, Writing
    from include.ohlcv.ledger.asset_rows import Asset
    from include.ohlcv.ledger.books import Book
    from include.ohlcv.ledger.trade_rows import Planned
    from include.ohlcv.ranges import Range
    from include.ohlcv.trades.builder import Built
    from kraken_hooks.candles import TradesPage

log = logging.getLogger(__name__)

NS: Final = 1_000_000_000

PRICE_DECIMALS: Final = 8
"""Of a pair that AssetPairs did not describe; none has more."""

NEVER_S: Final = 10**11

UNPROVEN: Final = "Kraken's trade ids do not prove that nothing traded here"


class _NoCallsLeft(Exception):  # noqa: N818 (no error: the walk goes on in the next run)
    """The errand has made the calls allotted to it."""


def rebuild(bench: Bench, asset: Asset, planned: Planned, intervals: Sequence[int]) -> None:
    """Build all candles of a range from its trades, as far as the calls allotted go.

    :param bench: what to work with
    :param asset: the errand's asset
    :param planned: the range, and the calls it may take
    :param intervals: candle lengths of the run, minutes; those of the asset's known series are built, each
        from where it begins: years of hours would be missing behind one old day's
    :raises FillError: if the walk broke off for a passing reason
    :raises FillRefusedError: if it broke off for a reason that will not pass
    """
    errand = planned.errand
    books = read_books(bench.connection, [errand.ticker], intervals)
    starts = {
        series: errand.start_s if planned.is_recheck else books[series].start_s
        for series in sorted(books)
        if planned.is_recheck or books[series].start_s < errand.end_s
    }
    ids = {series: books[series].series_id for series in starts}
    with ExitStack() as locks:
        for series_id in sorted(ids.values()):
            locks.enter_context(fill_lock(bench.connection, series_id))
        work = _Rebuild(bench, asset, planned, ids, starts)
        calls = bench.kraken.calls
        try:
            work.carry_out()
        except _NoCallsLeft:
            log.info("%s: the calls of this run are spent, read up to %s", errand.ticker, iso(work.reached_s))
        except UnknownPairError as error:
            for series, series_id in ids.items():
                give_up_pair(bench, series, series_id, set(work.open[series]), str(error), cron=None)
            return
        except KrakenPermanentError as error:
            work.put_back(str(error))
            raise FillRefusedError(f"{errand.ticker} trades: {error}") from error
        except (KrakenError, QuestDBError, ReadBackError) as error:
            work.put_back(str(error))
            raise FillError(f"{errand.ticker} trades: {error}") from error
        finally:
            count_work(bench.connection, bench.run, api_calls=bench.kraken.calls - calls)
        work.put_back(None)


class _Rebuild:
    """One walk through a range.

    :param bench: what to work with; the fill locks of all series are held
    :param asset: the errand's asset
    :param planned: the range, and the calls it may take
    :param ids: primary key of each series to build
    :param starts: where each of them begins, epoch seconds UTC
    """

    def __init__(
        self,
        bench: Bench,
        asset: Asset,
        planned: Planned,
        ids: dict[Series, int],
        starts: dict[Series, int],
    ) -> None:
        self._bench = bench
        self._asset = asset
        self._errand = planned.errand
        self._is_recheck = planned.is_recheck
        self._ids = ids
        self._starts = starts
        self.open: dict[Series, dict[int, Gap]] = {series: {} for series in ids}
        """The gaps being filled, by id."""
        self.reached_s = planned.errand.start_s

    def carry_out(self) -> None:
        """Walk to the end of the range.

        :raises _NoCallsLeft: if the calls end before
        :raises KrakenError: if Kraken does not answer
        """
        connection = self._bench.connection
        for series, series_id in self._ids.items():
            begun = begin(self._bench, series, series_id, self._is_ours)
            gaps = read_book(connection, series).gaps
            self.open[series] = {gap.gap_id: gap for gap in gaps if gap.gap_id in begun}
        wanted = self._wanted()
        if not any(wanted.values()):
            log.info("%s: nothing left to do", self._errand.ticker)
            self._note_done()
            return
        builder, place = self._resumed(wanted) or self._begun()
        while not builder.is_complete:
            trades, place = turn(self._ask, place, MAX_TRADES)
            if place.is_stuck:
                raise KrakenMalformedReplyError(
                    f"Trades {self._errand.ticker}: the cursor {place.since_ns} leads nowhere"
                )
            builder.add(trades)
            if place.is_at_newest and not trades:
                builder.reach(self._bench.now_s)
            self._store(builder, place)

    def put_back(self, error: str | None) -> None:
        """Take what is left of the gaps back to where it can be planned again.

        :param error: what went wrong, or None when only the calls are spent
        """
        connection, run = self._bench.connection, self._bench.run
        for series, series_id in self._ids.items():
            if not self.open[series]:
                continue
            with series_transaction(connection, series_id):
                book = read_book(connection, series)
                settled = self._settled(book)
                for gap in book.gaps:
                    if gap.gap_id in self.open[series]:
                        # Nothing is closed here: what is whole after all, the next run will see.
                        left = ranges.subtract([gap.range], ranges.near(settled, gap.range)) or [gap.range]
                        pieces = [self._open_piece(gap, part, error) for part in left]
                        redraw_gap(connection, run, gap, pieces, take_up=True)
                bump_revision(connection, series_id)

    def _settled(self, book: Book) -> list[Range]:
        """Return what of the range is stored or proven empty; what is stored only if QuestDB answers."""
        series = book.series
        try:
            stored = read_candles(self._bench.questdb, series, self._errand.range)
        except QuestDBError:
            stored = {}
        have = ranges.from_points(stored, step=step_s(series.interval_minutes))
        return ranges.union(have, (proven.range for proven in book.proven))

    def _is_ours(self, gap: Gap) -> bool:
        is_inside = self._errand.start_s <= gap.start_s and gap.end_s <= self._errand.end_s
        return is_inside and (self._is_recheck or not is_within_reach(gap, now_s=self._bench.now_s))

    def _note_done(self) -> None:
        """Note that the range is done, unless something is left of gaps whose turn in this run is over."""
        connection = self._bench.connection
        for series in self._ids:
            book = read_book(connection, series)
            ours = [gap.range for gap in book.gaps if self._is_ours(gap)]
            if ours and ranges.subtract(ours, self._settled(book)):
                return
        with connection.transaction():
            note_reached(connection, self._bench.run, self._errand, self._errand.end_s)
            delete_pass(connection, self._errand, is_recheck=self._is_recheck)

    def _wanted(self) -> dict[int, list[Range]]:
        """Return what is to be looked at, by interval; what an earlier walk has settled is not."""
        if self._is_recheck:
            return {series.interval_minutes: [self._errand.range] for series in self._ids}
        return {
            series.interval_minutes: ranges.subtract(
                [gap.range for gap in self.open[series].values()],
                self._settled(read_book(self._bench.connection, series)),
            )
            for series in self._ids
        }

    def _resumed(self, wanted: dict[int, list[Range]]) -> tuple[CandleBuilder, Place] | None:
        """Return where an earlier walk through this range stopped, if going on leaves nothing out."""
        state = read_pass(self._bench.connection, self._errand, is_recheck=self._is_recheck)
        if state is None:
            return None
        builder = CandleBuilder.from_state(state["builder"])
        if self._is_recheck:
            fits = builder.span == self._errand.range and builder.intervals >= wanted.keys()
        else:
            fits = not any(builder.lacks(interval, parts) for interval, parts in wanted.items())
        return (builder, _to_place(state["place"])) if fits else None

    def _begun(self) -> tuple[CandleBuilder, Place]:
        """Begin a walk a little before the range, so that a trade there proves that its head is whole."""
        start_s = self._errand.start_s
        builder = CandleBuilder(
            [series.interval_minutes for series in self._ids],
            self._errand.range,
            decimals=PRICE_DECIMALS if self._asset.pair_decimals is None else self._asset.pair_decimals,
        )
        first_trade_s = self._asset.first_trade_s
        if first_trade_s is not None and start_s <= first_trade_s:
            return builder, Place(0)
        for is_second in (False, True):
            lead_s = lead_start_s(self._bench.questdb, self._errand.ticker, start_s, is_second=is_second)
            trades, place = turn(self._ask, Place(lead_s * NS - 1), MAX_TRADES)
            if trades and (trades[0].time_s < start_s or trades[0].trade_id in {None, 1}):
                break
        builder.add(trades)
        if place.is_at_newest and not trades:
            builder.reach(self._bench.now_s)
        self._store(builder, place)
        return builder, place

    def _ask(self, since_ns: int) -> TradesPage:
        if not self._spend():
            raise _NoCallsLeft
        return self._bench.kraken.get_trades(self._errand.ticker, since_ns=since_ns, may_repeat=self._spend)

    def _spend(self) -> bool:
        return spend_call(self._bench.connection, self._bench.run, self._errand)

    def _store(self, builder: CandleBuilder, place: Place) -> None:
        """Write what is finished, and let the ledger and the place of the walk follow in one transaction."""
        connection, run = self._bench.connection, self._bench.run
        built = builder.take()
        readings = {}
        for series in self._ids:
            part = built.get(series.interval_minutes)
            if part is not None and (since := part.since(self._starts[series])) is not None:
                readings[series] = _reading(since, series)
        writings = {series: write(self._bench, series, reading) for series, reading in readings.items()}
        self.reached_s = builder.reached_s
        with connection.transaction():
            for series, reading in readings.items():
                self._settle(series, reading, writings[series])
            note_reached(connection, run, self._errand, self.reached_s)
            if builder.is_complete:
                delete_pass(connection, self._errand, is_recheck=self._is_recheck)
            else:
                save_pass(
                    connection,
                    self._errand,
                    {"builder": builder.state(), "place": _from_place(place)},
                    is_recheck=self._is_recheck,
                    now_s=self._bench.now_s,
                )

    def _settle(self, series: Series, reading: Reading, writing: Writing) -> None:
        """Close the gaps that end in what was looked at; longer ones stay whole until the walk is over."""
        ends = {gap_id for gap_id, gap in self.open[series].items() if gap.end_s <= reading.covered[1]}
        begins_s = min((self.open[series][gap_id].start_s for gap_id in ends), default=reading.covered[0])
        if begins_s < reading.covered[0]:
            earlier = read_candles(self._bench.questdb, series, (begins_s, reading.covered[0]))
            writing = replace(writing, stored=earlier | writing.stored)
        settle(
            self._bench,
            series,
            reading,
            writing,
            Attempt(ends, under_way=self.open[series].keys() - ends, rest=self._unproven_piece),
        )
        for gap_id in ends:
            del self.open[series][gap_id]

    def _unproven_piece(self, gap: Gap, part: Range) -> Piece:
        if self._is_in_window(gap, part):
            return Piece(*part, status=GapStatus.DETECTED)
        return self._waiting_piece(gap, part, UNPROVEN, Outcome.UNFILLABLE)

    def _open_piece(self, gap: Gap, part: Range, error: str | None) -> Piece:
        if self._is_in_window(gap, part):
            return Piece(*part, status=GapStatus.DETECTED, error_message=error)
        if error is not None:
            return self._waiting_piece(gap, part, error, Outcome.FAILED)
        return Piece(
            *part,
            status=GapStatus.UNFILLABLE,
            unfillable_reason=UnfillableReason.PAST_EDGE,
            error_message=f"trades were read up to {iso(self.reached_s)}, then the run's calls were spent",
            outcome=Outcome.DEFERRED,
        )

    def _waiting_piece(self, gap: Gap, part: Range, error: str, outcome: Outcome) -> Piece:
        # Past the edge nothing expires any more, and no schedule has to be met.
        later = next_attempt_s(
            attempt_s=self._bench.now_s, attempts=max(1, gap.attempts), expires_s=NEVER_S, cron=None
        )
        return Piece(
            *part,
            status=GapStatus.UNFILLABLE,
            unfillable_reason=UnfillableReason.PAST_EDGE,
            next_attempt_s=later,
            error_message=error,
            outcome=outcome,
        )

    def _is_in_window(self, gap: Gap, part: Range) -> bool:
        return part[1] > api_edge_s(self._bench.now_s, gap.series.interval_minutes)


def _reading(built: Built, series: Series) -> Reading:
    step = step_s(series.interval_minutes)
    traded = {candle.ts_s: candle for candle in built.candles}
    return Reading(
        covered=built.covered,
        traded=traded,
        empty=ranges.subtract([built.covered], [*ranges.from_points(traded, step=step), *built.doubtful]),
        is_busy=False,
        edge_s=built.covered[0],
        step=step,
        source=FilledFrom.TRADES,
        doubtful=built.doubtful,
    )


def _from_place(place: Place) -> dict[str, Any]:
    return asdict(place) | {
        "last_s": None if place.last_s is None else str(place.last_s),
        "ids": sorted(place.ids),
    }


def _to_place(fields: dict[str, Any]) -> Place:
    last_s = fields["last_s"]
    return Place(
        **fields | {"last_s": None if last_s is None else Decimal(last_s), "ids": frozenset(fields["ids"])}
    )
