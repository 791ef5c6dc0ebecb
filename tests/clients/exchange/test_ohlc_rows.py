"""What counts as candles in an OHLC answer, and which answers are refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import (
    KrakenForeignReplyError,
    KrakenMalformedReplyError,
    KrakenStaleReplyError,
)
from kraken_ohlcv.clients.exchange.ohlc_rows import read_ohlc
from kraken_ohlcv.clients.exchange.trade_rows import read_first_trade, read_trades

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.clients.exchange.models import OhlcAnswer
    from tests.clients.raw_exchange import RawExchange

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


def series_of(n: int, *, step_s: int = 3600) -> list[list[Any]]:
    """Return so many sound rows, one step apart, the last one running."""
    return [changed(GOOD, ts=START_S // step_s * step_s + step_s * number) for number in range(n)]


def read(rows: list[Any], *, interval: int = 60, **given: Any) -> OhlcAnswer:
    """Return what is read of rows, of which the last but one is committed."""
    return read_ohlc(result_of(*rows, last=rows[-2][0]), "XBTUSD", interval, **given)


def opens(answer: OhlcAnswer) -> list[int]:
    return [candle.ts_s for candle in answer.committed]


def test_identical_repeats_are_harmless() -> None:
    rows = series_of(8)
    answer = read([rows[5], *rows[:3], rows[2], *rows[3:7], rows[0], rows[7]])
    assert opens(answer) == [row[0] for row in rows[:7]]
    assert answer.odd == ()


REPEATED = [
    pytest.param(lambda rows: [*rows[:4], rows[2], *rows[4:]], id="in the middle"),
    pytest.param(lambda rows: [*rows[:-1], rows[-3], rows[-1]], id="before the running row"),
    pytest.param(lambda rows: [*rows, rows[-2]], id="after the running row"),
    pytest.param(lambda rows: [*rows, rows[0]], id="the oldest at the end"),
]


@pytest.mark.parametrize("repeat", REPEATED)
def test_a_row_repeated_after_its_successor_spoils_neither(
    repeat: Callable[[list[list[Any]]], list[list[Any]]],
) -> None:
    rows = series_of(8)
    result = result_of(*repeat(rows), last=rows[-2][0])
    answer = read_ohlc(result, "XBTUSD", 60, now_s=rows[-1][0] + 60)
    assert opens(answer) == [row[0] for row in rows[:7]]
    assert (answer.odd, answer.running is not None) == ((), True)


def test_a_contradiction_that_stands_after_its_successor_spoils_its_own_bucket_alone() -> None:
    rows = series_of(8)
    other = changed(rows[2], count=4)
    answer = read([*rows[:4], other, *rows[4:]])
    assert opens(answer) == [row[0] for n, row in enumerate(rows[:7]) if n != 2]
    assert {one.ts_s for one in answer.odd} == {rows[2][0]}


def test_a_row_repeated_at_the_end_of_an_answer_without_a_running_row_spoils_nothing() -> None:
    rows = series_of(8)
    result = result_of(*rows[:7], rows[5], last=rows[6][0])
    answer = read_ohlc(result, "XBTUSD", 60, now_s=rows[7][0] + 60)
    assert opens(answer) == [row[0] for row in rows[:7]]
    assert answer.odd == ()


@pytest.mark.parametrize("has_running", [True, False], ids=["with", "without"])
def test_a_sound_row_that_stands_at_the_end_instead_of_the_beginning_is_named(has_running: bool) -> None:
    rows = series_of(8)[: 8 if has_running else 7]
    answer = read_ohlc(result_of(*rows[1:], rows[0], last=rows[-1 - has_running][0]), "XBTUSD", 60)
    assert [one.ts_s for one in answer.odd] == [rows[0][0]]


def test_a_row_out_of_order_is_left_out_since_its_time_may_be_wrong() -> None:
    rows = series_of(8)
    gone = rows.pop(2)
    moved = changed(rows[4], ts=gone[0])
    answer = read([*rows[:4], moved, *rows[5:]])
    assert opens(answer) == [row[0] for row in (*rows[:4], rows[5])]
    assert [one.ts_s for one in answer.odd] == [gone[0]]


def test_buckets_left_out_are_accepted() -> None:
    rows = [GOOD, changed(GOOD, ts=START_S + 36_000)]
    assert len(read_ohlc(result_of(*rows, last=START_S + 36_000), "XBTUSD", 60).committed) == 2


def test_numbers_sent_as_json_numbers_are_exact(raw_hook: KrakenClient, raw_exchange: RawExchange) -> None:
    row = json.dumps(changed(GOOD, vwap=0)).replace('"60010.0"', "60010.00000000000000001")
    raw_exchange.will_answer(f'{{"error":[],"result":{{"XXBTZUSD":[{row}],"last":{START_S}}}}}')
    (candle,) = raw_hook.get_ohlc("XBTUSD", 60).committed
    assert candle.open == Decimal("60010.00000000000000001")


ODD_ROWS = [
    pytest.param(GOOD[:7], "has not 8 fields", True, id="seven fields"),
    pytest.param({"time": START_S}, "has not 8 fields", False, id="an object instead of a row"),
    pytest.param(None, "has not 8 fields", False, id="null instead of a row"),
    pytest.param([], "has not 8 fields", False, id="an empty row"),
    pytest.param(changed(GOOD, ts=START_S + 1), "off the grid", True, id="a second off the grid"),
    pytest.param(changed(GOOD, ts=-3600), "not a number", False, id="before 1970"),
    pytest.param(changed(GOOD, ts=START_S * 1000), "off the grid", False, id="milliseconds"),
    pytest.param(changed(GOOD, ts="soon"), "not a number", False, id="time as another text"),
    pytest.param(changed(GOOD, ts=None), "not a number", False, id="no time"),
    pytest.param(changed(GOOD, ts=Decimal("1795428000.5")), "not a number", False, id="half a second"),
    pytest.param(changed(GOOD, high="60004"), "high is not the highest", True, id="high below low"),
    pytest.param(changed(GOOD, high="60008"), "high is not the highest", True, id="high below open"),
    pytest.param(changed(GOOD, open="60001"), "low is not the lowest", True, id="open below low"),
    pytest.param(changed(GOOD, low="60006"), "low is not the lowest", True, id="low above close"),
    pytest.param(changed(GOOD, low="0"), "low is not above zero", True, id="low of zero"),
    pytest.param(changed(GOOD, low="-1"), "low is not above zero", True, id="negative low"),
    pytest.param(changed(GOOD, open="NaN"), "not a number", True, id="NaN"),
    pytest.param(changed(GOOD, high="Infinity"), "not a number", True, id="infinity"),
    pytest.param(changed(GOOD, open=None), "not a number", True, id="null"),
    pytest.param(changed(GOOD, open=True), "not a number", True, id="true"),
    pytest.param(changed(GOOD, open="6_0010"), "not a number", True, id="an underscore"),
    pytest.param(changed(GOOD, open="\u0666"), "not a number", True, id="foreign digits"),
    pytest.param(changed(GOOD, high="1e9999"), "not a number", True, id="a number beyond any price"),
    pytest.param(changed(GOOD, volume="-0.1"), "volume is not above zero", True, id="negative volume"),
    pytest.param(changed(GOOD, count=-1), "not a number", True, id="negative count"),
    pytest.param(changed(GOOD, count=0), "has no trades", True, id="volume without trades"),
    pytest.param(changed(GOOD, count=0, volume="0"), "has no trades", True, id="prices without trades"),
    pytest.param(changed(FLAT, vwap="1"), "has no trades", True, id="a vwap without trades"),
    pytest.param(changed(FLAT, count=1), "volume is not above zero", True, id="trades without volume"),
    pytest.param(changed(GOOD, count="many"), "not a number", True, id="count as another text"),
    pytest.param(changed(GOOD, count=True), "not a number", True, id="count as true"),
]


@pytest.mark.parametrize(("row", "why", "has_time"), ODD_ROWS)
def test_an_odd_row_is_left_out_and_shown_and_all_others_count(row: Any, why: str, has_time: bool) -> None:
    rows = series_of(12)[1:]
    answer = read([row, *rows])
    assert opens(answer) == [one[0] for one in rows[:-1]]
    (odd,) = answer.odd
    assert why in odd.what
    assert odd.ts_s == (START_S if has_time else None)
    assert answer.n_rows == 12


def test_a_row_of_five_zeros_and_no_trade_is_an_empty_bucket() -> None:
    rows = series_of(6)
    rows[2] = [rows[2][0], "0.0", "0.0", "0.0", "0.0", "0.0", "0.00000000", 0]
    answer = read(rows)
    assert [candle.trades for candle in answer.committed] == [3, 3, 0, 3, 3]
    assert answer.odd == ()


def test_of_two_different_rows_for_one_open_time_neither_is_taken() -> None:
    rows = series_of(8)
    answer = read([*rows[:4], changed(rows[3], close="60006.0"), *rows[4:]])
    assert opens(answer) == [row[0] for row in (*rows[:3], *rows[4:7])]
    assert {one.ts_s for one in answer.odd} == {rows[3][0]}


@pytest.mark.parametrize("odd", [None, [0, "x"], changed(GOOD, ts=START_S + 7 * 3600, high="1")])
def test_an_odd_running_row_is_ignored(odd: Any) -> None:
    rows = series_of(8)
    answer = read_ohlc(result_of(*rows[:7], odd, last=rows[6][0]), "XBTUSD", 60, now_s=rows[7][0] + 60)
    assert opens(answer) == [row[0] for row in rows[:7]]
    assert (answer.running, answer.odd) == (None, ())


@pytest.mark.parametrize(
    ("n_rows", "n_odd", "is_refused"),
    [
        pytest.param(10, 5, False, id="half of them odd"),
        pytest.param(10, 6, True, id="more than half odd"),
        pytest.param(4, 2, True, id="two sound of four"),
        pytest.param(4, 1, False, id="three sound of four"),
        pytest.param(3, 1, False, id="two sound of three"),
        pytest.param(3, 2, True, id="one sound of three"),
    ],
)
def test_an_answer_is_refused_whole_only_when_little_is_left(
    n_rows: int, n_odd: int, is_refused: bool
) -> None:
    rows = series_of(n_rows)
    spoilt = [[row[0], *row[1:3]] for row in rows[:n_odd]] + rows[n_odd:]
    result = result_of(*spoilt, last=rows[-1][0])
    if is_refused:
        with pytest.raises(
            KrakenMalformedReplyError, match=rf"^OHLC .*{n_odd} of {n_rows} rows cannot be used"
        ):
            read_ohlc(result, "XBTUSD", 60)
    else:
        assert len(read_ohlc(result, "XBTUSD", 60).committed) == n_rows - n_odd


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(changed(GOOD, ts=str(START_S)), id="time as text"),
        pytest.param(changed(GOOD, ts=Decimal("1795428000.0")), id="time with a point"),
        pytest.param(changed(GOOD, count="3"), id="count as text"),
        pytest.param(changed(GOOD, vwap="-0.1"), id="a vwap outside of the candle"),
        pytest.param([*GOOD, "a ninth"], id="a ninth field"),
    ],
)
def test_what_says_the_same_is_the_same_and_what_is_not_needed_spoils_nothing(row: Any) -> None:
    rows = series_of(6)
    answer = read([row, *rows[1:]])
    assert opens(answer) == [one[0] for one in rows[:5]]
    assert answer.committed[0].open == Decimal("60010.0")
    assert answer.odd == ()
    assert len(answer.notes) == (len(row) > 8)


@pytest.mark.parametrize(
    "last",
    [
        pytest.param("{}", id="text"),
        pytest.param(None, id="absent"),
        pytest.param("soon", id="another text"),
        pytest.param(7, id="off the grid"),
        pytest.param(START_S, id="older than the rows"),
        pytest.param(START_S + 99 * 3600, id="newer than the rows"),
    ],
)
def test_last_may_be_text_or_lack_since_the_newest_row_always_runs(last: Any) -> None:
    rows = series_of(8)
    last = str(rows[-2][0]) if last == "{}" else last
    result = result_of(*rows, last=last)
    if last is None:
        del result["last"]
    answer = read_ohlc(result, "XBTUSD", 60)
    assert opens(answer) == [row[0] for row in rows[:-1]]
    assert answer.last_s == rows[-2][0]


@pytest.mark.parametrize(
    "result",
    [
        pytest.param([], id="a list"),
        pytest.param({}, id="empty"),
        pytest.param({"last": START_S}, id="no rows key"),
        pytest.param({"XXBTZUSD": []}, id="neither rows nor last"),
        pytest.param({"XXBTZUSD": {}, "last": 0}, id="rows that are no list"),
        pytest.param({"XXBTZUSD": [GOOD], "XBTUSD": [], "last": 0}, id="two answers for one pair"),
    ],
)
def test_an_answer_without_rows_is_malformed(result: Any) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=r"^OHLC XBTUSD 60 min: "):
        read_ohlc(result, "XBTUSD", 60)


XBT_NAMES = frozenset({"XBTUSD", "XXBTZUSD", "XBT/USD"})


@pytest.mark.parametrize("key", ["XETHZUSD", "ETHUSD", "XBTEUR", "xbtusd", ""])
@pytest.mark.parametrize("names", [frozenset(), XBT_NAMES], ids=["not described", "described"])
def test_the_answer_of_another_pair_is_refused_naming_both(key: str, names: frozenset[str]) -> None:
    rows = series_of(8)
    with pytest.raises(KrakenForeignReplyError, match=rf"^OHLC .*'{key}', not about XBTUSD"):
        read_ohlc({key: rows, "last": rows[-2][0]}, "XBTUSD", 60, names=names)
    trades = {
        key: [["60010.0", "0.25", Decimal("1795431784.1250873"), "b", "l", "", 501]],
        "last": "1795431784125087345",
    }
    with pytest.raises(KrakenForeignReplyError, match=rf"^Trades .*'{key}', not about XBTUSD"):
        read_trades(trades, "XBTUSD", names=names)
    with pytest.raises(KrakenForeignReplyError, match=f"'{key}', not about XBTUSD"):
        read_first_trade(trades, "XBTUSD", names=names)


@pytest.mark.parametrize(
    ("ticker", "key", "names"),
    [
        pytest.param("XBTUSD", "XBT/USD", XBT_NAMES, id="wsname, as described"),
        pytest.param("XBTUSD", "XXBTZUSD", XBT_NAMES, id="internal name, as described"),
        pytest.param("XBTUSD", "XXBTZUSD", frozenset(), id="well-known internal name"),
        pytest.param("ETHXBT", "XETHXXBT", frozenset(), id="well-known internal name of a cross rate"),
        pytest.param("USDTUSD", "USDTZUSD", frozenset(), id="the one of Tether"),
        pytest.param("SOLUSD", "SOLUSD", frozenset(), id="altname"),
    ],
)
def test_a_pair_answers_under_its_names(ticker: str, key: str, names: frozenset[str]) -> None:
    rows = series_of(8)
    assert len(read_ohlc({key: rows, "last": rows[-2][0]}, ticker, 60, names=names).committed) == 7


def test_no_prefixes_are_put_before_any_base_since_that_may_be_another_pair() -> None:
    with pytest.raises(KrakenForeignReplyError, match="'XTZUSD', not about TUSD"):
        read_ohlc({"XTZUSD": series_of(8), "last": START_S}, "TUSD", 60)


def test_a_further_key_is_ignored_and_named_be_it_a_list_of_another_pair() -> None:
    rows = series_of(8)
    answer = read_ohlc({"XETHZUSD": [GOOD], **result_of(*rows, last=rows[-2][0])}, "XBTUSD", 60)
    assert len(answer.committed) == 7
    (note,) = answer.notes
    assert "XETHZUSD" in note


MIDNIGHT = 1_795_392_000


@pytest.mark.parametrize(
    ("asked", "sent"),
    [(60, 1440), (60, 240), (60, 30), (60, 15), (60, 1), (1440, 60), (1440, 10080), (1440, 21600), (5, 1)],
)
@pytest.mark.parametrize("n_rows", [721, 720, 30])
def test_the_rows_of_another_interval_are_refused(asked: int, sent: int, n_rows: int) -> None:
    step_s = 60 * sent
    end_s = MIDNIGHT // step_s * step_s
    rows = [changed(GOOD, ts=end_s - (n_rows - 1 - number) * step_s) for number in range(n_rows)]
    with pytest.raises((KrakenForeignReplyError, KrakenMalformedReplyError)):
        read(rows, interval=asked)
    with pytest.raises((KrakenForeignReplyError, KrakenMalformedReplyError)):
        read([*rows[:3], [1], *rows[4:]], interval=asked)


@pytest.mark.parametrize(
    ("asked", "sent", "n_rows"),
    [(60, 1440, 3), (60, 240, 5), (1440, 10080, 4), (1440, 10080, 9), (1440, 21600, 3), (15, 30, 10)],
)
def test_few_rows_of_a_much_longer_interval_are_refused_too(asked: int, sent: int, n_rows: int) -> None:
    step_s = 60 * sent
    rows = [changed(GOOD, ts=MIDNIGHT // step_s * step_s - n * step_s) for n in reversed(range(n_rows))]
    with pytest.raises(KrakenForeignReplyError, match=f"candles of {sent} minutes, not of {asked}"):
        read(rows, interval=asked)


@pytest.mark.parametrize("interval", [1, 5, 15, 30, 60, 240, 1440, 10080, 21600])
@pytest.mark.parametrize("n_rows", [721, 12, 3])
def test_the_rows_of_the_interval_asked_for_are_taken(interval: int, n_rows: int) -> None:
    answer = read(series_of(n_rows, step_s=60 * interval), interval=interval)
    assert len(answer.committed) == n_rows - 1
    assert answer.is_on_grid


@pytest.mark.parametrize(
    "hours", [[0, 24, 48, 72], [0, 1], [0, 5, 9, 14]], ids=["daily spacings", "two rows", "wide spacings"]
)
def test_rows_that_do_not_show_their_interval_are_taken_and_prove_nothing(hours: list[int]) -> None:
    rows = [changed(GOOD, ts=START_S + 3600 * hour) for hour in hours]
    answer = read(rows)
    assert len(answer.committed) == len(hours) - 1
    assert not answer.is_on_grid


def test_a_first_row_older_than_an_answer_can_reach_is_odd() -> None:
    rows = series_of(30)
    answer = read([changed(GOOD, ts=START_S - 900 * 3600), *rows])
    assert opens(answer) == [row[0] for row in rows[:-1]]
    assert len(answer.odd) == 1


@pytest.mark.parametrize("hours", [1, 24])
def test_a_pair_that_trades_and_ends_a_little_early_is_answered_by_a_server_that_lags(hours: int) -> None:
    rows = series_of(30)
    with pytest.raises(KrakenStaleReplyError):
        read(rows, now_s=rows[-1][0] + hours * 3600)


@pytest.mark.parametrize(("hours", "is_trading"), [(72, False), (1, False), (72, True)])
def test_an_answer_that_ends_where_trading_does_counts_for_what_it_covers(
    hours: int, is_trading: bool
) -> None:
    rows = series_of(30)
    answer = read(rows, now_s=rows[-1][0] + hours * 3600, is_trading=is_trading)
    assert len(answer.committed) == 29
    (note,) = answer.notes
    assert "serves no candle after" in note


@pytest.mark.parametrize(("interval", "ts_s"), [(10080, 1_794_441_600), (21600, 1_794_960_000)])
def test_long_intervals_lie_on_the_epoch_grid_not_on_the_calendar(interval: int, ts_s: int) -> None:
    step_s = 60 * interval
    assert ts_s % step_s == 0
    assert read_ohlc(result_of(changed(GOOD, ts=ts_s), last=ts_s), "XBTUSD", interval).committed
    with pytest.raises(KrakenMalformedReplyError, match=r"off the grid|neither a candle"):
        read_ohlc(result_of(changed(GOOD, ts=ts_s + 86_400), last=ts_s), "XBTUSD", interval)
