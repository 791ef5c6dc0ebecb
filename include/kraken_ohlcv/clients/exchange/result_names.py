"""Whose rows an answer holds: the names under which Kraken answers for a pair."""

from __future__ import annotations

from typing import Any, Final

from kraken_ohlcv.clients.errors import KrakenForeignReplyError, KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.classify import clip

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
