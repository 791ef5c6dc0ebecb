"""The exchange's own clock: real time plus an offset, or a moment that stands still."""

from __future__ import annotations

import time
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000


def moment_ns(value: str | float) -> int:
    """Return a moment given as ISO text or as epoch seconds, in epoch nanoseconds.

    :param value: ISO 8601 text with an offset or ``Z``, or epoch seconds
    :raises ValueError: if the text is no moment or has no offset
    """
    if isinstance(value, int):
        return value * NS_PER_S
    if isinstance(value, float):
        return round(value * 1e6) * 1_000
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        msg = f"{value!r} needs an offset, for example a trailing Z"
        raise ValueError(msg)
    since_epoch = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    whole_s = since_epoch.days * 86_400 + since_epoch.seconds
    return whole_s * NS_PER_S + since_epoch.microseconds * 1_000


class Clock:
    """A clock that runs with real time from a settable moment, or stands still.

    :param start_ns: its first moment, epoch ns; None for the real time
    :param is_running: whether it moves on by itself
    """

    def __init__(self, start_ns: int | None, *, is_running: bool) -> None:
        self._start_ns = start_ns
        self._starts_running = is_running
        self.reset()

    @property
    def is_running(self) -> bool:
        """Whether the clock moves on by itself."""
        return self._is_running

    def now_ns(self) -> int:
        """Return the exchange's time, epoch ns."""
        if not self._is_running:
            return self._base_ns
        return self._base_ns + time.monotonic_ns() - self._base_monotonic_ns

    def set(self, *, now_ns: int | None = None, is_running: bool | None = None, advance_ns: int = 0) -> None:
        """Move the clock, and stop it or let it run.

        :param now_ns: the new moment, epoch ns; None keeps the present one
        :param is_running: None keeps it as it is
        :param advance_ns: added to the moment; may be negative
        """
        self._base_ns = (self.now_ns() if now_ns is None else now_ns) + advance_ns
        self._base_monotonic_ns = time.monotonic_ns()
        if is_running is not None:
            self._is_running = is_running

    def reset(self) -> None:
        """Go back to how the clock was started, moment included."""
        self._base_ns = time.time_ns() if self._start_ns is None else self._start_ns
        self._base_monotonic_ns = time.monotonic_ns()
        self._is_running = self._starts_running
