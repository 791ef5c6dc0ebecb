"""How often and after what pauses a call is repeated, and what every attempt is made with."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv import __version__
from kraken_ohlcv.clients.errors import (
    KrakenError,
    KrakenStaleReplyError,
    KrakenTransientError,
    RateLimitLockError,
)
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from tests.clients.raw_exchange import Scripted

if TYPE_CHECKING:
    import psycopg

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from tests.clients.conftest import Sleeps
    from tests.clients.raw_exchange import RawExchange

BUSY = {"error": ["EService:Busy"]}
TIME = {"error": [], "result": {"unixtime": 1_795_437_296}}
NOW_S = 1_795_437_296
RUNNING_S = NOW_S // 3600 * 3600


def ohlc(newest_s: int) -> dict[str, object]:
    row = ["60010.0", "60020.0", "60005.5", "60005.5", "60015.3", "0.85000000", 3]
    rows = [[newest_s - 3600, *row], [newest_s, *row]]
    return {"error": [], "result": {"XXBTZUSD": rows, "last": newest_s - 3600}}


def test_pauses_between_attempts_grow_exponentially_with_jitter(
    raw_hook: KrakenClient, raw_exchange: RawExchange, sleeps: Sleeps
) -> None:
    pauses: list[list[float]] = []
    for _ in range(2):
        raw_exchange.will_answer(BUSY)
        with pytest.raises(KrakenTransientError):
            raw_hook.get_server_time()
        pauses.append(list(sleeps))
        sleeps.clear()
    for first, second, third in pauses:
        assert 1 <= first <= 2
        assert 2 <= second <= 3
        assert 4 <= third <= 5
    assert pauses[0] != pauses[1]


def test_success_after_failures_ends_the_attempts(
    raw_hook: KrakenClient, raw_exchange: RawExchange, sleeps: Sleeps
) -> None:
    raw_exchange.will_answer(BUSY, Scripted("<html>", status=502), Scripted(TIME, says_longer=5), TIME)
    assert raw_hook.get_server_time() == NOW_S
    assert raw_hook.calls == 4
    assert len(sleeps) == 3


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_whoever_counts_calls_is_asked_once_before_each_that_is_made_again(
    raw_hook: KrakenClient, raw_exchange: RawExchange, allowed: int
) -> None:
    raw_exchange.will_answer(BUSY)
    left = [True] * allowed
    with pytest.raises(KrakenTransientError, match="EService:Busy"):
        raw_hook.get_trades("XBTUSD", since_ns=0, may_repeat=lambda: bool(left and left.pop()))
    assert raw_hook.calls == len(raw_exchange.arrivals) == 1 + allowed
    assert left == []


def test_whoever_counts_calls_is_not_asked_for_one_that_is_not_made(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    asked: list[bool] = []

    def may_repeat() -> bool:
        asked.append(True)
        return True

    raw_exchange.will_answer({"error": ["EQuery:Unknown asset pair"]}, BUSY)
    for _ in range(2):
        with pytest.raises(KrakenError):
            raw_hook.get_trades("XBTUSD", since_ns=0, may_repeat=may_repeat)
    assert raw_hook.calls - 2 == len(asked) > 0


def test_every_attempt_takes_the_slot_anew(
    raw_exchange: RawExchange, slot_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval_s = 0.15
    monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_DEFAULT", f'{{"conn_type":"kraken","host":"{raw_exchange.url}"}}')
    raw_exchange.will_answer(BUSY)
    hook = KrakenHook(slot=CallSlot(slot_uri, min_interval_s=interval_s), sleep=lambda _: None).get_conn()
    with pytest.raises(KrakenTransientError):
        hook.get_server_time()
    hook.close()
    distances = [b - a for a, b in pairwise(raw_exchange.arrivals)]
    assert len(distances) == 3
    assert min(distances) >= interval_s


def test_stale_answer_is_asked_again_until_it_is_fresh(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    raw_exchange.will_answer(ohlc(RUNNING_S - 3600), ohlc(RUNNING_S))
    answer = raw_hook.get_ohlc("XBTUSD", 60, now_s=NOW_S)
    assert answer.running is not None
    assert answer.running.ts_s == RUNNING_S
    assert raw_hook.calls == 2


def test_lasting_staleness_is_an_error(raw_hook: KrakenClient, raw_exchange: RawExchange) -> None:
    raw_exchange.will_answer(ohlc(RUNNING_S - 3600))
    with pytest.raises(KrakenStaleReplyError, match="OHLC XBTUSD 60 min: the newest candle opens at"):
        raw_hook.get_ohlc("XBTUSD", 60, now_s=NOW_S)
    assert raw_hook.calls == 4


def test_staleness_is_not_judged_without_a_time(raw_hook: KrakenClient, raw_exchange: RawExchange) -> None:
    raw_exchange.will_answer(ohlc(RUNNING_S - 36_000))
    assert len(raw_hook.get_ohlc("XBTUSD", 60).committed) == 1


def test_bucket_that_rolled_over_during_the_call_is_not_stale(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    raw_exchange.will_answer(ohlc(RUNNING_S + 3600))
    answer = raw_hook.get_ohlc("XBTUSD", 60, now_s=NOW_S)
    assert [candle.ts_s for candle in answer.committed] == [RUNNING_S]


def test_slot_that_cannot_be_had_ends_the_attempts_before_any_call(
    raw_hook: KrakenClient, raw_exchange: RawExchange, slot_ledger: psycopg.Connection[Any]
) -> None:
    slot_ledger.execute("ALTER TABLE api_slot RENAME TO elsewhere")
    try:
        with pytest.raises(RateLimitLockError, match="api_slot"):
            raw_hook.get_server_time()
    finally:
        slot_ledger.execute("ALTER TABLE elsewhere RENAME TO api_slot")
    assert raw_exchange.paths == []


def test_calls_name_the_client_and_send_no_since(raw_hook: KrakenClient, raw_exchange: RawExchange) -> None:
    raw_exchange.will_answer(ohlc(RUNNING_S))
    raw_hook.get_ohlc("XBTUSD", 60)
    assert raw_exchange.headers[0]["User-Agent"] == f"kraken-ohlcv-airflow/{__version__}"
    assert raw_exchange.paths == ["/0/public/OHLC"]
    assert raw_exchange.queries == [{"pair": "XBTUSD", "interval": "60"}]


def test_making_a_hook_asks_for_nothing() -> None:
    assert KrakenHook("no_such_connection").kraken_conn_id == "no_such_connection"


@pytest.mark.parametrize("ticker", ["", "XBTUSD,ETHUSD", "XBT USD", "XBT/USD", "X"])
def test_ticker_that_cannot_be_one_is_refused(raw_hook: KrakenClient, ticker: str) -> None:
    with pytest.raises(ValueError, match="is not a Kraken ticker"):
        raw_hook.get_ohlc(ticker, 60)
    with pytest.raises(ValueError, match="is not a Kraken ticker"):
        raw_hook.get_trades(ticker, since_ns=0)
    assert raw_hook.calls == 0


@pytest.mark.parametrize("interval", [0, 7, 720, -60])
def test_interval_kraken_lacks_is_refused(raw_hook: KrakenClient, interval: int) -> None:
    with pytest.raises(ValueError, match=f"interval {interval} is not one of Kraken's"):
        raw_hook.get_ohlc("XBTUSD", interval)
    assert raw_hook.calls == 0
