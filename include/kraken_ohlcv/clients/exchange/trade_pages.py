"""Walk through Kraken's pages of trades without losing or doubling one at a border."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from kraken_ohlcv.clients.exchange.models import TradesPage
from kraken_ohlcv.core.trade import Trades, follows

MAX_TRADES: Final = 1000
"""Trades of one page; Kraken silently caps larger values."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a walk stands between two pages; all that it has to remember.

    :ivar since_ns: since of the next call, exclusive, epoch nanoseconds; 0 = from the pair's first trade
    :ivar last_id: id of the newest trade seen, or None without one
    :ivar last_s: its time, epoch seconds UTC, or None when no trade was seen
    :ivar ids: ids of all trades seen at that time
    :ivar is_at_newest: whether the last page was not full: the newest trade is seen
    :ivar is_stuck: whether the cursor cannot advance although there are more trades
    """

    since_ns: int
    last_id: int | None = None
    last_s: Decimal | None = None
    ids: frozenset[int] = frozenset()
    is_at_newest: bool = False
    is_stuck: bool = False


def next_page(ask: Callable[[int], TradesPage], cursor: Cursor, page_size: int) -> tuple[TradesPage, Cursor]:
    """Ask for the next page of a walk.

    The cursor of a page's last trade would skip what else traded in the same nanosecond, so the next page is
    asked from one nanosecond earlier, and what was seen is dropped by its id. Ids are contiguous: where they
    jump, or where a trade cannot be used, the page is asked for once more; if it is no better, what came is
    all there is.

    :param ask: returns the page that begins after a moment, epoch nanoseconds
    :param cursor: where the walk stands
    :param page_size: trades of a full page; fewer mean that the newest trade was reached
    :return: the page with the trades not seen before, and where the walk stands then
    Rule: measured on recorded page sequences (border repeats, ties); Kraken REST "Get Recent Trades".
    """

    def flaws(page: TradesPage) -> tuple[int, bool]:
        return len(page.odd), not follows(Trades.of(page.trades), cursor.last_id)

    page = _unseen(ask(cursor.since_ns), cursor)
    if any(flaws(page)):
        page = min(page, _unseen(ask(cursor.since_ns), cursor), key=flaws)
    is_full = page.size >= page_size
    if not page.trades:
        # A whole page of one instant, all seen: only the plain cursor leads on.
        is_stuck = is_full and page.last_ns <= cursor.since_ns
        since_ns = page.last_ns if is_full else cursor.since_ns
        return page, replace(cursor, since_ns=since_ns, is_at_newest=not is_full, is_stuck=is_stuck)
    trades = Trades.of(page.trades)
    newest = trades[-1]
    first = bisect_left(trades.times, newest.time_s)
    seen_before = cursor.ids if newest.time_s == cursor.last_s else frozenset()
    ids = frozenset(number for number in trades.ids[first:] if number is not None)
    # Without ids a repeated trade could not be told apart.
    since_ns = page.last_ns if newest.trade_id is None else page.last_ns - 1
    return page, Cursor(
        since_ns=since_ns,
        last_id=newest.trade_id,
        last_s=newest.time_s,
        ids=ids | seen_before,
        is_at_newest=not is_full,
        is_stuck=is_full and since_ns < cursor.since_ns,
    )


def shows_newest(page: TradesPage, cursor: Cursor, moment_s: int) -> bool:
    """Return whether a page shows that Kraken has no further trade before a moment.

    An empty page does. So does one that is not full, and saves the call for the empty one behind it, unless
    something about it is odd, or the silence behind it is longer than any between its own trades: a page that
    was cut off must not pass for the newest one.

    :param page: as :func:`next_page` returned it
    :param cursor: where the walk stands after it
    :param moment_s: epoch seconds UTC, at or before the exchange's time
    Rule: fewer trades than asked for mean that the newest one was reached (measured); that none is missing
    behind it is proven only by the id of a later one.
    """
    if not cursor.is_at_newest or not page.trades:
        return cursor.is_at_newest
    if page.odd or page.notes:
        return False
    times = Trades.of(page.trades).times
    longest = max((later - earlier for earlier, later in pairwise(times)), default=Decimal(0))
    return moment_s - times[-1] <= longest


def _unseen(page: TradesPage, cursor: Cursor) -> TradesPage:
    """Return a page without what was seen; a smaller id at a later time is no repeat: ids have begun anew."""
    trades = Trades.of(page.trades)
    return replace(page, trades=_without_seen(trades, cursor), n_rows=page.size)


def _without_seen(trades: Trades, cursor: Cursor) -> Trades:
    last_id, last_s, ids = cursor.last_id, cursor.last_s, cursor.ids
    if last_s is None or not trades:
        return trades
    first = trades.ids[0]
    if last_id is None or first is None:
        return trades[bisect_right(trades.times, last_s) :]
    n_seen = max(0, last_id + 1 - first)
    behind = trades[n_seen:]
    if behind and follows(behind, last_id) and all(time_s <= last_s for time_s in trades.times[:n_seen]):
        return behind
    return Trades.of([
        trade
        for trade in trades
        if (trade.trade_id or 0) > last_id
        or trade.time_s > last_s
        or (trade.time_s == last_s and trade.trade_id not in ids)
    ])
