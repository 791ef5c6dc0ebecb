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

from kraken_ohlcv.clients.errors import (
    KrakenError,
    KrakenMalformedReplyError,
    KrakenPermanentError,
    QuestDBError,
    UnknownPairError,
)
from kraken_ohlcv.clients.exchange.retry import ATTEMPTS
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES, Place, turn
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.errors import FillError, FillRefusedError, ReadBackError
from kraken_ohlcv.core.evidence import Reading
from kraken_ohlcv.core.gap import FilledFrom, Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection.clock import refuse_rows_of_the_future
from kraken_ohlcv.detection.oddities import TRADES, note_oddities
from kraken_ohlcv.repair.apply import Attempt, settle
from kraken_ohlcv.repair.attempt import begin, give_up_pair
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.sources.trades.counts import lead_start_s
from kraken_ohlcv.sources.trades.jobs import is_due
from kraken_ohlcv.sources.trades.resolve import Remains
from kraken_ohlcv.stores.candle_store import read_candles
from kraken_ohlcv.stores.ledger.disputes import mark_rechecked
from kraken_ohlcv.stores.ledger.gaps import plan_gaps, split_gap
from kraken_ohlcv.stores.ledger.repairs import record_repair_error
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.series_state import bump_revision, read_state, read_states
from kraken_ohlcv.stores.ledger.session import execute, fill_lock, series_transaction, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.clients.exchange.models import TradesPage
    from kraken_ohlcv.core.candle_builder import Built
    from kraken_ohlcv.core.gap import Gap
    from kraken_ohlcv.core.params import BackfillRequest
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.trade import OddTrade, Trades
    from kraken_ohlcv.repair.context import RunContext, Writing
    from kraken_ohlcv.stores.ledger.assets import Asset
    from kraken_ohlcv.stores.ledger.series_state import SeriesState
    from kraken_ohlcv.stores.ledger.trades import TradeJob

log = logging.getLogger(__name__)

NS: Final = 1_000_000_000

PRICE_DECIMALS: Final = 8
"""Of a pair that AssetPairs did not describe; none has more."""


class _StopError(Exception):
    """The walk makes no call now; it goes on from where it stands."""


class _BudgetSpentError(_StopError):
    """The run has made all its calls for trades."""

    def __str__(self) -> str:
        return "then the run's calls were spent"


class _StretchOverError(_StopError):
    """Others have their turn with the exchange first."""

    def __str__(self) -> str:
        return "then others had their turn with the exchange"


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
    states = read_states(context.connection, [job.ticker], request.intervals)
    starts = {
        series: job.start_s if job.is_recheck else states[series].start_s
        for series in sorted(states)
        if job.is_recheck or states[series].start_s < job.end_s
    }
    ids = {series: states[series].series_id for series in starts}
    with ExitStack() as locks:
        for series_id in sorted(ids.values()):
            locks.enter_context(fill_lock(context.connection, series_id))
        work = _Rebuild(context, asset, job, request, ids, starts)
        calls = context.kraken.calls
        context.kraken.names[asset.ticker] = asset.names
        try:
            work.carry_out()
        except _StopError as stop:
            log.info("%s: read up to %s, %s", job.ticker, iso(work.reached_s), stop)
            work.put_back(f"trades were read up to {iso(work.reached_s)}, {stop}")
            return isinstance(stop, _StretchOverError)
        except UnknownPairError as error:
            for series, series_id in ids.items():
                give_up_pair(context, series, series_id, set(work.open[series]), str(error), cron=None)
            return False
        except KrakenPermanentError as error:
            work.break_off(str(error))
            raise FillRefusedError(f"{job.ticker} trades: {error}") from error
        except (KrakenError, QuestDBError, ReadBackError) as error:
            work.break_off(str(error))
            raise FillError(f"{job.ticker} trades: {error}") from error
        finally:
            count_work(context.connection, context.run, api_calls=context.kraken.calls - calls)
            work.note_oddities()
        work.put_back("the walk found nothing missing; the next run looks again")
    return False


class _Rebuild:
    """One walk through a range.

    :param context: what to work with; the fill locks of all series are held
    :param asset: the job's asset
    :param job: the range
    :param request: params of the run
    :param ids: primary key of each series to build
    :param starts: where each of them begins, epoch seconds UTC
    """

    def __init__(
        self,
        context: RunContext,
        asset: Asset,
        job: TradeJob,
        request: BackfillRequest,
        ids: dict[Series, int],
        starts: dict[Series, int],
    ) -> None:
        self._context = context
        self._asset = asset
        self._job = job
        self._request = request
        self._remains = Remains(asset.tier, context.now_s)
        self._ids = ids
        self._starts = starts
        self.open: dict[Series, dict[int, Gap]] = {series: {} for series in ids}
        """The gaps being filled, by id."""
        self.reached_s = job.start_s
        self.n_rows, self.notes = 0, list[str]()

    def carry_out(self) -> None:
        """Walk to the end of the range.

        :raises _StopError: if the calls end before
        :raises KrakenError: if Kraken does not answer
        """
        connection = self._context.connection
        for series, series_id in self._ids.items():
            self._claim(series)
            begun = begin(self._context, series, series_id, self._is_inside)
            gaps = read_state(connection, series).gaps
            self.open[series] = {gap.gap_id: gap for gap in gaps if gap.gap_id in begun}
        wanted = self._wanted()
        if not any(wanted.values()):
            log.info("%s: nothing left to do", self._job.ticker)
            self._note_done()
            return
        builder, place = self._resumed(wanted) or self._begun()
        self.reached_s = max(self.reached_s, builder.reached_s)
        while not builder.is_complete:
            trades, place, odd = self._turn(place)
            if place.is_stuck:
                raise KrakenMalformedReplyError(
                    f"Trades {self._job.ticker}: the cursor {place.since_ns} leads nowhere"
                )
            builder.add(trades, odd)
            if place.is_at_newest and not trades:
                builder.reach(self._context.now_s)
            self._store(builder, place)

    def put_back(self, said: str, *, is_error: bool = False) -> None:
        """Take what is left of the gaps back to where it can be planned again.

        :param said: why the walk stops here, one sentence
        :param is_error: whether something went wrong, rather than only the calls being spent
        """
        connection, run = self._context.connection, self._context.run
        becomes = self._remains.broken_off if is_error else self._remains.unreached
        for series, series_id in self._ids.items():
            if not self.open[series]:
                continue
            with series_transaction(connection, series_id):
                series_state = read_state(connection, series)
                settled = self._settled(series_state)
                for gap in series_state.gaps:
                    if gap.gap_id in self.open[series]:
                        # Nothing is closed here: what is whole after all, the next run will see.
                        left = ranges.subtract([gap.range], ranges.near(settled, gap.range)) or [gap.range]
                        segments = [becomes(gap, part, said) for part in left]
                        split_gap(connection, run, gap, segments, take_up=True)
                bump_revision(connection, series_id)

    def note_oddities(self) -> None:
        """Name the trades that cannot be used, and what else was ignored."""
        note_oddities(
            self._context.connection,
            self._context.run,
            ticker=self._job.ticker,
            source=TRADES,
            n_rows=self.n_rows,
            odd=[one.what for one in self._remains.odd],
            notes=self.notes,
        )

    def break_off(self, error: str) -> None:
        """Put the gaps back after an error, and note that the range asked for is not repaired.

        :param error: one sentence
        """
        self.put_back(error, is_error=True)
        if self._job.is_recheck:
            for series in self._ids:
                record_repair_error(
                    self._context.connection, self._context.run, series, FilledFrom.TRADES, error
                )

    def _settled(self, series_state: SeriesState) -> list[Range]:
        """Return what of the range is stored or proven empty; what is stored only if QuestDB answers."""
        series = series_state.series
        try:
            stored = read_candles(self._context.questdb, series, self._job.range)
        except QuestDBError:
            stored = {}
        have = ranges.from_points(stored, step=step_s(series.interval_minutes))
        return ranges.union(have, (proven.range for proven in series_state.proven))

    def _claim(self, series: Series) -> None:
        """Take up the gaps of a series that lie in the range and whose time has come."""
        connection, run, now_s = self._context.connection, self._context.run, self._context.now_s
        due = [
            gap
            for gap in read_state(connection, series).gaps
            if self._is_inside(gap) and is_due(gap, now_s=now_s, retry_failed=self._request.retry_failed)
        ]
        plan_gaps(connection, run, due)

    def _is_inside(self, gap: Gap) -> bool:
        return self._job.start_s <= gap.start_s and gap.end_s <= self._job.end_s

    def _note_done(self) -> None:
        """Note that the range is done, unless something is left of gaps whose turn in this run is over."""
        connection = self._context.connection
        for series in self._ids:
            series_state = read_state(connection, series)
            ours = [gap.range for gap in series_state.gaps if self._is_inside(gap)]
            if ours and ranges.subtract(ours, self._settled(series_state)):
                return
        with connection.transaction():
            execute(connection, "note_reached", self._context.run, self._job, reached_s=self._job.end_s)
            execute(connection, "delete_trade_cursor", self._job)

    def _wanted(self) -> dict[int, list[Range]]:
        """Return what is to be looked at, by interval; what an earlier walk has settled is not."""
        if self._job.is_recheck:
            return {series.interval_minutes: [self._job.range] for series in self._ids}
        return {
            series.interval_minutes: ranges.subtract(
                [gap.range for gap in self.open[series].values()],
                self._settled(read_state(self._context.connection, series)),
            )
            for series in self._ids
        }

    def _resumed(self, wanted: dict[int, list[Range]]) -> tuple[CandleBuilder, Place] | None:
        """Return where an earlier walk through this range stopped, if going on leaves nothing out."""
        state = value(self._context.connection, "read_trade_cursor", self._job)
        if state is None:
            return None
        builder = CandleBuilder.from_state(state["builder"])
        if self._job.is_recheck:
            fits = builder.span == self._job.range and builder.intervals >= wanted.keys()
        else:
            fits = not any(builder.lacks(interval, parts) for interval, parts in wanted.items())
        return (builder, _to_place(state["place"])) if fits else None

    def _begun(self) -> tuple[CandleBuilder, Place]:
        """Begin a walk a little before the range, so that a trade there proves that its head is whole."""
        start_s = self._job.start_s
        builder = CandleBuilder(
            [series.interval_minutes for series in self._ids],
            self._job.range,
            decimals=PRICE_DECIMALS if self._asset.pair_decimals is None else self._asset.pair_decimals,
        )
        first_trade_s = self._asset.first_trade_s
        if first_trade_s is not None and start_s <= first_trade_s:
            return builder, Place(0)
        for is_second in (False, True):
            lead_s = lead_start_s(self._context.questdb, self._job.ticker, start_s, is_second=is_second)
            trades, place, odd = self._turn(Place(lead_s * NS - 1))
            if trades and (trades[0].time_s < start_s or trades[0].trade_id in {None, 1}):
                break
        builder.add(trades, odd)
        if place.is_at_newest and not trades:
            builder.reach(self._context.now_s)
        self._store(builder, place)
        return builder, place

    def _turn(self, place: Place) -> tuple[Trades, Place, Sequence[OddTrade]]:
        """Ask for a page, and remember what of it cannot be used."""
        turned = turn(self._ask, place, MAX_TRADES)
        self.n_rows += turned.page.size
        self.notes += turned.page.notes
        self._remains.odd.extend(turned.page.odd)
        return turned.trades, turned.place, turned.page.odd

    def _ask(self, since_ns: int) -> TradesPage:
        if self._context.calls_left < ATTEMPTS:
            raise _StretchOverError
        if not self._spend():
            raise _BudgetSpentError
        page = self._context.kraken.get_trades(self._job.ticker, since_ns=since_ns, may_repeat=self._spend)
        if page.trades:
            refuse_rows_of_the_future(
                self._context.connection,
                self._context.run,
                float(page.trades[-1].time_s),
                now_s=self._context.now_s,
                what=f"Trades {self._job.ticker}",
            )
        return page

    def _spend(self) -> bool:
        budget = self._request.trades_call_budget
        return execute(self._context.connection, "spend_trade_call", self._context.run, budget=budget) == 1

    def _store(self, builder: CandleBuilder, place: Place) -> None:
        """Write what is finished, and let the ledger and the place of the walk follow in one transaction."""
        connection, run = self._context.connection, self._context.run
        built = builder.take()
        readings = {}
        for series in self._ids:
            part = built.get(series.interval_minutes)
            if part is not None and (since := part.since(self._starts[series])) is not None:
                readings[series] = _reading(since, series)
        writings = {series: write(self._context, series, reading) for series, reading in readings.items()}
        self.reached_s = builder.reached_s
        with connection.transaction():
            for series, reading in readings.items():
                self._settle(series, reading, writings[series])
            execute(connection, "note_reached", run, self._job, reached_s=self.reached_s)
            if builder.is_complete:
                mark_rechecked(
                    connection,
                    self._job.ticker,
                    [series.interval_minutes for series in self._ids],
                    self._job.range,
                    now_s=self._context.now_s,
                )
                execute(connection, "delete_trade_cursor", self._job)
            else:
                state = {"builder": builder.state(), "place": _from_place(place)}
                execute(connection, "save_trade_cursor", self._job, state=state, now_s=self._context.now_s)

    def _settle(self, series: Series, reading: Reading, writing: Writing) -> None:
        """Close the gaps that end in what was looked at; longer ones stay whole until the walk is over."""
        ends = {gap_id for gap_id, gap in self.open[series].items() if gap.end_s <= reading.covered[1]}
        begins_s = min((self.open[series][gap_id].start_s for gap_id in ends), default=reading.covered[0])
        if begins_s < reading.covered[0]:
            earlier = read_candles(self._context.questdb, series, (begins_s, reading.covered[0]))
            writing = replace(writing, stored=earlier | writing.stored)
        settle(
            self._context,
            series,
            reading,
            writing,
            Attempt(
                ends,
                under_way=self.open[series].keys() - ends,
                rest=self._remains.unproven,
                is_recheck=self._job.is_recheck,
            ),
        )
        for gap_id in ends:
            del self.open[series][gap_id]


def _reading(built: Built, series: Series) -> Reading:
    step = step_s(series.interval_minutes)
    traded = {candle.ts_s: candle for candle in built.candles}
    return Reading(
        covered=built.covered,
        traded=traded,
        empty=ranges.subtract(
            [built.covered], [*ranges.from_points(traded, step=step), *built.doubtful, *built.spoilt]
        ),
        is_busy=False,
        window_start_s=built.covered[0],
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
