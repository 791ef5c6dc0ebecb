"""Kraken's wire format: numbers as text, the envelope, the HTML of its front."""

from __future__ import annotations

import json
import re
from typing import Any

VOLUME_DIGITS = 8
TRADE_PRICE_DIGITS = 5
NS_DIGITS = 9
TIME_DIGITS = 7
_MARK = "~"


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


def parsed(body: bytes) -> Any:
    """Return a body as objects, numbers with a point as marked text: a float would round a trade's time.

    :param body: JSON
    """
    return json.loads(body, parse_float=lambda text: f"{_MARK}{text}{_MARK}")


def written(parsed_body: Any) -> bytes:
    """Return the body of objects that :func:`parsed` returned.

    :param parsed_body: may have been changed
    """
    text = json.dumps(parsed_body, separators=(",", ":"))
    return re.sub(rf'"{_MARK}([-+.0-9eE]+){_MARK}"', r"\1", text).encode()


def altered(body: bytes, path: list[Any], change: dict[str, Any]) -> bytes:
    """Return a body with something in its result put in, replaced or taken out.

    :param body: of a successful answer
    :param path: keys and positions below ``result``; ``*`` stands for every list below an object, and for
        every element of a list
    :param change: ``value``: what is put there, at a position behind the end of a list appended; without it,
        what is there is taken out
    :raises ValueError: if the path leads nowhere
    """
    whole = parsed(body)
    found = False
    for holder, key in _places(whole["result"], path):
        found = True
        if "value" not in change:
            del holder[key]
        elif isinstance(holder, list) and key == len(holder):
            holder.append(change["value"])
        else:
            holder[key] = change["value"]
    if not found:
        msg = f"path {path} leads nowhere in this answer"
        raise ValueError(msg)
    return written(whole)


def _places(inside: Any, path: list[Any]) -> list[tuple[Any, Any]]:
    step, *rest = path
    keys = [step]
    if step == "*":
        is_object = isinstance(inside, dict)
        keys = [key for key, value in inside.items() if isinstance(value, list)] if is_object else []
        keys = list(range(len(inside))) if isinstance(inside, list) else keys
    elif isinstance(step, int) and step < 0:
        keys = [len(inside) + step]
    if not rest:
        return [(inside, key) for key in keys]
    return [place for key in keys for place in _places(inside[key], rest)]


def refusal(*errors: str) -> bytes:
    """Return the body of an answer with an error list and no result."""
    return json.dumps({"error": list(errors)}, separators=(",", ":")).encode()


def html_page(status: int, title: str) -> bytes:
    """Return the page that the front before the exchange serves instead of JSON."""
    return (
        f"<!DOCTYPE html>\n<html><head><title>{status}: {title}</title></head>\n"
        f"<body><center><h1>{status} {title}</h1></center><hr><center>cloudflare</center></body></html>\n"
    ).encode()
