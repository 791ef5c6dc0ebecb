"""Read pages of Kraken's Trades answers: millions pass in columns, an odd trade spoils only where it lies."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import chain, groupby
from operator import le, lt
from typing import Any, Final

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.fields import (
    LAST_SECOND,
    OddPartError,
    number,
    shown,
    whole,
)
from kraken_ohlcv.clients.exchange.models import TradesPage
from kraken_ohlcv.clients.exchange.rows import refuse_mostly_odd, rows_of, sort_out
from kraken_ohlcv.core.trade import OddTrade, Trade, Trades

ID_FIELD: Final = 6
"""Place of the trade id, the last field; recordings before about 2022 have none."""

LONGEST_PLAIN: Final = 30
"""Characters of a number that is taken without a closer look."""

NS: Final = 1_000_000_000

CURSOR_SLACK_NS: Final = 1_000
"""The time of a trade is cut to seven decimals, the cursor is not."""

BORDER_S: Final = 1
"""Pages were seen to repeat the trade at their border, with a cursor rounded to seconds."""


def read_trades(
    result: Any, ticker: str, *, names: frozenset[str] = frozenset(), since_ns: int = 0
) -> TradesPage:
    """Return one page of trades, sorted, each trade once; trades that cannot be used are left out and named.

    Of two different trades with one id neither is taken, nor is one that breaks the order of time.

    :param result: of the envelope
    :param ticker: altname asked for
    :param names: internal name, altname and wsname of the pair as AssetPairs gave them; may be empty
    :param since_ns: moment asked for, epoch nanoseconds; 0 = from the first trade
    :raises KrakenForeignReplyError: if the trades are another pair's
    :raises KrakenMalformedReplyError: if there is no list of trades, too few that can be used, or if the page
        is not the one that begins at the moment asked for
    Rule: Kraken REST reference "Get Recent Trades"; the identity of a trade is its id alone; measured: pages
    ascend by time and id, and ``last`` is the time of the last trade, of an empty page the moment asked for.
    """
    call = f"Trades {ticker}"
    page = _page(result, ticker, names, call)
    if since_ns and not page.size and page.last_ns > since_ns:
        # Taken for the end of all trades, it would close candles that are not whole.
        raise KrakenMalformedReplyError(
            f"{call}: the page contains no trade, but its 'last' {page.last_ns} lies after the "
            f"requested time, {since_ns}"
        )
    if page.trades and page.trades[-1].time_s + BORDER_S < Decimal(since_ns) / NS:
        raise KrakenMalformedReplyError(
            f"{call}: the newest trade of the page, of {page.trades[-1].time_s} s, lies before the "
            f"requested time, {since_ns} ns"
        )
    return page


def _page(result: Any, ticker: str, names: frozenset[str], call: str) -> TradesPage:
    """Return one page, whatever was asked for."""
    rows, cursor, notes = rows_of(result, ticker, names, call)
    last_ns = whole(cursor)
    trades = _sound_trades(rows)
    odd: list[OddTrade] = []
    if trades is None:
        if any(isinstance(row, list) and len(row) > ID_FIELD + 1 for row in rows):
            notes += (f"trades have more than {ID_FIELD + 1} fields; the additional ones are ignored",)
        trades, odd = _sorted_out(rows)
        refuse_mostly_odd(call, len(rows), list(dict.fromkeys(one.what for one in odd)))
    if not trades and last_ns is None:
        raise KrakenMalformedReplyError(f"{call}: the answer contains neither a trade nor a usable 'last'")
    return TradesPage(trades, *_cursor(trades, last_ns, cursor, notes), odd=tuple(odd), n_rows=len(rows))


def read_first_trade(result: Any, ticker: str, *, names: frozenset[str] = frozenset()) -> Decimal | None:
    """Return when a pair first traded, from the page that holds its first trade alone.

    :param result: of the envelope
    :param ticker: altname asked for
    :param names: internal name, altname and wsname of the pair as AssetPairs gave them; may be empty
    :return: epoch seconds UTC, or None if it never traded
    :raises KrakenForeignReplyError: if the trade is another pair's
    :raises KrakenMalformedReplyError: if the page is another one, or the trade's time cannot be read
    Rule: the first trade of a pair has id 1 (reported); price and volume are not needed.
    """
    call = f"Trades {ticker} since 0"
    rows, _, _ = rows_of(result, ticker, names, call)
    if not rows:
        return None
    if len(rows) > 1:
        raise KrakenMalformedReplyError(f"{call}: {len(rows)} trades came where one was asked for")
    time_s = _time(rows[0])
    if time_s is None or whole(_id_in(rows[0])) not in {None, 1}:
        raise KrakenMalformedReplyError(f"{call}: {shown(rows[0])} is not the pair's first trade")
    return time_s


def _cursor(
    trades: Sequence[Trade], last_ns: int | None, cursor: Any, notes: tuple[str, ...]
) -> tuple[int, tuple[str, ...]]:
    """Return where the next page begins: ``last``, unless the newest trade contradicts it."""
    if not trades:
        return last_ns or 0, notes
    newest_ns = int(trades[-1].time_s * NS)
    if last_ns is not None and newest_ns <= last_ns < newest_ns + CURSOR_SLACK_NS:
        return last_ns, notes
    # From the newest trade on nothing is skipped, and what comes again is known by its id.
    return newest_ns, (*notes, f"'last' is {shown(cursor)}, which does not fit the trades; it is not needed")


def _sound_trades(rows: list[Any]) -> Trades | None:
    """Return the trades of a page column by column, or None if its rows have to be looked at one by one.

    Millions of rows come through here: what is as it should be passes the built-in functions alone.
    """
    n_fields = ID_FIELD + 1
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {n_fields}:
        return None
    # Not zip(*rows): its thousand iterators a page keep the garbage collector busy.
    fields = tuple(chain.from_iterable(rows))
    price_texts, size_texts, times, _, _, _, ids = (fields[at::n_fields] for at in range(n_fields))
    types = {*map(type, price_texts), *map(type, size_texts)}, set(map(type, times)), set(map(type, ids))
    if types != ({str}, {Decimal}, {int}) or not _are_plain((*price_texts, *size_texts)):
        return None
    try:
        prices, sizes = tuple(map(Decimal, price_texts)), tuple(map(Decimal, size_texts))
    except InvalidOperation:
        return None
    if not _is_ascending(ids, lt) or not _is_ascending(times, le):
        return None
    if min(prices) <= 0 or min(sizes) <= 0 or ids[0] < 1 or not 0 < times[0] <= times[-1] < LAST_SECOND:
        return None
    return Trades(ids, prices, sizes, times)


def _are_plain(texts: Sequence[str]) -> bool:
    """Return whether texts hold nothing but digits and points inside, few enough for a number."""
    joined = f",{','.join(texts)},"
    return (
        not joined.encode().translate(None, b"0123456789.,")
        and ",." not in joined
        and ".," not in joined
        and max(map(len, texts)) <= LONGEST_PLAIN
    )


def _is_ascending(values: Sequence[Any], before: Callable[[Any, Any], bool]) -> bool:
    """Return whether each value stands in a relation to the next one."""
    return all(map(before, values, values[1:]))


def _sorted_out(rows: Sequence[Any]) -> tuple[Trades, list[OddTrade]]:
    """Return the trades of a page in the order of time, each once, and what cannot be used."""
    ids = [_id_in(row) for row in rows if isinstance(row, list) and len(row) >= ID_FIELD]
    has_ids = 2 * ids.count(None) < len(ids)
    taken, wrong = sort_out(
        rows,
        lambda row: _trade(row, has_id=has_ids),
        identity=lambda trade: trade.trade_id if has_ids else None,
        moment=lambda trade: trade.time_s,
    )
    for place in _in_no_order(taken):
        wrong[place] = "is one of several trades of one moment whose ids do not fit"
        del taken[place]
    in_time = sorted(taken.values(), key=lambda trade: (trade.time_s, trade.trade_id or 0))
    return Trades.of(in_time), _placed(rows, wrong, taken)


def _in_no_order(taken: Mapping[int, Trade]) -> list[int]:
    """Return the places of trades of one moment whose order is unknown.

    Contiguous ids do, wherever the rows stand; where one is far off, so may be the order.
    """
    found: list[int] = []
    for _, group in groupby(sorted(taken.items()), key=lambda one: one[1].time_s):
        places, tie = zip(*group, strict=True)
        ids = [trade.trade_id or 0 for trade in tie]
        if ids != sorted(ids) and max(ids) - min(ids) >= len(ids):
            found += places
    return found


def _placed(rows: Sequence[Any], wrong: Mapping[int, str], taken: Mapping[int, Trade]) -> list[OddTrade]:
    """Return where trades that cannot be used may lie: at their time, or between their neighbours."""
    odd = []
    places = sorted(taken)
    for place, why in sorted(wrong.items()):
        nth = bisect_left(places, place)
        since_s = taken[places[nth - 1]].time_s if nth else None
        until_s = taken[places[nth]].time_s if nth < len(places) else None
        what, time_s = f"trade {shown(rows[place])} {why}", _time(rows[place])
        if time_s is not None:
            odd.append(OddTrade(what, time_s, time_s))
        if time_s is None or time_s < (since_s or time_s) or time_s > (until_s or time_s):
            # Its time cannot be right.
            odd.append(OddTrade(what, since_s, until_s))
    return odd


def _time(row: Any) -> Decimal | None:
    """Return the time of a trade, epoch seconds UTC, if it can be read."""
    time_s = number(row[2]) if isinstance(row, list) and len(row) > 2 else None  # noqa: PLR2004 (its place)
    return time_s if time_s is not None and 0 < time_s < LAST_SECOND else None


def _id_in(row: list[Any]) -> Any:
    """Return what stands for the id of a trade, or None if nothing does."""
    return row[ID_FIELD] if len(row) > ID_FIELD else None


def _trade(row: Any, *, has_id: bool) -> Trade:
    if not isinstance(row, list) or len(row) < ID_FIELD:
        raise OddPartError("has neither 6 nor 7 fields")
    price, volume, time_s = number(row[0]), number(row[1]), number(row[2])
    if price is None or volume is None or time_s is None:
        raise OddPartError("contains a value that is not a number")
    if price <= 0 or volume <= 0 or not 0 < time_s < LAST_SECOND:
        raise OddPartError("has an impossible price, volume or time")
    trade_id = _id_in(row)
    if trade_id is None and has_id:
        raise OddPartError("has no id")
    if trade_id is not None and not (trade_id := whole(trade_id)):
        raise OddPartError("has an impossible id")
    return Trade(trade_id, price, volume, time_s)
