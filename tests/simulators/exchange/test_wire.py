"""What the simulated exchange puts on the wire, byte for byte as Kraken does."""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from simulators.exchange_client import ExchangeAdmin

NOW_S = 1_795_437_296
TICKER, INTERNAL, DECIMALS = "XBTUSD", "XXBTZUSD", 1


def get(exchange: ExchangeAdmin, method: str, **query: Any) -> requests.Response:
    return requests.get(f"{exchange.url}/0/public/{method}", params=query, timeout=60)


def test_candles_are_text_with_the_decimals_of_the_pair_and_times_are_whole_numbers(
    exchange: ExchangeAdmin,
) -> None:
    response = get(exchange, "OHLC", pair=TICKER, interval=1)
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert list(body) == ["error", "result"]
    assert list(body["result"]) == [INTERNAL, "last"]
    assert type(body["result"]["last"]) is int
    rows = body["result"][INTERNAL]
    assert {len(row) for row in rows} == {8}
    for time_, *prices, volume, count in rows:
        assert type(time_) is int
        assert type(count) is int
        assert all(re.fullmatch(r"\d+\.\d", price) for price in prices)
        assert re.fullmatch(r"\d+\.\d{8}", volume)
    flat = next(row for row in rows if row[7] == 0)
    assert flat[5:] == ["0.0", "0.00000000", 0]


@pytest.mark.parametrize(
    ("ticker", "digits"), [("XBTUSD", 5), ("ADAUSD", 6), ("SHIBUSD", 8), ("ETHUSD", 5), ("USDTUSD", 5)]
)
def test_trades_show_at_least_five_decimals_float_times_and_a_nanosecond_cursor_as_text(
    exchange: ExchangeAdmin, ticker: str, digits: int
) -> None:
    text = get(exchange, "Trades", pair=ticker).text
    result = json.loads(text)["result"]
    (rows,) = [result[key] for key in result if key != "last"]
    assert len(rows) == 1_000
    for price, volume, time_, side, kind, misc, trade_id in rows:
        assert re.fullmatch(rf"\d+\.\d{{{digits}}}", price)
        assert re.fullmatch(r"\d+\.\d{8}", volume)
        assert type(time_) is float
        assert (side in "bs", kind in "ml", misc) == (True, True, "")
        assert type(trade_id) is int
    times = re.findall(r'",(\d{10}\.\d{1,7}),"', text)
    assert len(times) == 1_000
    assert any(len(stamp) == 18 for stamp in times)
    assert re.fullmatch(r"\d{19}", result["last"])
    assert result["last"].startswith(times[-1].replace(".", ""))


@pytest.mark.parametrize(("count", "served"), [(1, 1), (999, 999), (1_000, 1_000), (5_000, 1_000)])
def test_a_page_holds_as_many_trades_as_asked_for_and_never_more_than_a_thousand(
    exchange: ExchangeAdmin, count: int, served: int
) -> None:
    assert (
        len(get(exchange, "Trades", pair=TICKER, since=0, count=count).json()["result"][INTERNAL]) == served
    )


def test_a_cursor_excludes_its_own_trade_and_may_be_in_seconds(exchange: ExchangeAdmin) -> None:
    newest = get(exchange, "Trades", pair=TICKER, count=1).json()["result"]
    cursor = int(newest["last"])
    assert get(exchange, "Trades", pair=TICKER, since=cursor).json()["result"] == {
        INTERNAL: [],
        "last": str(cursor),
    }
    assert get(exchange, "Trades", pair=TICKER, since=cursor - 1).json()["result"] == newest
    assert (
        get(exchange, "Trades", pair=TICKER, since=cursor // 10**9).json()["result"][INTERNAL][-1]
        == newest[INTERNAL][0]
    )
    far = str(9 * 10**18)
    assert get(exchange, "Trades", pair=TICKER, since=far).json()["result"] == {INTERNAL: [], "last": far}


def test_the_clock_and_the_state_are_told_in_krakens_words(exchange: ExchangeAdmin) -> None:
    assert get(exchange, "Time").json() == {
        "error": [],
        "result": {"unixtime": NOW_S, "rfc1123": "Mon, 23 Nov 26 12:34:56 +0000"},
    }
    assert get(exchange, "SystemStatus").json() == {
        "error": [],
        "result": {
            "status": "online",
            "timestamp": "2026-11-23T12:34:56Z",
            "upcoming_maintenance": [],
            "emergency": [],
        },
    }
    assert get(exchange, "MaintenanceSchedule").json()["result"] == {"events": []}


def test_pairs_are_told_by_internal_name_with_numbers_and_texts_as_kraken_has_them(
    exchange: ExchangeAdmin,
) -> None:
    pairs = get(exchange, "AssetPairs").json()["result"]
    assert len(pairs) == 80
    bitcoin = pairs["XXBTZUSD"]
    assert (bitcoin["altname"], bitcoin["wsname"], bitcoin["base"], bitcoin["quote"]) == (
        "XBTUSD",
        "XBT/USD",
        "XXBT",
        "ZUSD",
    )
    assert (bitcoin["pair_decimals"], bitcoin["tick_size"], bitcoin["status"]) == (1, "0.1", "online")
    assert (bitcoin["ordermin"], bitcoin["lot_decimals"]) == ("0.00008333", 8)
    assert {name for name in pairs if name != pairs[name]["altname"]} == {
        "XXBTZUSD",
        "XETHZUSD",
        "XXRPZUSD",
        "XLTCZUSD",
        "XETCZUSD",
        "XXLMZUSD",
        "XZECZUSD",
        "USDTZUSD",
    }
    some = get(exchange, "AssetPairs", pair="XBTUSD,SUSD", info="leverage").json()["result"]
    assert some == {name: {"leverage_buy": [2, 3], "leverage_sell": [2, 3]} for name in ("XXBTZUSD", "SUSD")}


@pytest.mark.parametrize("name", ["XBTUSD", "XXBTZUSD"])
def test_altname_and_internal_name_ask_for_the_same_pair(exchange: ExchangeAdmin, name: str) -> None:
    assert list(get(exchange, "OHLC", pair=name).json()["result"]) == ["XXBTZUSD", "last"]


def test_an_alias_is_answered_under_the_real_name(exchange: ExchangeAdmin) -> None:
    assert list(get(exchange, "OHLC", pair="DOGEUSD").json()["result"]) == ["XDGUSD", "last"]
    assert exchange.calls()[-1]["ticker"] == "XDGUSD"


REFUSED = [
    pytest.param("OHLC", {"pair": "NOPEUSD"}, "EQuery:Unknown asset pair", id="pair nobody knows"),
    pytest.param(
        "OHLC", {"pair": "XXDGZUSD"}, "EQuery:Unknown asset pair", id="internal name made up by rule"
    ),
    pytest.param("OHLC", {"pair": "XBTUSD,ETHUSD"}, "EQuery:Unknown asset pair", id="two pairs"),
    pytest.param("OHLC", {}, "EGeneral:Invalid arguments:pair", id="no pair"),
    pytest.param(
        "OHLC", {"pair": TICKER, "interval": 720}, "EGeneral:Invalid arguments:interval", id="12 hours"
    ),
    pytest.param(
        "OHLC", {"pair": TICKER, "interval": "x"}, "EGeneral:Invalid arguments:interval", id="not a number"
    ),
    pytest.param(
        "OHLC", {"pair": TICKER, "since": "-5"}, "EGeneral:Invalid arguments:since", id="negative since"
    ),
    pytest.param(
        "Trades", {"pair": TICKER, "count": 0}, "EGeneral:Invalid arguments:count", id="zero trades"
    ),
    pytest.param(
        "AssetPairs", {"pair": "XBTUSD,NOPEUSD"}, "EQuery:Unknown asset pair", id="one of two unknown"
    ),
    pytest.param("AssetPairs", {"info": "x"}, "EGeneral:Invalid arguments:info", id="unknown info"),
]


@pytest.mark.parametrize(("method", "query", "error"), REFUSED)
def test_a_refusal_is_an_error_list_inside_http_200(
    exchange: ExchangeAdmin, method: str, query: dict[str, Any], error: str
) -> None:
    response = get(exchange, method, **query)
    assert (response.status_code, response.json()) == (200, {"error": [error]})
    assert exchange.calls()[-1]["errors"] == [error]


def test_an_unknown_method_is_http_404_with_kraken_s_envelope(exchange: ExchangeAdmin) -> None:
    response = get(exchange, "Candles", pair=TICKER)
    assert (response.status_code, response.json()) == (404, {"error": ["EGeneral:Unknown method"]})


def test_a_caller_without_a_name_is_turned_away_by_the_front(exchange: ExchangeAdmin) -> None:
    host = exchange.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", "/0/public/Time")
    response = connection.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert b"<html>" in response.read()
    connection.close()


def test_a_delisted_pair_vanishes_and_other_states_are_only_told(exchange: ExchangeAdmin) -> None:
    exchange.set_pair("XBTUSD", "cancel_only")
    exchange.set_pair("ETHUSD", "vanished")
    pairs = get(exchange, "AssetPairs").json()["result"]
    assert pairs["XXBTZUSD"]["status"] == "cancel_only"
    assert "XETHZUSD" not in pairs
    for method in ("OHLC", "Trades"):
        assert get(exchange, method, pair="XBTUSD").json()["error"] == []
        assert get(exchange, method, pair="ETHUSD").json()["error"] == ["EQuery:Unknown asset pair"]
    assert exchange.candles("ETHUSD", 60, NOW_S - 7_200, NOW_S)
    exchange.set_pair("ETHUSD", "online")
    assert get(exchange, "OHLC", pair="ETHUSD").json()["error"] == []


def test_calls_are_counted_with_time_pair_interval_and_outcome(exchange: ExchangeAdmin) -> None:
    before = time.time()
    get(exchange, "Time")
    get(exchange, "OHLC", pair="XBTUSD", interval=60)
    get(exchange, "Trades", pair="NOPEUSD")
    get(exchange, "Nothing")
    calls = exchange.calls()
    assert [(call["endpoint"], call["ticker"], call["interval"], call["status"]) for call in calls] == [
        ("Time", None, None, 200),
        ("OHLC", "XBTUSD", 60, 200),
        ("Trades", "NOPEUSD", None, 200),
        ("Nothing", None, None, 404),
    ]
    assert [call["errors"] for call in calls] == [
        [],
        [],
        ["EQuery:Unknown asset pair"],
        ["EGeneral:Unknown method"],
    ]
    stamps = [stamp for call in calls for stamp in (call["at"], call["done_at"])]
    assert stamps == sorted(stamps)
    assert before <= stamps[0]
    assert stamps[-1] <= time.time()
    assert exchange.calls("OHLC") == calls[1:2]
    assert exchange.calls(after=calls[1]["n"]) == calls[2:]
    exchange.clear_calls()
    assert exchange.calls() == []


def test_what_was_made_of_a_pair_for_the_first_question_serves_later_ones(exchange: ExchangeAdmin) -> None:
    exchange.quiet("ZECUSD", 1, 2)  # makes it forget what it has made of the pair
    took = []
    for _ in range(10):
        started = time.perf_counter()
        get(exchange, "OHLC", pair="ZECUSD", interval=10080)
        took.append(time.perf_counter() - started)
    assert min(took[1:]) < took[0]
