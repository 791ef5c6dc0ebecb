"""Walk through Kraken's pages of trades without losing or doubling one at a border."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_hooks.candles import TradesPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kraken_hooks.candles import Trade


def walk(ask: Callable[[int], TradesPage], since_ns: int, page_size: int) -> Iterator[TradesPage]:
    """Yield pages in order until the newest trade.

    A page may repeat a trade of the one before, and a cursor that ends among trades of the same nanosecond
    skips the rest of them. Ids are contiguous: what was seen is dropped, and where ids jump, or nothing
    follows a full page, the border is asked for once more, one nanosecond earlier. If ids still jump, the
    cursor chain is all there is.

    :param ask: returns the page that begins after a moment, epoch nanoseconds
    :param since_ns: exclusive start, epoch nanoseconds; 0 = from the pair's first trade
    :param page_size: trades of a full page; fewer mean that the newest trade was reached
    :return: pages with no trade twice; the last one may hold no trade
    Rule: measured on recorded page sequences (border repeats, ties); Kraken REST "Get Recent Trades".
    """
    cursor, last_id = since_ns, None
    while True:
        page = ask(cursor)
        trades = _after(page.trades, last_id)
        if last_id is not None and (not trades or trades[0].trade_id != last_id + 1):
            trades = _merged(_after(ask(cursor - 1).trades, last_id), trades)
        yield TradesPage(trades, page.last_ns)
        last_id = trades[-1].trade_id if trades else last_id
        # A cursor that does not advance would be asked for ever.
        if len(page.trades) < page_size or page.last_ns <= cursor:
            return
        cursor = page.last_ns


def _after(trades: tuple[Trade, ...], last_id: int | None) -> tuple[Trade, ...]:
    """Return the trades after an id; those without ids cannot be told apart and stay."""
    if last_id is None:
        return trades
    return tuple(trade for trade in trades if trade.trade_id is None or trade.trade_id > last_id)


def _merged(earlier: tuple[Trade, ...], later: tuple[Trade, ...]) -> tuple[Trade, ...]:
    """Return the trades of two pages that overlap, by id."""
    known = {trade.trade_id for trade in later}
    return (*(trade for trade in earlier if trade.trade_id not in known), *later)
