"""Client of Kraken's public REST API: every call limited, retried, judged and checked."""

from __future__ import annotations

import re
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from kraken_ohlcv.clients.errors import KrakenRateLimitError
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.clients.exchange.models import AssetPairs, OhlcAnswer, TradesPage
from kraken_ohlcv.clients.exchange.ohlc_rows import read_ohlc
from kraken_ohlcv.clients.exchange.replies import (
    open_envelope,
    read_asset_pairs,
    read_server_time,
    read_system_status,
)
from kraken_ohlcv.clients.exchange.retry import pause_for_all_s, retrying
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES
from kraken_ohlcv.clients.exchange.trade_rows import read_first_trade, read_trades
from kraken_ohlcv.clients.exchange.transport import fetch
from kraken_ohlcv.clients.http import new_session
from kraken_ohlcv.core.intervals import INTERVALS

T = TypeVar("T")

KRAKEN_URL: Final = "https://api.kraken.com"

FIRST_POSSIBLE_NS: Final = 10**17
"""Smaller cursors (before 1973) are seconds or milliseconds by mistake; 0 means from the first trade."""


class KrakenClient:
    """Asks Kraken's public REST API.

    Each HTTP attempt waits for the call slot that all processes share. Transient errors are retried up to
    4 attempts with exponential back-off and jitter, permanent ones never. HTTP 200 does not mean success.

    :param base_url: address calls start with, without a trailing slash
    :param slot: call slot that all processes share
    :param timeout_s: longest silence of the server, seconds
    :param max_clock_skew_s: how far the exchange's clock may be from the worker's to be believed, seconds
    :param sleep: waits so many seconds between two attempts
    """

    def __init__(
        self,
        base_url: str,
        *,
        slot: CallSlot,
        timeout_s: float,
        max_clock_skew_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url
        self.max_clock_skew_s = max_clock_skew_s
        self.calls = 0
        """HTTP calls made by this instance, failed ones included."""
        self.names: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
        """Names under which Kraken answers for a pair, by altname, as AssetPairs gave them: an answer under
        another name is refused. The caller that recorded them sets them."""
        self._slot = slot
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._session = new_session()

    @property
    def min_interval_s(self) -> float:
        """Return the seconds between the starts of two calls that all processes keep, > 0."""
        return self._slot.min_interval_s

    def close(self) -> None:
        """Close the connections to the exchange and to the slot's database; they open again when needed."""
        self._session.close()
        self._slot.close()

    def get_ohlc(
        self, ticker: str, interval_minutes: int, *, now_s: float | None = None, is_trading: bool = True
    ) -> OhlcAnswer:
        """Return the whole window Kraken has of a series: up to 720 committed candles and the running one.

        ``since`` is never sent: it costs the same, and the full answer re-checks everything stored.

        :param ticker: altname, for example ``XBTUSD``
        :param interval_minutes: one of Kraken's candle lengths
        :param now_s: the exchange's time before this call, epoch seconds; ``None`` = staleness is not judged
        :param is_trading: whether the pair is online; one that is not may have no newer candle
        :raises ValueError: if ticker or interval cannot be asked for
        :raises UnknownPairError: if Kraken does not know the ticker
        :raises KrakenForeignReplyError: if all attempts were answered with another pair or interval
        :raises KrakenStaleReplyError: if all attempts were answered by a server that lags behind
        :raises KrakenError: if there is no usable answer after all attempts
        """
        if interval_minutes not in INTERVALS:
            raise ValueError(f"interval {interval_minutes} is not one of Kraken's: {sorted(INTERVALS)}")
        parameters = {"pair": _checked(ticker), "interval": str(interval_minutes)}
        read = partial(
            read_ohlc,
            ticker=ticker,
            interval_minutes=interval_minutes,
            names=self.names[ticker],
            now_s=now_s,
            is_trading=is_trading,
        )
        return self._ask("OHLC", parameters, read)

    def get_trades(
        self, ticker: str, *, since_ns: int, may_repeat: Callable[[], bool] = lambda: True
    ) -> TradesPage:
        """Return one page of trades, ascending, beginning after a moment.

        :param since_ns: exclusive, epoch nanoseconds; 0 = from the pair's first trade. To include trades at
            ``t``, ask for ``t - 1``
        :param may_repeat: asked before the call is made again after a transient error; for who counts calls
        :raises ValueError: if an argument is out of range
        :raises KrakenForeignReplyError: if all attempts were answered with another pair
        :raises KrakenError: if there is no usable answer after all attempts
        """
        if since_ns != 0 and since_ns < FIRST_POSSIBLE_NS:
            raise ValueError(f"since_ns {since_ns} is not in nanoseconds")
        parameters = {"pair": _checked(ticker), "since": str(since_ns), "count": str(MAX_TRADES)}
        read = partial(read_trades, ticker=ticker, names=self.names[ticker], since_ns=since_ns)
        return self._ask("Trades", parameters, read, may_repeat)

    def get_first_trade(self, ticker: str) -> Decimal | None:
        """Return when a pair first traded, that is its listing, epoch seconds UTC; ``None``: it never did.

        :raises KrakenMalformedReplyError: if all attempts were answered with another trade than the first
        :raises KrakenError: if there is no usable answer after all attempts
        """
        parameters = {"pair": _checked(ticker), "since": "0", "count": "1"}
        read = partial(read_first_trade, ticker=ticker, names=self.names[ticker])
        return self._ask("Trades", parameters, read)

    def get_asset_pairs(self, tickers: Sequence[str] | None = None) -> AssetPairs:
        """Return what Kraken says of pairs, by ticker; dark pools are left out.

        The names of the pairs are kept in :attr:`names`.

        :param tickers: altnames; one unknown among them fails the whole call; ``None`` = all pairs
        :raises UnknownPairError: if Kraken does not know one of them
        :raises KrakenError: if there is no usable answer after all attempts
        """
        if tickers is not None and not tickers:
            return AssetPairs({})
        parameters = {} if tickers is None else {"pair": ",".join(map(_checked, tickers))}
        pairs = self._ask("AssetPairs", parameters, read_asset_pairs)
        self.names |= {ticker: pair.names for ticker, pair in pairs.items()}
        return pairs

    def get_system_status(self) -> str:
        """Return the exchange's state: ``online``, ``maintenance``, ``cancel_only`` or ``post_only``.

        :raises KrakenError: if there is no usable answer after all attempts
        """
        return self._ask("SystemStatus", {}, read_system_status)

    def get_server_time(self) -> int:
        """Return the exchange's clock, epoch seconds UTC.

        :raises KrakenError: if there is no usable answer after all attempts
        """
        return self._ask("Time", {}, read_server_time)

    def ask_status_once(self) -> str:
        """Return the exchange's state, asked once, without retries.

        :raises KrakenError: if there is no usable answer
        """
        return read_system_status(self._attempt("SystemStatus", {}, 1))

    def _ask(
        self,
        endpoint: str,
        parameters: Mapping[str, str],
        read: Callable[[Any], T],
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> T:
        """Ask until there is a good answer, a permanent error or no attempt left."""
        again = retrying(self._sleep, may_repeat)
        return again(lambda: read(self._attempt(endpoint, parameters, again.statistics["attempt_number"])))

    def _attempt(self, endpoint: str, parameters: Mapping[str, str], number: int) -> Any:
        """Make one HTTP call in the shared slot and return ``result`` of its envelope."""
        call = _described(endpoint, parameters)
        url = f"{self.base_url}/0/public/{endpoint}"
        with self._slot.hold():
            self.calls += 1
            reply = fetch(self._session, url, parameters, timeout_s=self._timeout_s, call=call)
            try:
                return open_envelope(call, reply, now_s=time.time())
            except KrakenRateLimitError as error:
                # Before the slot is free again, so that nobody slips through in between.
                self._slot.push_back(pause_for_all_s(error, number))
                raise


def _checked(ticker: str) -> str:
    """Return a ticker that can be asked for; a comma would make it several."""
    if not re.fullmatch(r"[A-Za-z0-9.]{2,32}", ticker):
        raise ValueError(f"{ticker!r} is not a Kraken ticker such as XBTUSD")
    return ticker


def _described(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Return what is asked, for messages."""
    pair = textwrap.shorten(parameters.get("pair", "").replace(",", ", "), 60, placeholder=" ...")
    interval = f"{parameters['interval']} min" if "interval" in parameters else ""
    return " ".join(filter(None, (endpoint, pair, interval)))
