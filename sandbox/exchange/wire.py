"""Kraken's wire format: numbers as text, the envelope, the HTML of its front."""

from __future__ import annotations

import json
from typing import Any

VOLUME_DIGITS = 8
TRADE_PRICE_DIGITS = 5
NS_DIGITS = 9
TIME_DIGITS = 7


def fixed(units: int, decimals: int, digits: int | None = None) -> str:
    """Return ``units * 10**-decimals`` with a fixed number of digits after the point.

    :param units: the number in its smallest units
    :param decimals: digits after the point that ``units`` holds
    :param digits: digits after the point to show, not less than ``decimals``; None for just those
    """
    digits = decimals if digits is None else digits
    sign = "-" if units < 0 else ""
    text = str(abs(units) * 10 ** (digits - decimals))
    if digits == 0:
        return sign + text
    text = text.rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}"


def seconds_text(time_ns: int) -> str:
    """Return a trade's time as Kraken's JSON number: seconds with up to seven decimals, cut off.

    A binary float would turn 1762820039.9999999 into the next minute, so the text is made from the integer.
    """
    whole, fraction = divmod(time_ns, 10**NS_DIGITS)
    decimals = f"{fraction:0{NS_DIGITS}d}"[:TIME_DIGITS].rstrip("0")
    return f"{whole}.{decimals or '0'}"


def envelope(result: Any) -> bytes:
    """Return the body of a successful answer."""
    return json.dumps({"error": [], "result": result}, separators=(",", ":")).encode()


def refusal(*errors: str) -> bytes:
    """Return the body of an answer with an error list and no result."""
    return json.dumps({"error": list(errors)}, separators=(",", ":")).encode()


def html_page(status: int, title: str) -> bytes:
    """Return the page that the front before the exchange serves instead of JSON."""
    return (
        f"<!DOCTYPE html>\n<html><head><title>{status}: {title}</title></head>\n"
        f"<body><center><h1>{status} {title}</h1></center><hr><center>cloudflare</center></body></html>\n"
    ).encode()
