"""Walks through the trades of a range, and stores and records what they make, page by page.

After each page the candles it has finished are written and read back; then, in one ledger transaction, gaps,
proofs and the cursor of the walk move on together. Killed anywhere, the next try asks for one page again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from kraken_ohlcv.clients.errors import (
    KrakenError,
    KrakenPermanentError,
    QuestDBError,
    UnknownPairError,
)
from kraken_ohlcv.clients.exchange.models import TradesPage
from kraken_ohlcv.clients.exchange.trade_pages import Cursor, shows_newest
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle_builder import Built, CandleBuilder
from kraken_ohlcv.core.errors import FillError, FillRefusedError, ReadBackError
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapPart, GapSegment, Outcome, Series, parts_of
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_of
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.trade import id_span
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.repair.apply import apply_result
from kraken_ohlcv.repair.attempt import begin, give_up_pair, put_back
from kraken_ohlcv.repair.context import FillAttempt, RunContext, WriteResult
from kraken_ohlcv.repair.tally import Tally
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.sources.trades.fetch import CURSOR, OutOfCallsError, TradeReader, lead_starts_s
from kraken_ohlcv.sources.trades.resolve import NOT_READ, Remains
from kraken_ohlcv.stores.ledger.approvals import read_free_calls
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.series_state import read_states
from kraken_ohlcv.stores.ledger.session import execute, fill_lock, value
from kraken_ohlcv.stores.ledger.trades import TradeJob
from kraken_ohlcv.stores.stored_buckets import read_open_times

log = logging.getLogger(__name__)

NS: Final = 1_000_000_000

CALLS_BETWEEN_LINES: Final = 25
"""Of the log; half a minute of calls, about."""

PRICE_DECIMALS: Final = 8
"""Of a pair that AssetPairs did not describe; none has more."""


def rebuild(context: RunContext, asset: Asset, job: TradeJob, request: BackfillRequest) -> bool:
    """Build all candles of a range from its trades, as far as the calls go.

    Those of the asset's known series are built, each from where it begins: years of hours would be missing
    behind one old day's.

    :param context: what to work with
    :param asset: the job's asset
    :param job: the range
    :param request: params of the run: intervals, budget, and which gaps it takes before their time
    :return: whether the walk waits for another stretch of calls
    :raises FillError: if the walk broke off for a passing reason
    :raises FillRefusedError: if it broke off for a reason that will not pass
    """
    states = read_states(context.connection, [job.ticker], asset.upkeep.wanted(request.intervals))
    starts = {
        series: job.start_s if job.is_recheck else states[series].start_s
        for series in sorted(states)
        if job.is_recheck or states[series].start_s < job.end_s
    }
    with ExitStack() as locks:
        for series_id in sorted(states[series].series_id for series in starts):
            locks.enter_context(fill_lock(context.connection, series_id))
        walk = _Walk(context, asset, job, request, starts)
        calls = context.kraken.calls
        context.kraken.names[asset.ticker] = asset.names
        try:
            walk.go()
        except OutOfCallsError as stop:
            log.info("%s; %s", walk.said(), stop)
            walk.put_back(f"trades were read up to {iso(walk.reached_s)}, {stop}")
            if stop.is_waiting:
                execute(context.connection, "let_trade_job_wait", context.run, job, calls=walk.calls)
            return stop.goes_on
        except UnknownPairError as error:
            for series, gaps in walk.open.items():
                give_up_pair(context, series, set(gaps), str(error), cron=None)
            return False
        except (KrakenError, QuestDBError, ReadBackError) as error:
            walk.put_back(str(error), is_error=True)
            for series in starts if job.is_recheck else ():
                said = {"source": FilledFrom.TRADES, "error": str(error)}
                execute(context.connection, "record_repair_error", context.run, series, said)
            raised = FillRefusedError if isinstance(error, KrakenPermanentError) else FillError
            raise raised(f"{job.ticker} trades: {error}") from error
        finally:
            made, spent = context.kraken.calls - calls, walk.reader.pages
            count_work(
                context.connection,
                context.run,
                api_calls=made,
                walks_spent=spent,
                calls_retried=made - spent,
            )
            walk.reader.note_oddities()
        if walk.reader.pages:
            log.info("%s", walk.said())
        walk.put_back("the walk found nothing missing; the next run checks again")
    return False


class _Walk:
    """One walk through a range.

    :param context: what to work with; the fill locks of all series are held
    :param asset: the job's asset
    :param job: the range
    :param starts: where each series to build begins, epoch seconds UTC
    :ivar open: the gaps being filled, by series and id: the end of the last bucket that is missing of each in
        the range, epoch seconds UTC
    :ivar reached_s: up to where the range was read, epoch seconds UTC
    :ivar calls: what the whole range takes, as far as is known now
    """

    def __init__(
        self,
        context: RunContext,
        asset: Asset,
        job: TradeJob,
        request: BackfillRequest,
        starts: Mapping[Series, int],
    ) -> None:
        self._context = context
        self._asset = asset
        self._job = job
        self._request = request
        self._starts = starts
        self.reader = TradeReader(
            context, job.ticker, budget=request.trades_call_budget, free=_free_calls(context, request)
        )
        self._remains = Remains(asset.upkeep, context.now_s, self.reader.odd)
        self._lacking: dict[Series, BucketSet] = {}
        self._whole: dict[int, Gap] = {}
        self.open: dict[Series, dict[int, int]] = {series: {} for series in starts}
        self.reached_s = job.start_s
        self.calls = job.calls
        self._tallies = {series: Tally() for series in starts}
        self._n_trades = 0
        self._ids: tuple[int, int] | None = None

    def said(self) -> str:
        """Return in words what the walk has read, and what that did to each series."""
        is_recheck = self._job.is_recheck
        done = (
            f"{series.interval_minutes}: {tally.said(is_recheck=is_recheck)}"
            for series, tally in self._tallies.items()
        )
        trades = f"{self._n_trades:,} trades"
        if self._ids is not None:
            trades += f", ids {self._ids[0]} to {self._ids[1]} in the range"
        where = f"{iso(self._job.start_s)} to {iso(self._job.end_s)}"
        return (
            f"{self._job.ticker}: trades of {where}, read up to {iso(self.reached_s)} with"
            f" {counted(self.reader.pages, 'call')} ({trades}). {'. '.join(done)}"
        )

    def go(self) -> None:
        """Walk to the end of the range.

        :raises OutOfCallsError: if the calls end before
        :raises KrakenError: if Kraken does not answer
        """
        wanted = {}
        for series in self._starts:
            lacking = self._lacking[series] = self._still_missing(series)
            state, begun = begin(self._context, series, self._is_inside, is_due=self._is_due)
            self._whole |= {gap.gap_id: gap for gap in state.gaps if gap.gap_id in begun}
            own = {gap.gap_id: lacking.within(gap.range) for gap in state.gaps if gap.gap_id in begun}
            self.open[series] = {gap_id: those.end_s or 0 for gap_id, those in own.items()}
            # What an earlier walk has settled is not read again, unless the range is for its own sake.
            left = [part.range for those in own.values() for part in parts_of(those)]
            wanted[series.interval_minutes] = [self._job.range] if self._job.is_recheck else left
        if not any(wanted.values()):
            log.info("%s: no trades to read; others have filled its gaps meanwhile", self._job.ticker)
            self._note_done()
            return
        calls = self._context.kraken.calls
        progress = Progress(
            f"{self._job.ticker}: made",
            "call",
            self._job.calls_left,
            log.info,
            clock=self._context.clock,
            every=CALLS_BETWEEN_LINES,
            is_guess=True,
        )
        builder, cursor = self._resumed(wanted) or self._begun()
        began_s = self.reached_s = max(self.reached_s, builder.reached_s)
        while not builder.is_complete:
            page, cursor = self.reader.next_page(cursor)
            self._take(builder, page, cursor)
            made, looked_at_s = self._context.kraken.calls - calls, self.reached_s - began_s
            planned = None
            if looked_at_s:
                # What was read tells more than the estimate of the plan.
                planned = -(-made * (self._job.end_s - began_s) // looked_at_s)
                whole_s = self._job.end_s - self._job.start_s
                self.calls = max(self._job.calls, -(-made * whole_s // looked_at_s))
            progress.reach(made, planned=planned, detail=f"trades are read up to {iso(self.reached_s)}")

    def put_back(self, said: str, *, is_error: bool = False) -> None:
        """Take what is left of the gaps back to where it can be planned again.

        :param said: why the walk stops here, one sentence
        :param is_error: whether something went wrong, rather than only the calls being spent
        """
        outcome = Outcome.FAILED if is_error else Outcome.DEFERRED
        for series, gaps in self.open.items():
            put_back(
                self._context, series, gaps, lambda gap, part: self._remains.left(gap, part, said, outcome)
            )

    def _still_missing(self, series: Series) -> BucketSet:
        """Return what is missing in the range, but for what others have stored since it was detected."""
        missing = read_months(self._context.connection, series, [self._job.range]).missing
        # Whole buckets: a longer one may end behind the range.
        lacking = missing.within((self._job.start_s, self._job.end_s - missing.step + 1))
        try:
            stored, _ = read_open_times(self._context.questdb, {series: months_of(lacking)})
        except QuestDBError:
            return lacking
        return lacking - stored[series]

    def _is_due(self, gap: Gap) -> bool:
        now_s, retry_failed = self._context.now_s, self._request.retry_failed
        return self._is_inside(gap) and (
            gap.is_eligible(now_s, retry_failed=retry_failed)
            or gap.waits_for_trades(now_s, retry_failed=retry_failed)
        )

    def _is_inside(self, gap: Gap) -> bool:
        """Return whether buckets of a gap are missing in the range; others of it may be outside."""
        return bool(self._lacking[gap.series].within(gap.range))

    def _note_done(self) -> None:
        """Note that the range is done, unless something is left of gaps whose turn in this run is over."""
        if any(self._lacking.values()):
            return
        connection = self._context.connection
        with connection.transaction():
            execute(connection, "note_reached", self._context.run, self._job, reached_s=self._job.end_s)
            execute(connection, "delete_trade_cursor", self._job)

    def _resumed(self, wanted: dict[int, list[Range]]) -> tuple[CandleBuilder, Cursor] | None:
        """Return where an earlier walk through this range stopped, if going on leaves nothing out."""
        state = value(self._context.connection, "read_trade_cursor", self._job)
        if state is None:
            return None
        builder = CandleBuilder.from_state(state["builder"])
        if self._job.is_recheck:
            fits = builder.span == self._job.range and builder.intervals >= wanted.keys()
        else:
            fits = not any(builder.lacks(interval, parts) for interval, parts in wanted.items())
        return (builder, CURSOR.validate_python(state["place"])) if fits else None

    def _begun(self) -> tuple[CandleBuilder, Cursor]:
        """Begin a walk a little before the range, so that a trade there proves that its head is whole."""
        start_s = self._job.start_s
        builder = CandleBuilder(
            [series.interval_minutes for series in self._starts],
            self._job.range,
            decimals=PRICE_DECIMALS if self._asset.pair_decimals is None else self._asset.pair_decimals,
        )
        first_trade_s = self._asset.first_trade_s
        if first_trade_s is not None and start_s <= first_trade_s:
            return builder, Cursor(0)
        for lead_s in lead_starts_s(self._context.questdb, self._job.ticker, start_s):
            # A page that does not begin before the range is asked for again, with a longer lead.
            self.reader.pages = 0
            page, cursor = self.reader.next_page(Cursor(lead_s * NS - 1))
            first = next(iter(page.trades), None)
            if first and (first.time_s < start_s or first.trade_id in {None, 1}):
                break
        self._take(builder, page, cursor)
        return builder, cursor

    def _take(self, builder: CandleBuilder, page: TradesPage, cursor: Cursor) -> None:
        """Build on a page, write what is finished, and let ledger and cursor follow in one transaction."""
        context, connection, job = self._context, self._context.connection, self._job
        builder.add(page.trades, page.odd)
        ids = id_span(page.trades, job.range)
        self._n_trades += len(page.trades)
        if ids is not None:
            self._ids = (self._ids or ids)[0], ids[1]
        if shows_newest(page, cursor, context.now_s):
            builder.reach(context.now_s)
        built = builder.take()
        results = {}
        for series, start_s in self._starts.items():
            part = built.get(series.interval_minutes)
            if part is not None and (since := part.since(start_s)) is not None:
                results[series] = _result(since, series, trade_ids=ids)
        written = {series: write(context, series, result) for series, result in results.items()}
        self.reached_s = builder.reached_s
        with connection.transaction():
            for series, result in results.items():
                self._apply(series, result, written[series])
            execute(connection, "note_reached", context.run, job, reached_s=self.reached_s)
            if builder.is_complete:
                # Without new candles trades are not asked a third time.
                intervals = [series.interval_minutes for series in self._starts]
                execute(connection, "mark_rechecked", job, intervals=intervals, now_s=context.now_s)
                execute(connection, "delete_trade_cursor", job)
            else:
                state = {"builder": builder.state(), "place": CURSOR.dump_python(cursor, mode="json")}
                execute(connection, "save_trade_cursor", job, state=state, now_s=context.now_s)

    def _apply(self, series: Series, result: SourceResult, written: WriteResult) -> None:
        """Close the gaps that end in what was looked at; longer ones stay whole until the walk is over."""
        ends = {gap_id for gap_id, end_s in self.open[series].items() if end_s <= result.covered[1]}
        attempt = FillAttempt(
            ends,
            under_way=self.open[series].keys() - ends,
            begun=self._whole,
            rest=self._rest,
            asked=self._job.range,
            is_recheck=self._job.is_recheck,
        )
        applied = apply_result(self._context, series, result, written, attempt)
        self._tallies[series].add(written, applied)
        for gap_id in ends:
            del self.open[series][gap_id]

    def _rest(self, gap: Gap, part: GapPart) -> GapSegment:
        """Return a part of a gap that stays open: walked through in vain, or outside of the range."""
        if self._job.start_s <= part.start_s and part.end_s <= self._job.end_s:
            return self._remains.unproven(gap, part)
        return self._remains.left(gap, part, NOT_READ, Outcome.DEFERRED)


def _free_calls(context: RunContext, request: BackfillRequest) -> int:
    """Return how many calls for trades the run may make in all without asking a person."""
    if request.approve_above_calls is None:
        return request.trades_call_budget
    calls = read_free_calls(context.connection, context.run, threshold=request.approve_above_calls)
    return request.trades_call_budget if calls.is_approved else calls.free


def _result(built: Built, series: Series, *, trade_ids: tuple[int, int] | None) -> SourceResult:
    step = step_s(series.interval_minutes)
    traded = {candle.ts_s: candle for candle in built.candles}
    unknown = ranges.union(built.doubtful, built.spoilt)
    empty = BucketSet.of_ranges([built.covered], step=step) - BucketSet.of_points(traded, step=step)
    empty -= BucketSet.of_ranges(unknown, step=step)
    return SourceResult(
        covered=built.covered,
        traded=traded,
        empty=empty,
        is_busy=False,
        window_start_s=built.covered[0],
        step=step,
        source=FilledFrom.TRADES,
        doubtful=built.doubtful,
        trade_ids=trade_ids,
    )
