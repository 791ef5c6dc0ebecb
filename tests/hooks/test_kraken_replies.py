"""What counts as candles, trades and pairs, and what is refused as malformed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.errors import KrakenMalformedReplyError
from kraken_hooks.replies import read_asset_pairs, read_ohlc, read_system_status, read_trades

if TYPE_CHECKING:
    from kraken_hooks.kraken import KrakenHook
    from tests.hooks.raw_exchange import RawExchange

START_S = 1_795_428_000
GOOD: list[Any] = [START_S, "60010.0", "60020.0", "60005.5", "60005.5", "60015.3", "0.85000000", 3]
FLAT: list[Any] = [START_S, "60000.0", "60000.0", "60000.0", "60000.0", "0.0", "0.00000000", 0]


def changed(row: list[Any], **fields: Any) -> list[Any]:
    names = ["ts", "open", "high", "low", "close", "vwap", "volume", "count"]
    return [fields.get(name, value) for name, value in zip(names, row, strict=True)]


def result_of(*rows: Any, last: Any = START_S) -> dict[str, Any]:
    return {"XXBTZUSD": list(rows), "last": last}


def test_rows_keep_every_digit_and_flat_buckets_stay() -> None:
    answer = read_ohlc(
        result_of(
            FLAT, changed(GOOD, ts=START_S + 3600), changed(GOOD, ts=START_S + 7200), last=START_S + 3600
        ),
        "XBTUSD",
        60,
    )
    assert [(candle.ts_s, candle.trades) for candle in answer.committed] == [
        (START_S, 0),
        (START_S + 3600, 3),
    ]
    assert str(answer.committed[1].volume) == "0.85000000"
    assert answer.committed[1].vwap == Decimal("60015.3")
    assert answer.running is not None
    assert answer.running.ts_s == START_S + 7200
    assert answer.last_s == START_S + 3600


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_are_accepted(rows: int) -> None:
    served = [changed(GOOD, ts=START_S + 3600 * number) for number in range(rows)]
    answer = read_ohlc(result_of(*served), "XBTUSD", 60, now_s=START_S + 3700 if rows == 2 else None)
    assert len(answer.committed) == min(rows, 1)
    assert (answer.running is not None) == (rows == 2)


def test_no_rows_are_not_stale() -> None:
    assert read_ohlc(result_of(), "XBTUSD", 60, now_s=START_S).committed == ()


def test_disorder_and_identical_repeats_are_tolerated() -> None:
    rows = [changed(GOOD, ts=START_S + 3600), GOOD, changed(GOOD, ts=START_S + 7200), GOOD]
    answer = read_ohlc(result_of(*rows, last=START_S + 3600), "XBTUSD", 60)
    assert [candle.ts_s for candle in answer.committed] == [START_S, START_S + 3600]


def test_buckets_left_out_are_accepted() -> None:
    rows = [GOOD, changed(GOOD, ts=START_S + 36_000)]
    assert len(read_ohlc(result_of(*rows, last=START_S + 36_000), "XBTUSD", 60).committed) == 2


def test_numbers_sent_as_json_numbers_are_exact(raw_hook: KrakenHook, raw_exchange: RawExchange) -> None:
    row = json.dumps(changed(GOOD, vwap=0)).replace('"60010.0"', "60010.00000000000000001")
    raw_exchange.will_answer(f'{{"error":[],"result":{{"XXBTZUSD":[{row}],"last":{START_S}}}}}')
    (candle,) = raw_hook.get_ohlc("XBTUSD", 60).committed
    assert candle.open == Decimal("60010.00000000000000001")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        pytest.param(GOOD[:7], "has not 8 fields", id="seven fields"),
        pytest.param([*GOOD, 1], "has not 8 fields", id="nine fields"),
        pytest.param({"time": START_S}, "has not 8 fields", id="an object instead of a row"),
        pytest.param(changed(GOOD, ts=START_S + 1), "off the grid", id="a second off the grid"),
        pytest.param(changed(GOOD, ts=-3600), "off the grid", id="before 1970"),
        pytest.param(changed(GOOD, ts=START_S * 1000), "off the grid", id="milliseconds"),
        pytest.param(changed(GOOD, ts=str(START_S)), "no number", id="time as text"),
        pytest.param(changed(GOOD, ts=float(START_S)), "no number", id="time with a point"),
        pytest.param(changed(GOOD, high="60004"), "impossible prices", id="high below low"),
        pytest.param(changed(GOOD, high="60008"), "impossible prices", id="high below open"),
        pytest.param(changed(GOOD, low="60006"), "impossible prices", id="low above close"),
        pytest.param(changed(GOOD, low="0"), "impossible prices", id="low of zero"),
        pytest.param(changed(GOOD, low="-1"), "impossible prices", id="negative low"),
        pytest.param(changed(GOOD, open="NaN"), "no number", id="NaN"),
        pytest.param(changed(GOOD, high="Infinity"), "no number", id="infinity"),
        pytest.param(changed(GOOD, open=None), "no number", id="null"),
        pytest.param(changed(GOOD, open=True), "no number", id="true"),
        pytest.param(changed(GOOD, open="6_0010"), "no number", id="an underscore"),
        pytest.param(changed(GOOD, open="٦"), "no number", id="foreign digits"),
        pytest.param(changed(GOOD, high="1e9999"), "no number", id="a number beyond any price"),
        pytest.param(changed(GOOD, volume="-0.1"), "impossible volume", id="negative volume"),
        pytest.param(changed(GOOD, vwap="-0.1"), "impossible volume", id="negative vwap"),
        pytest.param(changed(GOOD, count=-1), "impossible volume", id="negative count"),
        pytest.param(changed(GOOD, count=0), "impossible volume", id="volume without trades"),
        pytest.param(changed(FLAT, count=1), "impossible volume", id="trades without volume"),
        pytest.param(changed(GOOD, count="3"), "no number", id="count as text"),
        pytest.param(changed(GOOD, count=True), "no number", id="count as true"),
    ],
)
def test_impossible_row_makes_the_answer_malformed_and_is_shown(row: Any, why: str) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=rf"^OHLC XBTUSD 60 min: row .* {why}"):
        read_ohlc(result_of(row), "XBTUSD", 60)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        pytest.param([], "not one list of rows", id="a list"),
        pytest.param({}, "not one list of rows", id="empty"),
        pytest.param({"last": START_S}, "not one list of rows", id="no rows key"),
        pytest.param({"XXBTZUSD": []}, "not one list of rows", id="no last"),
        pytest.param({"A": [], "B": [], "last": 0}, "not one list of rows", id="two pairs"),
        pytest.param({"XXBTZUSD": {}, "last": 0}, "not one list of rows", id="rows that are no list"),
        pytest.param(result_of(GOOD, last="1795428000"), "last is '1795428000'", id="last as text"),
        pytest.param(result_of(GOOD, last=None), "last is None", id="last null"),
        pytest.param(
            result_of(GOOD, changed(GOOD, close="60006.0")),
            "two different candles",
            id="two versions of a candle",
        ),
        pytest.param(
            result_of(*(changed(GOOD, ts=START_S + 3600 * n) for n in range(3))),
            "2 candles after last",
            id="two running candles",
        ),
    ],
)
def test_other_shape_of_candles_is_malformed(result: Any, why: str) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=why):
        read_ohlc(result, "XBTUSD", 60)


@pytest.mark.parametrize(("interval", "ts_s"), [(10080, 1_794_441_600), (21600, 1_794_960_000)])
def test_long_intervals_lie_on_the_epoch_grid_not_on_the_calendar(interval: int, ts_s: int) -> None:
    step_s = 60 * interval
    assert ts_s % step_s == 0
    assert read_ohlc(result_of(changed(GOOD, ts=ts_s), last=ts_s), "XBTUSD", interval).committed
    with pytest.raises(KrakenMalformedReplyError, match="off the grid"):
        read_ohlc(result_of(changed(GOOD, ts=ts_s + 86_400), last=ts_s), "XBTUSD", interval)


TRADE: list[Any] = ["60010.00000", "0.25000000", Decimal("1795431784.1250873"), "b", "l", "", 501]


def test_trades_keep_digits_time_and_cursor() -> None:
    page = read_trades({"XXBTZUSD": [TRADE], "last": "1795431784125087345"}, "XBTUSD")
    (trade,) = page.trades
    assert (trade.trade_id, str(trade.price), trade.time_s) == (501, "60010.00000", TRADE[2])
    assert page.last_ns == 1_795_431_784_125_087_345


def test_time_of_a_trade_is_not_rounded_into_the_next_minute(
    raw_hook: KrakenHook, raw_exchange: RawExchange
) -> None:
    row = '["1.00000","1.00000000",1762820039.9999999,"b","l","",7]'
    raw_exchange.will_answer(f'{{"error":[],"result":{{"X":[{row}],"last":"1762820039999999900"}}}}')
    (trade,) = raw_hook.get_trades("XBTUSD", since_ns=0).trades
    assert trade.time_s // 60 == 1762820039 // 60


def test_trades_of_one_id_count_once_and_of_equal_values_twice() -> None:
    twin = [*TRADE[:6], 502]
    page = read_trades({"X": [twin, TRADE, TRADE], "last": "0"}, "XBTUSD")
    assert [trade.trade_id for trade in page.trades] == [501, 502]


def test_old_trades_without_ids_are_kept_in_order_of_time() -> None:
    rows = [[*TRADE[:2], Decimal(time), *TRADE[3:6]] for time in (9, 8, 9)]
    page = read_trades({"X": rows, "last": "9"}, "XBTUSD")
    assert [(trade.trade_id, trade.time_s) for trade in page.trades] == [(None, 8), (None, 9), (None, 9)]


@pytest.mark.parametrize(
    ("rows", "last", "why"),
    [
        pytest.param([TRADE[:5]], "1", "neither 6 nor 7 fields", id="five fields"),
        pytest.param([["x", *TRADE[1:]]], "1", "no number", id="a price that is no number"),
        pytest.param([["0", *TRADE[1:]]], "1", "impossible price", id="a price of zero"),
        pytest.param([[TRADE[0], "-1", *TRADE[2:]]], "1", "impossible price", id="negative volume"),
        pytest.param([[*TRADE[:2], "1795431784", *TRADE[3:]]], "1", "no number", id="time as text"),
        pytest.param([[*TRADE[:2], 1795431784000, *TRADE[3:]]], "1", "impossible price", id="milliseconds"),
        pytest.param([[*TRADE[:6], 0]], "1", "impossible id", id="id zero"),
        pytest.param([[*TRADE[:6], "501"]], "1", "impossible id", id="id as text"),
        pytest.param([TRADE, TRADE[:6]], "1", "only 1 of 2 trades have an id", id="ids for some"),
        pytest.param([TRADE, ["1", *TRADE[1:]]], "1", "two different trades with id 501", id="an id twice"),
        pytest.param([TRADE], "soon", "last is 'soon'", id="cursor that is no number"),
        pytest.param([TRADE], Decimal("1.5"), "last is", id="cursor with a point"),
    ],
)
def test_impossible_trades_are_malformed(rows: list[Any], last: Any, why: str) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=rf"^Trades XBTUSD: .*{why}"):
        read_trades({"XXBTZUSD": rows, "last": last}, "XBTUSD")


@pytest.mark.parametrize("text", ["1.", ".5", "1.2.3", "1,2", " 1", "1_0", "\u0661", "NaN", "", "1" * 31])
@pytest.mark.parametrize("field", [0, 1], ids=["price", "volume"])
def test_one_odd_number_in_a_page_of_good_ones_is_malformed(text: str, field: int) -> None:
    rows = [[*TRADE[:6], number] for number in range(501, 504)]
    rows[1][field] = text
    with pytest.raises(KrakenMalformedReplyError, match="holds something that is no number"):
        read_trades({"XXBTZUSD": rows, "last": "1"}, "XBTUSD")


def test_ids_that_begin_anew_inside_a_page_keep_the_order_of_time() -> None:
    rows = [
        [*TRADE[:2], Decimal(1795431784 + n), *TRADE[3:6], number] for n, number in enumerate([8, 9, 1, 2])
    ]
    page = read_trades({"XXBTZUSD": rows, "last": "1"}, "XBTUSD")
    assert [trade.trade_id for trade in page.trades] == [8, 9, 1, 2]


PAIR: dict[str, Any] = {"altname": "XBTUSD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1}


def test_pairs_are_named_by_altname_and_online_unless_said_otherwise() -> None:
    pairs = read_asset_pairs({
        "XXBTZUSD": {**PAIR, "some_new_field": []},
        "XETHZUSD": {**PAIR, "altname": "ETHUSD", "status": "brand_new_state"},
        "XXBTZUSD.d": {**PAIR, "altname": "XBTUSD.d"},
    })
    assert {name: pair.status for name, pair in pairs.items()} == {
        "XBTUSD": "online",
        "ETHUSD": "brand_new_state",
    }
    assert pairs["XBTUSD"].internal_name == "XXBTZUSD"
    assert pairs["XBTUSD"].pair_decimals == 1


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({}, id="no pair at all"),
        pytest.param([], id="a list"),
        pytest.param({"X": []}, id="a pair that is no object"),
        pytest.param({"X": {**PAIR, "altname": None}}, id="no altname"),
        pytest.param({"X": {**PAIR, "pair_decimals": "1"}}, id="decimals as text"),
        pytest.param({"X": {**PAIR, "status": None}}, id="a null status"),
    ],
)
def test_pairs_without_what_is_needed_are_malformed(result: Any) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=r"^AssetPairs: "):
        read_asset_pairs(result)


def test_status_without_its_fields_is_malformed() -> None:
    with pytest.raises(KrakenMalformedReplyError, match="SystemStatus"):
        read_system_status({"status": "online"})
