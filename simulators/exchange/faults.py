"""Faults by script: which calls go wrong, how, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Kinds that only make sense for one endpoint look at that one unless told otherwise.
_DEFAULT_ENDPOINT: dict[str, str | None] = {
    "restated": "OHLC",
    "stale": "OHLC",
    "rows": "OHLC",
    "omit_flat": "OHLC",
    "bad_row": "OHLC",
    "flat": "OHLC",
    "id_jump": "Trades",
    "id_reset": "Trades",
    "six_fields": "Trades",
    "repeat_border": "Trades",
    "foreign_pair": None,
    "foreign_interval": "OHLC",
    "altered": None,
    "only_pairs": "AssetPairs",
    "time": "Time",
}
CONTENT_KINDS = frozenset(_DEFAULT_ENDPOINT)
ANSWER_KINDS = frozenset(
    {"http", "truncated", "not_json", "error", "rate_limit", "drop", "maintenance", "huge"},
)
KINDS = CONTENT_KINDS | ANSWER_KINDS | {"latency"}
BAD_ROWS = frozenset({
    "high_below_low",
    "open_below_low",
    "negative_volume",
    "no_volume",
    "five_zeros",
    "nan",
    "no_time",
    "off_grid",
    "short_row",
})
_REQUIRED: dict[str, tuple[str, ...]] = {
    "latency": ("seconds",),
    "http": ("status",),
    "error": ("error",),
    "restated": ("interval", "ts"),
    "rows": ("keep",),
    "bad_row": ("what",),
    "flat": ("interval", "ts"),
    "id_reset": ("ts",),
    "foreign_pair": ("pair",),
    "foreign_interval": ("served",),
    "altered": ("path",),
    "only_pairs": ("pairs",),
    "huge": ("mib",),
}
_CHOICES = {"what": BAD_ROWS, "result": {"absent", "empty", "null"}}
_OPTIONAL = {
    "extra_trades",
    "extra_volume",
    "interval",
    "ts",
    "result",
    "error",
    "html",
    "partial",
    "retry_after_s",
    "value",
    "offset_s",
    "at",
}
_COMMON = {"kind", "endpoint", "ticker", "skip", "count"}


@dataclass(slots=True)
class Fault:
    """One scripted fault.

    :ivar number: its id
    :ivar kind: one of KINDS
    :ivar endpoint: method it is for, None for any
    :ivar ticker: pair it is for, None for any
    :ivar skip: matching calls that still go well
    :ivar count: matching calls that go wrong after those, None until it is cleared
    :ivar extras: what the kind needs
    """

    number: int
    kind: str
    endpoint: str | None
    ticker: str | None
    skip: int
    count: int | None
    extras: dict[str, Any] = field(default_factory=dict)

    def matches(self, endpoint: str, ticker: str | None, interval: int | None) -> bool:
        """Return whether the fault is about such a call."""
        return (
            self.endpoint in (None, endpoint)
            and self.ticker in (None, ticker)
            and self.extras.get("interval") in (None, interval)
            and self.count != 0
        )

    def describe(self) -> dict[str, Any]:
        """Return the fault as the admin endpoint shows it, with what is left of skip and count."""
        return {
            "id": self.number,
            "kind": self.kind,
            "endpoint": self.endpoint,
            "ticker": self.ticker,
            "skip": self.skip,
            "count": self.count,
            **self.extras,
        }


class FaultScript:
    """The faults in force, in the order they were added."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last_number = 0

    def add(self, order: dict[str, Any]) -> int:
        """Add a fault and return its id.

        :param order: ``kind``, optionally ``endpoint``, ``ticker``, ``skip`` (0), ``count`` (1, null until
            cleared; ``maintenance`` lasts until cleared unless told otherwise), and what the kind needs
        :raises ValueError: if a field is missing, unknown or senseless
        """
        kind = order.get("kind")
        if kind not in KINDS:
            msg = f"kind {kind!r} is none of {', '.join(sorted(KINDS))}"
            raise ValueError(msg)
        extras = {name: value for name, value in order.items() if name not in _COMMON}
        _check(str(kind), extras)
        self._last_number += 1
        self._faults[self._last_number] = Fault(
            number=self._last_number,
            kind=str(kind),
            endpoint=order.get("endpoint") or _DEFAULT_ENDPOINT.get(str(kind)),
            ticker=order.get("ticker"),
            skip=int(order.get("skip") or 0),
            count=order.get("count", None if kind == "maintenance" else 1),
            extras=extras,
        )
        return self._last_number

    def take(self, endpoint: str, ticker: str | None, interval: int | None) -> list[Fault]:
        """Return the faults that hit a call, and count them down.

        Latency and faults of content add up; of the others only the oldest hits, so that several of them
        with a count play one after the other.
        """
        hits: list[Fault] = []
        for fault in self._faults.values():
            if not fault.matches(endpoint, ticker, interval):
                continue
            if fault.kind in ANSWER_KINDS and any(hit.kind in ANSWER_KINDS for hit in hits):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
            hits.append(fault)
        return hits

    def describe(self) -> list[dict[str, Any]]:
        """Return all faults, spent ones included, oldest first."""
        return [fault.describe() for fault in self._faults.values()]

    def remove(self, number: int) -> None:
        """Take one fault back.

        :raises ValueError: if there is none of that id
        """
        if self._faults.pop(number, None) is None:
            msg = f"there is no fault {number}"
            raise ValueError(msg)

    def holds(self, fault: Fault) -> bool:
        """Return whether a fault, spent or not, has not been taken back."""
        return fault.number in self._faults

    def clear(self) -> None:
        """Take all faults back."""
        self._faults.clear()


def _check(kind: str, extras: dict[str, Any]) -> None:
    for name in _REQUIRED.get(kind, ()):
        if name not in extras:
            msg = f"a fault of kind {kind} needs {name!r}"
            raise ValueError(msg)
    for name, value in extras.items():
        if name not in _OPTIONAL and name not in _REQUIRED.get(kind, ()):
            msg = f"a fault of kind {kind} has no {name!r}"
            raise ValueError(msg)
        if name in _CHOICES and value not in _CHOICES[name]:
            msg = f"{name} {value!r} is none of {', '.join(sorted(_CHOICES[name]))}"
            raise ValueError(msg)
