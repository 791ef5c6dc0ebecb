"""Asks for the pages of a walk through trades, as far as the calls of the run and of its stretch go."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.models import TradesPage
from kraken_ohlcv.clients.exchange.retry import ATTEMPTS
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES, Place, turn
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.trade import OddTrade, Trades
from kraken_ohlcv.detection.clock import refuse_rows_of_the_future
from kraken_ohlcv.detection.oddities import TRADES, note_oddities
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.stores.ledger.session import execute


class StopError(Exception):
    """The walk makes no call now; it goes on from where it stands."""


class BudgetSpentError(StopError):
    """The run has made all its calls for trades."""

    def __str__(self) -> str:
        """Return how the log goes on."""
        return "then the run's calls ran out"


class StretchOverError(StopError):
    """Others have their turn with the exchange first."""

    def __str__(self) -> str:
        """Return how the log goes on."""
        return "then the slot was released to other tasks"


class TradeReader:
    """Reads the trades of a ticker page by page, and remembers which of them cannot be used.

    :param context: what to work with
    :param budget: calls that the run may make for trades, >= 0
    :ivar odd: trades that cannot be used
    """

    def __init__(self, context: RunContext, ticker: str, *, budget: int) -> None:
        self._context = context
        self._ticker = ticker
        self._budget = budget
        self._n_rows, self._notes = 0, list[str]()
        self.odd: list[OddTrade] = []

    def next_page(self, place: Place) -> tuple[Trades, Place, list[OddTrade]]:
        """Ask for a page.

        :param place: where to go on
        :return: its new trades, where to go on after it, and what of it cannot be used
        :raises StopError: if no call is left
        :raises KrakenError: if Kraken does not answer, or its cursor leads nowhere
        """
        turned = turn(self._ask, place, MAX_TRADES)
        self._n_rows += turned.page.size
        self._notes += turned.page.notes
        self.odd.extend(turned.page.odd)
        return turned.trades, turned.place, list(turned.page.odd)

    def read_into(self, builder: CandleBuilder, place: Place) -> Place:
        """Read the next page into a builder.

        :param builder: builds the candles
        :param place: where to go on
        :return: where to go on after it
        :raises StopError: if no call is left
        :raises KrakenError: if Kraken does not answer, or its cursor leads nowhere
        """
        trades, place, odd = self.next_page(place)
        if place.is_stuck:
            raise KrakenMalformedReplyError(
                f"Trades {self._ticker}: the cursor {place.since_ns} leads nowhere"
            )
        self.feed(builder, trades, place, odd)
        return place

    def feed(self, builder: CandleBuilder, trades: Trades, place: Place, odd: list[OddTrade]) -> None:
        """Give a page to a builder; the newest one, without trades, reaches up to now.

        :param builder: builds the candles
        :param trades: new trades of the page
        :param place: where to go on after it
        :param odd: what of it cannot be used
        """
        builder.add(trades, odd)
        if place.is_at_newest and not trades:
            builder.reach(self._context.now_s)

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
        if self._context.calls_left < ATTEMPTS:
            raise StretchOverError
        if not self._spend():
            raise BudgetSpentError
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


def place_as_json(place: Place) -> dict[str, Any]:
    """Return where a walk stands, as JSON.

    :param place: where to go on
    """
    last_s = None if place.last_s is None else str(place.last_s)
    return asdict(place) | {"last_s": last_s, "ids": sorted(place.ids)}


def place_of(fields: dict[str, Any]) -> Place:
    """Return where a walk stands.

    :param fields: see :func:`place_as_json`
    """
    last_s = None if fields["last_s"] is None else Decimal(fields["last_s"])
    return Place(**fields | {"last_s": last_s, "ids": frozenset(fields["ids"])})
