"""Rows of candles and of trades: whose they are, which of them can be used, and whether that is enough."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from kraken_ohlcv.clients.errors import KrakenForeignReplyError, KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.classify import clip
from kraken_ohlcv.clients.exchange.fields import OddPartError

Item = TypeVar("Item", bound=Hashable)

NOT_ROWS: Final = "last"
"""Key of a result that stands beside the rows."""

LEGACY_BASES: Final = frozenset({"XBT", "ETH", "XRP", "LTC", "ETC", "XLM", "ZEC", "XMR", "REP", "MLN"})
"""Currencies whose pairs have kept an internal name with prefixes: ``XBTUSD`` is ``XXBTZUSD``."""

LEGACY_QUOTES: Final = {
    **{quote: f"Z{quote}" for quote in ("USD", "EUR", "GBP", "CAD", "JPY", "AUD")},
    "XBT": "XXBT",
    "ETH": "XETH",
}

QUOTE_LENGTH: Final = 3

OUT_OF_ORDER: Final = "is out of order"

FEWEST_SOUND: Final = 3
"""Of more rows than these, so many must be sound."""


def names_of(ticker: str) -> frozenset[str]:
    """Return the names of a pair that are known without asking: the altname; of the oldest also the internal.

    No rule leads from altname to internal name: prefixes before any base would give ``TUSD`` the name of
    another pair, ``XTZUSD``. So only the well-known ones are taken.
    """
    base, quote = ticker[:-QUOTE_LENGTH], ticker[-QUOTE_LENGTH:]
    if base in LEGACY_BASES and quote in LEGACY_QUOTES:
        return frozenset({ticker, f"X{base}{LEGACY_QUOTES[quote]}"})
    return frozenset({ticker, "USDTZUSD"} if ticker == "USDTUSD" else {ticker})


def rows_of(
    result: Any, ticker: str, names: frozenset[str], call: str
) -> tuple[list[Any], Any, tuple[str, ...]]:
    """Return the rows of a pair, whatever else the result holds: the one check of identity.

    :param result: of the envelope
    :param ticker: altname asked for
    :param names: internal name, altname and wsname of the pair as AssetPairs gave them; may be empty
    :param call: endpoint and what was asked, for messages
    :return: the rows, what stands under ``last`` (None when nothing does), and what else was ignored
    :raises KrakenForeignReplyError: if there are rows, and of other pairs only
    :raises KrakenMalformedReplyError: if there are no rows at all
    Rule: Kraken REST reference; a cache on the way that ignores the query answers with another pair.
    """
    fields = result if isinstance(result, dict) else {}
    accepted = names | names_of(ticker)
    found = [key for key in fields if key in accepted]
    others = [key for key in fields if key not in accepted and key != NOT_ROWS]
    if not found and others:
        raise KrakenForeignReplyError(
            f"{call}: the answer is about {clip(', '.join(map(repr, others)))}, not about {ticker} "
            f"({', '.join(sorted(accepted))}); a cache or proxy in between mixes up answers"
        )
    rows = fields[found[0]] if found else None
    if not isinstance(rows, list) or any(fields[key] != rows for key in found):
        raise KrakenMalformedReplyError(f"{call}: the result contains no list of rows of {ticker}")
    ignored = (
        (f"the result has additional keys, which are ignored: {clip(', '.join(others))}",) if others else ()
    )
    return rows, fields.get(NOT_ROWS), ignored


def sort_out(
    rows: Sequence[Any],
    read: Callable[[Any], Item],
    *,
    identity: Callable[[Item], Hashable],
    moment: Callable[[Item], Decimal | int],
) -> tuple[dict[int, Item], dict[int, str]]:
    """Return what rows hold, each item once, and what is wrong with the rows that are left out.

    Of two different items of one identity neither is taken, nor is one that breaks the order of time: its
    time may be wrong. A row may be repeated, also out of order.

    :param rows: of an answer
    :param read: makes an item of a row, or raises :class:`OddPartError`
    :param identity: None = the item has none, and none of the others is a repeat of it
    :param moment: when an item traded or began
    :return: items, and messages without a subject, both by the place of the row
    """
    sound: dict[int, Item] = {}
    wrong: dict[int, str] = {}
    keys: dict[int, Hashable] = {}
    versions: dict[Hashable, set[Item]] = {}
    moments: dict[int, tuple[Decimal | int, int]] = {}
    firsts: dict[Hashable, int] = {}
    for place, row in enumerate(rows):
        try:
            item = read(row)
        except OddPartError as error:
            wrong[place] = str(error)
            continue
        known = identity(item)
        key = (place,) if known is None else known
        sound[place], keys[place] = item, key
        versions.setdefault(key, set()).add(item)
        # By first place within a moment: a repeat makes no order longer, and others stay as they came.
        moments[place] = moment(item), firsts.setdefault(key, place)
    in_order = _in_order(moments)
    ordered = {keys[place] for place in in_order}
    taken: dict[int, Item] = {}
    for place, item in sound.items():
        if len(versions[keys[place]]) > 1:
            wrong[place] = "contradicts another row"
        elif place in in_order:
            taken[place] = item
        elif keys[place] not in ordered:
            wrong[place] = OUT_OF_ORDER
    return taken, wrong


def refuse_mostly_odd(call: str, n_rows: int, odd: Sequence[str]) -> None:
    """Refuse an answer when too little of it can be used.

    :param call: endpoint and what was asked, for the message
    :param n_rows: rows of the answer
    :param odd: what is wrong with each that cannot be used
    :raises KrakenMalformedReplyError: if more than half are odd, or fewer than 3 of more than 3 are sound
    """
    n_odd = len(odd)
    if 2 * n_odd > n_rows or (n_rows > FEWEST_SOUND and n_rows - n_odd < FEWEST_SOUND and n_odd):
        raise KrakenMalformedReplyError(
            f"{call}: {n_odd} of {n_rows} rows cannot be used, so all are refused; the first: {odd[0]}"
        )


def _in_order(moments: dict[int, tuple[Decimal | int, int]]) -> set[int]:
    """Return the places of the longest part that rises."""
    tails: list[tuple[Decimal | int, int]] = []
    places: list[int] = []
    before: dict[int, int | None] = {}
    for place, moment in moments.items():
        length = bisect_left(tails, moment)
        before[place] = places[length - 1] if length else None
        tails[length : length + 1] = [moment]
        places[length : length + 1] = [place]
    chosen, last = set(), places[-1] if places else None
    while last is not None:
        chosen.add(last)
        last = before[last]
    return chosen
