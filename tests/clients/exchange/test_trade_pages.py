"""Borders between pages of trades: repeats, ties, jumps, and cursors that do not move."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kraken_ohlcv.clients.exchange.models import TradesPage
from kraken_ohlcv.clients.exchange.trade_pages import Cursor, next_page, shows_newest
from kraken_ohlcv.core.trade import OddTrade, Trade
from tests.clients.walking import walk

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 4
BASE_NS = 1_795_431_784_000_000_000


def trade(number: int, time_ns: int) -> Trade:
    return Trade(number, Decimal(1), Decimal(1), Decimal(time_ns) / 10**9)


def server(times_ns: list[int], *, is_inclusive: bool = False) -> Callable[[int], TradesPage]:
    """Answer like Kraken: trades after the cursor (or at it), ids from 1, a page of at most ``SIZE``."""
    asked: list[int] = []

    def ask(since_ns: int) -> TradesPage:
        asked.append(since_ns)
        assert len(asked) < 500, "asks without end"
        after = [
            (number, time_ns)
            for number, time_ns in enumerate(times_ns, start=1)
            if time_ns > since_ns or (is_inclusive and time_ns == since_ns)
        ][:SIZE]
        return TradesPage(
            tuple(trade(number, time_ns) for number, time_ns in after), after[-1][1] if after else since_ns
        )

    return ask


def ids_of(pages: list[TradesPage]) -> list[int | None]:
    return [found.trade_id for page in pages for found in page.trades]


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.sampled_from([0, 1, 7]), max_size=40).filter(
        lambda steps: all(any(steps[i : i + SIZE - 1]) for i in range(len(steps) - SIZE + 2))
    ),
    is_inclusive=st.booleans(),
)
def test_every_trade_comes_once_whatever_the_ties_at_page_ends(steps: list[int], is_inclusive: bool) -> None:
    times_ns = [BASE_NS + sum(steps[: i + 1]) for i in range(len(steps))]
    pages = list(walk(server(times_ns, is_inclusive=is_inclusive), BASE_NS - 1, SIZE))
    assert ids_of(pages) == list(range(1, len(times_ns) + 1))


def test_page_that_ends_among_trades_of_one_moment_loses_none() -> None:
    times_ns = [BASE_NS, BASE_NS + 1, BASE_NS + 2, BASE_NS + 5, BASE_NS + 5, BASE_NS + 5, BASE_NS + 9]
    assert ids_of(list(walk(server(times_ns), BASE_NS - 1, SIZE))) == [1, 2, 3, 4, 5, 6, 7]


def test_more_trades_of_one_moment_than_a_page_holds_end_the_walk() -> None:
    times_ns = [BASE_NS + 1] * (SIZE + 2)
    assert ids_of(list(walk(server(times_ns, is_inclusive=True), BASE_NS, SIZE)))[:SIZE] == [1, 2, 3, 4]


def test_jump_of_ids_is_asked_once_more_and_then_accepted() -> None:
    asked: list[int] = []

    def ask(since_ns: int) -> TradesPage:
        asked.append(since_ns)
        numbers = [1, 2, 3, 4] if since_ns < BASE_NS + 4 - 1 else [40, 41]
        return TradesPage(tuple(trade(number, BASE_NS + number) for number in numbers), BASE_NS + numbers[-1])

    assert ids_of(list(walk(ask, BASE_NS, SIZE))) == [1, 2, 3, 4, 40, 41]
    assert asked == [BASE_NS, BASE_NS + 3, BASE_NS + 3]


def test_jump_inside_a_page_that_is_gone_when_asked_again_was_none() -> None:
    asked: list[int] = []

    def ask(since_ns: int) -> TradesPage:
        asked.append(since_ns)
        numbers = [1, 2, 5] if len(asked) == 1 else [1, 2, 3]
        return TradesPage(tuple(trade(number, BASE_NS + number) for number in numbers), BASE_NS + 3)

    assert ids_of(list(walk(ask, BASE_NS, SIZE))) == [1, 2, 3]


def test_ids_that_begin_anew_lose_no_trade_at_a_border() -> None:
    ids = [7, 8, 9, 10, 1, 2, 3, 4, 5]

    def ask(since_ns: int) -> TradesPage:
        after = [(n, BASE_NS + at) for at, n in enumerate(ids) if BASE_NS + at > since_ns][:SIZE]
        return TradesPage(tuple(trade(n, at) for n, at in after), after[-1][1] if after else since_ns)

    assert ids_of(list(walk(ask, BASE_NS - 1, SIZE))) == ids


def test_page_that_begins_with_trades_of_the_one_before_doubles_none() -> None:
    def ask(since_ns: int) -> TradesPage:
        first = max(1, since_ns - BASE_NS - 1)  # two trades too early
        numbers = range(first, min(first + SIZE, 11))
        return TradesPage(tuple(trade(n, BASE_NS + n) for n in numbers), BASE_NS + numbers[-1])

    assert ids_of(list(walk(ask, BASE_NS, SIZE))) == list(range(1, 11))


def test_trades_without_ids_are_not_counted_twice_at_a_border() -> None:
    times_ns = [BASE_NS + n * 10**9 for n in range(7)]

    def ask(since_ns: int) -> TradesPage:
        after = [t for t in times_ns if t >= since_ns][:SIZE]
        return TradesPage(
            tuple(Trade(None, Decimal(1), Decimal(1), Decimal(t) / 10**9) for t in after), after[-1]
        )

    pages = list(walk(ask, BASE_NS, SIZE))
    assert [t.time_s * 10**9 for page in pages for t in page.trades] == times_ns


def test_empty_first_page_ends_the_walk() -> None:
    assert ids_of(list(walk(server([]), BASE_NS, SIZE))) == []


def test_cursor_that_goes_back_ends_the_walk() -> None:
    full = TradesPage(tuple(trade(number, BASE_NS + number) for number in range(1, SIZE + 1)), BASE_NS - 7)
    assert len(list(walk(lambda _: full, BASE_NS, SIZE))) == 1


SECOND = 10**9


def short_page(*after_s: int, notes: tuple[str, ...] = (), odd: tuple[OddTrade, ...] = ()) -> TradesPage:
    """Return a page of fewer trades than one holds, so many seconds after a moment."""
    trades = tuple(trade(number, BASE_NS + at * SECOND) for number, at in enumerate(after_s, start=1))
    return TradesPage(trades, BASE_NS + max(after_s, default=0) * SECOND, notes=notes, odd=odd)


ENDS = [
    pytest.param(short_page(), 9000, True, id="empty"),
    pytest.param(
        short_page(0, 300, 600), 800, True, id="short, and silent no longer than between its trades"
    ),
    pytest.param(short_page(0, 300, 600), 900, True, id="silent exactly as long"),
    pytest.param(short_page(0, 300, 600), 901, False, id="silent for longer, as if it were cut off"),
    pytest.param(short_page(0, 300, 600), 500, True, id="a trade after the moment"),
    pytest.param(short_page(0), 1, False, id="one trade says nothing of how long silence lasts"),
    pytest.param(short_page(0, 0, 0), 1, False, id="trades of one moment do not either"),
    pytest.param(short_page(0, 300, 400, 600), 601, False, id="full"),
    pytest.param(
        short_page(0, 300, notes=("'last' is 17, which does not fit the trades",)),
        301,
        False,
        id="its cursor lies elsewhere",
    ),
    pytest.param(
        short_page(0, 300, odd=(OddTrade("a trade without a price", None, None),)),
        301,
        False,
        id="a trade cannot be used",
    ),
]


@pytest.mark.parametrize(("page", "after_s", "shows"), ENDS)
def test_a_page_shows_the_newest_trade_only_where_nothing_speaks_against_it(
    page: TradesPage, after_s: int, shows: bool
) -> None:
    read, cursor = next_page(lambda _: page, Cursor(BASE_NS - 1), SIZE)
    assert shows_newest(read, cursor, BASE_NS // SECOND + after_s) is shows
