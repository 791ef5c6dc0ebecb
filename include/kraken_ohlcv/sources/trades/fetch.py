"""Asks for the pages of a walk through trades, as far as the calls of the run and of its stretch go."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.models import TradesPage
from kraken_ohlcv.clients.exchange.retry import ATTEMPTS
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES, Cursor, next_page
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, step_s
from kraken_ohlcv.core.trade import OddTrade
from kraken_ohlcv.detection.clock import refuse_rows_of_the_future
from kraken_ohlcv.detection.oddities import TRADES, note_oddities
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.trades.estimate import LEAD_TRADES
from kraken_ohlcv.stores.ledger.session import execute
from kraken_ohlcv.stores.queries import bounds, statement

CURSOR: Final = TypeAdapter(Cursor)
"""Brings a cursor to JSON and back."""

BEFORE_KRAKEN_S: Final = 1_293_840_000
"""2011-01-01; nothing has traded on Kraken by then."""

BLIND_LEADS_S: Final = (HOUR_S, 2 * DAY_S, 16 * DAY_S)
"""Before a range with no older candle to judge by: two days of a busy pair hold seventy pages of trades."""

LOOKED_BACK_S: Final = (2 * DAY_S, 60 * DAY_S, 100 * 365 * DAY_S)
"""How far back the newest candle is looked for, in turn: nearly always it is near, and the whole history of a
large table takes seconds."""

FURTHER: Final = 8
"""How much longer the second lead is than the first one."""

CALLS_PER_PAGE: Final = ATTEMPTS
"""At most."""


class OutOfCallsError(Exception):
    """The walk makes no call now; the message is how the log goes on.

    :ivar goes_on: whether it waits only for others to have their turn with the exchange
    :ivar is_waiting: whether it waits for an approval
    """

    def __init__(self, said: str, *, goes_on: bool = False, is_waiting: bool = False) -> None:
        super().__init__(said)
        self.goes_on = goes_on
        self.is_waiting = is_waiting


class TradeReader:
    """Reads the trades of a ticker page by page, and remembers which of them cannot be used.

    :param context: what to work with
    :param budget: calls that the run may make for trades, >= 0
    :param free: of these, calls that it may make without an approval
    :ivar odd: trades that cannot be used
    :ivar pages: pages with trades not seen before; other calls were made again
    """

    def __init__(self, context: RunContext, ticker: str, *, budget: int, free: int) -> None:
        self._context = context
        self._ticker = ticker
        self._budget = min(budget, free)
        self._is_free = free >= budget
        self._n_rows, self._notes = 0, list[str]()
        self.odd: list[OddTrade] = []
        self.pages = 0

    def next_page(self, cursor: Cursor) -> tuple[TradesPage, Cursor]:
        """Ask for a page.

        :param cursor: where to go on
        :return: the page with its new trades, and where to go on after it
        :raises OutOfCallsError: if no call is left
        :raises KrakenError: if Kraken does not answer, or its cursor leads nowhere
        """
        page, cursor = next_page(self._ask, cursor, MAX_TRADES)
        self.pages += bool(page.trades)
        self._n_rows += page.size
        self._notes += page.notes
        self.odd.extend(page.odd)
        if cursor.is_stuck:
            raise KrakenMalformedReplyError(
                f"Trades {self._ticker}: the cursor {cursor.since_ns} leads nowhere"
            )
        return page, cursor

    def note_oddities(self) -> None:
        """Name the trades that cannot be used, and what else was ignored."""
        note_oddities(
            self._context.connection,
            self._context.run,
            ticker=self._ticker,
            source=TRADES,
            n_rows=self._n_rows,
            odd=[one.what for one in self.odd],
            notes=self._notes,
        )

    def _ask(self, since_ns: int) -> TradesPage:
        if self._context.calls_left < CALLS_PER_PAGE:
            raise OutOfCallsError("then the slot was released to other tasks", goes_on=True)
        if not self._spend():
            if self._is_free:
                raise OutOfCallsError("then the run's calls ran out")
            raise OutOfCallsError("then more calls needed an approval", is_waiting=True)
        page = self._context.kraken.get_trades(self._ticker, since_ns=since_ns, may_repeat=self._spend)
        if page.trades:
            refuse_rows_of_the_future(
                self._context.connection,
                self._context.run,
                float(page.trades[-1].time_s),
                now_s=self._context.now_s,
                what=f"Trades {self._ticker}",
            )
        return page

    def _spend(self) -> bool:
        context = self._context
        return execute(context.connection, "spend_trade_call", context.run, budget=self._budget) == 1


def lead_starts_s(questdb: QuestDBClient, ticker: str, start_s: int) -> list[int]:
    """Return from when on to ask so that a trade before a range comes first, without many more of them.

    :param start_s: start of the range, epoch seconds UTC
    :return: epoch seconds UTC, descending, < ``start_s``: the next one is for when no trade came before the
        range with the one before
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    lead_s: int | None = None
    for back_s in LOOKED_BACK_S:
        looked_at = bounds((max(BEFORE_KRAKEN_S, start_s - back_s), start_s))
        rows = questdb.query(statement("newest_before"), {"ticker": ticker, **looked_at})
        lead_s = min((_lead_s(start_s, *row) for row in rows), default=None)
        if lead_s is not None and lead_s <= back_s:
            break
    if lead_s is None:
        return [start_s - blind_s for blind_s in BLIND_LEADS_S]
    return [start_s - lead_s, start_s - FURTHER * lead_s]


def _lead_s(start_s: int, interval: str, ts_s: int, trades: int) -> int:
    """Return how long before a range a stored candle lets expect trades, seconds, >= 1."""
    step = step_s(int(interval))
    end_s = ts_s + step
    if end_s > start_s:
        # The bucket reaches into the range: only its density can be used.
        return max(1, step * LEAD_TRADES // max(trades, 1))
    return max(1, start_s - end_s + step * min(trades, LEAD_TRADES) // trades)
