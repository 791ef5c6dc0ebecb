"""Sort what Kraken says into error classes: one table, and the rules for several strings at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from typing import Final

from kraken_ohlcv.clients.errors import (
    KrakenError,
    KrakenPermanentError,
    KrakenRateLimitError,
    KrakenTransientError,
    KrakenUnexpectedReplyError,
    UnknownPairError,
)

DEFAULT_WAIT_S: Final = 5.0
"""Pause after a rate-limit answer that names no time; Kraken's advice is 5 to 15 s."""

MAX_TEXT: Final = 300
"""Characters of Kraken's own text that a message repeats."""


class FaultClass(IntEnum):
    """What to do about an error; where several apply, the smallest value decides."""

    PERMANENT = 1
    UNKNOWN_PAIR = 2
    RATE = 3
    TRANSIENT = 4
    UNKNOWN = 5


PREFIXES: Final = (
    ("EQuery:Unknown asset pair", FaultClass.UNKNOWN_PAIR),
    ("EQuery:Unknown asset", FaultClass.PERMANENT),
    ("EQuery:Invalid asset pair", FaultClass.PERMANENT),
    ("EGeneral:Invalid arguments", FaultClass.PERMANENT),
    ("EGeneral:Unknown method", FaultClass.PERMANENT),
    ("EGeneral:Permission denied", FaultClass.PERMANENT),
    ("EAPI:Feature disabled", FaultClass.PERMANENT),
    ("EAPI:Rate limit exceeded", FaultClass.RATE),
    ("EGeneral:Too many requests", FaultClass.RATE),
    ("EService:Throttled", FaultClass.RATE),
    ("EService:Unavailable", FaultClass.TRANSIENT),
    ("EService:Busy", FaultClass.TRANSIENT),
    ("EService:Deadline elapsed", FaultClass.TRANSIENT),
    ("EGeneral:Internal error", FaultClass.TRANSIENT),
    ("EDatabase:Internal error", FaultClass.TRANSIENT),
    ("EGeneral:Temporary lockout", FaultClass.TRANSIENT),
)
"""Kraken's error strings, the first match counts (REST guide, "API Errors", and measured answers)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A judged answer that is no success.

    :ivar kind: what to do about it
    :ivar text: what came back, for messages
    :ivar wait_s: seconds until Kraken allows the next call, > 0, if it said so
    """

    kind: FaultClass
    text: str
    wait_s: float | None = None


def is_warning(text: str) -> bool:
    """Return whether a string of ``error`` is a warning (``W<Category>:...``), whose result counts."""
    return re.match(r"\s*w[a-z]*\s*:", text, re.IGNORECASE) is not None


def classify_strings(strings: Sequence[str], *, now_s: float) -> Fault | None:
    """Judge the strings of ``error``; one permanent among several makes the whole permanent.

    :param strings: as sent, warnings included
    :param now_s: epoch seconds, against which the time in ``EService:Throttled: <time>`` is measured
    :return: ``None`` if there are only warnings, or nothing
    """
    errors = [text for text in strings if not is_warning(text)]
    if not errors:
        return None
    waits = [wait for wait in (_throttled_wait(text, now_s) for text in errors) if wait is not None]
    return Fault(
        min(_class_of(text) for text in errors), clip("; ".join(errors)), max(waits) if waits else None
    )


def classify_status(status: int, body: str, *, retry_after: str | None = None) -> Fault | None:
    """Judge an HTTP status alone.

    :param status: HTTP status
    :param body: as text, for the message
    :param retry_after: value of that header
    :return: ``None`` for 200
    """
    if status == HTTPStatus.OK:
        return None
    text = clip(f"HTTP {status}: {body}" if body.strip() else f"HTTP {status}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = float(retry_after) if retry_after and re.fullmatch(r"[1-9]\d{0,4}", retry_after) else None
        return Fault(FaultClass.RATE, text, wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Fault(FaultClass.TRANSIENT, text)
    return Fault(FaultClass.UNKNOWN, text)


def worst(faults: Iterable[Fault | None]) -> Fault | None:
    """Return the fault that decides, if there is any."""
    return min((fault for fault in faults if fault is not None), key=lambda fault: fault.kind, default=None)


def error_of(fault: Fault, call: str) -> KrakenError:
    """Return the exception that tells of a fault in one sentence.

    :param fault: judged answer
    :param call: endpoint and what was asked, for example ``OHLC XBTUSD 60 min``
    """
    said = f"{call}: Kraken answered {fault.text!r}"
    match fault.kind:
        case FaultClass.UNKNOWN_PAIR:
            return UnknownPairError(f"{said}; the ticker is delisted, renamed or misspelt: see AssetPairs")
        case FaultClass.PERMANENT:
            return KrakenPermanentError(f"{said}; a retry will not help, the request itself is wrong")
        case FaultClass.RATE:
            wait_s = fault.wait_s or DEFAULT_WAIT_S
            message = f"{said}; too many calls from this address, the next is allowed in {wait_s:.0f} s"
            return KrakenRateLimitError(message, retry_after_s=wait_s)
        case FaultClass.TRANSIENT:
            return KrakenTransientError(said)
        case FaultClass.UNKNOWN:
            cure = (
                "; it blocks this address, or a proxy or the connection's host is wrong"
                if fault.text.startswith("HTTP")
                else "; this error is unknown here, see Kraken's documentation"
            )
            return KrakenUnexpectedReplyError(f"{said}{cure}")


def clip(text: str) -> str:
    """Return text on one line, printable, at most 300 characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}..."


def _normalised(text: str) -> str:
    return re.sub(r"\s*:\s*", ":", " ".join(text.split())).casefold()


def _class_of(text: str) -> FaultClass:
    normalised = _normalised(text)
    return next(
        (kind for prefix, kind in PREFIXES if normalised.startswith(_normalised(prefix))), FaultClass.UNKNOWN
    )


def _throttled_wait(text: str, now_s: float) -> float | None:
    match = re.fullmatch(r"eservice:throttled:(\d{9,12})(\.\d+)?", _normalised(text))
    wait_s = float(match[1]) - now_s if match else 0.0
    return wait_s if wait_s > 0 else None
