"""The hook against the simulated exchange: every endpoint, every number of rows, faults on the way."""

from __future__ import annotations

import json
from dataclasses import astuple
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv.clients.errors import KrakenRateLimitError, UnknownPairError
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES
from tests.clients.walking import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from simulators.exchange_client import ExchangeAdmin

TICKER = "XBTUSD"
NOW_S = 1_795_437_296


@pytest.fixture
def hook(exchange: ExchangeAdmin, hook_for: Callable[..., KrakenClient]) -> KrakenClient:
    """Give a hook that asks the simulated exchange."""
    return hook_for(exchange.url)


def test_whole_window_equals_the_exchanges_own_candles(hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    answer = hook.get_ohlc(TICKER, 60, now_s=NOW_S)
    oldest_s = NOW_S // 3600 * 3600 - 720 * 3600
    assert [candle.ts_s for candle in answer.committed] == [oldest_s + 3600 * n for n in range(720)]
    assert answer.running is not None
    assert answer.running.ts_s == NOW_S // 3600 * 3600
    truth = exchange.candles(TICKER, 60, oldest_s, answer.running.ts_s)
    assert len(truth) > 700
    traded = {candle.ts_s: candle for candle in answer.committed if candle.trades}
    assert list(traded) == [row[0] for row in truth]
    for ts_s, opened, high, low, close, vwap, volume, trades in truth:
        expected = [*map(Decimal, (opened, high, low, close, vwap, volume)), trades]
        assert list(astuple(traded[ts_s]))[1:] == expected


@pytest.mark.parametrize("keep", [0, 1, 718, 719, 720])
def test_any_number_of_rows_is_accepted(hook: KrakenClient, exchange: ExchangeAdmin, keep: int) -> None:
    exchange.fault("rows", keep=keep)
    answer = hook.get_ohlc(TICKER, 1440, now_s=NOW_S)
    assert len(answer.committed) == keep
    assert answer.running is not None
    assert hook.calls == 1


def test_stale_backend_is_asked_again(hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    exchange.fault("stale", count=2)
    answer = hook.get_ohlc(TICKER, 60, now_s=NOW_S)
    assert answer.running is not None
    assert len(exchange.calls("OHLC")) == 3


@pytest.mark.parametrize("what", ["high_below_low", "negative_volume", "nan", "off_grid", "short_row"])
def test_bad_row_is_never_data_and_spoils_no_other(
    hook: KrakenClient, exchange: ExchangeAdmin, what: str
) -> None:
    exchange.fault("bad_row", what=what, count=None)
    answer = hook.get_ohlc(TICKER, 60, now_s=NOW_S)
    assert len(answer.committed) == 719
    (odd,) = answer.odd
    assert odd.ts_s not in {candle.ts_s for candle in answer.committed}
    assert hook.calls == 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("http", {"status": 520}),
        ("truncated", {}),
        ("not_json", {}),
        ("drop", {}),
        ("error", {"error": "EService:Busy", "result": "absent"}),
        ("error", {"error": "EService:Busy", "result": "empty"}),
        ("error", {"error": "EService:Busy", "result": "null"}),
    ],
)
def test_passing_fault_costs_one_more_call(
    hook: KrakenClient, exchange: ExchangeAdmin, kind: str, options: dict[str, object]
) -> None:
    exchange.fault(kind, **options)
    assert len(hook.get_ohlc(TICKER, 60, now_s=NOW_S).committed) == 720
    assert hook.calls == 2


def test_rate_limit_storm_is_an_error_that_pauses_everybody(
    hook: KrakenClient, exchange: ExchangeAdmin, slot_ledger: psycopg.Connection[Any]
) -> None:
    exchange.fault("rate_limit", count=None)
    with pytest.raises(KrakenRateLimitError):
        hook.get_ohlc(TICKER, 60)
    row = slot_ledger.execute("SELECT next_at > now() + interval '10 s' FROM api_slot").fetchone()
    assert row == (True,)


def test_a_delisted_pair_is_listed_as_such_and_answers_no_more(
    hook: KrakenClient, exchange: ExchangeAdmin
) -> None:
    exchange.set_pair(TICKER, "delisted")
    assert hook.get_asset_pairs()[TICKER].status == "delisted"
    with pytest.raises(UnknownPairError):
        hook.get_ohlc(TICKER, 60)


def test_vanished_pair_is_unknown(hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    exchange.set_pair(TICKER, "vanished")
    with pytest.raises(UnknownPairError):
        hook.get_ohlc(TICKER, 60)
    assert TICKER not in hook.get_asset_pairs()
    with pytest.raises(UnknownPairError, match="AssetPairs XBTUSD, ETHUSD"):
        hook.get_asset_pairs([TICKER, "ETHUSD"])


def test_pairs_status_and_clock_are_read(hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    pairs = hook.get_asset_pairs([TICKER, "ETHUSD"])
    assert {name: pair.internal_name for name, pair in pairs.items()} == {
        TICKER: "XXBTZUSD",
        "ETHUSD": "XETHZUSD",
    }
    assert len(hook.get_asset_pairs()) >= 80
    assert hook.get_system_status() == "online"
    assert hook.get_server_time() == NOW_S
    calls = hook.calls
    assert hook.get_asset_pairs([]) == {}
    assert hook.calls == calls == len(exchange.calls())


def test_connection_test_tells_the_state_and_closes_its_connections(
    hook: KrakenClient, exchange: ExchangeAdmin, slot_uri: str
) -> None:
    del hook
    form = KrakenHook(slot=CallSlot(slot_uri, min_interval_s=0.01, clock_margin_s=0.0))
    assert form.test_connection() == (True, f"{exchange.url} answers; the exchange is online")
    exchange.fault("http", status=503, count=None)
    works, said = form.test_connection()
    assert not works
    assert said.startswith("SystemStatus: Kraken answered 'HTTP 503")
    assert len(exchange.calls()) == 2


def test_first_trade_is_the_listing(hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    first_s = hook.get_first_trade(TICKER)
    assert first_s is not None
    listed_s = next(pair["listed_s"] for pair in exchange.pairs() if pair["ticker"] == TICKER)
    assert listed_s <= first_s < listed_s + 3600
    assert exchange.calls("Trades")[-1]["ticker"] == TICKER


def test_pages_of_trades_join_without_loss_or_repeat(hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    start_s = NOW_S // 86_400 * 86_400 - 30 * 86_400
    pages = list(walk(lambda ns: hook.get_trades(TICKER, since_ns=ns), start_s * 10**9 - 1, MAX_TRADES))
    assert len(pages) > 2
    ids = [trade.trade_id for page in pages for trade in page.trades]
    assert ids == list(range(ids[0] or 0, (ids[0] or 0) + len(ids)))
    truth = exchange.candles(TICKER, 60, start_s, NOW_S)
    closed_s = NOW_S // 3600 * 3600
    assert sum(trade.time_s < closed_s for page in pages for trade in page.trades) == sum(
        row[7] for row in truth
    )


@pytest.mark.parametrize("since_ns", [NOW_S, -1])
def test_senseless_questions_for_trades_are_refused(hook: KrakenClient, since_ns: int) -> None:
    with pytest.raises(ValueError, match="not in nanoseconds"):
        hook.get_trades(TICKER, since_ns=since_ns)
    assert hook.calls == 0


@pytest.fixture
def plain_hook(
    exchange: ExchangeAdmin, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KrakenClient]:
    """Give a hook that finds slot and exchange through its connections alone."""
    fields = {"conn_type": "kraken", "host": exchange.url, "extra": {"min_interval_s": 0.2}}
    monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_DEFAULT", json.dumps(fields))
    hook = KrakenHook().get_conn()
    yield hook
    hook.close()


def test_hook_makes_its_slot_from_the_connections(plain_hook: KrakenClient, exchange: ExchangeAdmin) -> None:
    for _ in range(3):
        plain_hook.get_server_time()
    arrivals = [call["at"] for call in exchange.calls("Time")]
    assert len(arrivals) == 3
    assert all(b - a >= 0.2 for a, b in pairwise(arrivals))
