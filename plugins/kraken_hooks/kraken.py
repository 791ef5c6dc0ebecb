"""Hook for Kraken's public REST API: every call limited, retried, judged and checked."""

from __future__ import annotations

import re
import textwrap
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import requests
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from kraken_hooks import __version__
from kraken_hooks.candles import INTERVALS, AssetPairs
from kraken_hooks.connection_fields import base_url, positive_number
from kraken_hooks.dsn import ledger_dsn
from kraken_hooks.errors import ConnectionFieldError, KrakenError, KrakenRateLimitError
from kraken_hooks.ohlc_rows import read_ohlc
from kraken_hooks.pages import MAX_TRADES, walk
from kraken_hooks.rate_limit import CallSlot
from kraken_hooks.replies import open_envelope, read_asset_pairs, read_server_time, read_system_status
from kraken_hooks.retry import failure, pause_for_all_s, retrying
from kraken_hooks.trade_rows import read_first_trade, read_trades
from kraken_hooks.transport import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from airflow.sdk import Connection
    from tenacity import RetryCallState

    from kraken_hooks.candles import OhlcAnswer, SystemStatus, TradesPage

T = TypeVar("T")

FIRST_POSSIBLE_NS: Final = 10**17
"""Smaller cursors (before 1973) are seconds or milliseconds by mistake; 0 means from the first trade."""


class KrakenHook(BaseHook):
    """Asks Kraken's public REST API.

    Each HTTP attempt waits for the call slot that all processes share. Transient errors are retried up to
    4 attempts with exponential back-off and jitter, permanent ones never. HTTP 200 does not mean success.

    Connection (type ``kraken``): ``host`` is the base URL, default ``https://api.kraken.com``; extra
    ``{"min_interval_s": 1.0, "timeout_s": 30, "max_clock_skew_s": 300}``.
    """

    conn_name_attr = "kraken_conn_id"
    default_conn_name = "kraken_default"
    conn_type = "kraken"
    hook_name = "Kraken"

    def __init__(
        self,
        kraken_conn_id: str = default_conn_name,
        *,
        slot: CallSlot | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Store the arguments.

        :param kraken_conn_id: Airflow connection of type ``kraken``
        :param slot: shared call slot; ``None`` = the one in the database of connection ``ohlcv_postgres``
        :param sleep: waits so many seconds between two attempts
        """
        super().__init__()
        self.kraken_conn_id = kraken_conn_id
        self.calls = 0
        """HTTP calls made by this instance, failed ones included."""
        self.names: dict[str, frozenset[str]] = {}
        """Names under which Kraken answers for a pair, by altname, as AssetPairs gave them: an answer under
        another name is refused. Whoever has recorded them sets them."""
        self._slot = slot
        self._sleep = sleep
        self._connection: Connection | None = None
        self._session: requests.Session | None = None

    @property
    def base_url(self) -> str:
        """Return the address calls start with, without a trailing slash.

        :raises ConnectionFieldError: if the connection's host is no HTTP address
        """
        return base_url(self._fields)

    @property
    def max_clock_skew_s(self) -> float:
        """Return how far the exchange's clock may be from the worker's to be believed, seconds.

        :raises ConnectionFieldError: if the connection's extra holds something else than a number above zero
        """
        return positive_number(self._fields, "max_clock_skew_s", 300.0)

    def get_conn(self) -> requests.Session:
        """Return the HTTP session, made at the first call and kept."""
        if self._session is None:
            self._session = requests.Session()
            # Kraken's front may answer 403 to clients that do not name themselves.
            self._session.headers["User-Agent"] = f"kraken-ohlcv-airflow/{__version__}"
        return self._session

    def close(self) -> None:
        """Close the HTTP session and the slot's database connection; both open again when needed."""
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._slot is not None:
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
            raise ValueError(f"interval {interval_minutes} is none of Kraken's: {sorted(INTERVALS)}")
        return self._ask(
            "OHLC",
            {"pair": _checked(ticker), "interval": str(interval_minutes)},
            lambda result: read_ohlc(
                result,
                ticker,
                interval_minutes,
                names=self._names(ticker),
                now_s=now_s,
                is_trading=is_trading,
            ),
        )

    def get_trades(
        self,
        ticker: str,
        *,
        since_ns: int,
        count: int = MAX_TRADES,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> TradesPage:
        """Return one page of trades, ascending, beginning after a moment.

        :param ticker: altname
        :param since_ns: exclusive, epoch nanoseconds; 0 = from the pair's first trade. To include trades at
            ``t``, ask for ``t - 1``
        :param count: trades wanted, 1..1000
        :param may_repeat: asked before the call is made again after a transient error; for who counts calls
        :raises ValueError: if an argument is out of range
        :raises KrakenForeignReplyError: if all attempts were answered with another pair
        :raises KrakenError: if there is no usable answer after all attempts
        """
        if not 1 <= count <= MAX_TRADES:
            raise ValueError(f"count {count} is not in 1..{MAX_TRADES}")
        if since_ns != 0 and since_ns < FIRST_POSSIBLE_NS:
            raise ValueError(f"since_ns {since_ns} is not in nanoseconds")
        parameters = {"pair": _checked(ticker), "since": str(since_ns), "count": str(count)}
        names = self._names(ticker)
        return self._ask(
            "Trades",
            parameters,
            lambda result: read_trades(result, ticker, names=names, since_ns=since_ns),
            may_repeat,
        )

    def iter_trades(self, ticker: str, *, since_ns: int) -> Iterator[TradesPage]:
        """Yield pages from a moment to the newest trade, no trade twice and none left out at a page border.

        :param ticker: altname
        :param since_ns: exclusive, epoch nanoseconds; 0 = from the pair's first trade
        :raises ValueError: if an argument is out of range
        :raises KrakenError: if there is no usable answer after all attempts
        """
        return walk(lambda cursor_ns: self.get_trades(ticker, since_ns=cursor_ns), since_ns, MAX_TRADES)

    def get_first_trade(self, ticker: str) -> Decimal | None:
        """Return when a pair first traded, that is its listing, epoch seconds UTC; ``None``: it never did.

        :param ticker: altname
        :raises KrakenMalformedReplyError: if all attempts were answered with another trade than the first
        :raises KrakenError: if there is no usable answer after all attempts
        """
        names = self._names(ticker)
        parameters = {"pair": _checked(ticker), "since": "0", "count": "1"}
        return self._ask("Trades", parameters, lambda result: read_first_trade(result, ticker, names=names))

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

    def get_system_status(self) -> SystemStatus:
        """Return whether the exchange is online.

        :raises KrakenError: if there is no usable answer after all attempts
        """
        return self._ask("SystemStatus", {}, read_system_status)

    def get_server_time(self) -> int:
        """Return the exchange's clock, epoch seconds UTC.

        :raises KrakenError: if there is no usable answer after all attempts
        """
        return self._ask("Time", {}, read_server_time)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the exchange's state once, without retries; for the connection form's button.

        :return: whether it answered, and a sentence for the person who asked
        """
        try:
            status = read_system_status(self._attempt("SystemStatus", {}, number=1))
        except (KrakenError, ConnectionFieldError, AirflowNotFoundException) as error:
            return False, str(error)
        finally:
            self.close()
        return True, f"{self.base_url} answers; the exchange is {status.status}"

    def _names(self, ticker: str) -> frozenset[str]:
        return self.names.get(ticker, frozenset())

    @property
    def _fields(self) -> Connection:
        if self._connection is None:
            self._connection = self.get_connection(self.kraken_conn_id)
        return self._connection

    def _call_slot(self) -> CallSlot:
        if self._slot is None:
            interval_s = positive_number(self._fields, "min_interval_s", 1.0)
            self._slot = CallSlot(ledger_dsn(), min_interval_s=interval_s)
        return self._slot

    def _ask(
        self,
        endpoint: str,
        parameters: Mapping[str, str],
        read: Callable[[Any], T],
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> T:
        """Ask until there is a good answer, a permanent error or no attempt left."""
        for attempt in retrying(self._sleep, self._log_retry, may_repeat):
            with attempt:
                return read(self._attempt(endpoint, parameters, number=attempt.retry_state.attempt_number))
        raise AssertionError("tenacity ends with a value or an exception")

    def _attempt(self, endpoint: str, parameters: Mapping[str, str], *, number: int) -> Any:
        """Make one HTTP call in the shared slot and return ``result`` of its envelope."""
        call = _described(endpoint, parameters)
        timeout_s = positive_number(self._fields, "timeout_s", 30.0)
        url = f"{self.base_url}/0/public/{endpoint}"
        slot = self._call_slot()
        with slot.hold():
            self.calls += 1
            reply = fetch(self.get_conn(), url, parameters, timeout_s=timeout_s, call=call)
            try:
                return open_envelope(
                    call,
                    reply.status,
                    reply.body,
                    now_s=time.time(),
                    retry_after=reply.retry_after,
                    warn=lambda text: self.log.warning("%s: Kraken warns: %s", call, text),
                )
            except KrakenRateLimitError as error:
                # Before the slot is free again, so that nobody slips through in between.
                slot.push_back(pause_for_all_s(error, number))
                raise

    def _log_retry(self, state: RetryCallState) -> None:
        self.log.warning("attempt %d failed, trying again: %s", state.attempt_number, failure(state))


def _checked(ticker: str) -> str:
    """Return a ticker that can be asked for; a comma would make it several."""
    if not re.fullmatch(r"[A-Za-z0-9.]{2,32}", ticker):
        raise ValueError(f"{ticker!r} is no Kraken ticker like XBTUSD")
    return ticker


def _described(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Return what is asked, for messages."""
    pair = textwrap.shorten(parameters.get("pair", "").replace(",", ", "), 60, placeholder=" ...")
    interval = f"{parameters['interval']} min" if "interval" in parameters else ""
    return " ".join(filter(None, (endpoint, pair, interval)))
