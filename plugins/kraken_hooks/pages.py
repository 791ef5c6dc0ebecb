"""Walk through Kraken's pages of trades without losing or doubling one at a border."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_hooks.candles import TradesPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def walk(ask: Callable[[int], TradesPage], since_ns: int, page_size: int) -> Iterator[TradesPage]:
    """Yield pages in order until the newest trade.

    A page may repeat a trade of the one before, and a cursor that ends among trades of the same nanosecond
    skips the rest of them. Ids are contiguous: what was seen is dropped, and where ids jump the border is
    asked for once more, one nanosecond earlier. If they still jump, the cursor chain is all there is.

    :param ask: returns the page that begins after a moment, epoch nanoseconds
    :param since_ns: exclusive start, epoch nanoseconds; 0 = from the pair's first trade
    :param page_size: trades of a full page; fewer mean that the newest trade was reached
    :return: pages with no trade twice; the last one may hold no trade
    Rule: measured on recorded page sequences (border repeats, ties); Kraken REST "Get Recent Trades".
    """
    cursor, last_id = since_ns, None
    while True:
        page = ask(cursor)
        fresh = _after(page, last_id)
        if last_id is not None and fresh.trades and fresh.trades[0].trade_id != last_id + 1 and cursor > 0:
            page = ask(cursor - 1)
            fresh = _after(page, last_id)
        yield fresh
        last_id = fresh.trades[-1].trade_id if fresh.trades else last_id
        # A cursor that does not advance would be asked for ever.
        if len(page.trades) < page_size or page.last_ns <= cursor:
            return
        cursor = page.last_ns


def _after(page: TradesPage, last_id: int | None) -> TradesPage:
    """Return the page without trades up to an id; trades without ids cannot be told apart and stay."""
    if last_id is None:
        return page
    kept = tuple(trade for trade in page.trades if trade.trade_id is None or trade.trade_id > last_id)
    return TradesPage(kept, page.last_ns)
