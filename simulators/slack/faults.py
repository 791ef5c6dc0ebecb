"""Faults by script: what Slack answers instead, and to how many calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("http", "rate_limit", "refuse", "answer", "lost_answer")
FIELDS = {
    "kind",
    "via",
    "skip",
    "count",
    "status",
    "retry_after_s",
    "word",
    "body",
    "headers",
    "is_heard",
}
VIAS = ("webhook", "postMessage", "update", "auth.test")


@dataclass(slots=True)
class Fault:
    """One scripted fault.

    :ivar id: its number
    :ivar kind: one of KINDS
    :ivar via: calls it is for, one of VIAS; None for any
    :ivar skip: such calls that still go well
    :ivar count: such calls that go wrong after those, None until it is cleared
    :ivar status: HTTP status of the kinds ``http`` and ``answer``
    :ivar retry_after_s: value of the header Retry-After, for ``rate_limit`` and ``http``
    :ivar word: Slack's word of the kind ``refuse``, in the shape that Slack gives it
    :ivar body: body of the kind ``answer``, as it stands
    :ivar headers: headers of the kind ``answer``
    :ivar is_heard: whether the kind ``answer`` takes the message before it answers
    """

    id: int
    kind: str
    via: str | None
    skip: int
    count: int | None
    status: int
    retry_after_s: int | None
    word: str
    body: str
    headers: dict[str, str]
    is_heard: bool


class FaultScript:
    """The faults in force; the oldest that fits hits."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._last_number = 0

    def add(self, order: dict[str, Any]) -> int:
        """Add a fault and return its id.

        :param order: ``kind`` and optionally ``via``, ``skip`` (0), ``count`` (1, null until cleared),
            ``status`` (503; 200 for ``answer``), ``retry_after_s``, ``word``, ``body``, ``headers``,
            ``is_heard`` (false)
        :raises ValueError: if a field is unknown or senseless
        """
        unknown = sorted(order.keys() - FIELDS)
        if unknown:
            msg = f"unknown fields {unknown}"
            raise ValueError(msg)
        for name, choices in (("kind", KINDS), ("via", (None, *VIAS))):
            if order.get(name) not in choices:
                msg = f"{name} {order.get(name)!r} is none of {choices}"
                raise ValueError(msg)
        if order["kind"] == "refuse" and not order.get("word"):
            raise ValueError("a refusal needs a word")
        self._last_number += 1
        count = order.get("count", 1)
        retry_after = order.get("retry_after_s", 1 if order["kind"] == "rate_limit" else None)
        self._faults.append(
            Fault(
                id=self._last_number,
                kind=order["kind"],
                via=order.get("via"),
                skip=int(order.get("skip", 0)),
                count=None if count is None else int(count),
                status=int(order.get("status", 200 if order["kind"] == "answer" else 503)),
                retry_after_s=None if retry_after is None else int(retry_after),
                word=str(order.get("word", "")),
                body=str(order.get("body", "")),
                headers={str(name): str(value) for name, value in order.get("headers", {}).items()},
                is_heard=bool(order.get("is_heard", False)),
            )
        )
        return self._last_number

    def take(self, via: str) -> Fault | None:
        """Return the fault that hits a call, if any, and count it down."""
        for fault in self._faults:
            if fault.via not in (None, via) or fault.count == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
            return fault
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Return all faults with what is left of them."""
        return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Take all faults back."""
        self._faults.clear()
