"""What counts as trades in a page, and which pages are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import (
    KrakenMalformedReplyError,
)
from kraken_ohlcv.clients.exchange.trade_rows import read_first_trade, read_trades

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.clients.exchange.models import TradesPage
    from tests.clients.raw_exchange import RawExchange

TRADE: list[Any] = ["60010.00000", "0.25000000", Decimal("1795431784.1250873"), "b", "l", "", 501]


def test_trades_keep_digits_time_and_cursor() -> None:
    page = read_trades({"XXBTZUSD": [TRADE], "last": "1795431784125087345"}, "XBTUSD")
    (trade,) = page.trades
    assert (trade.trade_id, str(trade.price), trade.time_s) == (501, "60010.00000", TRADE[2])
    assert page.last_ns == 1_795_431_784_125_087_345


def test_time_of_a_trade_is_not_rounded_into_the_next_minute(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    row = '["1.00000","1.00000000",1762820039.9999999,"b","l","",7]'
    raw_exchange.will_answer(f'{{"error":[],"result":{{"XXBTZUSD":[{row}],"last":"1762820039999999900"}}}}')
    (trade,) = raw_hook.get_trades("XBTUSD", since_ns=0).trades
    assert trade.time_s // 60 == 1762820039 // 60


def test_trades_of_one_id_count_once_and_of_equal_values_twice() -> None:
    twin = [*TRADE[:6], 502]
    page = read_trades({"XXBTZUSD": [twin, TRADE, TRADE], "last": "0"}, "XBTUSD")
    assert [trade.trade_id for trade in page.trades] == [501, 502]


@pytest.mark.parametrize("at", [1, 4, 8])
def test_a_trade_repeated_after_its_successor_spoils_neither(at: int) -> None:
    rows = page_of(10)
    page = read_page([*rows[: at + 1], rows[at - 1], *rows[at + 1 :]])
    assert [trade.trade_id for trade in page.trades] == [row[6] for row in rows]
    assert page.odd == ()


def test_old_trades_without_ids_are_kept_in_order_of_time() -> None:
    rows = [[*TRADE[:2], Decimal(time), *TRADE[3:6]] for time in (8, 9, 9)]
    page = read_trades({"XXBTZUSD": rows, "last": "9"}, "XBTUSD")
    assert [(trade.trade_id, trade.time_s) for trade in page.trades] == [(None, 8), (None, 9), (None, 9)]


def page_of(n: int) -> list[list[Any]]:
    """Return so many sound trades, a second apart."""
    return [[*TRADE[:2], 1795431784 + number, *TRADE[3:6], 501 + number] for number in range(n)]


def read_page(rows: list[Any], last: Any = None) -> TradesPage:
    """Return what is read of a page of trades."""
    return read_trades({"XXBTZUSD": rows, "last": last}, "XBTUSD")


ODD_TRADES = [
    pytest.param(lambda row: row[:5], True, id="five fields"),
    pytest.param(lambda row: [], False, id="an empty row"),
    pytest.param(lambda row: None, False, id="null instead of a row"),
    pytest.param(lambda row: ["x", *row[1:]], True, id="a price that is no number"),
    pytest.param(lambda row: [None, *row[1:]], True, id="no price"),
    pytest.param(lambda row: ["0.00000", *row[1:]], True, id="a price of zero"),
    pytest.param(lambda row: [row[0], "-1", *row[2:]], True, id="negative volume"),
    pytest.param(lambda row: [*row[:2], "soon", *row[3:]], False, id="time as another text"),
    pytest.param(lambda row: [*row[:2], 1795431784000, *row[3:]], False, id="milliseconds"),
    pytest.param(lambda row: [row[0], "0.00000000", *row[2:]], True, id="no volume"),
    pytest.param(lambda row: [*row[:6], 0], True, id="id zero"),
    pytest.param(lambda row: [*row[:6], "x"], True, id="id as another text"),
    pytest.param(lambda row: row[:6], True, id="no id among those with one"),
]


@pytest.mark.parametrize(("spoil", "has_time"), ODD_TRADES)
@pytest.mark.parametrize("nth", [0, 4, 9], ids=["first", "inside", "last"])
def test_an_odd_trade_is_left_out_and_says_where_it_may_lie(spoil: Any, has_time: bool, nth: int) -> None:
    rows = page_of(10)
    page = read_page([*rows[:nth], spoil(rows[nth]), *rows[nth + 1 :]])
    assert [trade.trade_id for trade in page.trades] == [row[6] for row in rows if row is not rows[nth]]
    (odd,) = page.odd
    at_s = rows[nth][2]
    if has_time:
        assert (odd.since_s, odd.until_s) == (at_s, at_s)
    else:
        assert odd.since_s == (at_s - 1 if nth > 0 else None)
        assert odd.until_s == (at_s + 1 if nth < 9 else None)
    assert page.size == 10


@pytest.mark.parametrize("text", ["1.", ".5", "1.2.3", "1,2", " 1", "1_0", "\u0661", "NaN", "", "1" * 31])
@pytest.mark.parametrize("field", [0, 1], ids=["price", "volume"])
def test_one_odd_number_in_a_page_of_good_ones_leaves_one_trade_out(text: str, field: int) -> None:
    rows = page_of(5)
    rows[1][field] = text
    page = read_page(rows)
    assert (len(page.trades), len(page.odd)) == (4, 1)
    assert "contains a value that is not a number" in page.odd[0].what


def test_of_two_different_trades_with_one_id_neither_is_taken() -> None:
    rows = page_of(6)
    page = read_page([*rows[:3], ["1", *rows[2][1:]], *rows[3:]])
    assert [trade.trade_id for trade in page.trades] == [501, 502, 504, 505, 506]
    assert {(one.since_s, one.until_s) for one in page.odd} == {(rows[2][2], rows[2][2])}


def test_where_an_id_is_far_off_nothing_tells_which_trade_of_a_moment_came_first() -> None:
    def row(number: int, price: str, ms: int) -> list[Any]:
        return [price, "1", Decimal(f"1795431784.{ms:03}"), "b", "l", "", number]

    before = [row(number, "5.0", number) for number in range(1, 9)]
    far_off = [*before, row(1_000_009, "6.0", 500), row(10, "7.0", 500), row(11, "5.0", 700)]
    page = read_page(far_off)
    assert [trade.trade_id for trade in page.trades] == [*range(1, 9), 11]
    assert len(page.odd) == 2

    swapped = [*before, row(10, "7.0", 500), row(9, "6.0", 500), row(11, "5.0", 700)]
    page = read_page(swapped)
    assert [trade.trade_id for trade in page.trades] == [*range(1, 12)]
    assert page.odd == ()


def test_a_trade_out_of_order_may_lie_at_its_time_or_where_it_stands() -> None:
    rows = page_of(9)
    rows[4][2] += 3600
    page = read_page(rows)
    assert [trade.trade_id for trade in page.trades] == [501, 502, 503, 504, 506, 507, 508, 509]
    assert {(one.since_s, one.until_s) for one in page.odd} == {
        (rows[4][2], rows[4][2]),
        (rows[3][2], rows[5][2]),
    }


def test_a_page_is_refused_whole_only_when_little_is_left() -> None:
    rows = page_of(10)
    with pytest.raises(KrakenMalformedReplyError, match="6 of 10 rows cannot be used"):
        read_page([*(row[:3] for row in rows[:6]), *rows[6:]])
    assert len(read_page([*(row[:3] for row in rows[:5]), *rows[5:]]).trades) == 5


def test_an_eighth_field_is_ignored_and_named() -> None:
    rows = page_of(5)
    page = read_page([[*row, "new"] for row in rows], "1795431788000000000")
    assert page.trades == read_page(rows).trades
    assert page.odd == ()
    assert len(page.notes) == 1


@pytest.mark.parametrize(
    "last", [None, "soon", Decimal("1.5"), 7, 1795431784, "1795431783125087345", "1795431999000000000"]
)
def test_where_the_cursor_does_not_fit_the_newest_trade_is_the_cursor(last: Any) -> None:
    page = read_page([TRADE], last)
    assert page.last_ns == 1_795_431_784_125_087_300
    assert len(page.notes) == 1


def test_an_empty_page_without_a_cursor_is_malformed() -> None:
    with pytest.raises(KrakenMalformedReplyError, match="neither a trade nor a usable 'last'"):
        read_page([])


@pytest.mark.parametrize(
    ("trades", "last", "since_ns", "why"),
    [
        ([], "1795431784125087345", 1_795_431_000_000_000_000, "contains no trade"),
        ([TRADE], "1795431784125087345", 1_795_431_786_000_000_000, "lies before the requested time"),
    ],
    ids=["empty, with a cursor ahead", "older than the moment"],
)
def test_a_page_that_does_not_begin_where_it_was_asked_to_is_malformed(
    trades: list[Any], last: str, since_ns: int, why: str
) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=why):
        read_trades({"XXBTZUSD": trades, "last": last}, "XBTUSD", since_ns=since_ns)


@pytest.mark.parametrize("trades", [[], [TRADE]], ids=["empty", "repeats its border"])
def test_a_page_that_ends_at_the_moment_asked_for_is_the_end(trades: list[Any]) -> None:
    last = "1795431784125087345"
    page = read_trades({"XXBTZUSD": trades, "last": last}, "XBTUSD", since_ns=int(last))
    assert (page.size, page.last_ns) == (len(trades), int(last))


def test_the_first_trade_is_read_by_its_time_alone() -> None:
    odd = [None, "x", 1380577862, "b"]
    assert read_first_trade({"XXBTZUSD": [odd], "last": None}, "XBTUSD") == 1380577862
    assert read_first_trade({"XXBTZUSD": [], "last": "0"}, "XBTUSD") is None


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([TRADE], id="one with another id"),
        pytest.param([[*TRADE[:6], 1], [*TRADE[:6], 2]], id="more than were asked for"),
        pytest.param([[*TRADE[:2], None, *TRADE[3:6], 1]], id="one without a time"),
    ],
)
def test_what_is_not_the_first_trade_of_a_pair_does_not_tell_when_it_was_listed(rows: list[Any]) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=r"^Trades XBTUSD since 0: "):
        read_first_trade({"XXBTZUSD": rows, "last": "1"}, "XBTUSD")


def test_ids_that_begin_anew_inside_a_page_keep_the_order_of_time() -> None:
    rows = [
        [*TRADE[:2], Decimal(1795431784 + n), *TRADE[3:6], number] for n, number in enumerate([8, 9, 1, 2])
    ]
    page = read_page(rows)
    assert [trade.trade_id for trade in page.trades] == [8, 9, 1, 2]
    assert page.odd == ()
