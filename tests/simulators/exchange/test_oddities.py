"""Answers that no sound exchange sends, by script; and the names a standard client uses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from simulators.exchange_client import ExchangeAdmin

NOW_S = 1_795_437_296
EXACT = {"parse_float": str}


def get(exchange: ExchangeAdmin, method: str, **query: Any) -> Any:
    response = requests.get(f"{exchange.url}/0/public/{method}", params=query, timeout=60)
    envelope = json.loads(response.text, **EXACT)
    assert envelope["error"] == []
    return envelope["result"]


@pytest.mark.parametrize("name", ["XBTUSD", "XXBTZUSD", "XBT/USD", "BTC/USD", "BTCUSD"])
def test_a_request_may_use_every_name_of_a_pair(exchange: ExchangeAdmin, name: str) -> None:
    for method in ("OHLC", "Trades"):
        assert set(get(exchange, method, pair=name)) == {"XXBTZUSD", "last"}
    assert set(get(exchange, "AssetPairs", pair=name)) == {"XXBTZUSD"}
    assert exchange.calls("OHLC")[0]["ticker"] == "XBTUSD"


def test_the_second_version_of_asset_names_is_that_of_people(exchange: ExchangeAdmin) -> None:
    for method in ("OHLC", "Trades"):
        assert set(get(exchange, method, pair="XBTUSD", assetVersion=1)) == {"BTC/USD", "last"}
    assert set(get(exchange, "AssetPairs", pair="XDGUSD", assetVersion=1)) == {"DOGE/USD"}


def test_a_standard_client_finds_the_assets_of_all_pairs(exchange: ExchangeAdmin) -> None:
    assets = get(exchange, "Assets")
    for pair in get(exchange, "AssetPairs").values():
        assert {pair["base"], pair["quote"]} <= set(assets)
    assert assets["XXBT"]["altname"] == "XBT"


def test_a_delisted_pair_is_listed_as_such_and_serves_nothing(exchange: ExchangeAdmin) -> None:
    exchange.set_pair("XBTUSD", "cancel_only")
    exchange.set_pair("ETHUSD", "delisted")
    pairs = get(exchange, "AssetPairs")
    assert (pairs["XXBTZUSD"]["status"], pairs["XETHZUSD"]["status"]) == ("cancel_only", "delisted")
    for method in ("OHLC", "Trades"):
        answer = requests.get(f"{exchange.url}/0/public/{method}", params={"pair": "ETHUSD"}, timeout=60)
        assert answer.json()["error"] == ["EQuery:Unknown asset pair"]


@pytest.mark.parametrize("method", ["OHLC", "Trades"])
def test_another_pair_s_rows_come_under_its_own_name(exchange: ExchangeAdmin, method: str) -> None:
    exchange.fault("foreign_pair", pair="ETHUSD")
    assert set(get(exchange, method, pair="XBTUSD")) == {"XETHZUSD", "last"}
    assert set(get(exchange, method, pair="XBTUSD")) == {"XXBTZUSD", "last"}


def test_another_interval_s_rows_come_whole(exchange: ExchangeAdmin) -> None:
    daily = get(exchange, "OHLC", pair="XBTUSD", interval=1440)
    exchange.fault("foreign_interval", served=1440)
    assert get(exchange, "OHLC", pair="XBTUSD", interval=60) == daily


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("no_time", lambda row: row[0] is None),
        ("open_below_low", lambda row: float(row[1]) < float(row[3])),
        ("no_volume", lambda row: (float(row[6]), row[7]) == (0, 1)),
        ("five_zeros", lambda row: [float(value) for value in row[1:6]] == [0] * 5 and row[7] == 0),
    ],
)
def test_one_row_is_odd_and_no_other(exchange: ExchangeAdmin, what: str, expected: Any) -> None:
    sound = get(exchange, "OHLC", pair="XBTUSD", interval=60)["XXBTZUSD"]
    exchange.fault("bad_row", what=what, ts=sound[400][0])
    odd = get(exchange, "OHLC", pair="XBTUSD", interval=60)["XXBTZUSD"]
    assert expected(odd[400])
    assert odd[:400] + odd[401:] == sound[:400] + sound[401:]


def test_any_part_of_an_answer_can_be_altered_and_all_else_keeps_every_digit(exchange: ExchangeAdmin) -> None:
    ask = {"pair": "XBTUSD", "since": 1795000000, "count": 50}
    sound = get(exchange, "Trades", **ask)
    exchange.fault("altered", endpoint="Trades", path=["*", 7, 0], value="0.00000")
    exchange.fault("altered", endpoint="Trades", path=["*", "*", 7], value="new")
    exchange.fault("altered", endpoint="Trades", path=["served_by"], value="x")
    exchange.fault("altered", endpoint="Trades", path=["last"])
    odd = get(exchange, "Trades", **ask)
    rows = sound["XXBTZUSD"]
    assert odd.pop("served_by") == "x"
    assert set(odd) == {"XXBTZUSD"}
    assert odd["XXBTZUSD"][7] == ["0.00000", *rows[7][1:], "new"]
    others = [row for nth, row in enumerate(odd["XXBTZUSD"]) if nth != 7]
    assert others == [[*row, "new"] for nth, row in enumerate(rows) if nth != 7]
    assert get(exchange, "Trades", **ask) == sound


def test_asset_pairs_can_list_one_pair_alone_or_an_odd_one_more(exchange: ExchangeAdmin) -> None:
    exchange.fault("only_pairs", pairs=["XDGUSD"])
    assert set(get(exchange, "AssetPairs")) == {"XDGUSD"}
    entry = {"altname": "NEWTHING", "status": "work_in_progress"}
    exchange.fault("altered", endpoint="AssetPairs", path=["NEWTHING"], value=entry)
    assert get(exchange, "AssetPairs")["NEWTHING"] == entry


def test_the_time_can_stand_still_or_be_days_behind_while_candles_go_on(exchange: ExchangeAdmin) -> None:
    exchange.fault("time", offset_s=-2 * 86_400, count=1)
    assert get(exchange, "Time")["unixtime"] == NOW_S - 2 * 86_400
    exchange.fault("time", at=NOW_S, count=None)
    exchange.advance(3600)
    assert get(exchange, "Time")["unixtime"] == NOW_S
    newest = get(exchange, "OHLC", pair="XBTUSD", interval=60)["XXBTZUSD"][-1]
    assert newest[0] == (NOW_S + 3600) // 3600 * 3600


def test_a_little_gzip_becomes_much(exchange: ExchangeAdmin) -> None:
    exchange.fault("huge", mib=20)
    with requests.get(f"{exchange.url}/0/public/Time", stream=True, timeout=60) as response:
        assert int(response.headers["Content-Length"]) < 100_000
        assert len(response.content) > 20 << 20
