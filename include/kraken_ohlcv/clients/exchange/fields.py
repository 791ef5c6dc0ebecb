"""Numbers as Kraken sends them, and how to show a part of an answer that holds none."""

from __future__ import annotations

import re
import reprlib
from decimal import Decimal
from typing import Any, Final

from kraken_ohlcv.clients.exchange.classify import clip

SHOWN: Final = 9
"""Fields of an odd row that a message repeats."""

LAST_SECOND: Final = 10**11
"""No time of the exchange, in seconds, is as large (year 5138): catches milliseconds."""

NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,2})?")
"""Kraken's texts of numbers; Decimal alone would also take ``NaN``, ``1_0`` and foreign digits."""

MOST_DIGITS: Final = 30
"""Of a whole number."""


class OddPartError(ValueError):
    """A row, trade or entry cannot be used; the message says why, without a subject."""


def number(value: Any) -> Decimal | None:
    """Return a finite number sent as text or as JSON number.

    :param value: anything
    :return: the number, or None if it is none
    """
    text = value if isinstance(value, str) else str(value) if type(value) in {int, Decimal} else ""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def whole(value: Any) -> int | None:
    """Return a whole number >= 0 sent as text or as JSON number, with or without ``.0``.

    :param value: anything
    :return: the number, or None if it is none
    """
    found = number(value)
    if found is None or found < 0 or found.adjusted() >= MOST_DIGITS or found != found.to_integral_value():
        return None
    return int(found)


def shown(part: Any) -> str:
    """Return any part of an answer for a message, bounded in length and depth.

    :param part: anything
    """
    short = reprlib.Repr()
    short.maxlist = SHOWN
    return clip(short.repr(part))
