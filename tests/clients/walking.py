"""Walks through pages of trades to the newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_ohlcv.clients.exchange.trade_pages import Cursor, next_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kraken_ohlcv.clients.exchange.models import TradesPage


def walk(ask: Callable[[int], TradesPage], since_ns: int, page_size: int) -> Iterator[TradesPage]:
    """Yield pages in order, until the newest trade or until the cursor leads nowhere.

    :param ask: returns the page that begins after a moment, epoch nanoseconds
    :param since_ns: exclusive start, epoch nanoseconds; 0 = from the pair's first trade
    :param page_size: trades of a full page
    """
    cursor = Cursor(since_ns)
    while not (cursor.is_at_newest or cursor.is_stuck):
        page, cursor = next_page(ask, cursor, page_size)
        yield page
