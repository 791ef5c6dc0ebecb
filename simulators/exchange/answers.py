"""What a simulated and a replayed exchange have in common: refusals, parameters, answers about no pair."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from simulators.exchange.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.exchange.clock import Clock
    from simulators.exchange.faults import Fault

UNKNOWN_PAIR = "EQuery:Unknown asset pair"
BAD_ARGUMENTS = "EGeneral:Invalid arguments"
UNKNOWN_METHOD = "EGeneral:Unknown method"
# 1e11 s is the year 5138, 1e11 ns is two minutes into 1970.
_FIRST_NS_CURSOR = 10**11


class RefusedError(Exception):
    """The exchange answers with an error list instead of a result; the message is Kraken's string."""


class Answer(NamedTuple):
    """Body of an answer and the error list it holds."""

    body: bytes
    errors: tuple[str, ...] = ()


class Exchange(Protocol):
    """What the HTTP side needs from an exchange, simulated or replayed."""

    clock: Clock

    def answer(self, endpoint: str, query: Mapping[str, str], faults: list[Fault]) -> Answer:
        """Return the answer to a call; raise RefusedError for one with an error list and no result."""

    def ticker_of(self, name: str) -> str:
        """Return the altname for a name in a request, or the name itself when no pair has it."""


def whole_number(query: Mapping[str, str], name: str, default: int | None) -> int | None:
    """Return a parameter that must be a whole number.

    :param query: the call's parameters
    :param name: name of the parameter
    :param default: value when it is absent or empty
    :raises RefusedError: if it is something else
    """
    text = query.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit():
        raise RefusedError(f"{BAD_ARGUMENTS}:{name}")
    return int(text)


def cursor_ns(cursor: int) -> int:
    """Return a Trades cursor in nanoseconds; Kraken also takes seconds, told apart by their size."""
    return cursor if cursor >= _FIRST_NS_CURSOR else cursor * NS_PER_S


def system_status(now_ns: int, status: str) -> dict[str, Any]:
    """Return the result of a SystemStatus call.

    :param now_ns: the exchange's time
    :param status: ``online``, ``maintenance``, ``cancel_only`` or ``post_only``
    """
    stamp = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"status": status, "timestamp": stamp, "upcoming_maintenance": [], "emergency": []}


def server_time(now_ns: int) -> dict[str, Any]:
    """Return the result of a Time call.

    :param now_ns: the exchange's time
    """
    now_s = now_ns // NS_PER_S
    written = datetime.fromtimestamp(now_s, UTC).strftime("%a, %d %b %y %H:%M:%S +0000")
    return {"unixtime": now_s, "rfc1123": written}
