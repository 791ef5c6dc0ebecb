"""Sort what Kraken says into error classes: one table, and the rules for several strings at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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


RANKED: Final = (
    KrakenPermanentError,
    UnknownPairError,
    KrakenRateLimitError,
    KrakenTransientError,
    KrakenUnexpectedReplyError,
)
"""Where several errors apply, the first of these decides."""

PREFIXES: Final[tuple[tuple[str, type[KrakenError]], ...]] = (
    ("EQuery:Unknown asset pair", UnknownPairError),
    ("EQuery:Unknown asset", KrakenPermanentError),
    ("EQuery:Invalid asset pair", KrakenPermanentError),
    ("EGeneral:Invalid arguments", KrakenPermanentError),
    ("EGeneral:Unknown method", KrakenPermanentError),
    ("EGeneral:Permission denied", KrakenPermanentError),
    ("EAPI:Feature disabled", KrakenPermanentError),
    ("EAPI:Rate limit exceeded", KrakenRateLimitError),
    ("EGeneral:Too many requests", KrakenRateLimitError),
    ("EService:Throttled", KrakenRateLimitError),
    ("EService:Unavailable", KrakenTransientError),
    ("EService:Busy", KrakenTransientError),
    ("EService:Deadline elapsed", KrakenTransientError),
    ("EGeneral:Internal error", KrakenTransientError),
    ("EDatabase:Internal error", KrakenTransientError),
    ("EGeneral:Temporary lockout", KrakenTransientError),
    ("", KrakenUnexpectedReplyError),
)
"""Kraken's error strings, the first match counts (REST guide, "API Errors", and measured answers)."""

CURES: Final[dict[type[KrakenError], str]] = {
    UnknownPairError: "; the ticker is delisted, renamed or misspelt: see AssetPairs",
    KrakenPermanentError: "; a retry will not help, the request itself is wrong",
    KrakenTransientError: "",
    KrakenUnexpectedReplyError: "; this error is unknown here, see Kraken's documentation",
}
BLOCKED: Final = "; it blocks this address, or a proxy or the connection's host is wrong"


def is_warning(text: str) -> bool:
    """Return whether a string of ``error`` is a warning (``W<Category>:...``), whose result counts."""
    return re.match(r"\s*w[a-z]*\s*:", text, re.IGNORECASE) is not None


def of_strings(strings: Sequence[str], call: str, *, now_s: float) -> KrakenError | None:
    """Judge the strings of ``error``; one permanent among several makes the whole permanent.

    :param strings: as sent, warnings included
    :param call: endpoint and what was asked, for example ``OHLC XBTUSD 60 min``
    :param now_s: epoch seconds, against which the time in ``EService:Throttled: <time>`` is measured
    :return: ``None`` if there are only warnings, or nothing
    """
    errors = [text for text in strings if not is_warning(text)]
    if not errors:
        return None
    kind = min(map(_class_of, errors), key=RANKED.index)
    return _error(kind, call, "; ".join(errors), max(_throttled_wait_s(text, now_s) for text in errors))


def of_status(status: int, body: str, call: str, *, retry_after: str | None = None) -> KrakenError | None:
    """Judge an HTTP status alone.

    :param status: HTTP status
    :param body: as text, for the message
    :param call: endpoint and what was asked
    :param retry_after: value of that header
    :return: ``None`` for 200
    """
    if status == HTTPStatus.OK:
        return None
    text = f"HTTP {status}: {body}" if body.strip() else f"HTTP {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = float(retry_after) if retry_after and re.fullmatch(r"[1-9]\d{0,4}", retry_after) else 0
        return _error(KrakenRateLimitError, call, text, wait_s)
    is_passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
    if is_passing:
        return _error(KrakenTransientError, call, text)
    return _error(KrakenUnexpectedReplyError, call, text, cure=BLOCKED)


def worst(errors: Iterable[KrakenError | None]) -> KrakenError | None:
    """Return the error that decides, if there is any."""
    return min(filter(None, errors), key=lambda error: RANKED.index(type(error)), default=None)


def clip(text: str) -> str:
    """Return text on one line, printable, at most 300 characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}..."


def _normalised(text: str) -> str:
    return re.sub(r"\s*:\s*", ":", " ".join(text.split())).casefold()


def _class_of(text: str) -> type[KrakenError]:
    normalised = _normalised(text)
    return next(kind for prefix, kind in PREFIXES if normalised.startswith(_normalised(prefix)))


def _throttled_wait_s(text: str, now_s: float) -> float:
    match = re.fullmatch(r"eservice:throttled:(\d{9,12})(\.\d+)?", _normalised(text))
    return float(match[1]) - now_s if match else 0


def _error(
    kind: type[KrakenError], call: str, text: str, wait_s: float = 0, *, cure: str | None = None
) -> KrakenError:
    """Return an error that says in one sentence what Kraken answered and what to do."""
    said = f"{call}: Kraken answered {clip(text)!r}"
    if kind is KrakenRateLimitError:
        wait_s = wait_s if wait_s > 0 else DEFAULT_WAIT_S
        message = f"{said}; too many calls from this address, the next is allowed in {wait_s:.0f} s"
        return KrakenRateLimitError(message, retry_after_s=wait_s)
    return kind(said + (CURES[kind] if cure is None else cure))
